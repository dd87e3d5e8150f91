package transport_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
	"github.com/sessionhub/sessionhub/transport"
	"github.com/sessionhub/sessionhub/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const origin = "https://chat.example"

var sent = session.Counter("sent")

// site is the storage that nodes share.
type site struct {
	t      testing.TB
	spaces []prefixes.Namespace
	store  *spy
	broker *hub.MemoryBroker
}

// node is one process: a hub that runs, and its sessions.
type node struct {
	*site
	hub *hub.Hub
	m   *session.Manager
	log *lines
}

func newSite(t testing.TB, spaces ...prefixes.Namespace) *site {
	if len(spaces) == 0 {
		spaces = []prefixes.Namespace{{Name: "main"}, {Name: "chat", Parent: "main"}}
	}
	broker := hub.NewMemoryBroker()
	return &site{t: t, spaces: spaces, broker: broker, store: &spy{Store: &memstore.Store{
		Deliver: func(notice string) { _ = broker.Notify(context.Background(), notice) },
	}}}
}

// newNode returns a fresh node on storage of its own.
func newNode(t testing.TB, spaces ...prefixes.Namespace) *node {
	return newSite(t, spaces...).join(nil)
}

// join runs a node until the end of the test. Its hub uses the site's broker
// unless another is given.
func (s *site) join(b hub.Broker) *node {
	s.t.Helper()
	registry, err := prefixes.NewRegistry(s.spaces...)
	if err != nil {
		s.t.Fatal(err)
	}
	if b == nil {
		b = s.broker
	}
	n := &node{site: s, log: new(lines)}
	logger := slog.New(slog.NewTextHandler(n.log, nil))
	n.hub = hub.New(hub.Options{Broker: b, Logger: slog.New(slog.DiscardHandler)})
	n.m = session.New(registry, s.store, session.Options{Ends: n.hub, Logger: logger})
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	ended := make(chan error)
	go func() { ended <- n.hub.Run(ctx, n.m) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("Run: %v", err)
		}
	})
	if err := n.hub.WaitFresh(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// endpoint returns an endpoint for pages of origin, whose log is n's.
func (n *node) endpoint(h transport.Handler, o transport.Options) *transport.Endpoint {
	n.t.Helper()
	if o.Origins == nil {
		o.Origins = []string{origin}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(n.log, nil))
	}
	e, err := transport.New(h, n.m, n.hub, o)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		eventually(n.t, "no socket is left", func() bool { return e.Stats().Open == 0 })
	})
	return e
}

// logIn returns a visitor who is logged in.
func (n *node) logIn(user string) *transporttest.Visitor {
	n.t.Helper()
	v, err := transporttest.LogIn(n.t.Context(), n.m, user)
	if err != nil {
		n.t.Fatal(err)
	}
	return v
}

// logOut ends the visitor's session as an HTTP request does.
func (n *node) logOut(v *transporttest.Visitor, target session.Target) session.Result {
	n.t.Helper()
	r, err := v.Scope().Logout(context.WithoutCancel(n.t.Context()), target)
	if err != nil {
		n.t.Errorf("Logout: %v", err)
	}
	return r
}

// counted returns what the store has of the counter in a namespace.
func (n *node) counted(v *transporttest.Visitor, name string) int64 {
	n.t.Helper()
	s, err := v.Scope().Session(n.t.Context(), name)
	if err != nil {
		n.t.Fatal(err)
	}
	v2, err := sent.Get(s)
	if err != nil {
		n.t.Fatal(err)
	}
	return v2
}

// lines is a log.
type lines struct {
	mu sync.Mutex // guards the following field
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// events is what happened, in order.
type events struct {
	mu  sync.Mutex // guards the following field
	all []string
}

func (e *events) add(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, fmt.Sprintf(format, args...))
}

func (e *events) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.all, ", ")
}

func (e *events) has(event string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.all, event)
}

// full is a handler of everything but refusals. Its nil functions do nothing.
type full struct {
	message transport.HandlerFunc
	open    func(context.Context, *transport.Outbox) error
	closed  func(context.Context, *transport.Peer, hub.Reason)
	ended   func(context.Context, *transport.Outbox, string) error
}

func (f *full) ServeMessage(ctx context.Context, out *transport.Outbox, in transport.Message) error {
	if f.message == nil {
		return nil
	}
	return f.message(ctx, out, in)
}

func (f *full) Open(ctx context.Context, out *transport.Outbox) error {
	if f.open == nil {
		return nil
	}
	return f.open(ctx, out)
}

func (f *full) Closed(ctx context.Context, p *transport.Peer, r hub.Reason) {
	if f.closed != nil {
		f.closed(ctx, p, r)
	}
}

func (f *full) Ended(ctx context.Context, out *transport.Outbox, namespace string) error {
	if f.ended == nil {
		return nil
	}
	return f.ended(ctx, out, namespace)
}

// echo answers every message with itself.
func echo(_ context.Context, out *transport.Outbox, in transport.Message) error {
	out.Reply(in.Data)
	return nil
}

// count counts messages in main and answers with the number.
func count(ctx context.Context, out *transport.Outbox, _ transport.Message) error {
	s, err := session.Get(ctx, "main")
	if err != nil {
		return err
	}
	if err := sent.Add(s, 1); err != nil {
		return err
	}
	n, err := sent.Get(s)
	out.Reply(fmt.Append(nil, n))
	return err
}

// page returns the header of a page's request.
func page(v *transporttest.Visitor) http.Header {
	h := http.Header{}
	if v != nil {
		h = v.Header()
	}
	h.Set("Origin", origin)
	return h
}

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// eventually waits until something that no event tells is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("never: %s", what)
			return
		}
	}
}

// endElsewhere ends the session of a cookie as a node does that is not of the
// test: only the broker tells.
func (n *node) endElsewhere(cookie http.Header) {
	n.t.Helper()
	elsewhere := session.New(n.m.Registry(), n.store, session.Options{})
	cred, _, _ := n.m.Identify(&http.Request{Header: cookie}, "main", false)
	if _, err := elsewhere.EndSession(context.WithoutCancel(n.t.Context()), "main", cred.ID, "admin"); err != nil {
		n.t.Error(err)
	}
}
