package faults_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/internal/faultproxy"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
)

// TestD05_aCutInALogoutEndsAllOrNothing cuts the node that carries a logout out off
// from Redis after each of the logout's commands in turn: after one of them the
// session is gone, and whatever the node would say next it cannot say. The other
// node hears of the end then, and otherwise of nothing: the deletion and its
// publication are one script.
func TestD05_aCutInALogoutEndsAllOrNothing(t *testing.T) {
	t.Parallel()
	server, prefix := redistest.Start(t), redistest.Prefix(t)
	proxy := faultproxy.Start(t, server.Addr)
	// It has one connection, which is lost with the reply that the proxy cuts, and
	// gets no other one: neither a retry nor anything that comes next arrives.
	asked := start(t, plan{
		redis: "redis://" + proxy.Addr + "?pool_size=1&max_retries=-1&read_timeout=2s&write_timeout=2s&pool_timeout=2s",
		bus:   server.URL, prefix: prefix,
	})
	// It looks nothing up that it did not hear of, before the test is long over.
	other := start(t, plan{redis: server.URL, prefix: prefix, hub: hub.Options{Revalidate: time.Hour}})
	c := server.Client(t)
	for _, target := range []session.Target{session.This, session.All} {
		for name, flushed := range map[string]bool{"": false, ", of scripts that are sent anew": true} {
			t.Run(string(target)+name, func(t *testing.T) {
				defer proxy.Refuse(false) // for the others, if this one fails
				gone, kept, whole := 0, 0, false
				for cut := 1; !whole; cut++ {
					v := other.login("alice")
					there := other.open(v)
					there.wantAnswer("there")
					eventually(t, "the node has its connection", func() bool {
						_, err := asked.site().me(v)
						return err == nil
					})
					if flushed {
						if err := c.ScriptFlush(t.Context()).Err(); err != nil {
							t.Fatal(err)
						}
					}
					before := other.hub.Stats().Revalidations

					proxy.Refuse(true)
					proxy.CutOnReply(cut)
					_, err := asked.site().logout(v, target)
					proxy.CutOnReply(0)
					whole = err == nil
					if !whole && status(err) != http.StatusServiceUnavailable {
						t.Fatalf("cut after command %d: %v, want status 503", cut, err)
					}
					if len(keysOf(t, c, prefix, v.id)) == 0 {
						gone++
						eventually(t, fmt.Sprintf("cut after command %d, and the session is gone: the other node's socket is closed", cut), func() bool {
							return !there.open()
						})
					} else {
						kept++
						for range 20 { // as many trips as no notice is late by
							there.wantAnswer("still here")
						}
						other.wantIn(v)
					}
					if other.hub.Stats().Revalidations != before {
						t.Error("the other node looked its sessions up: this proves nothing")
					}

					// The node that is back carries out what it owes.
					proxy.Refuse(false)
					there.wantEnd(hub.SessionEnded)
					eventually(t, "nothing is owed", func() bool { return asked.sessions.Stats().Owed == 0 })
					other.wantOut(v)
				}
				t.Logf("%d logouts ended the session, %d did not", gone, kept)
				if gone < 2 || kept < 1 {
					t.Error("no cut was after the deletion, or none before: this proves nothing")
				}
			})
		}
	}
}
