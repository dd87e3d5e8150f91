//go:build failpoint

package faults_test

import (
	"testing"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/internal/failpoint"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
)

// A node that crashes in the middle of a logout, before it asks the store or when the
// store has answered, has ended the session everywhere, or nowhere. What lies between
// is [TestD05_aCutInALogoutEndsAllOrNothing].
func TestD05_aCrashInALogoutEndsAllOrNothing(t *testing.T) {
	for _, c := range []struct {
		place failpoint.Place
		ends  bool
	}{
		{failpoint.EndGated, false},
		{failpoint.EndDeleted, true},
	} {
		t.Run(string(c.place), func(t *testing.T) {
			server, prefix := redistest.Shared(t), redistest.Prefix(t)
			n := start(t, plan{redis: server.URL, prefix: prefix})
			crashes := begin(t, order{Redis: server.URL, Prefix: prefix, Name: "crashes", Unchecked: true}, "FAILPOINTS="+string(c.place)+"=kill")
			v := n.login("alice")
			here := n.open(v)
			there := crashes.openPatiently(t, v)
			here.wantAnswer("here")
			there.wantAnswer("there")

			if _, err := crashes.logout(v, session.This); err == nil {
				t.Fatal("the logout was answered: the node did not crash")
			}
			<-crashes.exited
			<-there.gone // with a word, if the notice came before the crash
			if c.ends {
				here.wantEnd(hub.SessionEnded)
				n.wantOut(v)
				if keys := keysOf(t, server.Client(t), prefix, v.id); len(keys) > 0 {
					t.Errorf("the session is gone, and Redis has %v", keys)
				}
				return
			}
			n.wantIn(v)
			for range 20 { // as many trips as no notice is late by
				here.wantAnswer("still here")
			}
			// Whoever tries again gets what was asked for.
			n.logout(v, session.This)
			here.wantEnd(hub.SessionEnded)
		})
	}
}
