package hub_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/hubtest"
)

// bubble runs a test in a synctest bubble.
func bubble(f func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) { synctest.Test(t, f) }
}

func TestNotice_endsConnectionsOnAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, shared := newStore(), hub.NewMemoryBroker()
		s.put("a", record{})
		s.put("b", record{})
		n1, n2 := start(t, s, shared), start(t, s, shared)
		_, a1 := n1.open("a", "")
		_, a2 := n2.open("a", "")
		_, b2 := n2.open("b", "")
		if got := n1.Gate(session("a")); got != 1 {
			t.Errorf("Gate = %d, want 1", got)
		}
		if _, closed := a1.Closed(); closed {
			t.Error("Gate closed")
		}
		s.delete("a")
		if err := shared.Notify(t.Context(), session("a")); err != nil {
			t.Fatal(err)
		}
		n1.Close(session("a"))
		synctest.Wait()
		wantClosed(t, a1, hub.SessionEnded)
		wantClosed(t, a2, hub.SessionEnded)
		wantOpen(t, b2)
		if got := n1.Gate(session("a")); got != 0 {
			t.Errorf("second Gate = %d, want 0", got)
		}
	})
}

func TestRegister_endsBeforeLiveAreNotMissed(t *testing.T) {
	for _, c := range []struct {
		name string
		// before is called between Register and Admit, between between Admit and Live.
		before, between string
		admit, live     error
	}{
		{name: "none"},
		{name: "session ended before Admit", before: session("a"), admit: hub.SessionEnded, live: hub.SessionEnded},
		{name: "session ended before Live", between: session("a"), live: hub.SessionEnded},
		{name: "login before Admit, old load", before: epoch("a", 6), admit: hub.SessionRenewed, live: hub.SessionRenewed},
		{name: "login before Admit, new load", before: epoch("a", 5)},
		{name: "login before Live", between: epoch("a", 6), live: hub.SessionRenewed},
		{name: "last namespace ended before Admit", before: namespace("a", "main", 3), admit: hub.SessionEnded, live: hub.SessionEnded},
		{name: "last namespace ended before Live", between: namespace("a", "main", 3), live: hub.SessionEnded},
		{name: "older end of the namespace", before: namespace("a", "main", 2), between: namespace("a", "main", 1)},
		{name: "another session", before: session("b"), between: session("b")},
	} {
		t.Run(c.name, bubble(func(t *testing.T) {
			s := newStore()
			s.put("a", record{epoch: 5, generations: map[string]uint64{"main": 2}})
			n := start(t, s, nil)
			conn := new(hubtest.Conn)
			e := n.Register("main", "a", []string{"main"}, conn)
			defer e.Remove()
			if err := e.Live(); !errors.Is(err, hub.ErrNotAdmitted) && c.name == "none" {
				t.Errorf("Live before Admit = %v", err)
			}
			end := func(text string) {
				if text != "" {
					n.Gate(text)
					n.Close(text)
				}
			}
			end(c.before)
			if err := s.admit(e, "a", "u"); !errors.Is(err, c.admit) {
				t.Errorf("Admit = %v, want %v", err, c.admit)
			}
			end(c.between)
			if err := e.Live(); !errors.Is(err, c.live) {
				t.Errorf("Live = %v, want %v", err, c.live)
			}
			synctest.Wait()
			if c.live == nil {
				wantOpen(t, conn)
			} else {
				wantClosed(t, conn, c.live.(hub.Reason))
			}
			if err := conn.Err(); err != nil {
				t.Error(err)
			}
		}))
	}
}

func TestAdmit_noticesGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		s.put("a", record{})
		n := start(t, s, nil)
		e := n.Register("main", "a", []string{"main"}, new(hubtest.Conn))
		defer e.Remove()
		n.bus.receiver().Stale(errDown)
		if err := s.admit(e, "a", ""); !errors.Is(err, hub.ErrGap) {
			t.Errorf("Admit after a gap = %v, want ErrGap", err)
		}
		if err := s.admit(e, "a", ""); err != nil {
			t.Errorf("Admit with a new load = %v", err)
		}
		if got := n.Gaps(); got != 1 {
			t.Errorf("Gaps = %d, want 1", got)
		}
	})
}

func TestMark_isNeverOverwritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		s.put("a", record{epoch: 1})
		n := start(t, s, nil)
		e, c := n.open("a", "")
		e.End(hub.TooSlow)
		n.Gate(session("a"))
		n.Close(session("a"))
		e.End(hub.TooManyMessages)
		synctest.Wait()
		wantClosed(t, c, hub.TooSlow)
		if r, ok := e.Dead(); !ok || r != hub.TooSlow {
			t.Errorf("Dead = %v, %v", r, ok)
		}
		if err := e.Subscribe(t.Context(), "t", "main"); err != hub.TooSlow {
			t.Errorf("Subscribe = %v, want %v", err, hub.TooSlow)
		}
	})
}

func TestNotice_duplicatesAndOldOnesSpareNewerSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		s.put("a", record{epoch: 3, generations: map[string]uint64{"main": 1, "chat": 4}})
		n := start(t, s, nil)
		_, old := n.open("a", "u", "main", "chat")
		s.put("a", record{epoch: 4, generations: map[string]uint64{"main": 1, "chat": 5}})
		_, young := n.open("a", "u", "main", "chat")
		for range 2 {
			for _, text := range []string{
				epoch("a", 4), namespace("a", "chat", 5), epoch("a", 2), namespace("a", "chat", 3), epoch("a", 4),
			} {
				if err := n.bus.Notify(t.Context(), text); err != nil {
					t.Fatal(err)
				}
			}
		}
		synctest.Wait()
		wantClosed(t, old, hub.SessionRenewed)
		wantOpen(t, young)
		if lost := young.Lost(); len(lost) > 0 {
			t.Errorf("lost %q", lost)
		}
	})
}

func TestNotice_namespaceIsLostOnceAndWithItsTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		s.put("a", record{})
		n := start(t, s, nil)
		e, c := n.open("a", "", "main", "chat")
		_, chat := n.open("a", "", "chat")
		for topic, ns := range map[string]string{"m": "main", "c": "chat", "own": ""} {
			if err := e.Subscribe(t.Context(), topic, ns); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := n.bus.Notify(t.Context(), namespace("a", "chat", 1)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		wantOpen(t, c)
		wantClosed(t, chat, hub.SessionEnded)
		if lost := c.Lost(); !slices.Equal(lost, []string{"chat"}) {
			t.Errorf("lost %q, want chat", lost)
		}
		for _, topic := range []string{"c", "m", "own"} {
			if err := n.Publish(t.Context(), topic, []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if got, want := c.Delivered(), []hubtest.Publication{{Topic: "m", Data: "x"}, {Topic: "own", Data: "x"}}; !slices.Equal(got, want) {
			t.Errorf("delivered %v, want %v", got, want)
		}
		if err := e.Subscribe(t.Context(), "c", "chat"); !errors.Is(err, hub.ErrNamespace) {
			t.Errorf("Subscribe for a lost namespace = %v", err)
		}
		n.Gate(namespace("a", "main", 1))
		n.Close(namespace("a", "main", 1))
		synctest.Wait()
		wantClosed(t, c, hub.SessionEnded)
	})
}

func TestClose_twoThousandBlockingPeersEndInParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const grace = 250 * time.Millisecond
		s := newStore()
		s.put("a", record{})
		n := start(t, s, nil)
		var gone sync.WaitGroup
		for range 2000 {
			gone.Add(1)
			c := &hubtest.Conn{OnClose: func(hub.Reason) { time.Sleep(grace); gone.Done() }}
			e := n.Register("main", "a", nil, c)
			defer e.Remove()
			if err := s.admit(e, "a", ""); err != nil {
				t.Fatal(err)
			}
		}
		begin := time.Now()
		if got := n.Gate(session("a")); got != 2000 {
			t.Errorf("Gate = %d, want 2000", got)
		}
		n.Close(session("a"))
		if took := time.Since(begin); took != 0 {
			t.Errorf("Gate and Close took %v", took)
		}
		gone.Wait()
		if took := time.Since(begin); took != grace {
			t.Errorf("all closed after %v, want %v", took, grace)
		}
	})
}

func TestClose_withoutRunWaits(t *testing.T) {
	h := hub.New(hub.Options{})
	c := new(hubtest.Conn)
	e := h.Register("main", "a", nil, c)
	h.Gate(session("a"))
	h.Close(session("a"))
	wantClosed(t, c, hub.SessionEnded)
	e.Remove()
	if h.Fresh() {
		t.Error("fresh without Run")
	}
}

func TestConn_methodsMayCallBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		s.put("a", record{})
		n := start(t, s, nil)
		var e *hub.Entry
		c := &hubtest.Conn{
			OnMark:    func(hub.Reason) { e.Dead(); e.Unsubscribe("m"); e.End(hub.TooSlow) },
			OnClose:   func(hub.Reason) { e.Remove(); n.Stats() },
			OnDeliver: func(hubtest.Publication) { e.Unsubscribe("m"); e.Dead() },
			OnLose:    func(string) { e.Unsubscribe("m"); e.Dead() },
		}
		e = n.Register("main", "a", []string{"main", "chat"}, c)
		if err := s.admit(e, "a", "u"); err != nil {
			t.Fatal(err)
		}
		if err := e.Live(); err != nil {
			t.Fatal(err)
		}
		if err := e.Subscribe(t.Context(), "m", "main"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := n.Publish(t.Context(), "m", nil); err != nil {
				t.Fatal(err)
			}
		}
		for _, text := range []string{namespace("a", "chat", 1), session("a")} {
			if err := n.bus.Notify(t.Context(), text); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		wantClosed(t, c, hub.SessionEnded)
		if got := c.Delivered(); len(got) != 1 {
			t.Errorf("delivered %v, want one", got)
		}
		if got := n.Stats(); got.Connections != 0 || got.Sessions != 0 || got.Users != 0 || got.Topics != 0 {
			t.Errorf("left over: %+v", got)
		}
		if err := e.Live(); !errors.Is(err, hub.SessionEnded) {
			t.Errorf("Live after Remove = %v", err)
		}
	})
}

func TestPlace_countsLivingConnectionsOfTheSession(t *testing.T) {
	h := hub.New(hub.Options{})
	var entries []*hub.Entry
	place := func(id string) int {
		e := h.Register("main", id, nil, new(hubtest.Conn))
		entries = append(entries, e)
		return e.Place()
	}
	got := []int{place("a"), place("a"), place("b"), place(""), place("")}
	entries[0].End(hub.TooSlow)
	got = append(got, place("a"))
	entries[1].Remove()
	got = append(got, place("a"))
	if want := []int{1, 2, 1, 1, 1, 2, 2}; !slices.Equal(got, want) {
		t.Errorf("places = %v, want %v", got, want)
	}
	for range 2 {
		for _, e := range entries {
			e.Remove()
		}
	}
	if s := h.Stats(); s.Connections != 0 || s.Sessions != 0 {
		t.Errorf("left over: %+v", s)
	}
}

// Registrations, ends and removals of the same few sessions at once leave
// nothing behind and nothing alive.
func TestRegistry_survivesChurn(t *testing.T) {
	h := hub.New(hub.Options{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 300 {
				id := fmt.Sprint("s", j%3)
				c := new(hubtest.Conn)
				e := h.Register("main", id, []string{"main"}, c)
				err := e.Admit("u", 1, time.Hour, nil)
				if err == nil {
					err = e.Live()
				}
				if i == 0 {
					h.Gate(session(id))
					if _, dead := e.Dead(); !dead {
						t.Errorf("alive after Gate (%v)", err)
					}
				}
				e.Remove()
				if err := c.Err(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if s := h.Stats(); s.Connections != 0 || s.Sessions != 0 || s.Users != 0 {
		t.Errorf("left over: %+v", s)
	}
}

func TestRegistry_removeDuringAdmitLeavesNothing(t *testing.T) {
	h := hub.New(hub.Options{})
	for range 2000 {
		e := h.Register("main", "a", nil, new(hubtest.Conn))
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := e.Admit("u", 1, time.Hour, nil); err != nil && !errors.Is(err, hub.ErrRemoved) {
				t.Errorf("Admit = %v", err)
			}
		})
		wg.Go(e.Remove)
		wg.Wait()
	}
	if s := h.Stats(); s.Connections != 0 || s.Sessions != 0 || s.Users != 0 {
		t.Errorf("left over: %+v", s)
	}
	if acked, expected := h.Acks(t.Context(), session("a")); acked != 1 || expected != 1 {
		t.Errorf("Acks = %d, %d", acked, expected)
	}
}

func TestReasons_areFixedAndShort(t *testing.T) {
	codes := make(map[int]bool)
	for _, r := range []hub.Reason{
		hub.SessionEnded, hub.SessionExpired, hub.TooManyConnections, hub.TooSlow, hub.SessionRenewed, hub.TooManyMessages,
		hub.NotUTF8, hub.Policy, hub.TooBig, hub.InternalError, hub.Restart, hub.TryLater,
	} {
		if r.Text == "" || len(r.Text) > 123 || r.Text[0] == '{' {
			t.Errorf("%d has the text %q", r.Code, r.Text)
		}
		if codes[r.Code] {
			t.Errorf("two reasons have the code %d", r.Code)
		}
		codes[r.Code] = true
		if got, want := r.Reconnect(), r.Code < 4500; got != want {
			t.Errorf("Reconnect of %v = %v", r, got)
		}
		if !errors.Is(fmt.Errorf("x: %w", r), r) {
			t.Errorf("%v is not itself", r)
		}
	}
}
