package cases_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub"
	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
	"github.com/sessionhub/sessionhub/session/redisstore"
	"github.com/sessionhub/sessionhub/web"
)

// visKinds are the stores that the cases run on.
var visKinds = []string{"memory", "redis"}

// visOrigin is where pages come from.
const visOrigin = "https://chat.example"

// visPatience is how long a case waits for what must come.
const visPatience = 20 * time.Second

// visWorld is one store, and everything that a case puts around it.
type visWorld struct {
	*testing.T
	kind   string
	spy    *visSpy
	broker *hub.MemoryBroker // of the memory store's nodes
	client *redis.Client     // nil on the memory store
	url    string            // of Redis
	prefix string            // of keys in Redis
}

// visRun runs a case on a store: on the memory store in a bubble, where waiting
// takes no time.
func visRun(t *testing.T, kind string, run func(*visWorld)) {
	if kind == "memory" {
		synctest.Test(t, func(t *testing.T) { run(visOpen(t, kind)) })
		return
	}
	run(visOpen(t, kind))
}

// visOpen opens a store for one case.
func visOpen(t *testing.T, kind string) *visWorld {
	t.Helper()
	w := &visWorld{T: t, kind: kind, spy: new(visSpy)}
	if kind == "memory" {
		w.broker = hub.NewMemoryBroker()
		w.spy.Store = &memstore.Store{Deliver: func(notice string) { _ = w.broker.Notify(context.Background(), notice) }}
		return w
	}
	server := redistest.Shared(t)
	w.client, w.prefix = server.Client(t), redistest.Prefix(t)
	// Slower than the default: the race detector and a busy machine are usual.
	w.url = server.URL + "?dial_timeout=2s&read_timeout=2s&write_timeout=2s"
	w.spy.Store = w.openRedis(w.url)
	return w
}

// openRedis opens a store with the world's keys.
func (w *visWorld) openRedis(url string) *redisstore.Store {
	w.Helper()
	store, err := redisstore.Open(url, redisstore.Options{Prefix: w.prefix})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = store.Close() })
	return store
}

// eventually waits until something that no event tells is so.
func (w *visWorld) eventually(what string, so func() bool) {
	w.Helper()
	for deadline := time.Now().Add(visPatience); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("never: %s", what)
		}
	}
}

// later lets the stores' clocks, which count milliseconds, go on.
func (w *visWorld) later() {
	w.Helper()
	began := time.Now()
	w.eventually("time goes on", func() bool { return time.Since(began) > 2*time.Millisecond })
}

// keys returns the keys of all that is kept in Redis.
func (w *visWorld) keys() (keys []string) {
	w.Helper()
	iter := w.client.Scan(w.Context(), 0, w.prefix+":*", 1000).Iterator()
	for iter.Next(w.Context()) {
		keys = append(keys, iter.Val())
	}
	if err := iter.Err(); err != nil {
		w.Error(err)
	}
	return keys
}

// dump returns all that is kept in Redis, keys and values.
func (w *visWorld) dump() string {
	w.Helper()
	var all strings.Builder
	for _, key := range w.keys() {
		fmt.Fprintln(&all, key)
		switch kind := w.client.Type(w.Context(), key).Val(); kind {
		case "hash":
			fmt.Fprintln(&all, w.client.HGetAll(w.Context(), key).Val())
		case "zset":
			fmt.Fprintln(&all, w.client.ZRange(w.Context(), key, 0, -1).Val())
		case "string":
			fmt.Fprintln(&all, w.client.Get(w.Context(), key).Val())
		default:
			w.Errorf("%s is a %s", key, kind)
		}
	}
	return all.String()
}

// visNode is one process in front of the world's store.
type visNode struct {
	*visWorld
	m       *session.Manager
	hub     *hub.Hub // nil unless it has sockets
	options web.Options
	events  *visEvents
}

// node returns a node without sockets, for "main" and "main/chat" unless other
// namespaces are given.
func (w *visWorld) node(ns ...prefixes.Namespace) *visNode {
	w.Helper()
	n := &visNode{visWorld: w, options: visQuiet(), events: new(visEvents)}
	n.m = session.New(visRegistry(w, ns), w.spy, session.Options{
		Timeout: 10 * time.Second, Events: n.events, Logger: n.options.Logger,
	})
	return n
}

// socketNode returns a node with sockets, for "main" and "main/chat" with the
// settings of the environment. On Redis it is an App, whose sessions do not pass
// the spy.
func (w *visWorld) socketNode() *visNode {
	w.Helper()
	n := &visNode{visWorld: w, options: visQuiet(), events: new(visEvents)}
	var run func(context.Context) error
	if w.kind == "memory" {
		n.hub = hub.New(hub.Options{Broker: w.broker, Logger: n.options.Logger})
		ns, err := prefixes.FromEnv(os.LookupEnv, prefixes.Parse("main"), prefixes.Parse("main/chat"))
		if err != nil {
			w.Fatal(err)
		}
		n.m = session.New(visRegistry(w, ns), w.spy, session.Options{Ends: n.hub, Events: n.events, Logger: n.options.Logger})
		run = func(ctx context.Context) error { return n.hub.Run(ctx, n.m) }
	} else {
		app, err := sessionhub.New(sessionhub.Options{
			Public: visOrigin, Redis: w.url, Prefix: w.prefix, Namespaces: []string{"main", "main/chat"},
			Events: n.events, Logger: n.options.Logger,
		})
		if err != nil {
			w.Fatal(err)
		}
		w.Cleanup(func() { _ = app.Close() })
		n.hub, n.m, run = app.Hub(), app.Sessions(), app.Run
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(w.Context()))
	ended := make(chan error)
	go func() { ended <- run(ctx) }()
	w.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			w.Errorf("Run: %v", err)
		}
	})
	if err := n.hub.WaitFresh(w.Context()); err != nil {
		w.Fatal(err)
	}
	return n
}

func visRegistry(t testing.TB, ns []prefixes.Namespace) *prefixes.Registry {
	t.Helper()
	if len(ns) == 0 {
		ns = []prefixes.Namespace{prefixes.Parse("main"), prefixes.Parse("main/chat")}
	}
	registry, err := prefixes.NewRegistry(ns...)
	if err != nil {
		t.Fatal(err)
	}
	return registry
}

// visQuiet has a logger that says nothing.
func visQuiet() web.Options { return web.Options{Logger: slog.New(slog.DiscardHandler)} }

// handler is h behind the middleware.
func (n *visNode) handler(h http.HandlerFunc) http.Handler { return web.Sessions(n.m, n.options)(h) }

// exists asks whether a session lives, without touching it.
func (n *visNode) exists(id string) bool {
	n.Helper()
	alive, err := n.m.Exists(context.WithoutCancel(n.Context()), "", id)
	if err != nil {
		n.Errorf("Exists: %v", err)
	}
	return alive
}

// sessions returns the ids of a user's list, sorted.
func (n *visNode) sessions(user string) []string {
	n.Helper()
	list, err := n.m.Sessions(context.WithoutCancel(n.Context()), "", user)
	if err != nil {
		n.Errorf("Sessions: %v", err)
	}
	var ids []string
	for _, s := range list {
		ids = append(ids, s.ID)
	}
	slices.Sort(ids)
	return ids
}

// lookup returns what is known of a session that lives.
func (n *visNode) lookup(id string) session.Info {
	n.Helper()
	info, ok, err := n.m.Lookup(context.WithoutCancel(n.Context()), "", id)
	if err != nil || !ok {
		n.Fatalf("Lookup = %v, %v", ok, err)
	}
	return info
}

// visEvents notes the events of sessions.
type visEvents struct {
	mu  sync.Mutex // guards the following field
	all []session.Event
}

func (e *visEvents) OnEvent(_ context.Context, event session.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

// count returns how many events of a kind there were.
func (e *visEvents) count(kind session.EventKind) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.all {
		if event.Kind == kind {
			n++
		}
	}
	return n
}

// visFamily is the family of the default namespaces, as the Manager gives it to
// the store.
func visFamily() *session.Family {
	return &session.Family{Spaces: []session.Space{
		{Name: "main", Prefix: "main", Idle: 30 * time.Minute, Life: 8 * time.Hour},
		{Name: "chat", Prefix: "chat"},
	}}
}

// visEnded returns a context that has ended.
func visEnded() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// visRead returns the text of files of this module, given from its root.
func visRead(t testing.TB, patterns ...string) string {
	t.Helper()
	var all strings.Builder
	for _, pattern := range patterns {
		names, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(pattern)))
		if err != nil || len(names) == 0 {
			t.Fatalf("no file %s: %v", pattern, err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
	}
	return all.String()
}
