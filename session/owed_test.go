package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
)

func errorsAre(err error, all ...error) bool {
	return !slices.ContainsFunc(all, func(e error) bool { return !errors.Is(err, e) })
}

func TestOwed_aLogoutThatTheStoreDoesNotTakeHoldsHereAndFollows(t *testing.T) {
	for _, c := range []struct {
		name  string
		fails []string
		open  bool // a connection is open, so that the secret can be verified
		acked int
	}{
		{"the deletion", []string{"Delete"}, false, 1},
		{"everything", []string{""}, true, 1},
		{"everything, and nobody can tell", []string{""}, false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			newSite(t, func(s *site) {
				s.login("ann")
				id, tab, late := s.id(), s.copy(), s.scope()
				if err := s.open(late, "main").Set("a", 1); err != nil {
					t.Fatal(err)
				}
				var h *session.Hold
				if c.open {
					h = s.hold()
				}
				cred, _, _ := s.m.Identify(s.request(), "", false)
				s.audit.drain()
				s.out.set(c.fails...)
				r := s.logout(s.browser, session.This)
				if len(s.cookies) != 0 || r.NodesAcked != c.acked {
					t.Errorf("cookies %v, %+v", s.cookies, r)
				}
				s.out.set("Delete", "Check") // it can be asked again, and takes nothing
				if tab.user() != "" {
					t.Error("the cookie opens the session in another tab")
				}
				if err := s.commit(late); !errors.Is(err, session.ErrEnded) {
					t.Errorf("a request that began before = %v, want ErrEnded", err)
				}
				if _, err := s.m.Hold(t.Context(), cred); !errors.Is(err, session.ErrNotFound) {
					t.Errorf("Hold = %v, want ErrNotFound", err)
				}
				if h != nil {
					if err := s.say(h, "main", "a", 1); !errors.Is(err, session.ErrEnded) {
						t.Errorf("a message = %v, want ErrEnded", err)
					}
				}
				tab.mustCommit(func() *session.Scope { sc := tab.scope(); s.open(sc, "main"); return sc }())
				if len(tab.cookies) != 0 {
					t.Errorf("the other tab keeps %v", tab.cookies)
				}
				if got := s.ended(); len(got) != 0 || !s.exists(id) {
					t.Errorf("told %q before it happened", got)
				}
				s.back()
				if got := s.ended(); s.exists(id) || !slices.Equal(got, []string{"logout ann"}) {
					t.Errorf("lives: %v, told %q", s.exists(id), got)
				}
				if st := s.m.Stats(); st.OwedDone == 0 || st.Denied < 3 || st.Unowed != 0 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

// An id is not secret.
func TestOwed_aSecretThatDoesNotFitEndsNothing(t *testing.T) {
	for _, target := range []session.Target{session.This, session.All, session.Others, session.Namespace("chat"), session.One(madeUp(1))} {
		newSite(t, func(s *site) {
			s.login("ann")
			s.set("chat", "a", 1)
			other := s.another()
			other.login("ann")
			id := s.id()
			s.audit.drain()
			thief := s.another()
			thief.cookies[cookieName] = id + "." + strings.Repeat("A", 43)
			s.out.set("")
			s.logout(thief, target)
			s.out.set("Raise", "Delete", "Check")
			if s.user() != "ann" || other.user() != "ann" || s.get("chat", "a") != "1" {
				t.Errorf("%s: the owner is denied", target)
			}
			s.set("main", "b", 1)
			s.back()
			if s.user() != "ann" || other.user() != "ann" || s.get("chat", "a") != "1" || len(s.ended()) != 0 {
				t.Errorf("%s: the thief ended something", target)
			}
			if got := len(s.closed.users); got != 0 {
				t.Errorf("%s: connections of %q were closed", target, s.closed.users)
			}
		})
	}
}

func TestOwed_whichSecretsFitLater(t *testing.T) {
	renewing := prefixes.Namespace{Name: "main", RenewAfter: time.Minute}
	for _, c := range []struct {
		name string
		open bool              // the secret is verified at the logout
		then func(there *site) // while the store is away from the first node
		ends bool
	}{
		{"the same", false, func(*site) {}, true},
		{"renewed", false, func(s *site) { time.Sleep(time.Minute); s.there.set("main", "a", 1) }, true},
		{"renewed, verified", true, func(s *site) { time.Sleep(time.Minute); s.there.set("main", "a", 1) }, true},
		{"cycled, verified", true, func(s *site) { s.there.cycle() }, true},
		{"logged in anew", false, func(s *site) { s.there.login("ann") }, false},
		{"logged in anew, verified", true, func(s *site) { s.there.login("ann") }, false},
		{"ended", false, func(s *site) { _, _ = s.there.scope().Logout(s.t.Context(), session.This) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			newSite(t, func(s *site) {
				s.login("ann")
				id := s.id()
				if c.open {
					s.hold()
				}
				time.Sleep(time.Second)
				old := s.copy()
				s.out.set("")
				s.logout(old, session.This)
				c.then(s)
				s.back()
				if got := !s.exists(id); got != c.ends {
					t.Errorf("ended: %v, want %v", got, c.ends)
				}
			}, renewing)
		})
	}
}

func TestOwed_theEndOfAUser(t *testing.T) {
	for _, c := range []struct {
		name  string
		fails []string
		open  bool
		all   bool // of the user's sessions, else but the one
		end   func(s *site) (session.Result, error)
	}{
		{"all, the store is away", []string{""}, true, true, func(s *site) (session.Result, error) {
			return s.scope().Logout(s.t.Context(), session.All)
		}},
		{"others, the store is away", []string{""}, true, false, func(s *site) (session.Result, error) {
			return s.scope().Logout(s.t.Context(), session.Others)
		}},
		{"others, half of it", []string{"Check"}, false, false, func(s *site) (session.Result, error) {
			return s.scope().Logout(s.t.Context(), session.Others)
		}},
		{"all, all but the deletion", []string{"Delete"}, false, true, func(s *site) (session.Result, error) {
			return s.scope().Logout(s.t.Context(), session.All)
		}},
		{"by an administrator", []string{""}, false, true, func(s *site) (session.Result, error) {
			return s.m.EndUser(s.t.Context(), "", "ann", "", "root")
		}},
		{"by an administrator, but one", []string{""}, false, false, func(s *site) (session.Result, error) {
			return s.m.EndUser(s.t.Context(), "", "ann", s.id(), "root")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			newSite(t, func(s *site) {
				s.login("ann")
				id := s.id()
				if c.open {
					s.hold()
				}
				other, bob := s.another(), s.another()
				other.login("ann")
				bob.login("bob")
				there := s.elsewhere()
				there.login("ann")
				cred, _, _ := s.m.Identify(other.request(), "", false)
				s.out.set(c.fails...)
				r, err := c.end(s)
				s.wantOwed(r, err)
				except := id
				if c.all {
					except = ""
				}
				if want := []string{"ann but " + except}; !slices.Equal(s.closed.users, want) || r.ClosedHere < 7 || r.NodesAcked != 1 {
					t.Errorf("closed %q, want %q; %+v", s.closed.users, want, r)
				}
				s.out.set("Raise", "Delete", "Check")
				if got := s.copy().user() == "ann"; got == c.all || other.user() != "" || bob.user() != "bob" {
					t.Errorf("this one lives: %v, another %q, another user %q", got, other.user(), bob.user())
				}
				if _, err := s.m.Hold(t.Context(), cred); !errors.Is(err, session.ErrNotFound) {
					t.Errorf("Hold = %v, want ErrNotFound", err)
				}
				// Nobody keeps the user out.
				again, laterThere := s.another(), s.elsewhere()
				again.login("ann")
				laterThere.login("ann")
				if again.user() != "ann" {
					t.Error("a later login is denied")
				}
				s.back()
				if got := s.exists(id); got == c.all {
					t.Errorf("this one lives: %v", got)
				}
				if other.user()+there.user()+laterThere.user() != "" || again.user() != "ann" || bob.user() != "bob" {
					t.Errorf("another %q, elsewhere %q, later elsewhere %q, later here %q, another user %q",
						other.user(), there.user(), laterThere.user(), again.user(), bob.user())
				}
			})
		})
	}
}

func TestOwed_theEndOfAUserIsAskedForAgainAfterALaterLogin(t *testing.T) {
	newSite(t, func(s *site) {
		end := func() { r, err := s.m.EndUser(t.Context(), "", "ann", "", "root"); s.wantOwed(r, err) }
		s.out.set("Raise")
		end()
		s.login("ann")
		if s.user() != "ann" {
			t.Error("the login is denied")
		}
		end()
		if s.copy().user() != "" {
			t.Error("the login is not denied")
		}
		s.back()
		if n := s.living("ann"); n != 0 {
			t.Errorf("%d sessions live", n)
		}
	})
}

// A login that failed may have taken place.
func TestOwed_aLoginThatFailsIsNotSpared(t *testing.T) {
	newSite(t, func(s *site) {
		s.login("ann")
		other := s.another()
		other.set("main", "a", 1) // an anonymous session
		s.out.set("Raise", "Login")
		r, err := s.m.EndUser(t.Context(), "", "ann", "", "root")
		s.wantOwed(r, err)
		if err := other.tryLogin("ann"); !errors.Is(err, session.ErrUnavailable) {
			t.Fatalf("Login = %v", err)
		}
		elsewhere := *other // it did
		elsewhere.m = s.there.m
		elsewhere.login("ann")
		s.back()
		if n := s.living("ann"); n != 0 {
			t.Errorf("%d sessions live", n)
		}
	})
}

func TestOwed_theEndOfASessionByAnAdministrator(t *testing.T) {
	for _, fails := range []string{"", "Delete", "Check"} {
		newSite(t, func(s *site) {
			s.login("ann")
			id := s.id()
			s.audit.drain()
			s.out.set(fails, "Delete")
			r, err := s.m.EndSession(t.Context(), "", id, "root")
			s.wantOwed(r, err)
			s.out.set("Delete")
			if s.copy().user() != "" {
				t.Errorf("%q fails: the session is not denied", fails)
			}
			s.there.login("ann") // whoever is logged in to it
			s.back()
			if got := s.ended(); s.exists(id) || !slices.Equal(got, []string{"administrator ann"}) || s.living("ann") != 0 {
				t.Errorf("%q fails: lives %v, told %q", fails, s.exists(id), got)
			}
		})
	}
}

func TestOwed_theEndOfANamespace(t *testing.T) {
	for _, open := range []bool{true, false} {
		newSite(t, func(s *site) {
			s.login("ann")
			s.set("main", "a", 1)
			s.set("chat", "b", 2)
			var h *session.Hold
			if open {
				h = s.hold()
			}
			late := s.scope()
			if err := s.open(late, "chat").Set("b", 3); err != nil {
				t.Fatal(err)
			}
			s.audit.drain()
			s.out.set("")
			s.logout(s.browser, session.Namespace("chat"))
			s.out.set("Delete", "Check")
			if s.user() != "ann" || s.get("main", "a") != "1" {
				t.Error("main ended too")
			}
			if _, err := s.scope().Session(t.Context(), "chat"); !errors.Is(err, session.ErrNamespaceEnded) {
				t.Errorf("chat = %v, want ErrNamespaceEnded", err)
			}
			if err := s.commit(late); !errors.Is(err, session.ErrNamespaceEnded) {
				t.Errorf("a request that began before = %v, want ErrNamespaceEnded", err)
			}
			if h != nil {
				if err := s.say(h, "chat", "b", 1); !errors.Is(err, session.ErrNamespaceEnded) {
					t.Errorf("a message = %v, want ErrNamespaceEnded", err)
				}
				if err := s.say(h, "main", "a", 1); err != nil {
					t.Errorf("a message to main = %v", err)
				}
			}
			s.back()
			if got := s.get("chat", "b") + s.get("main", "a"); got != "1" || s.user() != "ann" {
				t.Errorf("values %q", got)
			}
			if got := s.ended(); !slices.Equal(got, []string{"logout ann chat", "logout ann room"}) {
				t.Errorf("told %q", got)
			}
			s.set("chat", "b", 4)
		})
	}
}

func TestOwed_theEndOfAnotherSessionOfTheUser(t *testing.T) {
	newSite(t, func(s *site) {
		s.login("ann")
		s.hold()
		other, bob := s.another(), s.another()
		other.login("ann")
		other.hold()
		bob.login("bob")
		bob.hold()
		s.audit.drain()
		s.ends.drain(t)
		s.out.set("")
		s.logout(s.browser, session.One(bob.id())) // it could be the user's
		if got := s.ends.drain(t); len(got) != 0 {
			t.Errorf("connections of somebody else closed: %q", got)
		}
		s.logout(s.browser, session.One(other.id()))
		if got := s.ends.drain(t); len(got) != 1 {
			t.Errorf("closed %q", got)
		}
		s.out.set("Delete")
		if s.user() != "ann" || other.user() != "" || bob.user() != "bob" {
			t.Errorf("users %q, %q, %q", s.user(), other.user(), bob.user())
		}
		s.back()
		if got := s.ended(); s.user() != "ann" || bob.user() != "bob" || !slices.Equal(got, []string{"logout ann"}) {
			t.Errorf("users %q, %q; told %q", s.user(), bob.user(), got)
		}
	})
}

// A client may keep its cookie and ask again, for more.
func TestOwed_askingAgain(t *testing.T) {
	for _, c := range []struct {
		name  string
		fails string
		first session.Target
	}{
		{"verified", "Delete", session.This},
		{"not verified", "", session.This},
		{"others first", "", session.Others},
		{"the user", "Raise", session.All},
	} {
		t.Run(c.name, func(t *testing.T) {
			newSite(t, func(s *site) {
				s.login("ann")
				other := s.another()
				other.login("ann")
				s.out.set(c.fails)
				s.logout(s.copy(), c.first)
				s.out.set("Raise", "Delete", "Load")
				s.logout(s.copy(), session.This)
				s.logout(s.copy(), session.All)
				s.back()
				if n := s.living("ann"); n != 0 {
					t.Errorf("%d sessions live", n)
				}
			})
		})
	}
}

// The other session is ended too that a visitor asks for whose own end is owed, or the
// answer does not say that it will be.
func TestOwed_askingForAnotherSessionAfterThisOne(t *testing.T) {
	for _, open := range []bool{true, false} { // a connection, so that the secret can be verified
		newSite(t, func(s *site) {
			s.login("ann")
			other, bob := s.another(), s.another()
			other.login("ann")
			bob.login("bob")
			if open {
				s.hold()
			}
			s.out.set("")
			s.logout(s.copy(), session.This)
			s.logout(s.copy(), session.One(other.id()))
			s.logout(s.copy(), session.One(bob.id())) // it could be the user's
			s.logout(s.copy(), session.One(s.id()))   // it is the one that is owed
			s.back()
			if s.exists(other.id()) || s.exists(s.id()) || bob.user() != "bob" {
				t.Errorf("open %v: another lives %v, this one %v, bob is %q",
					open, s.exists(other.id()), s.exists(s.id()), bob.user())
			}
		})
	}
}

func TestOwed_anAnonymousVisitorHasNoOtherSession(t *testing.T) {
	newSite(t, func(s *site) {
		s.set("main", "a", 1)
		s.hold()
		tab := s.copy()
		s.out.set("")
		s.logout(s.browser, session.This)
		if _, err := tab.scope().Logout(t.Context(), session.One(madeUp(1))); !errors.Is(err, session.ErrTarget) || errors.Is(err, session.ErrOwed) {
			t.Errorf("Logout = %v, want ErrTarget", err)
		}
		s.back()
	})
}

func TestOwed_theSameEndIsOwedOnce(t *testing.T) {
	newSite(t, func(s *site) {
		s.login("ann")
		s.out.set("")
		for range 3 {
			s.logout(s.copy(), session.This)
			r, err := s.m.EndUser(t.Context(), "", "ann", "", "root")
			s.wantOwed(r, err)
			r, err = s.m.EndSession(t.Context(), "", s.id(), "root")
			s.wantOwed(r, err)
		}
		if n := s.m.Stats().Owed; n != 3 {
			t.Errorf("%d owed, want 3", n)
		}
	})
}

func TestOwed_isTriedWithPausesAndLoggedOnce(t *testing.T) {
	newSite(t, func(s *site) {
		s.login("ann")
		id := s.id()
		s.out.set("Delete")
		s.logout(s.copy(), session.This)
		time.Sleep(time.Minute)
		if n := s.out.count("Delete"); n < 25 || n > 45 {
			t.Errorf("%d tries in a minute, want one in about 2 s", n)
		}
		s.back()
		logs := s.logs.String()
		if n := strings.Count(logs, "level=WARN"); n != 1 || strings.Count(logs, "\n") != 2 || !strings.Contains(logs, "ends=1 took=1m") {
			t.Errorf("logs:\n%s", logs)
		}
		if strings.Contains(logs, id) {
			t.Errorf("the id in full:\n%s", logs)
		}
	})
}

// One part of a cluster may be away for long.
func TestOwed_oneThatFailsDoesNotHoldUpTheOthers(t *testing.T) {
	newSite(t, func(s *site) {
		s.out.set("Delete", "Raise")
		for i := range 20 {
			r, err := s.m.EndUser(t.Context(), "", fmt.Sprint("user", i), "", "root")
			s.wantOwed(r, err)
		}
		s.login("ann")
		s.logout(s.browser, session.This)
		s.out.set("Raise")
		time.Sleep(30 * time.Second)
		if n := s.m.Stats().Owed; n != 20 {
			t.Errorf("%d owed, want 20: the logout is held up", n)
		}
		s.back()
	})
}

func TestOwed_isBounded(t *testing.T) {
	newSite(t, func(s *site) {
		s.login("ann")
		s.out.set("")
		made := s.another()
		var err error
		for i := range 5001 { // by visitors who make their cookies up
			made.cookies[cookieName] = fmt.Sprintf("%021dA.%s", i, strings.Repeat("A", 43))
			_, err = made.scope().Logout(t.Context(), session.This)
		}
		if !errors.Is(err, session.ErrUnavailable) || errors.Is(err, session.ErrOwed) || !strings.Contains(err.Error(), "too many") {
			t.Errorf("one too many = %v", err)
		}
		for i := range 5000 { // and others
			if _, err := s.m.EndUser(t.Context(), "", fmt.Sprint(i), "", "root"); !errors.Is(err, session.ErrOwed) {
				t.Fatalf("%d: %v", i, err)
			}
		}
		r, err := s.m.EndUser(t.Context(), "", "ann", "", "root")
		if !errors.Is(err, session.ErrUnavailable) || errors.Is(err, session.ErrOwed) || r.ClosedHere != 7 {
			t.Errorf("one too many = %+v, %v", r, err)
		}
		if st := s.m.Stats(); st.Owed != 10_000 || st.Unowed != 2 {
			t.Errorf("%d owed, %d not", st.Owed, st.Unowed)
		}
		if n := strings.Count(s.logs.String(), "level=ERROR"); n != 1 {
			t.Errorf("%d errors logged", n)
		}
		s.back()
		if s.user() != "ann" {
			t.Error("what was not owed was carried out")
		}
	})
}

// An id of another session of the user may be made up.
func TestOwed_oneUserLeavesRoomForTheOthers(t *testing.T) {
	for _, c := range []struct {
		name  string
		open  bool           // a connection, so that the secret can be verified
		first session.Target // what the visitor asks for before
		owed  int
	}{
		{"verified", true, "", 16},
		{"not verified", false, "", 1},
		{"verified, after the end of this session", true, session.This, 17},
		{"not verified, after the end of this session", false, session.This, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			newSite(t, func(s *site) {
				s.login("ann")
				other := s.another()
				other.login("ann")
				if c.open {
					s.hold()
				}
				bob := s.another()
				bob.login("bob")
				s.out.set("")
				if c.first != "" {
					s.logout(s.copy(), c.first)
				}
				one := func(id string) error {
					_, err := s.copy().scope().Logout(t.Context(), session.One(id))
					return err
				}
				for i := range 100 {
					if err := one(madeUp(i)); !errors.Is(err, session.ErrUnavailable) || errors.Is(err, session.ErrOwed) != (i < 16) {
						t.Fatalf("%d: %v", i, err)
					}
				}
				if err := one(madeUp(0)); !errors.Is(err, session.ErrOwed) {
					t.Errorf("what is owed already: %v", err)
				}
				if st := s.m.Stats(); st.Owed != c.owed || st.Unowed != 84 {
					t.Errorf("%d owed, want %d; %d not", st.Owed, c.owed, st.Unowed)
				}
				if n := strings.Count(s.logs.String(), "level=ERROR"); n != 0 {
					t.Errorf("%d errors logged", n)
				}
				s.logout(bob, session.This)
				s.logout(s.copy(), session.Others) // the user can end them all the same
				s.back()
				if s.exists(other.id()) {
					t.Error("another session of the user lives")
				}
				if err := one(madeUp(0)); c.first == "" && !errors.Is(err, session.ErrTarget) {
					t.Errorf("with the store: %v", err)
				}
			})
		})
	}
}

func TestLogout_ofAnIDOfAWrongFormAsksAndOwesNothing(t *testing.T) {
	newSite(t, func(s *site) {
		s.login("ann")
		s.hold()
		stranger := s.another()
		s.out.set("")
		before := s.out.count("Load")
		for _, id := range []string{"", "x", "made-up-1", s.id() + "A", s.id()[1:], s.id()[:21] + "!", s.id()[:21] + "B", s.id()[:21] + "\n"} {
			for _, b := range []*browser{s.copy(), stranger} {
				if r, err := b.scope().Logout(t.Context(), session.One(id)); !errors.Is(err, session.ErrTarget) || r != (session.Result{}) {
					t.Errorf("%q: %+v, %v", id, r, err)
				}
			}
		}
		if n := s.out.count("Load") - before; n != 0 {
			t.Errorf("the store was asked %d times", n)
		}
		if st := s.m.Stats(); st.Owed != 0 || st.Unowed != 0 {
			t.Errorf("%d owed, %d not", st.Owed, st.Unowed)
		}
	})
}

// madeUp is an id of the right form.
func madeUp(n int) string { return fmt.Sprintf("%021dA", n) }

// Anybody can make up secrets for an id, and its owner's requests must not search them.
func TestOwed_manyMadeUpSecretsOfOneSessionCostItNothing(t *testing.T) {
	b := newBrowser(t)
	out := &outage{Store: b.store.Store, calls: make(map[string]int), err: session.ErrUnavailable}
	b.m = session.New(b.m.Registry(), out, session.Options{Logger: textLogger(new(strings.Builder))})
	b.login("ann")
	other, forger := b.another(), b.another()
	other.login("bob")
	out.set("")
	for i := range 5000 {
		forger.cookies[cookieName] = b.id() + fmt.Sprintf(".%042dA", i)
		if _, err := forger.scope().Logout(t.Context(), session.This); !errors.Is(err, session.ErrOwed) {
			t.Fatal(err)
		}
	}
	out.set()
	best := func(v *browser, user string) time.Duration {
		least := time.Hour
		for range 200 {
			began := time.Now()
			got := v.user()
			least = min(least, time.Since(began))
			if got != user {
				t.Fatalf("user %q, want %q", got, user)
			}
		}
		return least
	}
	if of, another := best(b, "ann"), best(other, "bob"); of > 5*another {
		t.Errorf("a request of the session takes %v, of another one %v", of, another)
	}
	if forger.user() != "" || b.m.Stats().Denied != 1 {
		t.Errorf("a made-up secret is not denied: %+v", b.m.Stats())
	}
}

func TestOwed_anEndThatIsNotOwed(t *testing.T) {
	newSite(t, func(s *site) {
		s.login("ann")
		s.out.set("Delete")
		// A login as somebody else that fails ends nothing.
		tab := s.copy()
		sc := tab.scope()
		if err := sc.Login(t.Context(), "bob", session.LoginOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := s.open(sc, "main").Set("a", 1); err != nil {
			t.Fatal(err)
		}
		if err := sc.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := tab.commit(sc); !errors.Is(err, session.ErrUnavailable) || errors.Is(err, session.ErrOwed) {
			t.Errorf("Login = %v", err)
		}
		// What all sessions are only the store knows.
		if _, err := s.m.EndAll(t.Context(), "", "root"); !errors.Is(err, session.ErrUnavailable) || errors.Is(err, session.ErrOwed) {
			t.Errorf("EndAll = %v", err)
		}
		if n := s.m.Stats().Owed; n != 0 || s.user() != "ann" {
			t.Errorf("%d owed, user %q", n, s.user())
		}
	})
}

func TestOwed_aDeadlineIsAnOutage(t *testing.T) {
	newSite(t, func(s *site) {
		s.login("ann")
		s.out.err = context.DeadlineExceeded
		s.out.set("Delete")
		s.logout(s.browser, session.This)
		s.back()
	})
}

func TestOwed_aSessionThatIsBeingLoaded(t *testing.T) {
	for _, fails := range []string{"", "Delete", "Raise"} {
		newSite(t, func(s *site) {
			s.login("ann")
			out := func() {
				s.out.set(fails)
				s.logout(s.copy(), session.All)
				s.out.set("Delete", "Raise")
			}
			s.out.once = out
			cred, _, _ := s.m.Identify(s.request(), "", false)
			if _, err := s.m.Hold(t.Context(), cred); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("%q fails: Hold = %v, want ErrNotFound", fails, err)
			}
			s.back()

			s.login("ann")
			tab := s.copy()
			s.out.once = out
			sc := tab.scope()
			user, err := sc.User(t.Context(), "")
			if err != nil || user != "" && fails == "Raise" {
				t.Errorf("%q fails: user %q, %v", fails, user, err)
			}
			if sess, err := sc.Session(t.Context(), "main"); err != nil {
				t.Error(err)
			} else if err := sess.Set("a", 1); err != nil {
				t.Error(err)
			}
			if err := tab.commit(sc); user != "" && !errors.Is(err, session.ErrEnded) {
				t.Errorf("%q fails: Commit = %v, want ErrEnded", fails, err)
			}
			s.back()
			if n := s.living("ann"); n != 0 {
				t.Errorf("%q fails: %d sessions live", fails, n)
			}
		})
	}
}

func TestOwed_theHubFindsADeniedSessionDead(t *testing.T) {
	newSite(t, func(s *site) {
		s.login("ann")
		s.out.set("Raise")
		r, err := s.m.EndUser(t.Context(), "", "ann", "", "root")
		s.wantOwed(r, err)
		found := func() (alive bool) {
			if err := s.m.Check(t.Context(), "main", []string{s.id()}, func(_ string, a bool, _ uint64, _ time.Duration, _ map[string]uint64) {
				alive = a
			}); err != nil {
				t.Fatal(err)
			}
			return alive
		}
		if found() {
			t.Error("it lives")
		}
	})
}

func TestOwed_aSessionThatIsSentWithEachResponse(t *testing.T) {
	newSite(t, func(s *site) {
		s.login("ann")
		sc := s.scope()
		s.open(sc, "main")
		s.out.set("Delete")
		s.logout(s.copy(), session.This)
		h := make(http.Header)
		if err := sc.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		sc.WriteHeader(h)
		if got := h["Set-Cookie"]; len(got) != 0 {
			t.Errorf("a request that began before sends %q", got)
		}
	}, prefixes.Namespace{Name: "main", Save: prefixes.SaveAlways})
}

func TestRun_saysWhatItGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := new(strings.Builder)
		b := newBrowserWith(t, session.Options{Logger: textLogger(logs)})
		b.login("ann")
		b.store.down = true
		if _, err := b.m.EndSession(t.Context(), "", b.id(), "root"); !errors.Is(err, session.ErrOwed) {
			t.Fatalf("EndSession = %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := b.m.Run(ctx); err != nil || !strings.Contains(logs.String(), "given up") {
			t.Errorf("Run = %v, logs:\n%s", err, logs)
		}
	})
}

// Logouts, logins, requests and an unsteady store at once: who was told that a
// logout is owed finds it carried out, and nobody else is logged out.
func TestOwed_underLoad(t *testing.T) {
	b := newBrowser(t)
	out := &outage{Store: new(memstore.Store), calls: make(map[string]int), err: session.ErrUnavailable}
	b.m = session.New(b.m.Registry(), out, session.Options{Logger: textLogger(new(strings.Builder))})
	bystander := b.another()
	bystander.login("bystander")
	ctx, cancel := context.WithCancel(t.Context())
	var run, all sync.WaitGroup
	run.Go(func() { _ = b.m.Run(ctx) })
	defer run.Wait()
	defer cancel()
	stop := make(chan struct{})
	unsteady := make(chan struct{})
	go func() {
		defer close(unsteady)
		for i := 0; ; i++ {
			select {
			case <-stop:
				out.set()
				return
			default:
				out.set([]string{"Delete", "Raise", "Check", "none"}[i%4])
			}
		}
	}()
	var (
		mu    sync.Mutex // guards ended
		ended []string
	)
	for i := range 8 {
		all.Go(func() {
			user := fmt.Sprint("user", i%3)
			for range 50 {
				v := b.another()
				if v.tryLogin(user) != nil {
					continue
				}
				target := session.This
				if i%4 == 0 {
					target = session.Others
				}
				id, sc := v.id(), v.scope()
				if _, err := sc.Logout(t.Context(), target); err != nil && !errors.Is(err, session.ErrOwed) {
					t.Errorf("Logout = %v", err)
				}
				if target == session.This {
					mu.Lock()
					ended = append(ended, id)
					mu.Unlock()
				}
				_ = v.commit(sc)
			}
		})
	}
	all.Wait()
	close(stop)
	<-unsteady
	for deadline := time.Now().Add(time.Minute); b.m.Stats().Owed > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d are still owed", b.m.Stats().Owed)
		}
	}
	for _, id := range ended {
		if lives, err := b.m.Exists(t.Context(), "", id); lives || err != nil {
			t.Errorf("a session that was logged out: %v, %v", lives, err)
		}
	}
	if len(ended) == 0 || bystander.user() != "bystander" {
		t.Errorf("%d logouts, the bystander is %q", len(ended), bystander.user())
	}
}
