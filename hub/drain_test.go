package hub_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/hubtest"
)

func TestDrain_endsInWavesWithinTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const grace, budget = 250 * time.Millisecond, 20 * time.Second
		s := newStore()
		s.put("a", record{})
		n := start(t, s, nil)
		begin := time.Now()
		times := make(map[time.Duration]int)
		for range 100 {
			var e *hub.Entry
			c := &hubtest.Conn{
				OnMark:  func(hub.Reason) { times[time.Since(begin)]++ },
				OnClose: func(hub.Reason) { time.Sleep(grace); e.Remove() },
			}
			e = n.Register("main", "a", []string{"main"}, c)
			if err := s.admit(e, "a", ""); err != nil {
				t.Fatal(err)
			}
			defer func() { wantClosed(t, c, hub.Restart) }()
		}
		ctx, cancel := context.WithTimeout(t.Context(), budget)
		defer cancel()
		if err := n.Drain(ctx); err != nil {
			t.Errorf("Drain = %v", err)
		}
		if len(times) != 10 {
			t.Errorf("%d waves: %v, want 10", len(times), times)
		}
		if took := time.Since(begin); took < budget/2 || took > budget*4/5+grace {
			t.Errorf("took %v", took)
		}
		late := new(hubtest.Conn)
		e := n.Register("main", "a", nil, late)
		defer e.Remove()
		if err := s.admit(e, "a", ""); !errors.Is(err, hub.Restart) {
			t.Errorf("Admit while draining = %v, want %v", err, hub.Restart)
		}
	})
}

func TestDrain_saysWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		s.put("a", record{})
		n := start(t, s, nil)
		_, c := n.open("a", "") // is not removed when closed
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := n.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Drain = %v, want the context's error", err)
		}
		wantClosed(t, c, hub.Restart)
	})
}

func TestRun_endsWhatIsLeftAndWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		s.put("a", record{})
		n := start(t, s, nil)
		closed := false
		c := &hubtest.Conn{OnClose: func(hub.Reason) { time.Sleep(time.Second); closed = true }}
		e := n.Register("main", "a", nil, c)
		defer e.Remove()
		if err := n.stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
		if !closed || n.Fresh() {
			t.Errorf("after Run: closed = %v, fresh = %v", closed, n.Fresh())
		}
		wantClosed(t, c, hub.Restart)
	})
}

// slowly is a store that takes its time, whatever the context says.
type slowly struct{ *store }

func (s slowly) Check(ctx context.Context, root string, ids []string, report hub.Report) error {
	time.Sleep(500 * time.Millisecond)
	return s.store.Check(ctx, root, ids, report)
}

// Who says goodbye handles nothing any more, whatever its store keeps Run from.
func TestRun_marksAllBeforeItsGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, shared, begin := storeOf("a"), hub.NewMemoryBroker(), time.Now()
		s.put("due", record{deadline: begin.Add(20 * time.Second)})
		n := startLine(t, hub.Options{}, s, shared)
		h := hub.New(hub.Options{Broker: newLine(shared), Logger: slog.New(slog.DiscardHandler)})
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		ran := make(chan error, 1)
		go func() { ran <- h.Run(ctx, slowly{s}) }()
		settle(10 * time.Second)
		leaving := &node{Hub: h, store: s, t: t}
		_, c := leaving.open("a", "")
		leaving.open("due", "")
		wantAcks(t, n.Hub, 2, 2, 0, session("x"))
		settle(time.Until(begin.Add(20*time.Second + 10*time.Millisecond)))
		stop() // in the midst of the question whether the other one has expired
		for range 100 {
			acked, expected := n.Acks(t.Context(), session("x"))
			if _, marked := c.Marked(); acked == expected && (!marked || h.Fresh()) {
				t.Fatalf("Acks = %d, %d: marked = %v, fresh = %v", acked, expected, marked, h.Fresh())
			}
			settle(time.Millisecond)
		}
		wantClosed(t, c, hub.Restart)
		wantAcks(t, n.Hub, 1, 1, 0, session("x"))
		if err := <-ran; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

// failing is a broker that gives up.
type failing struct{ *hub.MemoryBroker }

func (failing) Run(context.Context, hub.Receiver) error { return errDown }

func TestRun_saysWhyTheBrokerGaveUp(t *testing.T) {
	h := hub.New(hub.Options{Broker: failing{hub.NewMemoryBroker()}})
	if err := h.Run(t.Context(), newStore()); !errors.Is(err, errDown) {
		t.Errorf("Run = %v", err)
	}
}

// A connection that comes while the hub drains is not open yet: nobody closes
// it but its owner, who waits for Register.
func TestRegister_whileDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(hub.Options{})
		if err := h.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		registered := make(chan struct{})
		c := &hubtest.Conn{OnClose: func(hub.Reason) { <-registered }}
		e := h.Register("main", "a", []string{"main"}, c)
		close(registered)
		defer e.Remove()
		if err := e.Admit("", 1, time.Hour, nil); !errors.Is(err, hub.Restart) {
			t.Errorf("Admit = %v, want Restart", err)
		}
		if r, marked := c.Marked(); !marked || r != hub.Restart {
			t.Errorf("Marked = %v, %v", r, marked)
		}
	})
}
