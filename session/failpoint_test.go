//go:build failpoint

package session_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/sessionhub/sessionhub/internal/failpoint"
	"github.com/sessionhub/sessionhub/session"
)

func TestFailpoints_ofAnEnd(t *testing.T) {
	newSite(t, func(s *site) {
		var (
			mu     sync.Mutex // guards passed
			passed []failpoint.Place
		)
		for _, p := range []failpoint.Place{failpoint.EndGated, failpoint.EndDeleted, failpoint.EndRetried} {
			failpoint.Set(t, p, func() {
				mu.Lock()
				defer mu.Unlock()
				passed = append(passed, p)
			})
		}
		want := func(what string, want ...failpoint.Place) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(passed, want) {
				t.Errorf("%s passes %q, want %q", what, passed, want)
			}
			passed = nil
		}
		s.login("ann")
		s.out.set("Delete")
		s.logout(s.copy(), session.This)
		want("an end that the store does not take", failpoint.EndGated)
		s.back()
		want("its retry", failpoint.EndRetried, failpoint.EndGated, failpoint.EndDeleted)
		s.login("ann")
		s.login("bob")
		want("an end by a login", failpoint.EndGated, failpoint.EndDeleted)
	})
}
