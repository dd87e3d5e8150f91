package soak_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub"
	"github.com/sessionhub/sessionhub/internal/faultproxy"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/internal/soak"
)

// public is the origin of all nodes.
const public = "http://localhost:8080"

// cluster is the nodes of a run and their Redis. Nodes are started and ended by
// the test's goroutine.
type cluster struct {
	t      *testing.T
	rec    *recorder
	server *redistest.Server
	prefix string
	log    *slog.Logger
	ending sync.WaitGroup // of crashed nodes

	mu    sync.Mutex // guards the following field
	nodes []*node    // by slot
}

// node is one life of a node.
type node struct {
	place  soak.Place
	url    string
	app    *sessionhub.App
	ln     *listener
	proxy  *faultproxy.Proxy
	cancel context.CancelFunc
	ended  chan struct{} // closed when App.Serve has returned
	err    error         // of it
}

// newCluster starts Redis and the nodes.
func newCluster(t *testing.T, rec *recorder, slots int) *cluster {
	var out io.Writer = io.Discard
	if *logs {
		out = os.Stderr
	}
	c := &cluster{
		t: t, rec: rec,
		// A deletion that was acknowledged outlives the process.
		server: redistest.Start(t, "--appendfsync", "always"),
		prefix: redistest.Prefix(t),
		log:    slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelInfo})),
		nodes:  make([]*node, slots),
	}
	for slot := range slots {
		if err := c.start(slot); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// node returns the present node of a slot.
func (c *cluster) node(slot int) *node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[slot]
}

// start starts a node in a slot, in the place of one that has ended. A busy
// machine may need several attempts.
func (c *cluster) start(slot int) error {
	life := 1
	if old := c.node(slot); old != nil {
		life = old.place.Life + 1
	}
	var errs []error
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); {
		n, err := c.launch(soak.Place{Slot: slot, Life: life})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		now := c.rec.now()
		c.rec.note(func(h *soak.History) {
			h.Nodes = append(h.Nodes, soak.Node{Place: n.place, Span: soak.Span{From: now, To: soak.Never}})
		})
		c.mu.Lock()
		defer c.mu.Unlock()
		c.nodes[slot] = n
		return nil
	}
	return fmt.Errorf("start node %d: %w", slot, errors.Join(errs...))
}

// drain is longer than the 5 seconds that http.Server.Shutdown grants to a
// connection on which no request has come yet: clients keep such ones.
const drain = 6 * time.Second

// startTimeout is how long a node may take until it answers.
const startTimeout = 30 * time.Second

// launch starts a node and returns when it answers.
func (c *cluster) launch(place soak.Place) (*node, error) {
	n := &node{place: place, proxy: faultproxy.Start(c.t, c.server.Addr), ended: make(chan struct{})}
	n.proxy.Mark("\r\nsubscribe\r\n")
	var err error
	n.app, err = sessionhub.New(sessionhub.Options{
		Public: public, Redis: "redis://" + n.proxy.Addr + "/0", Prefix: c.prefix,
		Namespaces: []string{"main", "main/chat"},
		Node:       fmt.Sprintf("%d.%d", place.Slot, place.Life),
		Drain:      drain,
		Logger:     c.log,
	})
	if err != nil {
		return nil, err
	}
	handler, err := (&site{n.app, c.rec, place}).handler()
	if err != nil {
		return nil, errors.Join(err, n.app.Close())
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, n.app.Close())
	}
	n.ln, n.url = &listener{Listener: tcp}, "http://"+tcp.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	go func() {
		defer close(n.ended)
		n.err = n.app.Serve(ctx, n.ln, handler)
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-n.ended:
			return nil, n.err
		case <-tick.C:
			if n.answers() {
				return n, nil
			}
		}
	}
}

// answers reports whether the node takes connections, after its start check.
func (n *node) answers() bool {
	if n.app.Ready() != nil {
		return false
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}).Get(n.url + "/look")
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// over notes the end of a node's life.
func (c *cluster) over(n *node) {
	now := c.rec.now()
	c.rec.note(func(h *soak.History) {
		for i := range h.Nodes {
			if h.Nodes[i].Place == n.place {
				h.Nodes[i].To = now
			}
		}
	})
}

// crash ends a node as the end of its process would look from outside: all its
// connections break, to clients and to Redis.
func (c *cluster) crash(n *node) {
	c.over(n)
	n.proxy.Refuse(true)
	n.proxy.CloseAll()
	n.ln.breakAll()
	n.cancel()
	c.ending.Go(func() { <-n.ended }) // with whatever error
}

// drain ends a node gently, and returns when it has.
func (c *cluster) drain(n *node) {
	c.over(n)
	n.cancel()
	<-n.ended
	if n.err != nil {
		c.t.Errorf("node %v ended with %v", n.place, n.err)
	}
}

// stop drains all nodes.
func (c *cluster) stop() {
	var wg sync.WaitGroup
	for _, n := range c.nodes {
		wg.Go(func() { c.drain(n) })
	}
	wg.Wait()
	c.ending.Wait()
}

// listener remembers its connections, so that they can be broken.
type listener struct {
	net.Listener

	mu    sync.Mutex // guards the following fields
	conns []*net.TCPConn
	over  bool
}

func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		_ = conn.Close()
	}
	l.conns = append(l.conns, conn.(*net.TCPConn))
	return conn, nil
}

func (l *listener) breakAll() {
	_ = l.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	for _, conn := range l.conns {
		_ = conn.SetLinger(0) // those that are closed already do not mind
		_ = conn.Close()
	}
}
