//go:build failpoint

package faults_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/internal/failpoint"
	"github.com/sessionhub/sessionhub/internal/faultproxy"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
)

// upgradePlaces are all places of an upgrade, in order.
var upgradePlaces = []failpoint.Place{
	failpoint.SocketRegistered, failpoint.SocketLoaded, failpoint.SocketAdmitted, failpoint.SocketUpgraded,
}

// An end at any place of an upgrade is one that the socket learns of: the load
// finds nothing any more, or the mark was there before.
func TestD02_aLogoutDuringTheUpgradeIsNeverMissed(t *testing.T) {
	redis, prefix := redistest.Shared(t).URL, redistest.Prefix(t)
	a := start(t, plan{redis: redis, prefix: prefix})
	b := start(t, plan{redis: redis, prefix: prefix})
	for _, place := range upgradePlaces {
		for name, at := range map[string]*node{"here": a, "on the other node": b} {
			t.Run(fmt.Sprint(place, " ", name), func(t *testing.T) {
				v := a.login("alice")
				handled, opened := a.talk.handled.Load(), a.talk.opened.Load()
				notices := a.hub.Stats().Notices
				failpoint.Set(t, place, sync.OnceFunc(func() {
					if _, err := at.site().logout(v, session.This); err != nil {
						t.Error(err)
					}
					await(t, "the notice", func() bool { return a.hub.Stats().Notices > notices })
				}))
				tb := a.open(v)
				_ = tb.send("let me in")
				tb.wantEnd(hub.SessionEnded)
				eventually(t, "the socket is gone", func() bool { return a.socket.Stats().Open == 0 })
				if n := a.talk.handled.Load() - handled; n != 0 {
					t.Errorf("%d messages were handled", n)
				}
				if n := a.talk.opened.Load() - opened; n != 0 {
					t.Errorf("the socket was opened")
				}
			})
		}
	}
}

// The same at moments that nobody chose. A socket that was open for a moment has
// done nothing wrong; one that handles what was sent after the answer has.
func TestD02_aLogoutAtAThousandMomentsOfTheUpgrade(t *testing.T) {
	const rounds, workers = 1000, 4
	redis, prefix := redistest.Shared(t).URL, redistest.Prefix(t)
	// An answer says that all nodes have marked, however late that is.
	options := hub.Options{AckWait: patience}
	a := start(t, plan{redis: redis, prefix: prefix, hub: options})
	b := start(t, plan{redis: redis, prefix: prefix, hub: options})
	eventually(t, "the nodes know each other", func() bool { return b.hub.Stats().Nodes == 2 })
	for _, place := range upgradePlaces {
		failpoint.Set(t, place, func() { time.Sleep(rand.N(time.Millisecond)) })
	}
	a.talk.hear(func(text string) {
		if text == "too late" {
			t.Error("a message was handled that was sent after the logout was answered")
		}
	})
	var before, during, after atomic.Int64 // sockets, by what the upgrade was at the logout
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for range rounds / workers {
				if t.Failed() {
					return
				}
				v, err := b.site().login(fmt.Sprint("user", w))
				if err != nil {
					t.Error(err)
					return
				}
				var upgraded atomic.Bool
				dialled := make(chan *tab, 1)
				go func() {
					defer close(dialled)
					tb, err := a.site().dial(t, v, manner{})
					upgraded.Store(true)
					if err != nil {
						t.Error(err)
						return
					}
					dialled <- tb
				}()
				time.Sleep(rand.N(8 * time.Millisecond))
				early := upgraded.Load()
				_, err = b.site().logout(v, session.This)
				late := !upgraded.Load()
				tb := <-dialled
				if err != nil || tb == nil {
					t.Errorf("logout: %v", err)
					return
				}
				_ = tb.send("too late") // it may be closed
				tb.wantEnd(hub.SessionEnded)
				switch {
				case early:
					before.Add(1)
				case late:
					after.Add(1)
				default:
					during.Add(1)
				}
			}
		})
	}
	all.Wait()
	eventually(t, "no socket is left", func() bool { return a.socket.Stats().Open == 0 })
	t.Logf("%d logouts: %d sockets were open before, %d upgraded meanwhile, %d were not upgraded when it was answered",
		rounds, before.Load(), during.Load(), after.Load())
	if during.Load() == 0 || after.Load() == 0 {
		t.Error("no upgrade was under way at a logout: this proves nothing")
	}
}

// The session was alive when Redis answered, and the answer is on its way while the
// session ends.
func TestD03_anEndIsNotOverwrittenByALoadInFlight(t *testing.T) {
	server, prefix := redistest.Start(t), redistest.Prefix(t)
	c := server.Client(t)
	proxy := faultproxy.Start(t, server.Addr)
	a := start(t, plan{redis: "redis://" + proxy.Addr, bus: server.URL, prefix: prefix})
	b := start(t, plan{redis: server.URL, prefix: prefix})
	for round := range 5 {
		v := b.login("alice")
		a.wantIn(v) // and has a connection, with the scripts on it
		handled, notices, began := a.talk.handled.Load(), a.hub.Stats().Notices, scripts(t, c)
		registered := make(chan struct{})
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			failpoint.Set(t, failpoint.SocketRegistered, sync.OnceFunc(func() {
				proxy.DropDown(true)
				close(registered)
			}))
			dialled := a.opening(v)
			<-registered
			eventually(t, "Redis has answered the load", func() bool { return scripts(t, c) > began })
			b.logout(v, session.This)
			eventually(t, "the notice has come", func() bool { return a.hub.Stats().Notices > notices })
			proxy.DropDown(false)
			tb := (<-dialled)(t)
			_ = tb.send("let me in")
			tb.wantEnd(hub.SessionEnded)
			if n := a.talk.handled.Load() - handled; n != 0 {
				t.Errorf("%d messages were handled", n)
			}
		})
	}
}
