package session_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
)

func (b *browser) recent(sc *session.Scope, within time.Duration) bool {
	b.t.Helper()
	recent, err := sc.Recent(b.t.Context(), "", within)
	if err != nil {
		b.t.Fatalf("Recent: %v", err)
	}
	return recent
}

func TestRecent_forSoLongAfterTheLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t)
		b.login("ann")
		for _, c := range []struct {
			wait time.Duration
			want bool
		}{{0, true}, {10*time.Minute - time.Second, true}, {time.Second, true}, {time.Second, false}} {
			time.Sleep(c.wait)
			if got := b.recent(b.scope(), 10*time.Minute); got != c.want {
				t.Errorf("another %v later: %v", c.wait, got)
			}
		}
	})
}

func TestRecent_anotherLoginOfTheSameUserMakesItRecentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t)
		b.login("ann")
		time.Sleep(20 * time.Minute)
		sc := b.scope()
		if b.recent(sc, 10*time.Minute) {
			t.Error("recent before")
		}
		if err := sc.Login(t.Context(), "ann", session.LoginOptions{}); err != nil {
			t.Fatal(err)
		}
		if !b.recent(sc, 10*time.Minute) {
			t.Error("not recent in the request that logs in")
		}
		b.mustCommit(sc)
		if !b.recent(sc, 10*time.Minute) || !b.recent(b.scope(), 10*time.Minute) {
			t.Error("not recent after the commit")
		}
	})
}

func TestRecent_isNotMadeByActivityOrANewSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t, prefixes.Namespace{Name: "main", RenewAfter: time.Minute})
		b.login("ann")
		time.Sleep(11 * time.Minute)
		b.set("main", "a", 1) // renews, too
		b.expire(session.After(time.Hour))
		b.cycle()
		if b.recent(b.scope(), 10*time.Minute) {
			t.Error("recent")
		}
	})
}

func TestRecent_neverForNobody(t *testing.T) {
	b := newBrowser(t)
	if b.recent(b.scope(), time.Hour) {
		t.Error("recent without a session")
	}
	b.set("main", "a", 1)
	if b.recent(b.scope(), time.Hour) {
		t.Error("recent without a user")
	}
	if b.recent(b.hold().Scope(session.HoldOptions{}), time.Hour) {
		t.Error("recent on a connection without a user")
	}
	if b.recent(b.m.Anonymous(), time.Hour) {
		t.Error("recent on a connection without a session")
	}
	b.login("ann")
	sc := b.scope()
	if _, err := sc.Logout(t.Context(), session.This); err != nil {
		t.Fatal(err)
	}
	if b.recent(sc, time.Hour) {
		t.Error("recent after a logout")
	}
}

// A message reads a snapshot, in which the store's clock stands still.
func TestRecent_timeGoesOnOnAConnectionThatLoadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t)
		b.login("ann")
		h := b.hold()
		calls := b.count()
		for _, c := range []struct {
			wait time.Duration
			want bool
		}{{0, true}, {10 * time.Minute, true}, {time.Second, false}} {
			time.Sleep(c.wait)
			if got := b.recent(h.Scope(session.HoldOptions{}), 10*time.Minute); got != c.want {
				t.Errorf("another %v later: %v", c.wait, got)
			}
		}
		if got := calls.drain(); got != "" {
			t.Errorf("trips %q", got)
		}
		if b.recent(h.Scope(session.HoldOptions{Fresh: true}), 10*time.Minute) {
			t.Error("recent for a fresh scope")
		}
	})
}

// While a message is handled another connection of the session may save, which
// gives the node a newer snapshot than the one that the message began with.
func TestRecent_aSnapshotThatIsReplacedMeanwhileMakesNothingRecent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t)
		b.login("ann")
		h, other := b.hold(), b.hold()
		time.Sleep(20 * time.Minute)
		sc := h.Scope(session.HoldOptions{})
		b.open(sc, "main")
		if err := b.say(other, "main", "a", 1); err != nil {
			t.Fatal(err)
		}
		if b.recent(sc, 10*time.Minute) {
			t.Error("recent 20 minutes after the login")
		}
	})
}

func TestRecent_asksTheStoreOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t)
		b.login("ann")
		calls := b.count()
		sc := b.scope()
		first, second := b.recent(sc, time.Minute), b.recent(sc, time.Minute)
		if !first || !second {
			t.Error("not recent")
		}
		if got := calls.drain(); got != "Load" {
			t.Errorf("trips %q, want one load for both", got)
		}
	})
}

func TestRecent_withoutTheStore(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	b.store.down = true
	if recent, err := b.scope().Recent(t.Context(), "", time.Hour); recent || !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("Recent = %v, %v, want ErrUnavailable", recent, err)
	}
}
