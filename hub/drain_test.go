package hub_test

import (
	"context"
	"errors"
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
