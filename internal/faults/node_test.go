package faults_test

import (
	"cmp"
	"context"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/redisbroker"
	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/redisstore"
	"github.com/sessionhub/sessionhub/transport"
	"github.com/sessionhub/sessionhub/web"
)

// plan is what a node is made of. Redis and prefix must be given. Where timeouts and
// heartbeats are not what a test is about, and the URLs and options give none, they
// are longer than the defaults: a busy machine shall be no fault.
type plan struct {
	redis  string // URL of the store's Redis
	bus    string // URL of the broker's; the store's unless given
	prefix string

	talk     *talk // a new one unless given
	hub      hub.Options
	sessions session.Options
	socket   transport.Options
}

// node is a node in this process: all parts of the program, put together as an App
// puts them together, but so that a fault can be had between any two.
type node struct {
	testing.TB
	addr     string // of its server, "127.0.0.1:port"
	talk     *talk
	hub      *hub.Hub
	sessions *session.Manager
	store    *redisstore.Store
	socket   *transport.Endpoint
	log      *journal
	client   *http.Client
}

// start starts a node, and waits until it is fresh. It ends with the test, after
// the sockets that were opened later.
func start(t testing.TB, p plan) *node {
	t.Helper()
	n := &node{TB: t, talk: p.talk, log: new(journal)}
	if n.talk == nil {
		n.talk = new(talk)
	}
	logger := slog.New(slog.NewTextHandler(n.log, nil))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the node said last:\n%s", n.log.tail(30))
		}
	})
	open := func(url string) *redisstore.Store {
		if !strings.Contains(url, "?") {
			url += "?dial_timeout=2s&read_timeout=2s&write_timeout=2s&pool_timeout=2s"
		}
		store := must(redisstore.Open(url, redisstore.Options{Prefix: p.prefix}))(t)
		t.Cleanup(func() { _ = store.Close() })
		return store
	}
	n.store = open(p.redis)
	bus := n.store
	if p.bus != "" {
		bus = open(p.bus)
	}
	p.hub.Broker = redisbroker.New(bus.Client(), redisbroker.Options{Prefix: p.prefix, Logger: logger})
	p.hub.Heartbeat = cmp.Or(p.hub.Heartbeat, 10*time.Second)
	p.hub.Logger, p.sessions.Logger, p.socket.Logger = logger, logger, logger
	n.hub = hub.New(p.hub)
	p.sessions.Ends = n.hub
	p.sessions.Timeout = cmp.Or(p.sessions.Timeout, 5*time.Second)
	registry := must(prefixes.NewRegistry(prefixes.Parse("main"), prefixes.Parse("main/chat")))(t)
	n.sessions = session.New(registry, n.store, p.sessions)
	p.socket.Origins = []string{origin}
	p.socket.PerSession = cmp.Or(p.socket.PerSession, 1<<20)
	p.socket.PerAddress = cmp.Or(p.socket.PerAddress, 1<<20)
	n.socket = must(transport.New(n.talk, n.sessions, n.hub, p.socket))(t)

	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := n.hub.Run(ctx, n.sessions); err != nil {
			t.Errorf("Run of the hub: %v", err)
		}
	})
	running.Go(func() {
		if err := n.sessions.Run(ctx); err != nil {
			t.Errorf("Run of the sessions: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
		eventually(t, "no socket is left", func() bool { return n.socket.Stats().Open == 0 })
	})

	router := must(web.NewRouter(n.sessions, web.Options{TrustedOrigins: []string{origin}, Logger: logger}))(t)
	pages(router, n.socket)
	server := httptest.NewUnstartedServer(router)
	server.Config.ErrorLog = log.New(n.log, "", 0)
	server.Start()
	n.addr = server.Listener.Addr().String()
	n.client = newClient()
	t.Cleanup(func() {
		n.client.CloseIdleConnections()
		server.Close()
	})
	eventually(t, "the node is fresh", n.hub.Fresh)
	return n
}

// knows reports whether the node knows of so many nodes, and that these are all.
func (n *node) knows(nodes int) bool {
	st := n.hub.Stats()
	return st.NodesKnown && st.Nodes == nodes
}

// newClient returns a client for many requests at once.
func newClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       patience,
	}
}

// journal is what a node logs.
type journal struct {
	mu    sync.Mutex // guards the following field
	lines []string
}

// Write takes one line, as loggers write.
func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, string(p))
	return len(p), nil
}

// count returns how many lines have a text.
func (j *journal) count(text string) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, line := range j.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// tail returns the last n lines.
func (j *journal) tail(n int) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines[max(0, len(j.lines)-n):], "")
}
