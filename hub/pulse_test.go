package hub_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/hubtest"
)

// limit is how old the newest proof may be.
const limit = 2500 * time.Millisecond

func TestSilence_isFoundAndTheLostEndApplied(t *testing.T) {
	for _, c := range []struct {
		name      string
		cut, mend func(*line)
	}{
		{"both ways", func(l *line) { l.hole(true) }, func(l *line) { l.hole(false) }},
		{"to the node", func(l *line) { l.set(func(l *line) { l.down = true }) }, func(l *line) { l.hole(false) }},
		{"from the node", func(l *line) { l.set(func(l *line) { l.up = true }) }, func(l *line) { l.hole(false) }},
		{"refused", func(l *line) { l.set(func(l *line) { l.refuse = errDown }) }, func(l *line) { l.set(func(l *line) { l.refuse = nil }) }},
	} {
		for _, after := range []time.Duration{0, 300 * time.Millisecond, 999 * time.Millisecond} {
			t.Run(fmt.Sprintf("%s/%v", c.name, after), bubble(func(t *testing.T) {
				s, shared := storeOf("a", "b"), hub.NewMemoryBroker()
				n := startLine(t, hub.Options{}, s, shared)
				_, a := n.open("a", "")
				eb, b := n.open("b", "")
				if err := eb.Subscribe(t.Context(), "t", ""); err != nil {
					t.Fatal(err)
				}
				settle(10*time.Second + after)
				c.cut(n.line)
				gaps := n.Gaps()
				if d := freshFor(n.Hub, time.Minute); d > limit || d < limit-time.Second-time.Millisecond {
					t.Errorf("fresh for %v of silence", d)
				}
				settle(0)
				st := n.Stats()
				if st.Fresh || st.Stales != 1 || st.Resets != 1 || n.Gaps() == gaps {
					t.Errorf("stats = %+v, want stale once and a gap", st)
				}
				s.delete("a")
				if err := shared.Notify(t.Context(), session("a")); err != nil {
					t.Fatal(err)
				}
				if err := shared.Publish(t.Context(), "t", nil); err != nil {
					t.Fatal(err)
				}
				settle(5 * time.Second)
				wantOpen(t, b)
				if got := b.Delivered(); len(got) != 0 {
					t.Errorf("delivered %v while stale", got)
				}
				if st := n.Stats(); st.Fresh || st.StaleFor < 5*time.Second || st.Lag < 5*time.Second {
					t.Errorf("stats = %+v, want stale", st)
				}
				c.mend(n.line)
				settle(limit + time.Second)
				if !n.Fresh() {
					t.Error("stale after the silence")
				}
				wantClosed(t, a, hub.SessionEnded)
				wantOpen(t, b)
			}))
		}
	}
}

// The bounds that the documentation states.
func TestSilence_closesWithinTheStaleLimitAndJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		n := startLine(t, hub.Options{}, s, hub.NewMemoryBroker())
		var conns []*hubtest.Conn
		for i := range 100 {
			id := fmt.Sprint("s", i)
			s.put(id, record{})
			_, c := n.open(id, "")
			conns = append(conns, c)
		}
		settle(10 * time.Second)
		n.line.hole(true)
		settle(limit + 15*time.Second)
		for _, c := range conns {
			wantClosed(t, c, hub.TryLater)
		}
	})
}

func TestSilence_slowBrokerIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startLine(t, hub.Options{}, newStore(), hub.NewMemoryBroker())
		n.line.set(func(l *line) { l.late = spread(200*time.Millisecond, 100*time.Millisecond) })
		most := time.Duration(0)
		for range 6000 {
			settle(100 * time.Millisecond)
			most = max(most, n.Stats().Lag)
		}
		if st := n.Stats(); !st.Fresh || st.Stales != 0 || st.Gaps != 0 || st.BeatsFailed != 0 {
			t.Errorf("stats = %+v, want no gap", st)
		}
		if most > 2*time.Second {
			t.Errorf("the newest proof was up to %v old", most)
		}
	})
}

func TestSilence_lostHeartbeats(t *testing.T) {
	for _, c := range []struct {
		lost int // of each lost+1
		gap  bool
	}{{1, false}, {2, true}} {
		t.Run(fmt.Sprint(c.lost), bubble(func(t *testing.T) {
			n := startLine(t, hub.Options{}, newStore(), hub.NewMemoryBroker())
			came := 0
			n.line.set(func(l *line) {
				l.lose = func(string, []byte) bool { came++; return came%(c.lost+1) != 0 }
			})
			settle(20 * time.Second)
			if got := n.Stats().Gaps > 0; got != c.gap {
				t.Errorf("stats = %+v, want a gap: %v", n.Stats(), c.gap)
			}
		}))
	}
}

// What comes back late was true when it was sent.
func TestSilence_countsFromTheSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startLine(t, hub.Options{}, newStore(), hub.NewMemoryBroker())
		n.line.set(func(l *line) {
			l.late = func() time.Duration { return 1200 * time.Millisecond }
		})
		settle(20 * time.Second)
		if st := n.Stats(); st.Fresh && st.Lag < time.Second || st.Stales == 0 {
			t.Errorf("stats = %+v: up and down take 2.4 s, and one is sent each second", st)
		}
	})
}

// At the very moment at which the proof is too old nobody has to have run yet.
func TestFresh_looksAtTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startLine(t, hub.Options{}, newStore(), hub.NewMemoryBroker())
		for range 20 {
			for n.Stats().Lag != 0 || !n.Fresh() {
				settle(time.Millisecond)
			}
			n.line.set(func(l *line) { l.down = true })
			time.Sleep(limit - 1)
			if !n.Fresh() {
				t.Fatal("stale too early")
			}
			time.Sleep(time.Nanosecond)
			if n.Fresh() {
				t.Fatal("fresh by a proof that is too old")
			}
			n.line.hole(false)
		}
	})
}

func TestWaitFresh_overAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startLine(t, hub.Options{}, newStore(), hub.NewMemoryBroker())
		settle(time.Minute)
		n.line.hole(true)
		time.Sleep(limit) // the timer may not have been looked at yet
		waited := make(chan time.Duration)
		begin := time.Now()
		go func() {
			if err := n.WaitFresh(t.Context()); err != nil {
				t.Errorf("WaitFresh = %v", err)
			}
			waited <- time.Since(begin)
		}()
		settle(time.Minute)
		n.line.hole(false)
		if d := <-waited; d < time.Minute || d > time.Minute+limit {
			t.Errorf("waited for %v", d)
		}
		ctx, cancel := context.WithCancel(t.Context())
		n.line.hole(true)
		settle(limit)
		cancel()
		if err := n.WaitFresh(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("WaitFresh = %v, want the context's error", err)
		}
	})
}

func TestReset_onlyWhileThereIsSomethingToDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startLine(t, hub.Options{}, newStore(), hub.NewMemoryBroker())
		resets := func() int { return n.count(func(l *line) int { return l.resets }) }
		n.line.hole(true)
		settle(time.Minute)
		if got := resets(); got != 1 {
			t.Errorf("%d resets while no connection could be made, want 1", got)
		}
		n.line.hole(false)
		settle(0)
		n.line.set(func(l *line) { l.refuse = errDown }) // connections can be made, and prove nothing
		settle(time.Minute)
		if got := resets() - 1; got < 20 || got > 24 {
			t.Errorf("%d resets in a minute", got)
		}
		if st := n.Stats(); st.Stales != 2 || st.Fresh {
			t.Errorf("stats = %+v: fresh without a heartbeat", st)
		}
	})
}

func TestBeats_hungBrokerPilesUpNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newLogs()
		n := startLine(t, hub.Options{Logger: slog.New(log)}, newStore(), hub.NewMemoryBroker())
		settle(time.Minute)
		if st := n.Stats(); st.BeatsSent < 60 || st.BeatsSent > 62 || st.BeatsReceived != st.BeatsSent {
			t.Errorf("stats = %+v, want one heartbeat a second", st)
		}
		for outage := 1; outage <= 2; outage++ {
			n.line.set(func(l *line) { l.up = true })
			settle(time.Hour)
			if most := n.count(func(l *line) int { return l.most }); most > 4 {
				t.Errorf("%d hung at once", most)
			}
			if st := n.Stats(); st.BeatsFailed < 3000 || st.BeatsSent > 130 {
				t.Errorf("stats = %+v", st)
			}
			n.line.hole(false)
			settle(10 * time.Second)
			if lost, back := log.count("heartbeat not sent; more of this is not logged"), log.count("heartbeats are sent again"); lost != outage || back != outage {
				t.Errorf("logged %d outages and %d ends of one, want %d", lost, back, outage)
			}
		}
	})
}

func TestRecover_comesBeforeLookingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := storeOf("a")
		n := startLine(t, hub.Options{}, s, hub.NewMemoryBroker())
		n.open("a", "")
		calls := func() string {
			s.mu.Lock()
			defer s.mu.Unlock()
			all := fmt.Sprint(s.recovered)
			s.recovered = nil
			return all
		}
		if got := calls(); got != "[true]" {
			t.Errorf("at first: %s", got)
		}
		settle(140 * time.Second)
		if got := calls(); got != "[false false]" {
			t.Errorf("two revalidations later: %s", got)
		}
		s.mu.Lock()
		s.recovering = errDown
		s.mu.Unlock()
		n.line.hole(true)
		settle(limit)
		n.line.hole(false)
		asked := s.count()
		settle(time.Second)
		if got := calls(); len(got) < len("[true true true]") || n.Fresh() || s.count() != asked {
			t.Errorf("after a gap: %s, fresh = %v, %d checks", got, n.Fresh(), s.count()-asked)
		}
		s.mu.Lock()
		s.recovering = nil
		s.mu.Unlock()
		settle(2 * time.Second)
		if got := calls(); got != "[true]" || !n.Fresh() {
			t.Errorf("when it succeeds: %s, fresh = %v", got, n.Fresh())
		}
		n.Gate("garbage")
		settle(0)
		if got := calls(); got != "[false]" {
			t.Errorf("after an unreadable notice: %s", got)
		}
	})
}

func TestRecover_failsLikeARevalidation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		n := startLine(t, hub.Options{}, s, hub.NewMemoryBroker())
		s.mu.Lock()
		s.recovering = errDown
		s.mu.Unlock()
		settle(90 * time.Second)
		if st := n.Stats(); st.Fresh || st.Failures == 0 || st.Gaps != 0 {
			t.Errorf("stats = %+v, want stale without a gap", st)
		}
	})
}
