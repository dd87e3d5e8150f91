package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
)

const cookieName = "__Host-id"

// cycle changes the secret in a request of its own.
func (b *browser) cycle() {
	b.t.Helper()
	sc := b.scope()
	if err := sc.Cycle(b.t.Context(), ""); err != nil {
		b.t.Fatal(err)
	}
	b.respond(sc)
}

// with is another browser, with a cookie.
func (b *browser) with(cookie string) *browser {
	c := b.another()
	c.cookies[cookieName] = cookie
	return c
}

func TestCycle_newSecretSameIDAndAllElseStays(t *testing.T) { // Django's test_cycle
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t)
		b.login("ann")
		b.set("main", "a", 1)
		b.set("room", "b", 2)
		b.expire(session.After(time.Hour))
		was, id, expires := b.cookies[cookieName], b.id(), b.expires()
		before, _, err := b.m.Lookup(t.Context(), "", id)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		b.cycle()
		if b.id() != id || b.cookies[cookieName] == was {
			t.Errorf("cookie %.10s, was %.10s: want the same id and another secret", b.cookies[cookieName], was)
		}
		if got := b.user() + b.get("main", "a") + b.get("room", "b"); got != "ann12" {
			t.Errorf("user and values %q", got)
		}
		after, ok, err := b.m.Lookup(t.Context(), "", id)
		if err != nil || !ok || !after.Authenticated.Equal(before.Authenticated) || !after.Created.Equal(before.Created) {
			t.Errorf("afterwards %+v, before %+v, %v", after, before, err)
		}
		if x := b.expires(); x != expires {
			t.Errorf("expires %+v, before %+v", x, expires)
		}
		if list, err := b.m.Sessions(t.Context(), "", "ann"); len(list) != 1 || list[0].ID != id || err != nil {
			t.Errorf("ann's list %+v, %v", list, err)
		}
	})
}

func TestCycle_doesNotLengthenTheLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, user := range []string{"ann", ""} {
			b := newBrowser(t, lastingMain())
			if user != "" {
				b.login(user)
			}
			b.set("main", "a", 1)
			began := time.Now()
			for time.Since(began) < 8*time.Hour-20*time.Minute {
				time.Sleep(20 * time.Minute)
				sc := b.scope()
				if err := sc.Cycle(t.Context(), ""); err != nil {
					t.Fatal(err)
				}
				left := (8*time.Hour - time.Since(began)) / time.Second
				if ck := oneCookie(t, b.respond(sc)); ck == nil || ck.MaxAge != int(left) {
					t.Fatalf("user %q: cookie %v, want Max-Age %d", user, ck, left)
				}
			}
			time.Sleep(20*time.Minute - time.Second)
			before := b.get("main", "a")
			time.Sleep(time.Second)
			if after := b.get("main", "a"); before != "1" || after != "" {
				t.Errorf("user %q, at the end of the lifetime: before %q, after %q", user, before, after)
			}
		}
	})
}

func TestCycle_theOldCookieOpensNothingAndIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t)
		b.login("ann")
		old := b.with(b.cookies[cookieName])
		b.cycle()
		for _, wait := range []time.Duration{0, session.ElevateGrace - time.Second} {
			time.Sleep(wait)
			sc := old.scope()
			user, err := sc.User(t.Context(), "")
			if h := old.respond(sc); user != "" || err != nil || len(h["Set-Cookie"]) != 0 {
				t.Errorf("after %v: user %q, %v, cookies %q", wait, user, err, h["Set-Cookie"])
			}
		}
		sc := old.scope()
		if err := old.open(sc, "main").Set("a", 1); err != nil {
			t.Fatal(err)
		}
		if err := old.commit(sc); !errors.Is(err, session.ErrRenewed) {
			t.Errorf("a late writer: Commit = %v, want ErrRenewed", err)
		}
	})
}

func TestCycle_closesTheConnectionsOfTheOldSecret(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	h, old := b.hold(), b.request()
	b.ends.drain(t)
	b.cycle()
	if got, want := b.ends.drain(t), "1|e|main|"+b.id()+"|"; len(got) != 1 || !strings.HasPrefix(got[0], want) {
		t.Errorf("notices %q, want one that begins with %s", got, want)
	}
	if err := b.say(h, "main", "a", 1); !errors.Is(err, session.ErrRenewed) {
		t.Errorf("a message on it = %v, want ErrRenewed", err)
	}
	c, _, _ := b.m.Identify(old, "", false)
	if _, err := b.m.Hold(t.Context(), c); !errors.Is(err, session.ErrRenewed) {
		t.Errorf("Hold with the old cookie = %v, want ErrRenewed: come again", err)
	}
	if got := b.hold(); got.User() != "ann" || got.Epoch() != h.Epoch()+1 {
		t.Errorf("Hold with the new cookie: user %q, epoch %d after %d", got.User(), got.Epoch(), h.Epoch())
	}
}

func TestCycle_aRequestUnderTheOldSecretSavesNothing(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	sc := b.with(b.cookies[cookieName]).scope()
	if err := b.open(sc, "main").Set("a", 1); err != nil {
		t.Fatal(err)
	}
	b.cycle()
	if err := sc.Commit(t.Context()); !errors.Is(err, session.ErrRenewed) {
		t.Errorf("Commit = %v, want ErrRenewed", err)
	}
}

func TestCycle_isTooLateOnAConnectionAndAfterTheCommit(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	if err := b.hold().Scope(session.HoldOptions{}).Cycle(t.Context(), ""); !errors.Is(err, session.ErrCommitted) {
		t.Errorf("on a connection: %v, want ErrCommitted", err)
	}
	if err := b.m.Anonymous().Cycle(t.Context(), ""); !errors.Is(err, session.ErrCommitted) {
		t.Errorf("on one without a session: %v, want ErrCommitted", err)
	}
	sc := b.scope()
	b.respond(sc)
	if err := sc.Cycle(t.Context(), ""); !errors.Is(err, session.ErrCommitted) {
		t.Errorf("after the commit: %v, want ErrCommitted", err)
	}
}

func TestCycle_withoutASessionDoesNothing(t *testing.T) {
	b := newBrowser(t)
	calls := b.count()
	sc := b.scope()
	if err := sc.Cycle(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if h := b.respond(sc); len(h["Set-Cookie"]) != 0 || calls.drain() != "" {
		t.Errorf("header %v", h)
	}
}

// A response commits as it begins, and again when its handler returns. What the
// first commit carried out, or had nothing to carry out for, is no matter of the
// second: nobody would be sent the secret.
func TestCycle_ofANewSessionIsNotCarriedOutAfterTheResponseBegan(t *testing.T) {
	b := newBrowser(t)
	sc := b.scope()
	if err := errors.Join(sc.Cycle(t.Context(), ""), b.open(sc, "main").Set("a", 1)); err != nil {
		t.Fatal(err)
	}
	b.respond(sc)
	if err := sc.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.get("main", "a"); got != "1" {
		t.Errorf("value %q: the cookie that was sent opens nothing", got)
	}
}

func TestCycle_onceForTwoCommits(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	sc := b.scope()
	if err := sc.Cycle(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	b.respond(sc)
	if err := b.open(sc, "main").Set("a", 1); err != nil {
		t.Fatal(err)
	}
	if h := b.respond(sc); len(h["Set-Cookie"]) != 0 || b.get("main", "a") != "1" {
		t.Errorf("header %v, value %q", h, b.get("main", "a"))
	}
}

func TestCycle_loadsASessionThatWasNotAskedFor(t *testing.T) { // Django's test_cycle_with_no_session_cache
	b := newBrowser(t)
	b.set("main", "a", 1)
	b.set("chat", "b", 2)
	calls := b.count()
	b.cycle()
	if got := calls.drain(); got != "Load Login" {
		t.Errorf("trips %q", got)
	}
	if got := b.get("main", "a") + b.get("chat", "b"); got != "12" {
		t.Errorf("values %q", got)
	}
}

func TestCycle_withChangesTakesOneTripMoreThanTheLoad(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	b.set("main", "gone", 1)
	calls := b.count()
	sc := b.scope()
	s := b.open(sc, "main")
	if err := errors.Join(s.Set("a", 1), s.Delete("gone"), b.open(sc, "chat").Set("b", 2), sc.Cycle(t.Context(), "")); err != nil {
		t.Fatal(err)
	}
	b.respond(sc)
	if got := calls.drain(); got != "Load Login" {
		t.Errorf("trips %q", got)
	}
	if got := b.get("main", "a") + b.get("chat", "b") + b.get("main", "gone") + b.user(); got != "12ann" {
		t.Errorf("values and user %q", got)
	}
}

func TestCycle_andAnExpiryInOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, first := range []bool{true, false} {
			b := newBrowser(t)
			b.login("ann")
			was := b.cookies[cookieName]
			time.Sleep(10 * time.Minute)
			sc := b.scope()
			var err error
			if first {
				err = sc.Cycle(t.Context(), "")
			}
			err = errors.Join(err, sc.SetExpiry(t.Context(), "", session.At(time.Now().Add(time.Hour))), b.open(sc, "main").Set("a", 1))
			if !first {
				err = errors.Join(err, sc.Cycle(t.Context(), ""))
			}
			if err != nil {
				t.Fatal(err)
			}
			ck := oneCookie(t, b.respond(sc))
			if ck == nil || ck.Value == was || ck.MaxAge != 3600 {
				t.Errorf("cookie %v, want a new one for an hour", ck)
			}
			if got := b.user() + b.get("main", "a"); got != "ann1" || !b.expires().End.Equal(time.Now().Add(time.Hour)) {
				t.Errorf("user and value %q, %+v", got, b.expires())
			}
		}
	})
}

// The secret is changed by then, and the old one good for nothing.
func TestCycle_theNewSecretGoesOutThoughTheExpiryCannotBeSaved(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	sc := b.scope()
	if err := errors.Join(sc.Cycle(t.Context(), ""), sc.SetExpiry(t.Context(), "", session.After(time.Hour))); err != nil {
		t.Fatal(err)
	}
	b.store.down = true // but for logins
	if err := b.commit(sc); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("Commit = %v, want ErrUnavailable", err)
	}
	b.store.down = false
	if got := b.user(); got != "ann" {
		t.Errorf("user %q: the cookie opens nothing", got)
	}
}

func TestCycle_aLoginChangesTheSecretByItself(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	calls := b.count()
	sc := b.scope()
	if err := errors.Join(sc.Cycle(t.Context(), ""), sc.Login(t.Context(), "ann", session.LoginOptions{})); err != nil {
		t.Fatal(err)
	}
	b.respond(sc)
	if err := sc.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := calls.drain(); got != "Load Login" || b.user() != "ann" {
		t.Errorf("trips %q, user %q", got, b.user())
	}
}

func TestCycle_andTheAgeOfTheSecretMakeOneNewSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t, prefixes.Namespace{Name: "main", RenewAfter: time.Minute})
		b.login("ann")
		time.Sleep(time.Minute)
		calls := b.count()
		b.cycle()
		if got := calls.drain(); got != "Load Login" || b.user() != "ann" {
			t.Errorf("trips %q, user %q", got, b.user())
		}
	})
}

func TestCycle_survivesTheEndOfANamespaceInTheSameRequest(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	b.set("chat", "a", 1)
	was := b.cookies[cookieName]
	sc := b.scope()
	if err := sc.Cycle(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := sc.Logout(t.Context(), session.Namespace("chat")); err != nil {
		t.Fatal(err)
	}
	b.respond(sc)
	if b.cookies[cookieName] == was || b.user() != "ann" {
		t.Error("the secret was not changed")
	}
}

func TestCycle_isDroppedByAServerErrorAndByALogout(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	was := b.cookies[cookieName]
	sc := b.scope()
	if err := sc.Cycle(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	sc.Discard()
	if h := b.respond(sc); len(h["Set-Cookie"]) != 0 || b.with(was).user() != "ann" {
		t.Errorf("discarded: header %v", h)
	}
	sc = b.scope()
	if err := sc.Cycle(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := sc.Logout(t.Context(), session.This); err != nil {
		t.Fatal(err)
	}
	if ck := oneCookie(t, b.respond(sc)); ck == nil || ck.MaxAge >= 0 {
		t.Errorf("logged out: cookie %v, want it cleared", ck)
	}
}

func TestCycle_ofASessionThatEndedMeanwhile(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	sc := b.scope()
	if err := sc.Cycle(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := b.m.EndSession(t.Context(), "", b.id(), "root"); err != nil {
		t.Fatal(err)
	}
	if err := b.commit(sc); !errors.Is(err, session.ErrEnded) {
		t.Errorf("Commit = %v, want ErrEnded", err)
	}
}

func TestCycle_oneOfTwoAtOnce(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	one, two := b.scope(), b.scope()
	if err := errors.Join(one.Cycle(t.Context(), ""), two.Cycle(t.Context(), "")); err != nil {
		t.Fatal(err)
	}
	b.respond(one)
	if err := b.commit(two); !errors.Is(err, session.ErrRenewed) {
		t.Errorf("the second Commit = %v, want ErrRenewed", err)
	}
	if b.user() != "ann" {
		t.Error("the first one's cookie opens nothing")
	}
}

func TestCycle_withoutTheStore(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	b.store.down = true
	if err := b.scope().Cycle(t.Context(), ""); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("Cycle = %v, want ErrUnavailable", err)
	}
}

func TestCycle_ofTheContext(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	was := b.cookies[cookieName]
	sc := b.scope()
	ctx := session.NewContext(context.WithoutCancel(t.Context()), sc)
	if err := errors.Join(session.Cycle(ctx), session.SetExpiry(ctx, session.After(time.Hour))); err != nil {
		t.Fatal(err)
	}
	b.respond(sc)
	if b.cookies[cookieName] == was || b.expires().Idle != time.Hour {
		t.Errorf("cookie %.10q, %+v", b.cookies[cookieName], b.expires())
	}
}
