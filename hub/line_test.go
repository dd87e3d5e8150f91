package hub_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/hub"
)

// line is what one node has of a bus: two ways, like connections of its own, on
// which things are late or lost. Its methods may be called from any goroutine.
type line struct {
	*hub.MemoryBroker

	mu        sync.Mutex // guards the following fields
	up, down  bool       // holes: what is published hangs, what comes is lost
	late      func() time.Duration
	lose      func(topic string, data []byte) bool // what comes
	refuse    error                                // what Publish returns
	parts     chan part
	published []string // but for the heartbeats
	hanging   int      // Publishes now
	most      int      // of hanging
	resets    int
	waiting   bool // for the hole to end, to be Fresh
}

// part is a call of the receiver, and when it is made.
type part struct {
	at   time.Time
	call func(hub.Receiver)
}

func newLine(shared *hub.MemoryBroker) *line {
	return &line{MemoryBroker: shared, parts: make(chan part, 100_000)}
}

func (l *line) set(f func(*line)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(l)
}

// hole makes both ways a black hole, or ends that.
func (l *line) hole(on bool) {
	l.set(func(l *line) { l.up, l.down = on, on })
	l.heal()
}

// heal says that the connection was made anew, if that waited.
func (l *line) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting && !l.down {
		l.waiting = false
		l.put(func(r hub.Receiver) { r.Fresh() })
	}
}

func (l *line) put(call func(hub.Receiver)) {
	at := time.Now()
	if l.late != nil {
		at = at.Add(l.late())
	}
	l.parts <- part{at, call}
}

func (l *line) Run(ctx context.Context, r hub.Receiver) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for {
			select {
			case p := <-l.parts:
				time.Sleep(time.Until(p.at))
				if ctx.Err() == nil {
					p.call(r)
				}
			case <-ctx.Done():
				return
			}
		}
	})
	return l.MemoryBroker.Run(ctx, lineEnd{l})
}

func (l *line) Publish(ctx context.Context, topic string, data []byte) error {
	l.mu.Lock()
	if !isBeat(data) {
		l.published = append(l.published, string(data))
	}
	l.hanging++
	l.most = max(l.most, l.hanging)
	up, refuse, late := l.up, l.refuse, time.Duration(0)
	if l.late != nil {
		late = l.late()
	}
	l.mu.Unlock()
	defer l.set(func(l *line) { l.hanging-- })
	if refuse != nil {
		return refuse
	}
	if up {
		<-ctx.Done()
		return ctx.Err()
	}
	time.Sleep(late)
	err := l.MemoryBroker.Publish(ctx, topic, data)
	time.Sleep(late)
	return err
}

func (l *line) Reset(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.resets++
	l.put(func(r hub.Receiver) { r.Stale(cause) })
	if l.waiting = l.down; !l.waiting {
		l.put(func(r hub.Receiver) { r.Fresh() })
	}
}

// lineEnd is where a line comes out of the bus.
type lineEnd struct{ l *line }

func (e lineEnd) Fresh()          { e.pass(func(r hub.Receiver) { r.Fresh() }) }
func (e lineEnd) Stale(err error) { e.pass(func(r hub.Receiver) { r.Stale(err) }) }

func (e lineEnd) Notice(text string) {
	if !e.lost("", []byte(text)) {
		e.pass(func(r hub.Receiver) { r.Notice(text) })
	}
}

func (e lineEnd) Publication(topic string, data []byte) {
	if !e.lost(topic, data) {
		e.pass(func(r hub.Receiver) { r.Publication(topic, data) })
	}
}

func (e lineEnd) lost(topic string, data []byte) bool {
	e.l.mu.Lock()
	defer e.l.mu.Unlock()
	return e.l.down || e.l.lose != nil && e.l.lose(topic, data)
}

func (e lineEnd) pass(call func(hub.Receiver)) {
	e.l.mu.Lock()
	defer e.l.mu.Unlock()
	e.l.put(call)
}

// lineNode is a node at the end of a line.
type lineNode struct {
	*node
	line *line
}

func startLine(t *testing.T, o hub.Options, s *store, shared *hub.MemoryBroker) *lineNode {
	t.Helper()
	l := newLine(shared)
	return &lineNode{startWith(t, o, s, l, nil), l}
}

// count returns a figure of the line.
func (n *lineNode) count(f func(*line) int) (k int) {
	n.line.set(func(l *line) { k = f(l) })
	return k
}

// crash takes the node from the bus without a word.
func (n *lineNode) crash() { n.line.hole(true) }

// spread returns latencies around a mean.
func spread(mean, most time.Duration) func() time.Duration {
	r := rand.New(rand.NewPCG(1, 2))
	return func() time.Duration { return mean - most + time.Duration(r.Int64N(int64(2*most))) }
}

// freshFor looks how long the hub stays fresh, to the millisecond, up to most.
func freshFor(h *hub.Hub, most time.Duration) time.Duration {
	begin := time.Now()
	for h.Fresh() && time.Since(begin) < most {
		time.Sleep(time.Millisecond)
	}
	return time.Since(begin)
}

// logs counts log records by message.
type logs struct {
	slog.Handler
	mu sync.Mutex // guards the following field
	n  map[string]int
}

func newLogs() *logs { return &logs{Handler: slog.DiscardHandler, n: make(map[string]int)} }

func (*logs) Enabled(context.Context, slog.Level) bool { return true }
func (l *logs) WithAttrs([]slog.Attr) slog.Handler     { return l }
func (l *logs) WithGroup(string) slog.Handler          { return l }

func (l *logs) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n[r.Message]++
	return nil
}

func (l *logs) count(message string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n[message]
}

// settle lets a bubble come to rest for a while.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
