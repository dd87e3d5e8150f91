package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	stormRounds  = 200
	stormWorkers = 4

	// stormBound is how long after the answer to a logout its sockets may be
	// open, and a message that was accepted before may still arrive.
	stormBound = 2 * time.Second
)

// testStorm logs out, again and again, while the session's sockets on both nodes
// send and while others are being opened. Another user watches on both nodes.
func testStorm(t *testing.T, p *pair) {
	grace := enter(t, p.b, "/login", p.grace)
	var watching []*tab
	for _, n := range p.nodes() {
		tb := grace.open(t, n)
		for w := range stormWorkers {
			tb.greets(t, stormRoom(w), fmt.Sprint("watching ", w, " on ", n.name))
		}
		watching = append(watching, tb)
	}

	rounds := make([]*stormRound, stormRounds)
	t.Run("rounds", func(t *testing.T) {
		for w := range stormWorkers {
			t.Run(fmt.Sprint(w), func(t *testing.T) {
				t.Parallel()
				who := p.cheap(t, fmt.Sprint("storm-", w))
				for r := w; r < stormRounds && !t.Failed(); r += stormWorkers {
					rounds[r] = &stormRound{
						t: t, p: p, number: r, room: stormRoom(w),
						answered: make(chan struct{}),
					}
					rounds[r].run(who)
				}
			})
		}
	})
	if t.Failed() {
		return
	}

	// What comes behind this was accepted behind it.
	watching[0].greets(t, stormRoom(0), "the end")
	watching[1].hears(t, "the end")
	var late time.Duration
	for _, tb := range watching {
		heard := make(map[string]bool)
		for _, f := range tb.all() {
			if heard[f.Text] {
				t.Errorf("%s: %q was published twice", tb.node.name, f.Text)
			}
			heard[f.Text] = true
			late = max(late, judge(t, rounds, f))
		}
	}
	var lags []time.Duration
	var sum stormCounts
	for _, r := range rounds {
		for _, tb := range r.tabs {
			for _, f := range tb.all() {
				judge(t, rounds, f)
			}
		}
		lags = append(lags, r.lags...)
		sum.add(&r.stormCounts)
	}
	slices.Sort(lags)
	t.Logf("%d logouts: %d messages sent before and %d after the answer, %d unanswered at the end; "+
		"%d sockets, %d of them opened around the logout, %d more found no session",
		stormRounds, sum.before.Load(), sum.after.Load(), sum.unanswered.Load(), len(lags), sum.opened.Load(), sum.bounced.Load())
	t.Logf("logout sent to close frame read: p50 %v, p99 %v, max %v; the last message accepted before arrived %v after the answer",
		lags[len(lags)/2], lags[len(lags)*99/100], lags[len(lags)-1], late)
	for what, n := range map[string]int64{
		"a message was under way at a logout": sum.unanswered.Load(),
		"a message was sent after an answer":  sum.after.Load(),
		"a socket was opened at a logout":     sum.opened.Load(),
		"a socket was opened after a logout":  sum.bounced.Load(),
	} {
		if n == 0 {
			t.Errorf("in no round %s: this proves nothing", what)
		}
	}

	// A save that came late could have brought something back since.
	keys := p.keys(t)
	for _, r := range rounds {
		if left := keysOf(keys, r.v.id); len(left) > 0 {
			t.Errorf("round %d: the session is gone, and Redis has %v", r.number, left)
		}
	}
	grace.logout(t, p.a, "session")
}

func stormRoom(worker int) string { return fmt.Sprint("storm-", worker) }

// judge fails on a message that should not have been accepted, and returns how
// long after the answer to the logout it arrived.
func judge(t *testing.T, rounds []*stormRound, f frame) time.Duration {
	t.Helper()
	words := strings.Fields(f.Text) // "before 17 2 5": round, socket, message
	if len(words) != 4 || words[0] != "before" && words[0] != "after" {
		return 0
	}
	when := words[0]
	r, err := strconv.Atoi(words[1])
	if err != nil {
		t.Fatalf("a message that nobody sent: %+v", f)
	}
	end := rounds[r].end
	if when == "after" {
		t.Errorf("round %d: %q was sent after the logout was answered, and accepted", r, f.Text)
	}
	if f.At.After(end) {
		t.Errorf("round %d: %q was accepted at %v, the logout was answered at %v", r, f.Text, f.At, end)
	}
	late := f.arrived.Sub(end)
	if late > stormBound {
		t.Errorf("round %d: %q arrived %v after the logout was answered", r, f.Text, late)
	}
	return late
}

// keys returns all keys in Redis.
func (p *pair) keys(t *testing.T) []string {
	t.Helper()
	var keys []string
	for cursor := uint64(0); ; {
		some, next, err := p.redis.Scan(t.Context(), cursor, "", 10_000).Result()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, some...)
		if cursor = next; cursor == 0 {
			return keys
		}
	}
}

// keysOf returns the keys of a session, but for those that remember an
// operation for a retry.
func keysOf(keys []string, id string) []string {
	var its []string
	for _, k := range keys {
		if strings.Contains(k, id) && !strings.Contains(k, ":op:") {
			its = append(its, k)
		}
	}
	return its
}

// stormRound is one login, its sockets, and its logout.
type stormRound struct {
	t      *testing.T
	p      *pair
	number int
	room   string
	v      *visitor

	answered chan struct{} // closed when the logout was answered
	end      time.Time     // when; set before
	stormCounts

	mu   sync.Mutex // guards the following fields
	tabs []*tab
	lags []time.Duration // from the logout's sending to each close frame
}

// stormCounts say what happened.
type stormCounts struct {
	before, after   atomic.Int64 // messages, by when they were sent
	unanswered      atomic.Int64 // sent before, and not heard of
	opened, bounced atomic.Int64 // sockets that were opened around the logout
}

func (c *stormCounts) add(o *stormCounts) {
	c.before.Add(o.before.Load())
	c.after.Add(o.after.Load())
	c.unanswered.Add(o.unanswered.Load())
	c.opened.Add(o.opened.Load())
	c.bounced.Add(o.bounced.Load())
}

func (r *stormRound) run(who account) {
	t, nodes := r.t, r.p.nodes()
	on, other := nodes[r.number%2], nodes[(r.number+1)%2]
	r.v = enter(t, other, "/login", who)
	r.tabs = r.p.tabs(t, r.v, 2, r.room)
	first := r.tabs[0]
	var wg sync.WaitGroup
	for i, tb := range slices.Clone(r.tabs) {
		wg.Go(func() { r.talk(tb, i) })
	}
	// The logout comes at another moment each time: when some messages were
	// heard, and when the first, second ... of the new sockets is open.
	if _, _, err := first.wait(2+r.number%5, func(frame) bool { return true }, nil); err != nil {
		t.Fatalf("round %d: wait for messages: %v (%s)", r.number, err, first.end())
	}
	heard := int64(len(first.all()))
	sent := r.v.sent(t, other)
	if most := r.before.Load(); sent < heard || sent > most {
		t.Errorf("round %d: sent = %d, and %d messages were heard before, %d sent", r.number, sent, heard, most)
	}
	opened := make(chan struct{}, 100)
	for i, n := range nodes {
		wg.Go(func() { r.arrive(n, 10*(i+1), opened) })
	}
	for range r.number % 4 {
		<-opened
	}
	began := time.Now()
	took := r.v.logout(t, on, "session")
	r.end = time.Now()
	close(r.answered)
	if took.ClosedHere < 2 {
		t.Errorf("round %d: logout = %+v, want 2 or more closed_here", r.number, took)
	}
	wg.Wait()

	for _, tb := range r.tabs {
		code, at, err := tb.code(stormBound)
		if err != nil || code != 4501 {
			t.Errorf("round %d: socket on %s: close code %d, %v, want 4501", r.number, tb.node.name, code, err)
			continue
		}
		r.lags = append(r.lags, max(0, at.Sub(began)))
	}
	r.v.isOut(t, nodes...)
	if left := keysOf(r.p.keys(t), r.v.id); len(left) > 0 {
		t.Errorf("round %d: the session is gone, and Redis has %v", r.number, left)
	}
}

// talk sends messages until the socket ends, each when the one before was
// heard; the first that follow the answer at once.
func (r *stormRound) talk(tb *tab, socket int) {
	from := 0
	for j := range 36 { // all fit the socket's burst
		when, stop, sent := "before", r.answered, &r.before
		select {
		case <-r.answered:
			when, stop, sent = "after", nil, &r.after
		default:
		}
		text := fmt.Sprint(when, " ", r.number, " ", socket, " ", j)
		sent.Add(1)
		if tb.say(r.room, text) != nil {
			return // the end of the socket is looked at later
		}
		if when == "after" {
			if r.after.Load() > 20 {
				return
			}
			continue
		}
		_, next, err := tb.wait(from, func(f frame) bool { return f.Text == text }, stop)
		from = next
		switch {
		case err == nil:
		case errors.Is(err, context.Canceled), errors.Is(err, errGone):
			r.unanswered.Add(1)
			<-r.answered // write once more, whatever became of the socket
		default:
			r.t.Errorf("round %d, socket %d: %q: %v (%s)", r.number, socket, text, err, tb.end())
			return
		}
	}
}

// arrive opens sockets one after the other, until two of them came after the
// answer, and sends a message on every other one. A session may have ten on a
// node.
func (r *stormRound) arrive(n *node, number int, opened chan<- struct{}) {
	for i, late := 0, 0; i < 8 && late < 2; i++ {
		if i == 6 {
			<-r.answered
		}
		when := "before"
		select {
		case <-r.answered:
			when = "after"
			late++
		default:
		}
		tb, err := dial(r.t, n, r.v.header(n))
		var refused *refusedError
		switch {
		case errors.As(err, &refused) && refused.code == http.StatusTooManyRequests:
			// So many others are being told that they have no session.
			r.bounced.Add(1)
			opened <- struct{}{}
			continue
		case err != nil:
			r.t.Errorf("round %d: open a socket on %s: %v", r.number, n.name, err)
			opened <- struct{}{}
			return
		case when == "after":
			r.bounced.Add(1)
		default:
			r.opened.Add(1)
		}
		r.mu.Lock()
		r.tabs = append(r.tabs, tb)
		r.mu.Unlock()
		opened <- struct{}{}
		if i%2 == 0 {
			continue // a message would end a socket that the logout forgot
		}
		sent := &r.before
		select {
		case <-r.answered:
			when, sent = "after", &r.after
		default:
		}
		sent.Add(1)
		_ = tb.say(r.room, fmt.Sprint(when, " ", r.number, " ", number, " ", i)) // it may be closed
	}
}
