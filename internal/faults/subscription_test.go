package faults_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
)

// Each notice that falls into a gap is lost. What ended in it is found when the
// gap is over.
func TestD06_noZombiesWhenSubscriptionsAreKilledDuringLogouts(t *testing.T) {
	t.Parallel()
	const logouts, every = 500, 50 * time.Millisecond
	server, prefix := redistest.Start(t), redistest.Prefix(t)
	p := plan{redis: server.URL, prefix: prefix, hub: hub.Options{Heartbeat: beat}}
	nodes := []*node{start(t, p), start(t, p)}
	visitors := nodes[0].logins("user", logouts)
	var tabs []*tab
	for _, n := range nodes {
		tabs = append(tabs, n.opens(visitors, 1, manner{})...)
	}
	stay := nodes[1].logins("somebody", 10) // else
	staying := nodes[1].opens(stay, 1, manner{})

	ctx, stop := context.WithCancel(t.Context())
	var killing sync.WaitGroup
	killed := 0
	killing.Go(func() {
		c := server.Client(t)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				n, err := c.ClientKillByFilter(ctx, "TYPE", "pubsub").Result()
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				killed += int(n)
			}
		}
	})
	began := time.Now()
	// One after the other for each worker, and on the one node and the other.
	several(t, logouts, func(i int) error {
		_, err := nodes[i%2].site().logout(visitors[i], session.This)
		return err
	})
	took := time.Since(began)
	stop()
	killing.Wait()
	left := zombies(tabs)
	waited := within(t, slowness*2*time.Second, "no socket of a session that ended is left", func() bool { return zombies(tabs) == 0 })
	t.Logf("%d logouts in %v, %d subscriptions killed; %d sockets were open at the end, the last for %v",
		logouts, took.Round(time.Millisecond), killed, left, waited.Round(time.Millisecond))
	if killed < 2 || nodes[1].hub.Gaps() < 2 {
		t.Error("no gap came: this proves nothing")
	}
	for _, tb := range tabs {
		tb.wantEnd(hub.SessionEnded)
	}
	for i, tb := range staying {
		tb.wantAnswer(fmt.Sprint("still here ", i))
	}
}

// A node hears of very many ends at once, amid publications, while the peers that it
// closes are silent. It takes a notice without waiting for anything.
func TestW14_noNoticeOfManyIsDropped(t *testing.T) {
	t.Parallel()
	const sessions, publications = 300, 1000
	redis, prefix := redistest.Shared(t).URL, redistest.Prefix(t)
	ends := start(t, plan{redis: redis, prefix: prefix})
	hears := start(t, plan{redis: redis, prefix: prefix})
	hears.opens(ends.logins("user", sessions), 1, manner{silent: true})
	listener := listen(hears, "lobby")
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for range publications {
			if err := ends.hub.Publish(t.Context(), "lobby", []byte("news")); err != nil {
				t.Error(err)
				return
			}
		}
	})
	result, err := ends.sessions.EndUser(t.Context(), "", "user", "", "admin")
	if err != nil || !result.StoreOK {
		t.Errorf("EndUser = %+v, %v", result, err)
	}
	publishing.Wait()
	eventually(t, "all sockets of the user are gone", func() bool { return hears.socket.Stats().Open == 0 })
	eventually(t, "every publication came", func() bool { return listener.news.Load() == publications })
	if got := hears.hub.Gaps(); got != 0 {
		t.Errorf("%d gaps: that was no queue", got)
	}
	if got := hears.talk.ended(hub.SessionEnded); got != sessions {
		t.Errorf("%d sockets ended with %v, want %d", got, hub.SessionEnded, sessions)
	}
}
