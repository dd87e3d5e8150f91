package faults_test

import (
	"errors"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
)

// slack is how much later than its bound a call may end under the race detector.
const slack = (slowness - 1) * 50 * time.Millisecond

// TestD07_redisIsKilledAndComesBack loses Redis under a thousand sockets. Who logs
// out meanwhile is out here at once, and elsewhere when Redis is back.
func TestD07_redisIsKilledAndComesBack(t *testing.T) {
	const sessions, each, leaving = 100, 5, 20 // each on both nodes
	server, prefix := redistest.Start(t), redistest.Prefix(t)
	p := plan{redis: server.URL, prefix: prefix, hub: hub.Options{Heartbeat: beat}}
	nodes := []*node{start(t, p), start(t, p)}
	a, b := nodes[0], nodes[1]
	goroutines := settled(t, nodes)
	visitors := a.logins("user", sessions)
	tabs := make([][]*tab, 2)
	for i, n := range nodes {
		tabs[i] = n.opens(visitors, each, manner{})
	}
	several(t, sessions, func(i int) error {
		_, err := tabs[0][i*each].ask("add 7")
		return err
	})

	server.Kill()
	for _, n := range nodes {
		eventually(t, "the node is stale", func() bool { return !n.hub.Fresh() })
	}
	for _, v := range visitors[:leaving] {
		result, err := a.site().logout(v, session.This)
		if status(err) != http.StatusServiceUnavailable || result.StoreOK || result.ClosedHere != each {
			t.Errorf("logout without Redis = %+v, %v, want 503 and %d closed here", result, err, each)
		}
	}
	for i, v := range visitors {
		for _, n := range nodes {
			if user, err := n.site().me(v); status(err) != http.StatusServiceUnavailable && (i >= leaving || n != a) {
				t.Errorf("visitor %d without Redis: user %q, %v, want status 503", i, user, err)
			}
		}
	}
	for _, tb := range tabs[0][:leaving*each] {
		tb.wantEnd(hub.SessionEnded)
	}

	server.Restart()
	began := time.Now()
	for _, n := range nodes {
		eventually(t, "the node is fresh", n.hub.Fresh)
	}
	// The ends that Redis did not take are retried in the background.
	for _, tb := range tabs[1][:leaving*each] {
		tb.wantEnd(hub.SessionEnded)
	}
	t.Logf("%d ends that Redis did not take were carried out within %v of its return", leaving, time.Since(began).Round(time.Millisecond))
	c := server.Client(t)
	for _, v := range visitors[:leaving] {
		if keys := keysOf(t, c, prefix, v.id); len(keys) > 0 {
			t.Errorf("a session that ended during the outage: Redis has %v", keys)
		}
		for _, n := range nodes {
			n.wantOut(v)
		}
	}
	recovered, later := 0, 0
	for i := range tabs {
		for _, tb := range tabs[i][leaving*each:] {
			if _, err := tb.ask("and now"); err == nil {
				recovered++
				continue
			}
			later++
			tb.wantEnd(hub.TryLater)
		}
	}
	for _, v := range visitors[leaving:] {
		if n, err := b.site().sum(v); err != nil || n != 7 {
			t.Errorf("after the restart: sum %d, %v, want 7", n, err)
		}
	}
	t.Logf("%d sockets: %d recovered, %d were closed with %v", 2*sessions*each, recovered, later, hub.TryLater)

	for _, v := range visitors[leaving:] {
		a.logout(v, session.This)
	}
	for i := range tabs {
		for _, tb := range tabs[i] {
			<-tb.gone
		}
	}
	eventually(t, "all goroutines of sockets have ended", func() bool {
		return settled(t, nodes) <= goroutines+goroutines/10
	})
}

// settled returns how many goroutines there are when nobody asks anything of the
// nodes.
func settled(t testing.TB, nodes []*node) int {
	t.Helper()
	for _, n := range nodes {
		eventually(t, "no socket is open", func() bool { return n.socket.Stats().Open == 0 })
		n.client.CloseIdleConnections()
	}
	return runtime.NumGoroutine()
}

// TestD08_redisHangs stops Redis without closing a connection. The limits are the
// defaults, but for the one of staleness, so that it ends within the eight seconds.
func TestD08_redisHangs(t *testing.T) {
	t.Parallel()
	const (
		hang     = 8 * time.Second
		deadline = 500 * time.Millisecond
		limit    = 3 * time.Second
	)
	server, prefix := redistest.Start(t), redistest.Prefix(t)
	n := start(t, plan{
		redis: server.URL + "?max_retries=1", prefix: prefix,
		hub: hub.Options{Heartbeat: beat, StaleLimit: limit}, sessions: session.Options{Timeout: deadline},
	})
	patient := start(t, plan{redis: server.URL, prefix: prefix, hub: hub.Options{Heartbeat: beat}})
	v := patient.login("alice")
	quiet, loud := n.site().openPatiently(t, v), n.site().openPatiently(t, v)
	quiet.wantAnswer("hello")
	loud.wantAnswer("hello")
	handled := n.talk.handled.Load()

	server.Pause()
	began := time.Now()
	var took lags
	stale := time.Duration(0)
	for time.Since(began) < hang {
		if stale == 0 && !n.hub.Fresh() {
			stale = time.Since(began)
			_ = loud.send("held") // and never handled: the socket ends first
		}
		// An answer that is not 503 would be an anonymous one, or one that nobody
		// can know.
		at := time.Now()
		if user, err := n.site().me(v); status(err) != http.StatusServiceUnavailable {
			t.Errorf("after %v: user %q, %v, want status 503", at.Sub(began), user, err)
		}
		took = append(took, time.Since(at))
		if _, err := n.sessions.Exists(t.Context(), "", v.id); !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("Exists = %v, want %v", err, session.ErrUnavailable)
		}
		took = append(took, time.Since(at)-took[len(took)-1])
		if stale > 0 && !n.hub.Fresh() {
			if _, err := n.site().dial(t, v, manner{}); status(err) != http.StatusServiceUnavailable {
				t.Errorf("upgrade while stale: %v, want status 503", err)
			}
		}
	}
	t.Logf("calls ended after %v; stale after %v", took, stale.Round(time.Millisecond))
	if p50 := took.quantile(0.5); p50 < deadline*8/10 || p50 > deadline*12/10+slack {
		t.Errorf("calls ended after %v, want %v, give or take a fifth", p50, deadline)
	}
	if longest := took.quantile(1); longest > 2*deadline+slack {
		t.Errorf("a call took %v", longest)
	}
	// Looked at between two calls.
	if stale == 0 || stale > gapBound+2*deadline+slack {
		t.Errorf("stale after %v", stale)
	}
	for _, tb := range []*tab{quiet, loud} {
		tb.wantEnd(hub.TryLater)
		closed, _ := tb.times()
		if at := closed.Sub(began) - stale; at < limit-2*deadline-slack || at > limit*3/2+time.Second+slack {
			t.Errorf("closed %v after the node was stale, want %v to %v", at, limit, limit*3/2)
		}
	}
	if n := n.talk.handled.Load() - handled; n != 0 {
		t.Errorf("%d messages were handled while the node was stale", n)
	}

	server.Resume()
	back := within(t, patience, "the node is fresh", n.hub.Fresh)
	t.Logf("fresh %v after Redis went on", back.Round(time.Millisecond))
	n.wantInPatiently(v)
	tb := n.site().openPatiently(t, v)
	tb.wantAnswer("again")
	patient.logout(v, session.This)
	tb.wantEnd(hub.SessionEnded)
}

// Twenty connections hang, and a thousand callers want one.
func TestD17_thousandCallersOfAHungPool(t *testing.T) {
	t.Parallel()
	const callers, deadline = 1000, 500 * time.Millisecond
	server, prefix := redistest.Start(t), redistest.Prefix(t)
	n := start(t, plan{
		redis: server.URL + "?pool_size=20", prefix: prefix, sessions: session.Options{Timeout: deadline},
	})
	v := start(t, plan{redis: server.URL, prefix: prefix}).login("alice")
	before := runtime.NumGoroutine()
	server.Pause()
	took := make(chan time.Duration, callers)
	for range callers {
		go func() {
			began := time.Now()
			if _, err := n.sessions.Exists(t.Context(), "", v.id); !errors.Is(err, session.ErrUnavailable) {
				t.Errorf("Exists = %v, want %v", err, session.ErrUnavailable)
			}
			took <- time.Since(began)
		}()
	}
	var all lags
	for range callers {
		all = append(all, <-took)
	}
	t.Logf("%d callers of 20 connections that hang: %v", callers, all)
	// In turns of twenty the last would wait for 25 s. Under the race detector it takes
	// seconds until a thousand have run.
	const bound = deadline*12/10 + 10*slack
	if longest := all.quantile(1); longest > bound {
		t.Errorf("a caller waited for %v, want at most %v", longest, bound)
	}

	server.Resume()
	// Nothing of the thousand is left, in a queue or as a goroutine.
	began := time.Now()
	n.wantInPatiently(v)
	t.Logf("the first answer came %v after Redis went on", time.Since(began).Round(time.Millisecond))
	var after lags
	for range 50 {
		began := time.Now()
		n.wantInPatiently(v)
		after = append(after, time.Since(began))
	}
	t.Logf("then: %v", after)
	if p50 := after.quantile(0.5); p50 > slowness*20*time.Millisecond {
		t.Errorf("calls after it took %v", p50)
	}
	eventually(t, "the goroutines of the callers have ended", func() bool { return runtime.NumGoroutine() < before+callers/10 })
}
