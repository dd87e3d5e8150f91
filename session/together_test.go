package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
)

// A slow response must not put a secret back that was renewed meanwhile.
func TestTogether_aLateResponseDoesNotSendARenewedSecretAgain(t *testing.T) {
	for name, policy := range map[string]prefixes.SavePolicy{"an expiry": prefixes.SaveChanges, "SaveAlways": prefixes.SaveAlways} {
		synctest.Test(t, func(t *testing.T) {
			b := newBrowser(t, prefixes.Namespace{Name: "main", RenewAfter: 10 * time.Minute, Save: policy})
			b.set("main", "a", 1)
			slow := b.another() // the same browser, whose slow request begins now
			slow.cookies[cookieName] = b.cookies[cookieName]
			sc := slow.scope()
			if policy == prefixes.SaveChanges {
				if err := sc.SetExpiry(t.Context(), "", session.After(time.Hour)); err != nil {
					t.Fatal(err)
				}
			} else if _, err := sc.User(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
			time.Sleep(11 * time.Minute)
			b.set("main", "a", 2) // renews
			b.get("main", "a")    // shows the new one
			if b.cookies[cookieName] == slow.cookies[cookieName] {
				t.Fatal("the secret was not renewed")
			}
			if h := b.respond(sc); len(h["Set-Cookie"]) != 0 {
				t.Errorf("%s: the late response sends %q", name, h["Set-Cookie"])
			}
		})
	}
}

func TestTogether_anExpiryThatWaitsForALoginOutlastsASave(t *testing.T) {
	for _, known := range []bool{false, true} {
		b := newBrowser(t)
		if known {
			b.set("main", "a", 0)
		}
		sc := b.scope()
		if err := errors.Join(sc.Login(t.Context(), "ann", session.LoginOptions{}),
			sc.SetExpiry(t.Context(), "", session.After(5*time.Minute)), b.open(sc, "main").Set("a", 1), sc.Save(t.Context())); err != nil {
			t.Fatal(err)
		}
		b.mustCommit(sc)
		if x, err := b.scope().Expires(t.Context(), ""); x.Idle != 5*time.Minute || b.user() != "ann" || err != nil {
			t.Errorf("known %t: %+v, %v of %q", known, x, err, b.user())
		}
	}
}

// Two nodes, one session: the second reads a snapshot.
func twoNodes(t *testing.T) (b *browser, other *session.Manager, h *session.Hold) {
	t.Helper()
	b = newBrowser(t)
	b.login("ann")
	other = session.New(b.m.Registry(), b.store, session.Options{})
	cred, _, err := other.Identify(b.request(), "", false)
	if err != nil {
		t.Fatal(err)
	}
	if h, err = other.Hold(t.Context(), cred); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Release)
	return b, other, h
}

func TestTogether_anActiveConnectionLearnsOfAnExpirySetElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, other, h := twoNodes(t)
		b.expire(session.After(2 * time.Minute))
		ignore := func(string, bool, uint64, time.Duration, map[string]uint64) {}
		for i := range 60 { // ten minutes of messages, with the hub's revalidations
			time.Sleep(10 * time.Second)
			if i%6 == 5 {
				if err := other.Check(t.Context(), "main", []string{h.ID()}, ignore); err != nil {
					t.Fatal(err)
				}
			}
			sc := h.Scope(session.HoldOptions{})
			if _, err := sc.User(t.Context(), ""); err != nil {
				t.Fatalf("after %v: %v", time.Duration(i+1)*10*time.Second, err)
			}
			if err := sc.Commit(t.Context()); err != nil {
				t.Fatalf("after %v: %v", time.Duration(i+1)*10*time.Second, err)
			}
		}
	})
}

func TestTogether_aConnectionTakesBackAnExpiryThatItHasNotSeen(t *testing.T) {
	b, _, h := twoNodes(t)
	b.expire(session.Expiry{Idle: 2 * time.Minute})
	sc := h.Scope(session.HoldOptions{})
	if err := sc.SetExpiry(t.Context(), "", session.Expiry{}); err != nil {
		t.Fatal(err)
	}
	if err := sc.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if x, err := b.scope().Expires(t.Context(), ""); x.Idle != 30*time.Minute || err != nil {
		t.Errorf("%+v, %v", x, err)
	}
}

// forgetful carries saves out and loses the replies of some.
type forgetful struct {
	session.Store
	lose int
}

func (s *forgetful) Save(ctx context.Context, f *session.Family, id string, v session.Save) (session.Record, error) {
	rec, err := s.Store.Save(ctx, f, id, v)
	if s.lose > 0 {
		s.lose--
		return session.Record{}, session.ErrUnavailable
	}
	return rec, err
}

func TestTogether_aSaveWhoseReplyWasLostHappensOnce(t *testing.T) {
	sent := session.Counter("sent")
	begin := func() (*browser, *forgetful, *session.Scope, *session.Session) {
		b := newBrowser(t)
		store := &forgetful{Store: new(memstore.Store)}
		b.m = session.New(b.m.Registry(), store, session.Options{})
		b.set("main", "a", 1)
		sc := b.scope()
		s := b.open(sc, "main")
		store.lose = 1
		if err := errors.Join(sent.Add(s, 1), notices.Add(s, "sent")); err != nil {
			t.Fatal(err)
		}
		if err := sc.Save(t.Context()); !errors.Is(err, session.ErrUnavailable) {
			t.Fatalf("Save = %v", err)
		}
		return b, store, sc, s
	}

	b, _, sc, _ := begin()
	b.mustCommit(sc) // the same again
	if n, m := b.get("main", "sent"), len(b.left()); n != "1" || m != 1 {
		t.Errorf("the same again: sent %s, %d notices", n, m)
	}

	for name, more := range map[string]func(*session.Scope, *session.Session) error{
		"another sum": func(_ *session.Scope, s *session.Session) error { return sent.Add(s, 1) },
		"an expiry": func(sc *session.Scope, _ *session.Session) error {
			return sc.SetExpiry(t.Context(), "", session.After(time.Minute))
		},
		"a login": func(sc *session.Scope, _ *session.Session) error {
			return sc.Login(t.Context(), "ann", session.LoginOptions{})
		},
		"a new secret": func(sc *session.Scope, _ *session.Session) error { return sc.Cycle(t.Context(), "") },
	} {
		b, _, sc, s := begin()
		was := b.cookies[cookieName]
		if err := more(sc, s); err != nil {
			t.Fatal(err)
		}
		if err := b.commit(sc); !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("with %s: %v, want ErrUnavailable", name, err)
		}
		if n := b.get("main", "sent"); n != "1" || b.user() != "" || b.cookies[cookieName] != was {
			t.Errorf("with %s: sent %s, user %q, the cookie changed: %t", name, n, b.user(), b.cookies[cookieName] != was)
		}
	}
}

func TestTogether_aLogoutOfAnotherRoot(t *testing.T) {
	staff := prefixes.Namespace{Name: "staff", Cookie: prefixes.Cookie{Name: "__Host-staff"}}
	for _, target := range []session.Target{
		session.This.Below("staff"), session.All.Below("staff"), session.Namespace("staff"), session.Others.Below("staff"),
	} {
		b := newBrowser(t, prefixes.Parse("main"), staff)
		b.login("ann")
		sc := b.scope()
		if err := sc.Login(t.Context(), "root", session.LoginOptions{Root: "staff"}); err != nil {
			t.Fatal(err)
		}
		b.mustCommit(sc)
		sc = b.scope()
		if _, err := sc.Logout(t.Context(), target); err != nil {
			t.Errorf("%s: %v", target, err)
		}
		b.mustCommit(sc)
		here, err := b.scope().User(t.Context(), "staff")
		if want := map[bool]string{true: "root"}[target == session.Others.Below("staff")]; here != want || b.user() != "ann" || err != nil {
			t.Errorf("%s: staff %q, main %q, %v", target, here, b.user(), err)
		}
	}
	b := newBrowser(t, prefixes.Parse("main"), staff)
	for _, target := range []session.Target{session.This.Below("other"), session.One("x@staff"), "staff@x", "@session@staff"} {
		if _, err := b.scope().Logout(t.Context(), target); !errors.Is(err, session.ErrTarget) {
			t.Errorf("%q: %v, want ErrTarget", target, err)
		}
	}
}

func TestTogether_anExpiryBeyondAllTimeIsTheLifetime(t *testing.T) {
	for name, e := range map[string]session.Expiry{
		"After": session.After(math.MaxInt64), "At": session.At(time.Unix(1<<60, 0)),
		"Idle": {Idle: math.MaxInt64}, "End": {End: time.Unix(1<<60, 0)},
	} {
		b := newBrowser(t)
		b.set("main", "a", 1)
		b.expire(e)
		x, err := b.scope().Expires(t.Context(), "")
		if age := x.Age(time.Now()); age < 7*time.Hour || age > 8*time.Hour || err != nil || b.get("main", "a") != "1" {
			t.Errorf("%s: %v, %v", name, age, err)
		}
	}
}

func TestTogether_nullIsNoNumber(t *testing.T) {
	b := newBrowser(t)
	for i, text := range []string{"null", " 5 ", "05"} {
		key := "n" + strconv.Itoa(i)
		b.set("main", key, nil)
		if i > 0 {
			sc := b.scope()
			if err := b.open(sc, "main").Update(key, func(json.RawMessage) (any, error) { return json.RawMessage("5"), nil }); err != nil {
				t.Fatal(err)
			}
			b.mustCommit(sc)
		}
		sc := b.scope()
		s := b.open(sc, "main")
		err := session.Counter(key).Add(s, 1)
		if (i == 0) != errors.Is(err, session.ErrType) {
			t.Errorf("%s: Add = %v", text, err)
		}
		b.mustCommit(sc)
	}
	s := b.open(b.scope(), "main")
	if _, err := session.Field[int]("n0").Get(s); !errors.Is(err, session.ErrType) {
		t.Errorf("an int from null: %v", err)
	}
	if v, err := session.Field[*int]("n0").Get(s); v != nil || err != nil {
		t.Errorf("a pointer from null: %v, %v", v, err)
	}
}

func TestTogether_anAllowTokenTwiceIsOne(t *testing.T) {
	sc := newBrowser(t).scope()
	for range 2 {
		if err := sc.AllowToken(""); err != nil {
			t.Error(err)
		}
	}
}

// A login as somebody else takes the place of the session that it comes from.
func TestTogether_theSessionThatALoginReplacesNeedsNoRoom(t *testing.T) {
	b := newBrowser(t, limited(1, prefixes.RefuseNewest))
	b.login("ann")
	sc := b.scope()
	if err := errors.Join(sc.Login(t.Context(), "bob", session.LoginOptions{}), sc.Login(t.Context(), "ann", session.LoginOptions{})); err != nil {
		t.Fatal(err)
	}
	b.mustCommit(sc)
	if b.user() != "ann" || b.living("ann") != 1 {
		t.Errorf("user %q, %d sessions of ann", b.user(), b.living("ann"))
	}
}

func TestTogether_aUserWithVeryManySessionsCanBeEnded(t *testing.T) {
	b := newBrowser(t)
	const many = 1200
	for range many {
		b.another().login("ann")
	}
	if n := b.living("ann"); n != many {
		t.Fatalf("%d sessions live", n)
	}
	if r, err := b.m.EndUser(t.Context(), "", "ann", "", "root"); err != nil || r.ClosedHere != many {
		t.Errorf("EndUser = %+v, %v", r, err)
	}
	if n := b.living("ann"); n != 0 {
		t.Errorf("%d sessions live", n)
	}
}
