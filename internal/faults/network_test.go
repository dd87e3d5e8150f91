package faults_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/internal/faultproxy"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
)

// beat is the default, and gapBound how long a silent subscription stays unnoticed.
const (
	beat     = time.Second
	gapBound = 3*beat + 500*time.Millisecond
)

// A black hole swallows everything and tells nobody.
func TestD09_aBlackHoleBothWaysIsAGap(t *testing.T) {
	t.Parallel()
	blackHole(t, func(p *faultproxy.Proxy, on bool) {
		p.DropUp(on)
		p.DropDown(on)
	})
}

// What a node sends arrives, and it hears nothing.
func TestD10_aBlackHoleFromTheServerIsAGap(t *testing.T) {
	t.Parallel()
	blackHole(t, (*faultproxy.Proxy).DropDown)
}

// blackHole puts a node behind one while a session ends on another.
func blackHole(t *testing.T, hole func(p *faultproxy.Proxy, on bool)) {
	server, prefix := redistest.Start(t), redistest.Prefix(t)
	proxy := faultproxy.Start(t, server.Addr)
	far := start(t, plan{redis: "redis://" + proxy.Addr, prefix: prefix, hub: hub.Options{Heartbeat: beat}})
	near := start(t, plan{redis: server.URL, prefix: prefix, hub: hub.Options{Heartbeat: beat, AckWait: 250*time.Millisecond + slack}})
	eventually(t, "the nodes know each other", func() bool { return near.knows(2) })
	leaves, stays := near.login("alice"), near.login("bob")
	lost, other := far.open(leaves), far.open(stays)
	lost.wantAnswer("hello")
	other.wantAnswer("hello")
	stats := far.hub.Stats()

	hole(proxy, true)
	began := time.Now()
	result := near.logout(leaves, session.This)
	if result.NodesAcked != 1 || result.NodesExpected != 2 || !result.StoreOK {
		t.Errorf("logout = %+v, want 1 of 2 nodes", result)
	}
	within(t, gapBound+slack-time.Since(began), "the node notices", func() bool { return !far.hub.Fresh() })
	stale := time.Since(began)
	if stale < time.Second-slack {
		t.Errorf("stale after %v: that was no heartbeat", stale)
	}
	handled := far.talk.handled.Load()
	_ = lost.send("held")
	_ = other.send("held")
	// It stays silent for long enough that new connections are in it too.
	eventually(t, "the node has tried again", func() bool { return time.Since(began) > gapBound+time.Second })
	if got := far.hub.Stats(); got.Gaps == stats.Gaps || got.Stales == stats.Stales {
		t.Errorf("stale without a gap: %+v", got)
	}
	if n := far.talk.handled.Load() - handled; n != 0 || !lost.open() {
		t.Errorf("in the gap: %d messages were handled, the socket is open: %v", n, lost.open())
	}

	hole(proxy, false)
	ended := time.Now()
	lost.wantEnd(hub.SessionEnded)
	eventually(t, "the node is fresh", far.hub.Fresh)
	t.Logf("stale after %v; fresh, and the lost logout carried out, %v after the end of the hole",
		stale.Round(time.Millisecond), time.Since(ended).Round(time.Millisecond))
	if got, err := other.next(patience); got != "held" {
		t.Errorf("the message that was held: %q, %v", got, err)
	}
	other.wantAnswer("and I stay")
	if got := far.hub.Stats(); got.Revalidations == stats.Revalidations {
		t.Error("fresh without a revalidation")
	}
	far.wantOut(leaves)
	// The next one is heard everywhere.
	eventually(t, "the nodes know each other", func() bool { return near.knows(2) && far.knows(2) })
	if result := near.logout(stays, session.This); result.NodesAcked != 2 || result.NodesExpected != 2 {
		t.Errorf("logout = %+v, want 2 of 2 nodes", result)
	}
	other.wantEnd(hub.SessionEnded)
}

// A slow and uneven network is not a silent one.
func TestD11_latencyIsNoGap(t *testing.T) {
	t.Parallel()
	const span = 6 * time.Second
	server, prefix := redistest.Start(t), redistest.Prefix(t)
	proxy := faultproxy.Start(t, server.Addr)
	n := start(t, plan{redis: "redis://" + proxy.Addr, prefix: prefix, hub: hub.Options{Heartbeat: beat}})
	v := n.login("alice")
	tb := n.open(v)
	if _, err := tb.ask("add 1"); err != nil {
		t.Fatal(err)
	}
	// 100 ms more each way, give or take half of that: 200 ms, with 100 of jitter.
	ctx, stop := context.WithCancel(t.Context())
	var jitter sync.WaitGroup
	jitter.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			proxy.Delay(50*time.Millisecond + rand.N(100*time.Millisecond))
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	defer jitter.Wait()
	defer stop()
	stats := n.hub.Stats()
	var took lags
	for began := time.Now(); time.Since(began) < span; {
		at := time.Now()
		if got, err := tb.ask("add 1"); err != nil || got != "1" {
			t.Fatalf("%q, %v", got, err)
		}
		took = append(took, time.Since(at))
		if !n.hub.Fresh() {
			t.Fatal("the node is stale")
		}
	}
	t.Logf("messages that save: %v; lag of the heartbeat %v", took, n.hub.Stats().Lag)
	if got := n.hub.Stats(); got.Gaps != stats.Gaps || got.Stales != stats.Stales {
		t.Errorf("%d gaps, stale %d times", got.Gaps-stats.Gaps, got.Stales-stats.Stales)
	}
	if got, err := n.site().sum(v); err != nil || got != int64(1+len(took)) {
		t.Errorf("sum %d, %v, want %d", got, err, 1+len(took))
	}
}
