package session_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
)

// limited is a root with a limit.
func limited(n int, p prefixes.MaxPolicy) prefixes.Namespace {
	return prefixes.Namespace{Name: "main", MaxSessions: n, AtMax: p}
}

// tryLogin logs in, and returns what the commit says.
func (b *browser) tryLogin(user string) error {
	b.t.Helper()
	sc := b.scope()
	if err := sc.Login(b.t.Context(), user, session.LoginOptions{}); err != nil {
		b.t.Fatal(err)
	}
	return b.commit(sc)
}

// living returns how many sessions of a user live.
func (b *browser) living(user string) int {
	b.t.Helper()
	list, err := b.m.Sessions(b.t.Context(), "", user)
	if err != nil {
		b.t.Fatal(err)
	}
	return len(list)
}

// logins has a user log in on n devices, a minute apart.
func (b *browser) logins(user string, n int) []*browser {
	b.t.Helper()
	var all []*browser
	for range n {
		c := b.another()
		if err := c.tryLogin(user); err != nil {
			b.t.Fatal(err)
		}
		all = append(all, c)
		time.Sleep(time.Minute)
	}
	return all
}

func TestMaxSessions_endOldestEndsTheOneLoggedInToTheLongestTimeAgo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t, limited(3, prefixes.EndOldest))
		all := b.logins("ann", 3)
		all[0].login("ann") // so that the second is the oldest now
		time.Sleep(time.Minute)
		second := all[1].id()
		h := all[1].hold()
		b.ends.drain(t)
		b.login("ann")
		var users []string
		for _, c := range append(all, b) {
			users = append(users, c.user())
		}
		if want := []string{"ann", "", "ann", "ann"}; !slices.Equal(users, want) {
			t.Errorf("users %q, want %q", users, want)
		}
		if got, want := b.ends.drain(t), "1|s|main|"+second; len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("notices %q, want %s", got, want)
		}
		if err := all[1].say(h, "main", "a", 1); !errors.Is(err, session.ErrEnded) {
			t.Errorf("a message on a connection of the ended one = %v, want ErrEnded", err)
		}
	})
}

func TestMaxSessions_refuseNewestRefusesAndLogsNobodyIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, visitor := range []string{"new", "anonymous", "somebody else"} {
			b := newBrowser(t, limited(2, prefixes.RefuseNewest))
			all := b.logins("ann", 2)
			switch visitor {
			case "anonymous":
				b.set("main", "a", 1)
			case "somebody else":
				b.login("bob")
			}
			was, user := b.cookies[cookieName], b.user()
			before := b.m.Stats()
			if err := b.tryLogin("ann"); !errors.Is(err, session.ErrMaxSessions) {
				t.Errorf("%s: Commit = %v, want ErrMaxSessions", visitor, err)
			}
			if b.cookies[cookieName] != was || b.user() != user {
				t.Errorf("%s: user %q, was %q", visitor, b.user(), user)
			}
			if all[0].user() != "ann" || all[1].user() != "ann" || b.living("ann") != 2 {
				t.Errorf("%s: %d sessions of ann", visitor, b.living("ann"))
			}
			if after := b.m.Stats(); after.Logins != before.Logins || after.Created != before.Created {
				t.Errorf("%s: stats %+v, before %+v", visitor, after, before)
			}
			if _, err := all[0].scope().Logout(t.Context(), session.This); err != nil {
				t.Fatal(err)
			}
			if err := b.tryLogin("ann"); err != nil || b.user() != "ann" {
				t.Errorf("%s, once there is room: %v", visitor, err)
			}
		}
	})
}

func TestMaxSessions_anotherLoginOfASessionIsNoneMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, policy := range []prefixes.MaxPolicy{prefixes.EndOldest, prefixes.RefuseNewest} {
			b := newBrowser(t, limited(2, policy))
			all := b.logins("ann", 2)
			for range 3 {
				for _, c := range all {
					if err := c.tryLogin("ann"); err != nil {
						t.Errorf("policy %d: %v", policy, err)
					}
				}
			}
			if all[0].user() != "ann" || all[1].user() != "ann" {
				t.Errorf("policy %d: users %q, %q", policy, all[0].user(), all[1].user())
			}
		}
	})
}

func TestMaxSessions_countsOnlyLivingSessionsOfThatUserAndRoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t, limited(1, prefixes.RefuseNewest),
			prefixes.Namespace{Name: "shop", Cookie: prefixes.Cookie{Name: "__Host-shop"}})
		for range 3 {
			b.another().set("main", "a", 1) // anonymous
		}
		b.another().login("bob")
		shop := b.another()
		sc := shop.scope()
		if err := sc.Login(t.Context(), "ann", session.LoginOptions{Root: "shop"}); err != nil {
			t.Fatal(err)
		}
		shop.respond(sc)
		if err := b.another().tryLogin("ann"); err != nil {
			t.Errorf("the first of ann: %v", err)
		}
		time.Sleep(29 * time.Minute)
		if err := b.another().tryLogin("ann"); !errors.Is(err, session.ErrMaxSessions) {
			t.Errorf("while it lives: %v, want ErrMaxSessions", err)
		}
		time.Sleep(time.Minute)
		if err := b.another().tryLogin("ann"); err != nil {
			t.Errorf("once it has expired: %v", err)
		}
	})
}

func TestMaxSessions_aSessionThatBecameSomebodyElsesDoesNotCount(t *testing.T) {
	b := newBrowser(t, limited(1, prefixes.RefuseNewest))
	c := b.another()
	c.login("ann")
	c.login("bob")
	if err := b.tryLogin("ann"); err != nil {
		t.Errorf("Commit = %v", err)
	}
	if c.user() != "bob" || b.user() != "ann" {
		t.Errorf("users %q and %q", c.user(), b.user())
	}
}

func TestMaxSessions_aLoginAsSomebodyElseLeavesTheOldSessionWhenRefused(t *testing.T) {
	b := newBrowser(t, limited(1, prefixes.RefuseNewest))
	b.another().login("ann")
	b.login("bob")
	b.set("main", "a", 1)
	if err := b.tryLogin("ann"); !errors.Is(err, session.ErrMaxSessions) {
		t.Errorf("Commit = %v, want ErrMaxSessions", err)
	}
	if got := b.user() + b.get("main", "a"); got != "bob1" {
		t.Errorf("user and value %q", got)
	}
}

func TestMaxSessions_manyAtOnceNeverStay(t *testing.T) {
	const limit, visitors = 3, 24
	for _, policy := range []prefixes.MaxPolicy{prefixes.EndOldest, prefixes.RefuseNewest} {
		for range 20 {
			b := newBrowser(t, limited(limit, policy))
			type answer struct {
				err error
				in  bool
			}
			answers := make([]answer, visitors)
			var wg sync.WaitGroup
			for i := range visitors {
				c := b.another()
				if i%3 == 0 {
					c.set("main", "a", 1) // anonymous before
				}
				wg.Go(func() {
					answers[i].err = c.tryLogin("ann")
					answers[i].in = c.user() == "ann"
				})
			}
			wg.Wait()
			n := b.living("ann")
			if n > limit || policy == prefixes.EndOldest && n != limit {
				t.Fatalf("policy %d: %d sessions live, the limit is %d", policy, n, limit)
			}
			stay := 0
			for i, a := range answers {
				switch {
				case a.err != nil && !errors.Is(a.err, session.ErrMaxSessions):
					t.Errorf("policy %d, visitor %d: %v", policy, i, a.err)
				case a.err != nil && (a.in || policy == prefixes.EndOldest):
					t.Errorf("policy %d, visitor %d: %v, and in %v", policy, i, a.err, a.in)
				case a.err == nil:
					stay++
				}
			}
			if policy == prefixes.RefuseNewest && stay != n {
				t.Fatalf("%d were told that they are logged in, and %d are", stay, n)
			}
		}
	}
}

// refusedLate lets a login through and then finds another that came between.
func refusedLate(t *testing.T, b *browser, user string) error {
	t.Helper()
	calls := b.count()
	first := true
	b.store.Store = hooked{calls, func() {
		if first {
			first = false
			b.another().login(user)
		}
	}}
	return b.tryLogin(user)
}

// hooked has something happen after each Listed.
type hooked struct {
	*trips
	listed func()
}

func (s hooked) Listed(ctx context.Context, f *session.Family, user string) ([]session.Listing, error) {
	all, err := s.trips.Listed(ctx, f, user)
	s.listed()
	return all, err
}

func TestMaxSessions_aLoginOvertakenByAnotherIsRefusedAndItsSessionGone(t *testing.T) {
	for _, begun := range []bool{false, true} {
		b := newBrowser(t, limited(1, prefixes.RefuseNewest))
		if begun {
			b.set("main", "a", 1)
		}
		id := b.id()
		if err := refusedLate(t, b, "ann"); !errors.Is(err, session.ErrMaxSessions) {
			t.Errorf("begun %v: Commit = %v, want ErrMaxSessions", begun, err)
		}
		if b.cookies[cookieName] != "" || b.living("ann") != 1 {
			t.Errorf("begun %v: cookie %q, %d sessions of ann", begun, b.cookies[cookieName], b.living("ann"))
		}
		if ok, err := b.m.Exists(t.Context(), "", id); begun && (ok || err != nil) {
			t.Errorf("the session that was logged in to exists: %v, %v", ok, err)
		}
		notices := b.ends.drain(t)
		if len(notices) == 0 || !strings.HasPrefix(notices[len(notices)-1], "1|s|main|") {
			t.Errorf("begun %v: notices %q", begun, notices)
		}
	}
}

// A store's clock may tell two logins the same time, as Redis' does within a
// millisecond: which of them looked first must not be guessed from it.
func TestMaxSessions_aLoginOvertakenAtTheSameMomentDoesNotStayEither(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where the clock stands still
		for range 20 { // ids are random
			b := newBrowser(t, limited(1, prefixes.RefuseNewest))
			err := refusedLate(t, b, "ann")
			if n := b.living("ann"); n != 1 {
				t.Fatalf("%d sessions live, the limit is 1; Commit = %v", n, err)
			}
		}
		for range 20 {
			b := newBrowser(t, limited(1, prefixes.EndOldest))
			if err := refusedLate(t, b, "ann"); err != nil || b.living("ann") != 1 {
				t.Fatalf("EndOldest: %v, %d sessions live", err, b.living("ann"))
			}
		}
	})
}

// skewed is a store whose parts have clocks that disagree, as the nodes of a
// cluster have: what came later says that it came before.
type skewed struct {
	session.Store
	began time.Time
}

func (s skewed) Check(ctx context.Context, f *session.Family, ids []string) ([]*session.State, error) {
	states, err := s.Store.Check(ctx, f, ids)
	for _, st := range states {
		if st != nil {
			st.Authenticated = s.began.Add(-st.Authenticated.Sub(s.began))
		}
	}
	return states, err
}

func TestMaxSessions_aLoginOvertakenDoesNotStayWhateverTheClocksSay(t *testing.T) {
	for _, policy := range []prefixes.MaxPolicy{prefixes.EndOldest, prefixes.RefuseNewest} {
		b := newBrowser(t, limited(1, policy))
		b.store.Store = skewed{b.store.Store, time.Now()}
		err := refusedLate(t, b, "ann")
		if n := b.living("ann"); n != 1 {
			t.Errorf("policy %d: %d sessions live, the limit is 1; Commit = %v", policy, n, err)
		}
	}
}

// A session that is the user's already is none more, so it has nothing to fear
// from one that comes at the same moment.
func TestMaxSessions_anotherLoginOvertakenByANewOneStays(t *testing.T) {
	b := newBrowser(t, limited(1, prefixes.RefuseNewest))
	b.login("ann")
	calls := b.count()
	first := true
	b.store.Store = hooked{calls, func() {
		if first {
			first = false
			if err := b.another().tryLogin("ann"); !errors.Is(err, session.ErrMaxSessions) {
				t.Errorf("the new one: %v, want ErrMaxSessions", err)
			}
		}
	}}
	if err := b.tryLogin("ann"); err != nil || b.user() != "ann" {
		t.Errorf("the one that was there: %v", err)
	}
}

func TestMaxSessions_withoutALimitItCostsNothing(t *testing.T) {
	for _, c := range []struct {
		limit int
		p     prefixes.MaxPolicy
		want  string
	}{
		{0, prefixes.EndOldest, "Create"},
		{0, prefixes.RefuseNewest, "Create"},
		{2, prefixes.EndOldest, "Create Listed Check"},
		{2, prefixes.RefuseNewest, "Listed Create Listed Check"}, // the list is empty before
	} {
		b := newBrowser(t, limited(c.limit, c.p))
		calls := b.count()
		b.login("ann")
		if got := calls.drain(); got != c.want {
			t.Errorf("limit %d, policy %d: trips %q, want %q", c.limit, c.p, got, c.want)
		}
	}
}

func TestMaxSessions_doesNotHoldUpWhatIsNoLogin(t *testing.T) {
	b := newBrowser(t, limited(1, prefixes.RefuseNewest))
	b.login("ann")
	calls := b.count()
	b.set("main", "a", 1)
	b.cycle()
	if got := calls.drain(); got != "Load Save Load Login" {
		t.Errorf("trips %q", got)
	}
}

func TestMaxSessions_theRefusedOnesCompanionsAndCookieAreClearedTogether(t *testing.T) {
	ns := limited(1, prefixes.RefuseNewest)
	ns.Companions = []prefixes.Cookie{{Name: "seen"}}
	b := newBrowser(t, ns)
	b.set("main", "a", 1)
	b.cookies["seen"] = "x"
	if err := refusedLate(t, b, "ann"); !errors.Is(err, session.ErrMaxSessions) {
		t.Fatalf("Commit = %v", err)
	}
	if len(b.cookies) != 0 {
		t.Errorf("cookies %v", b.cookies)
	}
}
