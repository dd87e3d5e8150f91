package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/redisstore"
	"github.com/sessionhub/sessionhub/session/sessiontest"
)

// crowd is many savers, each with a session of its own.
type crowd struct {
	store *redisstore.Store
	recs  []session.Record
}

func newCrowd(t testing.TB, s *redisstore.Store, savers int) *crowd {
	t.Helper()
	c := &crowd{s, make([]session.Record, savers)}
	for i := range c.recs {
		c.recs[i] = create(t, s, "")
	}
	return c
}

// add lets each saver add one to its counter so many times, all at once. Each
// save is repeated until it succeeds, or until failed says not to.
func (c *crowd) add(ctx context.Context, t *testing.T, rounds int, failed func(error) (again bool)) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range c.recs {
		wg.Go(func() {
			for range rounds {
				v := saving(c.recs[i], "chat", session.Delta{Add: map[string]int64{"n": 1}})
				rec, err := c.store.Save(ctx, family, c.recs[i].ID, v)
				for err != nil && failed(err) {
					rec, err = c.store.Save(ctx, family, c.recs[i].ID, v)
				}
				if err != nil {
					return
				}
				c.recs[i] = rec
			}
		})
	}
	wg.Wait()
}

// want checks all counters.
func (c *crowd) want(t *testing.T, n int) {
	t.Helper()
	for _, rec := range c.recs {
		got, err := c.store.Load(t.Context(), family, rec.ID, session.Load{})
		if err != nil || got.In("chat").Map()["n"] != fmt.Sprint(n) {
			t.Fatalf("n = %q, %v, want %d", got.In("chat").Map()["n"], err, n)
		}
	}
}

func never(t *testing.T) func(error) bool {
	return func(err error) bool { t.Errorf("Save = %v", err); return false }
}

// repeat waits out what makes a store unavailable, and nothing else.
func repeat(t *testing.T) func(error) bool {
	return func(err error) bool {
		if !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("Save = %v, want %v", err, session.ErrUnavailable)
			return false
		}
		return t.Context().Err() == nil
	}
}

func TestGroup_manySavesShareTripsAndFewDoNot(t *testing.T) {
	const rounds = 20
	for _, test := range []struct {
		savers int
		o      redisstore.Options
		shared bool
	}{
		{1, redisstore.Options{}, false},
		{8, redisstore.Options{}, false},
		{16, redisstore.Options{}, false},
		{200, redisstore.Options{}, true},
		{200, redisstore.Options{NoGroupCommit: true}, false},
	} {
		t.Run(fmt.Sprint(test.savers, test.o.NoGroupCommit), func(t *testing.T) {
			s, _ := open(t, redistest.Shared(t).URL, test.o)
			rehearse(t, s)
			c := newCrowd(t, s, test.savers)
			var h trips
			s.Client().AddHook(&h)
			c.add(t.Context(), t, rounds, never(t))
			if saves, got := int64(test.savers*rounds), h.n.Load(); (got < saves) != test.shared {
				t.Errorf("%d trips for %d saves", got, saves)
			}
			c.want(t, rounds)
		})
	}
}

// The contract, with each of the suite's saves in a group of other sessions'.
func TestGroup_linearizable(t *testing.T) {
	s, prefix := shared(t)
	c := newCrowd(t, s, 48)
	ctx, stop := context.WithCancel(t.Context())
	var others sync.WaitGroup
	others.Go(func() {
		for ctx.Err() == nil {
			c.add(ctx, t, 10, func(error) bool { return false })
		}
	})
	defer others.Wait()
	defer stop()
	sessiontest.TestLinearizable(t, func(t *testing.T) sessiontest.Harness {
		return harness(t, s, redistest.Shared(t), prefix)
	}, false)
}

func TestGroup_callerThatGivesUpLeavesTheOthersAlone(t *testing.T) {
	s, proxy, _, _ := behindProxy(t)
	c := newCrowd(t, s, 100)
	impatient := create(t, s, "")
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()

	proxy.DropDown(true)
	var wg sync.WaitGroup
	wg.Go(func() { c.add(t.Context(), t, 1, repeat(t)) })
	var told atomic.Int64
	for range 50 {
		wg.Go(func() {
			v := saving(impatient, "chat", session.Delta{Add: map[string]int64{"n": 1}})
			if _, err := s.Save(ctx, family, impatient.ID, v); err != nil {
				told.Add(1)
				if !errors.Is(err, session.ErrUnavailable) {
					t.Errorf("Save that was given up = %v, want %v", err, session.ErrUnavailable)
				}
			}
		})
	}
	giveUp()
	waitFor(t, func() bool { return told.Load() > 0 })
	proxy.DropDown(false)
	wg.Wait()
	c.want(t, 1)
}

// Redis is silent: those who give up do not know whether they were heard.
func TestGroup_unknownOutcome(t *testing.T) {
	s, proxy, _, _ := behindProxy(t)
	c := newCrowd(t, s, 120)
	proxy.DropDown(true)
	defer proxy.DropDown(false)
	var shared trips
	s.Client().AddHook(&shared)
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	var unknown atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		c.add(ctx, t, 1, func(err error) bool {
			if errors.Is(err, session.ErrUnavailable) && strings.Contains(err.Error(), "unknown outcome") {
				unknown.Add(1)
			}
			return false
		})
	})
	waitFor(t, func() bool { return shared.n.Load() >= 18 }) // 16 alone and two groups
	giveUp()
	wg.Wait()
	if unknown.Load() == 0 {
		t.Error("no save had an unknown outcome")
	}
}

func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); {
		if time.Now().After(deadline) {
			t.Fatal("waited for 30s")
		}
		runtime.Gosched()
	}
}

func TestGroup_scriptFlushUnderLoad(t *testing.T) {
	server := redistest.Start(t)
	s, _ := open(t, server.URL, redisstore.Options{})
	c := newCrowd(t, s, 100)
	ctx, stop := context.WithCancel(t.Context())
	var flusher sync.WaitGroup
	client := server.Client(t)
	flusher.Go(func() {
		for ctx.Err() == nil {
			client.ScriptFlush(ctx)
		}
	})
	c.add(t.Context(), t, 10, never(t))
	stop()
	flusher.Wait()
	c.want(t, 10)
}

func TestGroup_lostRepliesAreNoSecondTime(t *testing.T) {
	s, proxy, _, _ := behindProxy(t)
	c := newCrowd(t, s, 100)
	stop := make(chan struct{})
	var cutter sync.WaitGroup
	cutter.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				proxy.CutOnReply(1 + rand.IntN(8))
			case <-stop:
				proxy.CutOnReply(0)
				return
			}
		}
	})
	c.add(t.Context(), t, 10, repeat(t))
	close(stop)
	cutter.Wait()
	c.want(t, 10)
}

func TestGroup_goesOnAfterRedisWasKilled(t *testing.T) {
	server := redistest.Start(t, "--appendfsync", "always")
	s, _ := open(t, server.URL, redisstore.Options{})
	c := newCrowd(t, s, 100)
	failed := make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	wg.Go(func() {
		c.add(t.Context(), t, 20, func(err error) bool {
			once.Do(func() { close(failed) })
			return repeat(t)(err)
		})
	})
	server.Kill()
	<-failed
	server.Restart()
	wg.Wait()
	c.want(t, 20)
}

func TestGroup_closeEndsThoseWhoWait(t *testing.T) {
	s, proxy, _, _ := behindProxy(t)
	c := newCrowd(t, s, 100)
	proxy.DropDown(true)
	var failures atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		c.add(t.Context(), t, 1, func(err error) bool {
			if !errors.Is(err, session.ErrUnavailable) {
				t.Errorf("Save = %v, want %v", err, session.ErrUnavailable)
			}
			failures.Add(1)
			return false
		})
	})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if failures.Load() == 0 {
		t.Error("no save failed")
	}
}
