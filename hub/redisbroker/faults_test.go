package redisbroker_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/hubtest"
	"github.com/sessionhub/sessionhub/internal/faultproxy"
	"github.com/sessionhub/sessionhub/internal/redistest"
)

// client returns a client with the timeouts of a program.
func client(t *testing.T, addr string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{
		Addr:                     addr,
		ContextTimeoutEnabled:    true,
		DialTimeout:              2 * time.Second,
		ReadTimeout:              time.Second,
		WriteTimeout:             time.Second,
		MaxRetries:               1,
		DialerRetries:            1,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// wantStaleWithin looks until the hub is stale, and compares how long that took.
func wantStaleWithin(t *testing.T, h *hub.Hub, bound time.Duration) {
	t.Helper()
	begin := time.Now()
	eventually(t, func() bool { return !h.Fresh() }, func() any { return h.Stats() })
	if d := time.Since(begin); d > bound {
		t.Errorf("stale after %v, want at most %v", d, bound)
	}
}

// end ends a session as the store does.
func (l *living) end(t *testing.T, c *redis.Client, prefix, id string) {
	t.Helper()
	l.ended.Store(id, true)
	if err := c.Publish(t.Context(), prefix+":notice", "1|s|main|"+id+"||0").Err(); err != nil {
		t.Fatal(err)
	}
}

func wantEnded(t *testing.T, name string, c *hubtest.Conn) {
	t.Helper()
	eventually(t, func() bool {
		r, ok := c.Closed()
		return ok && r == hub.SessionEnded
	}, func() any { return "zombie " + name })
}

func TestHub_blackHoleIsFoundAndTheLostEndApplied(t *testing.T) {
	for name, drop := range map[string]func(*faultproxy.Proxy, bool){
		"both ways":   func(p *faultproxy.Proxy, on bool) { p.DropUp(on); p.DropDown(on) },
		"to the node": func(p *faultproxy.Proxy, on bool) { p.DropDown(on) },
		"to Redis":    func(p *faultproxy.Proxy, on bool) { p.DropUp(on) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Shared(t)
			direct, prefix, l := s.Client(t), redistest.Prefix(t), new(living)
			p := faultproxy.Start(t, s.Addr)
			h, other := runHub(t, client(t, p.Addr), prefix, l), runHub(t, direct, prefix, l)
			eventually(t, func() bool { return h.Stats().Nodes == 2 }, func() any { return h.Stats() })
			_, a := open(t, h, "a", "")
			_, b := open(t, h, "b", "")
			_, there := open(t, other, "a", "")
			drop(p, true)
			l.end(t, direct, prefix, "a")
			wantStaleWithin(t, h, 3500*time.Millisecond)
			wantEnded(t, "on the other node", there)
			if !other.Fresh() {
				t.Error("the other node is stale too")
			}
			if acked, expected := h.Acks(t.Context(), "1|s|main|c||0"); acked != 1 || expected != 2 {
				t.Errorf("Acks = %d, %d, want 1 and the last known 2", acked, expected)
			}
			drop(p, false)
			eventually(t, h.Fresh, func() any { return h.Stats() })
			wantEnded(t, "after the gap", a)
			if r, ok := b.Marked(); ok {
				t.Errorf("another session was marked %v", r)
			}
		})
	}
}

func TestHub_latencyIsNoGap(t *testing.T) {
	t.Parallel()
	s := redistest.Shared(t)
	p := faultproxy.Start(t, s.Addr)
	h := runHub(t, client(t, p.Addr), redistest.Prefix(t), new(living))
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	most := time.Duration(0)
	for ctx.Err() == nil {
		p.Delay(100*time.Millisecond + rand.N(200*time.Millisecond))
		<-tick.C
		most = max(most, h.Stats().Lag)
	}
	st := h.Stats()
	if !st.Fresh || st.Stales != 0 || st.Gaps != 0 {
		t.Errorf("stats = %+v, want no gap", st)
	}
	t.Logf("the newest proof was up to %v old", most)
	p.Delay(0)
}

func TestHub_hungServer(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	l := new(living)
	o := hub.Options{StaleLimit: 2 * time.Second}
	h := runHubWith(t, o, client(t, s.Addr), "sessionhub", l)
	_, a := open(t, h, "a", "")
	s.Pause()
	wantStaleWithin(t, h, 3500*time.Millisecond)
	begin := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := h.Publish(ctx, "lobby", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Publish to a hung server = %v", err)
	}
	if d := time.Since(begin); d < 400*time.Millisecond || d > time.Second {
		t.Errorf("Publish took %v", d)
	}
	eventually(t, func() bool {
		r, ok := a.Closed()
		return ok && r == hub.TryLater
	}, func() any { return h.Stats() })
	s.Resume()
	eventually(t, h.Fresh, func() any { return h.Stats() })
	if st := h.Stats(); st.Resets == 0 {
		t.Errorf("stats = %+v: the silence was not noticed", st)
	}
}

func TestHub_serverRestart(t *testing.T) {
	s := redistest.Start(t)
	l := new(living)
	h1, h2 := runHub(t, client(t, s.Addr), "sessionhub", l), runHub(t, client(t, s.Addr), "sessionhub", l)
	_, a := open(t, h1, "a", "")
	_, b := open(t, h2, "b", "")
	s.Kill()
	for _, h := range []*hub.Hub{h1, h2} {
		wantStaleWithin(t, h, 3500*time.Millisecond)
	}
	l.ended.Store("a", true) // and nobody could be told
	s.Restart()
	for _, h := range []*hub.Hub{h1, h2} {
		eventually(t, h.Fresh, func() any { return h.Stats() })
	}
	wantEnded(t, "after the restart", a)
	eventually(t, func() bool {
		acked, expected := h1.Acks(t.Context(), "1|s|main|b||0")
		return acked == 2 && expected == 2
	}, func() any { return h1.Stats() })
	wantEnded(t, "by the question", b)
}

// Subscriptions are killed all the time while sessions end: what a node says it
// has marked it has, and in the end no connection is left.
func TestHub_noZombiesInAStormOfKills(t *testing.T) {
	c := redistest.Start(t).Client(t)
	l := new(living)
	h1, h2 := runHub(t, c, "sessionhub", l), runHub(t, c, "sessionhub", l)
	const sessions = 500
	var conns [sessions][2]*hubtest.Conn
	for i := range conns {
		for j, h := range []*hub.Hub{h1, h2} {
			_, conns[i][j] = open(t, h, fmt.Sprint("s", i), "")
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var killing sync.WaitGroup
	killing.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_ = c.ClientKillByFilter(ctx, "TYPE", "pubsub").Err()
			}
		}
	})
	acked := 0
	var ending sync.WaitGroup
	var mu sync.Mutex
	for part := range 10 {
		ending.Go(func() {
			for i := part; i < sessions; i += 10 {
				id := fmt.Sprint("s", i)
				l.end(t, c, "sessionhub", id)
				if n, _ := h1.Acks(t.Context(), "1|s|main|"+id+"||0"); n == 2 {
					mu.Lock()
					acked++
					mu.Unlock()
					if _, marked := conns[i][1].Marked(); !marked {
						t.Errorf("%s is acknowledged and not marked", id)
					}
				}
			}
		})
	}
	ending.Wait()
	stop()
	killing.Wait()
	begin := time.Now()
	for i := range conns {
		for j, conn := range conns[i] {
			wantEnded(t, fmt.Sprint(i, " on ", j), conn)
		}
	}
	t.Logf("%d of %d acknowledged; no zombie %v after the last kill", acked, sessions, time.Since(begin))
}

func TestHub_unreadableNoticesOverRedis(t *testing.T) {
	c := redistest.Shared(t).Client(t)
	prefix, l := redistest.Prefix(t), new(living)
	h := runHub(t, c, prefix, l)
	for i, text := range []string{"9|s|main|a||0", "garbage", "", "1|e|main|a||", strings.Repeat("x", 1<<20)} {
		id := fmt.Sprint("s", i)
		_, conn := open(t, h, id, "")
		l.ended.Store(id, true)
		gaps := h.Gaps()
		if err := c.Publish(t.Context(), prefix+":notice", text).Err(); err != nil {
			t.Fatal(err)
		}
		wantEnded(t, fmt.Sprintf("after %.20q", text), conn)
		if st := h.Stats(); st.Malformed != uint64(i+1) || h.Gaps() == gaps || !st.Fresh {
			t.Errorf("stats = %+v, want a gap and still fresh", st)
		}
	}
}

// Reset ends a connection that hangs, and returns at once.
func TestBroker_resetOfAHungConnection(t *testing.T) {
	for name, drop := range map[string]func(*faultproxy.Proxy, bool){
		"both ways":   func(p *faultproxy.Proxy, on bool) { p.DropUp(on); p.DropDown(on) },
		"to the node": func(p *faultproxy.Proxy, on bool) { p.DropDown(on) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Shared(t)
			p := faultproxy.Start(t, s.Addr)
			b := newBroker(client(t, p.Addr), redistest.Prefix(t))
			r := run(t, b)
			r.await(t, "fresh")
			drop(p, true)
			begin := time.Now()
			for range 100 {
				b.Reset(errors.New("silence"))
			}
			if d := time.Since(begin); d > time.Second {
				t.Errorf("Reset took %v", d)
			}
			r.await(t, "fresh", "stale")
			drop(p, false)
			r.await(t, "fresh", "stale", "fresh")
		})
	}
}
