package hub_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/hubtest"
)

func TestExpiry_isExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		n := start(t, s, nil)
		begin := time.Now()
		s.put("a", record{deadline: begin.Add(30 * time.Minute)})
		s.put("b", record{deadline: begin.Add(8 * time.Hour)})
		var ended [3]time.Duration
		for i, id := range []string{"a", "a", "b"} {
			c := &hubtest.Conn{OnMark: func(hub.Reason) { ended[i] = time.Since(begin) }}
			e := n.Register("main", id, []string{"main"}, c)
			defer e.Remove()
			if err := s.admit(e, id, ""); err != nil {
				t.Fatal(err)
			}
			defer func() { wantClosed(t, c, hub.SessionExpired) }()
		}
		time.Sleep(9 * time.Hour)
		synctest.Wait()
		if want := [3]time.Duration{30 * time.Minute, 30 * time.Minute, 8 * time.Hour}; ended != want {
			t.Errorf("ended after %v, want %v", ended, want)
		}
	})
}

func TestExpiry_slidByAnotherTab(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		begin := time.Now()
		s.put("a", record{deadline: begin.Add(30 * time.Second)})
		n := start(t, s, nil)
		_, c := n.open("a", "")
		time.Sleep(29 * time.Second)
		s.put("a", record{deadline: begin.Add(40 * time.Second)})
		time.Sleep(11*time.Second - time.Millisecond)
		synctest.Wait()
		wantOpen(t, c)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		wantClosed(t, c, hub.SessionExpired)
	})
}

func TestExpiry_removedSessionIsNotAskedAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		n := start(t, s, nil)
		for i := range 10 {
			id := fmt.Sprint("s", i)
			s.put(id, record{deadline: time.Now().Add(time.Duration(10+i) * time.Second)})
			e, _ := n.open(id, "")
			e.Remove()
		}
		before := s.count()
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if got := s.count() - before; got != 0 {
			t.Errorf("asked %d times", got)
		}
	})
}

func TestExpiry_storeDownEndsWithTryLaterAfterTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		s.put("a", record{deadline: time.Now().Add(5 * time.Second)})
		s.put("b", record{})
		n := start(t, s, nil)
		_, a := n.open("a", "")
		_, b := n.open("b", "")
		s.setDown(true)
		time.Sleep(14 * time.Second)
		synctest.Wait()
		wantOpen(t, a)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		wantClosed(t, a, hub.TryLater)
		wantOpen(t, b)
	})
}

// An outage is logged once, and all that wait in it are asked about together.
func TestExpiry_outageIsOneLineAndOneQuestionAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log, begin := newStore(), newLogs(), time.Now()
		n := startWith(t, hub.Options{Logger: slog.New(log)}, s, hub.NewMemoryBroker(), nil)
		var conns []*hubtest.Conn
		for i := range 2000 {
			id := fmt.Sprint("s", i)
			s.put(id, record{deadline: begin.Add(5*time.Second + time.Duration(i)*5*time.Millisecond)})
			_, c := n.open(id, "")
			conns = append(conns, c)
		}
		for outage := 1; outage <= 2; outage++ {
			s.setDown(true)
			asked := s.count()
			settle(9 * time.Second)
			if got := s.count() - asked; got > 30 {
				t.Errorf("outage %d: %d questions", outage, got)
			}
			s.setDown(false)
			for i := range 2000 { // slid meanwhile, to come due in the next outage
				s.put(fmt.Sprint("s", i), record{deadline: begin.Add(time.Duration(5+10*outage)*time.Second + time.Duration(i)*5*time.Millisecond)})
			}
			settle(time.Second)
			lost := log.count("store did not answer about expired sessions; more of this is not logged")
			if back := log.count("store answers about expired sessions again"); lost != outage || back != outage {
				t.Errorf("logged %d outages and %d ends of one, want %d", lost, back, outage)
			}
		}
		for i, c := range conns[:100] {
			if r, ok := c.Marked(); ok {
				t.Fatalf("%d is marked %v though it was slid", i, r)
			}
		}
	})
}

func TestRevalidation_findsLostEndsWithinTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		gens := map[string]uint64{"main": 0, "chat": 0}
		for _, id := range []string{"dead", "renewed", "chat", "fine"} {
			s.put(id, record{epoch: 1, generations: gens})
		}
		n := start(t, s, nil)
		_, gone := n.open("dead", "")
		_, renewed := n.open("renewed", "")
		_, chat := n.open("chat", "", "main", "chat")
		_, chatOnly := n.open("chat", "", "chat")
		_, fine := n.open("fine", "")
		s.delete("dead")
		s.put("renewed", record{epoch: 2})
		s.put("chat", record{epoch: 1, generations: map[string]uint64{"main": 0, "chat": 1}})
		time.Sleep(50 * time.Second)
		synctest.Wait()
		wantOpen(t, gone)
		time.Sleep(16 * time.Second)
		synctest.Wait()
		wantClosed(t, gone, hub.SessionEnded)
		wantClosed(t, renewed, hub.SessionRenewed)
		wantClosed(t, chatOnly, hub.SessionEnded)
		wantOpen(t, chat)
		if lost := chat.Lost(); len(lost) != 1 || lost[0] != "chat" {
			t.Errorf("lost %q, want chat", lost)
		}
		wantOpen(t, fine)
	})
}

func TestGap_deliveriesStopUntilRevalidated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		s.put("a", record{})
		s.put("b", record{})
		n := start(t, s, nil)
		ea, a := n.open("a", "")
		eb, b := n.open("b", "")
		for _, e := range []*hub.Entry{ea, eb} {
			if err := e.Subscribe(t.Context(), "t", "main"); err != nil {
				t.Fatal(err)
			}
		}
		say := func(text string) {
			if err := n.Publish(t.Context(), "t", []byte(text)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		say("1")
		n.bus.receiver().Stale(errDown)
		if n.Fresh() {
			t.Error("fresh after Stale")
		}
		s.delete("a") // and the notice is lost
		release := s.hold()
		n.bus.receiver().Fresh()
		synctest.Wait()
		if n.Fresh() {
			t.Error("fresh before everything was looked up")
		}
		say("2")
		release()
		synctest.Wait()
		if !n.Fresh() {
			t.Error("not fresh after everything was looked up")
		}
		say("3")
		wantClosed(t, a, hub.SessionEnded)
		if got := fmt.Sprint(a.Delivered(), b.Delivered()); got != "[{t 1}] [{t 1} {t 3}]" {
			t.Errorf("delivered %s", got)
		}
	})
}

func TestGap_secondGapDuringRevalidationNeedsAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		s.put("a", record{})
		n := start(t, s, nil)
		n.open("a", "")
		r := n.bus.receiver()
		r.Stale(errDown)
		release := s.hold()
		r.Fresh()
		synctest.Wait()
		r.Stale(errDown)
		release()
		synctest.Wait()
		if n.Fresh() {
			t.Error("fresh by a revalidation that began before the gap")
		}
		r.Fresh()
		synctest.Wait()
		if !n.Fresh() {
			t.Error("not fresh after all")
		}
	})
}

func TestGap_wholeGapDuringRevalidationNeedsAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		s.put("a", record{})
		n := start(t, s, nil)
		n.open("a", "")
		r := n.bus.receiver()
		r.Stale(errDown)
		first := s.hold()
		r.Fresh()
		synctest.Wait()
		r.Stale(errDown)
		r.Fresh()
		second := s.hold()
		first()
		synctest.Wait()
		if n.Fresh() {
			t.Error("fresh by a revalidation that began before the gap")
		}
		second()
		synctest.Wait()
		if !n.Fresh() {
			t.Error("not fresh after all")
		}
	})
}

func TestGap_revalidationWithoutSubscriptionProvesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		n := start(t, s, nil)
		n.bus.receiver().Stale(errDown)
		before := n.Stats().Revalidations
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if after := n.Stats().Revalidations; after == before {
			t.Error("nothing was revalidated meanwhile")
		}
		if n.Fresh() {
			t.Error("fresh without a subscription")
		}
	})
}

// The answer to a revalidation is held while the session ends and a new
// connection, admitted by an older load, waits.
func TestRevalidation_oldAnswerDoesNotUndoAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		s.put("a", record{epoch: 1})
		n := start(t, s, nil)
		_, old := n.open("a", "")
		n.bus.receiver().Stale(errDown)
		release := s.hold()
		n.bus.receiver().Fresh()
		synctest.Wait()
		c := new(hubtest.Conn)
		e := n.Register("main", "a", []string{"main"}, c)
		defer e.Remove()
		s.put("a", record{epoch: 2})
		n.bus.receiver().Notice(epoch("a", 2))
		if err := s.admit(e, "a", "u"); err != nil {
			t.Errorf("Admit at the new epoch = %v", err)
		}
		release() // says epoch 1
		synctest.Wait()
		wantClosed(t, old, hub.SessionRenewed)
		wantOpen(t, c)
	})
}

func TestNotice_garbageRevalidatesAtMostOnceASecond(t *testing.T) {
	for _, garbage := range []string{"", "9|s|main|a||0", "1|s|main|a|", string(make([]byte, 1<<20))} {
		t.Run(fmt.Sprintf("%.20q", garbage), bubble(func(t *testing.T) {
			s := newStore()
			s.put("a", record{})
			n := start(t, s, nil)
			_, a := n.open("a", "")
			time.Sleep(2 * time.Second)
			s.delete("a")
			if got := n.Gate(garbage); got != 0 {
				t.Errorf("Gate = %d", got)
			}
			synctest.Wait()
			wantClosed(t, a, hub.SessionEnded)
			s.put("b", record{})
			n.open("b", "")
			before := s.count()
			for range 100 {
				if err := n.bus.Notify(t.Context(), garbage); err != nil {
					t.Fatal(err)
				}
				time.Sleep(50 * time.Millisecond)
			}
			if asked := s.count() - before; asked < 3 || asked > 6 {
				t.Errorf("asked %d times in 5 seconds", asked)
			}
			if st := n.Stats(); st.Malformed != 101 || !st.Fresh {
				t.Errorf("stats = %+v", st)
			}
		}))
	}
}

func TestStale_closesAfterTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		n := start(t, s, nil)
		var conns []*hubtest.Conn
		for i := range 100 {
			id := fmt.Sprint("s", i)
			s.put(id, record{})
			_, c := n.open(id, "")
			conns = append(conns, c)
		}
		marked := func() (k int) {
			for _, c := range conns {
				if r, ok := c.Marked(); ok && r == hub.TryLater {
					k++
				}
			}
			return k
		}
		n.bus.receiver().Stale(errDown)
		time.Sleep(10*time.Second - time.Millisecond)
		synctest.Wait()
		if got := marked(); got != 0 {
			t.Errorf("%d marked before the limit", got)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if got := marked(); got == 0 || got == 100 {
			t.Errorf("%d marked halfway, want some", got)
		}
		time.Sleep(2*time.Second + time.Millisecond)
		synctest.Wait()
		if got := marked(); got != 100 {
			t.Errorf("%d marked after 15 s, want 100", got)
		}
	})
}

func TestStale_failOpenGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		s.put("a", record{})
		n := start(t, s, nil)
		open, a := n.open("a", "")
		open.FailOpen()
		closed, b := n.open("a", "")
		for _, e := range []*hub.Entry{open, closed} {
			if err := e.Subscribe(t.Context(), "lobby", ""); err != nil {
				t.Fatal(err)
			}
		}
		n.bus.receiver().Stale(errDown)
		n.bus.receiver().Publication("lobby", []byte("news"))
		if got, other := len(a.Delivered()), len(b.Delivered()); got != 1 || other != 0 {
			t.Errorf("delivered %d, and %d to who fails closed", got, other)
		}
		time.Sleep(16 * time.Second)
		synctest.Wait()
		wantOpen(t, a)
		wantClosed(t, b, hub.TryLater)
	})
}

func TestStale_endsWhenTheStoreAnswersAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		s.put("a", record{})
		n := start(t, s, nil)
		_, a := n.open("a", "")
		s.setDown(true)
		n.bus.receiver().Stale(errDown)
		n.bus.receiver().Fresh()
		time.Sleep(7 * time.Second)
		synctest.Wait()
		if n.Fresh() {
			t.Error("fresh though the store is down")
		}
		wantOpen(t, a)
		s.setDown(false)
		time.Sleep(5 * time.Second) // the pauses between retries have grown to 2
		synctest.Wait()
		if !n.Fresh() {
			t.Error("stale though the store is up")
		}
		wantOpen(t, a)
	})
}

func TestRevalidation_failingForLongMakesStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		s.put("a", record{})
		n := start(t, s, nil)
		n.open("a", "")
		s.setDown(true)
		time.Sleep(54*time.Second + 9*time.Second)
		synctest.Wait()
		if !n.Fresh() {
			t.Error("stale within the limit")
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if n.Fresh() {
			t.Error("fresh though the store did not answer for long")
		}
		if got := n.Gaps(); got != 0 {
			t.Errorf("Gaps = %d: no notice was missed", got)
		}
	})
}

// looked is a hub.Sessions that never fails.
type looked func(root string, ids []string, report hub.Report)

func (looked) Recover(context.Context, bool) error { return nil }

func (f looked) Check(_ context.Context, root string, ids []string, report hub.Report) error {
	f(root, ids, report)
	return nil
}

func TestCheck_leavingIDsOutIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(hub.Options{})
		e := h.Register("main", "a", nil, new(hubtest.Conn))
		defer e.Remove()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- h.Run(ctx, looked(func(string, []string, hub.Report) {}))
		}()
		time.Sleep(time.Second)
		if st := h.Stats(); st.Fresh || st.Failures == 0 {
			t.Errorf("stats = %+v", st)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
		if err := h.Run(t.Context(), nil); !errors.Is(err, hub.ErrRan) {
			t.Errorf("second Run = %v, want ErrRan", err)
		}
	})
}

func TestRevalidation_asksInBatchesByRoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(hub.Options{})
		for i := range 10_500 {
			root := "main"
			if i < 10 {
				root = "admin"
			}
			e := h.Register(root, fmt.Sprint("s", i), nil, new(hubtest.Conn))
			defer e.Remove()
		}
		e := h.Register("main", "", nil, new(hubtest.Conn)) // has no session
		defer e.Remove()
		batches := make(map[string][]int)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- h.Run(ctx, looked(func(root string, ids []string, report hub.Report) {
				batches[root] = append(batches[root], len(ids))
				for _, id := range ids {
					report(id, true, 0, time.Hour, nil)
				}
			}))
		}()
		synctest.Wait()
		if got, want := fmt.Sprint(batches), "map[admin:[10] main:[1000 1000 1000 1000 1000 1000 1000 1000 1000 1000 490]]"; got != want {
			t.Errorf("batches = %s, want %s", got, want)
		}
		cancel()
		<-ended
	})
}

// The look-up of every minute holds nobody up; the one after a gap is held up by
// nothing, not even by the other one.
func TestRevalidation_takesItsTimeUnlessSomethingWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := hub.NewMemoryBroker()
		h := hub.New(hub.Options{Broker: broker})
		for i := range 1000 {
			defer h.Register("main", fmt.Sprint("s", i), nil, new(hubtest.Conn)).Remove()
		}
		var mu sync.Mutex
		var at []time.Time
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- h.Run(ctx, looked(func(_ string, ids []string, report hub.Report) {
				mu.Lock()
				at = append(at, time.Now())
				mu.Unlock()
				for _, id := range ids {
					report(id, true, 0, time.Hour, nil)
				}
			}))
		}()
		// asked waits, and returns how many questions came, and in what time.
		asked := func(d time.Duration) (n int, span time.Duration) {
			time.Sleep(d)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if n = len(at); n > 0 {
				span = at[n-1].Sub(at[0])
			}
			at = nil
			return n, span
		}
		if n, span := asked(50 * time.Second); n != 1 || span != 0 {
			t.Errorf("at the start %d questions in %v, want 1", n, span)
		}
		if n, span := asked(30 * time.Second); n != 20 || span < 1500*time.Millisecond || span > 3*time.Second {
			t.Errorf("after a minute %d questions in %v, want 20 in up to 3s", n, span)
		}
		if st := h.Stats(); st.Revalidations != 2 || st.Revalidation != 0 {
			t.Errorf("%d look-ups, the last in %v, want 2, and pauses not counted", st.Revalidations, st.Revalidation)
		}
		for { // until the next one has begun
			time.Sleep(time.Millisecond)
			synctest.Wait()
			mu.Lock()
			begun := len(at)
			mu.Unlock()
			if begun == 2 {
				break
			}
		}
		broker.Reset(errors.New("cut"))
		if n, span := asked(400 * time.Millisecond); n != 2+1 || span > time.Second {
			t.Errorf("%d questions in %v, want none of the rest and another look-up at once", n, span)
		}
		if !h.Fresh() {
			t.Error("the hub is not fresh after a gap")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestExpect_anEarlierEndIsAskedAboutThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		begin := time.Now()
		s.put("a", record{deadline: begin.Add(30 * time.Second)})
		n := start(t, s, nil)
		_, c := n.open("a", "")
		s.put("a", record{deadline: begin.Add(5 * time.Second)})
		n.Expect("main", "a", 5*time.Second)
		n.Expect("main", "nobody's", time.Second)
		time.Sleep(5*time.Second - time.Millisecond)
		synctest.Wait()
		wantOpen(t, c)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		wantClosed(t, c, hub.SessionExpired)
	})
}

func TestExpect_aLaterEndIsAskedAboutThenAndNotBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		h := hub.New(hub.Options{Revalidate: time.Hour})
		c := new(hubtest.Conn)
		e := h.Register("main", "a", []string{"main"}, c)
		defer e.Remove()
		if err := e.Admit("", 0, 10*time.Second, nil); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			ended <- h.Run(ctx, looked(func(_ string, ids []string, report hub.Report) {
				first := asked.Add(1) == 1
				for _, id := range ids {
					report(id, first, 0, 10*time.Second, nil)
				}
			}))
		}()
		synctest.Wait()
		begin := asked.Load()
		for range 3 {
			time.Sleep(5 * time.Second)
			h.Expect("main", "a", 10*time.Second)
		}
		time.Sleep(10*time.Second - time.Millisecond)
		synctest.Wait()
		wantOpen(t, c)
		if n := asked.Load() - begin; n != 0 {
			t.Errorf("asked %d times before the end", n)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		wantClosed(t, c, hub.SessionExpired)
		cancel()
		<-ended
	})
}
