//go:build failpoint

package faults_test

import (
	"sync"
	"testing"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/internal/failpoint"
	"github.com/sessionhub/sessionhub/internal/faultproxy"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
)

// TestD04_aSaveNeverBringsASessionBack ends a session at every point of a message
// that saves, and begins the namespace below the root with that. However far the message has come: nothing of the session is left in
// Redis, nothing that it held back leaves, and the socket is closed. That every
// order of concurrent saves and ends is one that could have happened one after the
// other, the conformance kit of the stores proves.
func TestD04_aSaveNeverBringsASessionBack(t *testing.T) {
	server, prefix := redistest.Start(t), redistest.Prefix(t)
	proxy := faultproxy.Start(t, server.Addr)
	c := server.Client(t)
	a := start(t, plan{redis: "redis://" + proxy.Addr, bus: server.URL, prefix: prefix})
	b := start(t, plan{redis: server.URL, prefix: prefix})
	for _, p := range []struct {
		name  string
		place failpoint.Place
		held  func(on bool) // on its way to Redis, or back, at the moment of the end
		ran   bool          // the save was carried out before the end
	}{
		{name: "before the handler", place: failpoint.MessageRead},
		{name: "before the save", place: failpoint.MessageHandled},
		{name: "the save is on its way", place: failpoint.MessageHandled, held: proxy.DropUp},
		{name: "the reply is on its way", place: failpoint.MessageHandled, held: proxy.DropDown, ran: true},
		{name: "after the save", place: failpoint.MessageSaved},
	} {
		t.Run(p.name, func(t *testing.T) {
			v := b.login("alice")
			tb := a.open(v)
			if got, err := tb.ask("add 1"); err != nil || got != "1" {
				t.Fatalf("%q, %v", got, err)
			}
			notices, began := a.hub.Stats().Notices, scripts(t, c)
			end := func() {
				if _, err := b.site().logout(v, session.This); err != nil {
					t.Error(err)
				}
				await(t, "the notice", func() bool { return a.hub.Stats().Notices > notices })
			}
			reached := make(chan struct{})
			failpoint.Set(t, p.place, sync.OnceFunc(func() {
				defer close(reached)
				if p.held != nil {
					p.held(true)
				} else {
					end()
				}
			}))
			if err := tb.send("put at the end"); err != nil {
				t.Fatal(err)
			}
			<-reached
			if p.held != nil {
				if p.ran {
					eventually(t, "the save was carried out", func() bool { return scripts(t, c) > began })
				}
				end()
				p.held(false)
			}
			tb.wantEnd(hub.SessionEnded)
			if n := tb.heard(); n != 1 {
				t.Errorf("%d answers, want only the one before the end", n)
			}
			eventually(t, "the message is over", func() bool { return a.socket.Stats().Open == 0 })
			if keys := keysOf(t, c, prefix, v.id); len(keys) > 0 {
				t.Errorf("the session is gone, and Redis has %v", keys)
			}
			a.wantOut(v)
		})
	}
}
