package hub_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/hubtest"
	"github.com/sessionhub/sessionhub/internal/notice"
)

var errDown = errors.New("store is down")

// record is a session in a store.
type record struct {
	epoch       uint64
	deadline    time.Time
	generations map[string]uint64
}

// store is a hub.Sessions.
type store struct {
	mu      sync.Mutex // guards the following fields
	records map[string]record
	down    bool
	calls   int
	slow    chan struct{} // if not nil, answers are computed and then held until it is closed

	recovered  []bool // the gap of each Recover
	recovering error  // what Recover returns
}

func newStore() *store { return &store{records: make(map[string]record)} }

func (s *store) put(id string, r record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.deadline.IsZero() {
		r.deadline = time.Now().Add(8 * time.Hour)
	}
	s.records[id] = r
}

func (s *store) delete(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, id)
}

func (s *store) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// hold makes checks wait with the answers they have, until release.
func (s *store) hold() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := make(chan struct{})
	s.slow = held
	return sync.OnceFunc(func() {
		s.mu.Lock()
		if s.slow == held {
			s.slow = nil
		}
		s.mu.Unlock()
		close(held)
	})
}

func (s *store) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// Recover implements hub.Sessions.
func (s *store) Recover(_ context.Context, gap bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recovered = append(s.recovered, gap)
	return s.recovering
}

// Check implements hub.Sessions.
func (s *store) Check(ctx context.Context, root string, ids []string,
	report func(string, bool, uint64, time.Duration, map[string]uint64)) error {
	type answer struct {
		id    string
		alive bool
		r     record
		left  time.Duration
	}
	s.mu.Lock()
	s.calls++
	if s.down {
		s.mu.Unlock()
		return errDown
	}
	var answers []answer
	for _, id := range ids {
		r, ok := s.records[id]
		left := time.Until(r.deadline)
		answers = append(answers, answer{id, ok && left > 0, record{r.epoch, r.deadline, maps.Clone(r.generations)}, left})
	}
	slow := s.slow
	s.mu.Unlock()
	if slow != nil {
		select {
		case <-slow:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for _, a := range answers {
		report(a.id, a.alive, a.r.epoch, a.left, a.r.generations)
	}
	return nil
}

// admit brings the entry what the store says, as a transport does.
func (s *store) admit(e *hub.Entry, id, user string) error {
	s.mu.Lock()
	r := s.records[id]
	s.mu.Unlock()
	return e.Admit(user, r.epoch, time.Until(r.deadline), r.generations)
}

// bus is a broker whose subscription the test breaks.
type bus struct {
	*hub.MemoryBroker
	mu sync.Mutex // guards the following field
	r  hub.Receiver
}

func (b *bus) Run(ctx context.Context, r hub.Receiver) error {
	b.mu.Lock()
	b.r = r
	b.mu.Unlock()
	return b.MemoryBroker.Run(ctx, r)
}

func (b *bus) receiver() hub.Receiver {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.r
}

// node is a hub that runs on a bus of its own unless one is given, in a
// synctest bubble.
type node struct {
	*hub.Hub
	store *store
	bus   *bus
	t     *testing.T
	stop  func() error
}

func start(t *testing.T, s *store, shared *hub.MemoryBroker) *node {
	t.Helper()
	if shared == nil {
		shared = hub.NewMemoryBroker()
	}
	b := &bus{MemoryBroker: shared}
	return startOn(t, s, b, b)
}

// startOn is start on a broker that goes around the bus, or without a bus.
func startOn(t *testing.T, s *store, around hub.Broker, b *bus) *node {
	t.Helper()
	return startWith(t, hub.Options{}, s, around, b)
}

// startWith is startOn with options.
func startWith(t *testing.T, o hub.Options, s *store, around hub.Broker, b *bus) *node {
	t.Helper()
	n := &node{store: s, bus: b, t: t}
	o.Broker = around
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	n.Hub = hub.New(o)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx, s) }()
	n.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := n.stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	synctest.Wait()
	return n
}

// open registers and admits a connection, and makes it LIVE.
func (n *node) open(id, user string, namespaces ...string) (*hub.Entry, *hubtest.Conn) {
	n.t.Helper()
	c := new(hubtest.Conn)
	if namespaces == nil {
		namespaces = []string{"main"}
	}
	e := n.Register("main", id, namespaces, c)
	if err := n.store.admit(e, id, user); err != nil {
		n.t.Fatalf("Admit = %v", err)
	}
	if err := e.Live(); err != nil {
		n.t.Fatalf("Live = %v", err)
	}
	n.t.Cleanup(func() {
		e.Remove()
		if err := c.Err(); err != nil {
			n.t.Error(err)
		}
	})
	return e, c
}

func session(id string) string {
	return notice.Notice{Kind: notice.Session, Root: "main", ID: id}.String()
}

func epoch(id string, below uint64) string {
	return notice.Notice{Kind: notice.Epoch, Root: "main", ID: id, Below: below}.String()
}

func namespace(id, name string, below uint64) string {
	return notice.Notice{Kind: notice.Namespace, Root: "main", ID: id, Namespace: name, Below: below}.String()
}

func wantClosed(t *testing.T, c *hubtest.Conn, want hub.Reason) {
	t.Helper()
	if m, ok := c.Marked(); !ok || m != want {
		t.Errorf("marked %v, %v, want %v", m, ok, want)
	}
	if r, ok := c.Closed(); !ok || r != want {
		t.Errorf("closed %v, %v, want %v", r, ok, want)
	}
}

func wantOpen(t *testing.T, c *hubtest.Conn) {
	t.Helper()
	if m, ok := c.Marked(); ok {
		t.Errorf("marked %v, want open", m)
	}
}
