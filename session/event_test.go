package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
)

// audit is a log of events.
type audit struct {
	mu  sync.Mutex // guards the following field
	all []session.Event
}

func (a *audit) OnEvent(_ context.Context, e session.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, e)
}

// drain returns what happened since the last time.
func (a *audit) drain() []session.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.all
	a.all = nil
	return all
}

// want checks what happened since the last time.
func (a *audit) want(t *testing.T, what string, want ...session.Event) {
	t.Helper()
	if d := cmp.Diff(want, a.drain()); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func newAudited(t *testing.T, ns ...prefixes.Namespace) (*browser, *audit) {
	t.Helper()
	a := new(audit)
	return newBrowserWith(t, session.Options{Events: a, Address: remote}, ns...), a
}

func TestEvents_ofAVisitorsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, a := newAudited(t, prefixes.Namespace{Name: "main", RenewAfter: 10 * time.Minute}, prefixes.Parse("main/chat"), prefixes.Parse("chat/room"))
		const device, network = "Firefox on Linux", "192.0.2.0/24"

		b.set("main", "a", 1)
		anonymous := b.id()
		a.want(t, "a first value", session.Event{Kind: session.EventCreated, Root: "main", ID: anonymous, Address: network})

		b.from("198.51.100.9:1", firefox, "ann")
		id := b.id()
		a.want(t, "a login to it", session.Event{
			Kind: session.EventElevated, Root: "main", ID: id, User: "ann", Device: device, Address: "198.51.100.0/24",
		})

		b.user()
		b.set("main", "a", 2)
		b.expire(session.After(time.Hour))
		a.want(t, "requests")

		time.Sleep(10 * time.Minute)
		b.set("main", "a", 3)
		a.want(t, "a secret of that age", session.Event{Kind: session.EventRenewed, Root: "main", ID: id, User: "ann"})

		b.cycle()
		a.want(t, "Cycle", session.Event{Kind: session.EventRenewed, Root: "main", ID: id, User: "ann"})

		if _, err := b.scope().Logout(t.Context(), session.Namespace("chat")); err != nil {
			t.Fatal(err)
		}
		end := session.Event{Kind: session.EventEnded, Root: "main", ID: id, User: "ann", Why: session.WhyLogout, By: "ann"}
		chat, room := end, end
		chat.Namespace, room.Namespace = "chat", "room"
		a.want(t, "the end of a namespace", chat, room)

		b.from("192.0.2.7:1", firefox, "bob")
		replaced := end
		replaced.Why, replaced.By = session.WhyReplaced, "bob"
		a.want(t, "a login as somebody else",
			session.Event{Kind: session.EventCreated, Root: "main", ID: b.id(), User: "bob", Device: device, Address: network},
			replaced,
			session.Event{Kind: session.EventElevated, Root: "main", ID: b.id(), User: "bob", Device: device, Address: network})

		old := b.with(b.cookies[cookieName])
		if _, err := b.scope().Logout(t.Context(), session.This); err != nil {
			t.Fatal(err)
		}
		a.want(t, "a logout", session.Event{
			Kind: session.EventEnded, Root: "main", ID: b.id(), User: "bob", Why: session.WhyLogout, By: "bob",
		})

		old.user()
		a.want(t, "a cookie without a session", session.Event{Kind: session.EventUnknown, Root: "main", ID: old.id()})
		c, _, _ := old.m.Identify(old.request(), "", false)
		if _, err := old.m.Hold(t.Context(), c); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("Hold = %v", err)
		}
		a.want(t, "a connection without a session", session.Event{Kind: session.EventUnknown, Root: "main", ID: old.id()})
	})
}

func TestEvents_ofAConnectionThatBeginsOrRenewsASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, a := newAudited(t, prefixes.Namespace{Name: "main", RenewAfter: time.Minute})
		r := b.request()
		r.Header.Set("User-Agent", safari)
		c, err := b.m.Begin(t.Context(), "", r, false)
		if err != nil {
			t.Fatal(err)
		}
		a.want(t, "Begin", session.Event{
			Kind: session.EventCreated, Root: "main", ID: c.ID, Device: "Safari on iPhone", Address: "192.0.2.0/24",
		})
		time.Sleep(time.Minute)
		h, err := b.m.Hold(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		h.Release()
		a.want(t, "Hold", session.Event{Kind: session.EventRenewed, Root: "main", ID: c.ID})
	})
}

func TestEvents_endsSayWhyAndByWhom(t *testing.T) {
	for _, c := range []struct {
		name   string
		end    func(b, other *browser) error
		events func(here, there session.Event) []session.Event
		why    session.Why
		by     string
	}{
		{"others", func(b, _ *browser) error { _, err := b.scope().Logout(t.Context(), session.Others); return err },
			func(_, there session.Event) []session.Event { return []session.Event{there} }, session.WhyLogout, "ann"},
		{"all", func(b, _ *browser) error { _, err := b.scope().Logout(t.Context(), session.All); return err },
			func(here, there session.Event) []session.Event { return []session.Event{there, here} }, session.WhyLogout, "ann"},
		{"one", func(b, other *browser) error {
			_, err := b.scope().Logout(t.Context(), session.One(other.id()))
			return err
		},
			func(_, there session.Event) []session.Event { return []session.Event{there} }, session.WhyLogout, "ann"},
		{"this, on a connection", func(b, _ *browser) error {
			_, err := b.hold().Scope(session.HoldOptions{}).Logout(t.Context(), session.This)
			return err
		}, func(here, _ session.Event) []session.Event { return []session.Event{here} }, session.WhyLogout, "ann"},
		{"a session, by an administrator", func(b, other *browser) error {
			_, err := b.m.EndSession(t.Context(), "", other.id(), "root")
			return err
		},
			func(_, there session.Event) []session.Event { return []session.Event{there} }, session.WhyAdministrator, "root"},
		{"a user, by an administrator", func(b, _ *browser) error { _, err := b.m.EndUser(t.Context(), "", "ann", "", "root"); return err },
			func(here, there session.Event) []session.Event { return []session.Event{there, here} }, session.WhyAdministrator, "root"},
		{"a user but for one, by an administrator", func(b, _ *browser) error {
			_, err := b.m.EndUser(t.Context(), "", "ann", b.id(), "root")
			return err
		}, func(_, there session.Event) []session.Event { return []session.Event{there} }, session.WhyAdministrator, "root"},
	} {
		b, a := newAudited(t)
		other := b.another()
		other.login("ann")
		b.login("ann")
		a.drain()
		if err := c.end(b, other); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		ended := func(id string) session.Event {
			return session.Event{Kind: session.EventEnded, Root: "main", ID: id, User: "ann", Why: c.why, By: c.by}
		}
		a.want(t, c.name, c.events(ended(b.id()), ended(other.id()))...)
	}
}

func TestEvents_anAnonymousVisitorsLogoutIsByNobody(t *testing.T) {
	for _, target := range []session.Target{session.This, session.All} {
		b, a := newAudited(t)
		b.set("main", "a", 1)
		a.drain()
		if _, err := b.scope().Logout(t.Context(), target); err != nil {
			t.Fatal(err)
		}
		a.want(t, string(target), session.Event{Kind: session.EventEnded, Root: "main", ID: b.id(), Why: session.WhyLogout})
	}
}

func TestEvents_ofTheMostSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, a := newAudited(t, limited(1, prefixes.EndOldest))
		other := b.another()
		other.login("ann")
		time.Sleep(time.Minute)
		a.drain()
		b.login("ann")
		a.want(t, "EndOldest",
			session.Event{Kind: session.EventCreated, Root: "main", ID: b.id(), User: "ann", Address: "192.0.2.0/24"},
			session.Event{Kind: session.EventElevated, Root: "main", ID: b.id(), User: "ann", Address: "192.0.2.0/24"},
			session.Event{Kind: session.EventEnded, Root: "main", ID: other.id(), User: "ann", Why: session.WhyMaxSessions, By: "ann"})

		b, a = newAudited(t, limited(1, prefixes.RefuseNewest))
		b.another().login("ann")
		a.drain()
		if err := b.tryLogin("ann"); !errors.Is(err, session.ErrMaxSessions) {
			t.Errorf("Commit = %v", err)
		}
		a.want(t, "RefuseNewest")
	})
}

func TestEvents_ofALoginThatAnotherOvertook(t *testing.T) {
	b, a := newAudited(t, limited(1, prefixes.RefuseNewest))
	if err := refusedLate(t, b, "ann"); !errors.Is(err, session.ErrMaxSessions) {
		t.Errorf("Commit = %v", err)
	}
	all := a.drain()
	if len(all) != 5 {
		t.Fatalf("events %+v, want those of both logins and an end", all)
	}
	want := session.Event{
		Kind: session.EventEnded, Root: "main", ID: all[2].ID, User: "ann", Why: session.WhyMaxSessions, By: "ann",
	}
	if d := cmp.Diff(want, all[4]); d != "" {
		t.Errorf("the last event (-want +got):\n%s", d)
	}
}

func TestEvents_noneOfWhatFailed(t *testing.T) {
	for name, act := range map[string]func(b *browser, sc *session.Scope) error{
		"a first value": func(b *browser, sc *session.Scope) error { return b.open(sc, "main").Set("a", 1) },
		"a login":       func(_ *browser, sc *session.Scope) error { return sc.Login(t.Context(), "bob", session.LoginOptions{}) },
		"Cycle":         func(_ *browser, sc *session.Scope) error { return sc.Cycle(t.Context(), "") },
		"logout":        nil,
		"EndSession":    nil,
	} {
		for _, user := range []string{"", "ann", "bob"} {
			if user == "" && act == nil || name == "Cycle" && user == "" {
				continue // nothing to end, or to change
			}
			b, a := newAudited(t)
			if user != "" {
				b.login(user)
			}
			b.store.Store = deafLogin{b.store.Store, &b.store.down}
			a.drain()
			sc := b.scope()
			if _, err := sc.User(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
			var err error
			if act != nil {
				if err := act(b, sc); err != nil {
					t.Fatal(err)
				}
				b.store.down = true
				err = b.commit(sc)
			} else {
				b.store.down = true
				if name == "logout" {
					_, err = sc.Logout(t.Context(), session.This)
				} else {
					_, err = b.m.EndSession(t.Context(), "", b.id(), "root")
				}
			}
			if !errors.Is(err, session.ErrUnavailable) {
				t.Errorf("%s, user %q: %v", name, user, err)
			}
			a.want(t, fmt.Sprintf("%s, user %q", name, user))
		}
	}
}

// deafLogin fails logins too.
type deafLogin struct {
	session.Store
	down *bool
}

func (s deafLogin) Login(ctx context.Context, f *session.Family, id string, l session.Elevation) (session.Record, error) {
	if *s.down {
		return session.Record{}, session.ErrUnavailable
	}
	return s.Store.Login(ctx, f, id, l)
}

func TestEvents_noneOfWhatIsRefused(t *testing.T) {
	b, a := newAudited(t)
	b.login("ann")
	sc := b.scope()
	if err := sc.Login(t.Context(), "ann", session.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	b.cycle()
	a.drain()
	if err := b.commit(sc); !errors.Is(err, session.ErrRenewed) {
		t.Errorf("Commit = %v", err)
	}
	a.want(t, "a login that was overtaken")
	if _, err := b.scope().Logout(t.Context(), session.One("x")); !errors.Is(err, session.ErrTarget) {
		t.Errorf("Logout = %v", err)
	}
	a.want(t, "no target")
}

func TestEvents_showNoSecretAndNoValue(t *testing.T) {
	const canary = "canary-in-a-value"
	var (
		mu   sync.Mutex // guards seen
		seen bytes.Buffer
	)
	logger := slog.New(slog.NewJSONHandler(&seen, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b := newBrowserWith(t, session.Options{Address: remote, Logger: logger, Events: session.EventsFunc(func(_ context.Context, e session.Event) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(&seen, "%+v %#v %v\n", e, e, &e)
		logger.Info("event", "event", e)
		logger.Info("event", "pointer", &e)
	})}, limited(2, prefixes.EndOldest))
	secrets := make(map[string]bool)
	note := func() {
		if _, secret, ok := strings.Cut(b.cookies[cookieName], "."); ok {
			secrets[secret] = true
		}
	}
	for _, act := range []func(){
		func() { b.set("main", "a", canary) },
		func() { b.from("192.0.2.99:1", firefox, "ann") },
		b.cycle,
		func() { b.login("bob") },
		func() { b.another().login("bob"); b.another().login("bob") },
		func() { b.user() },
		func() { b.login("ann") },
		func() { _, _ = b.m.EndUser(t.Context(), "", "ann", "", "root") },
		func() { b.user() },
	} {
		act()
		note()
	}
	log := seen.String()
	for _, kind := range []session.EventKind{
		session.EventCreated, session.EventElevated, session.EventRenewed, session.EventEnded, session.EventUnknown,
	} {
		if !strings.Contains(log, string(kind)) {
			t.Errorf("no event %q", kind)
		}
	}
	for secret := range secrets {
		if strings.Contains(log, secret) || strings.Contains(log, secret[:12]) {
			t.Errorf("a secret in\n%s", log)
		}
	}
	if len(secrets) < 4 || strings.Contains(log, canary) || strings.Contains(log, "192.0.2.99") {
		t.Errorf("%d secrets; a value or an address in\n%s", len(secrets), log)
	}
	for line := range strings.SplitSeq(log, "\n") {
		if strings.HasPrefix(line, "{") && strings.Contains(line, `"event":`) && strings.Contains(line, `:""`) {
			t.Errorf("empty field in %s", line)
		}
	}
}

func TestEvents_theLogShortensIDs(t *testing.T) {
	var log bytes.Buffer
	id := strings.Repeat("abcdefgh", 3)
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "e", session.Event{Kind: session.EventEnded, Root: "main", ID: id, By: "root"})
	if got := log.String(); strings.Contains(got, id) || !strings.Contains(got, "e.id=abcdefgh ") ||
		!strings.Contains(got, "e.by=root") || strings.Contains(got, "e.user") {
		t.Errorf("log %s", got)
	}
}

func TestEvents_theCallbackMayUseTheManager(t *testing.T) {
	var (
		m     *session.Manager
		kinds []session.EventKind
	)
	use := func(ctx context.Context, e session.Event) {
		kinds = append(kinds, e.Kind)
		if _, err := m.Exists(ctx, e.Root, e.ID); err != nil {
			t.Errorf("%s: Exists: %v", e.Kind, err)
		}
		if _, err := m.Sessions(ctx, e.Root, "ann"); err != nil {
			t.Errorf("%s: Sessions: %v", e.Kind, err)
		}
		m.Stats()
	}
	synctest.Test(t, func(t *testing.T) {
		reg, err := prefixes.NewRegistry(limited(1, prefixes.EndOldest))
		if err != nil {
			t.Fatal(err)
		}
		b := newBrowser(t)
		m = session.New(reg, b.store.Store, session.Options{Events: session.EventsFunc(use)}) // the store itself, which tells of expiry
		b.m = m
		b.set("main", "a", 1)
		b.login("ann")
		b.another().login("ann")
		b.user()
		time.Sleep(time.Hour)
		b.another().set("main", "a", 1)
		if _, err := m.ClearExpired(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if !slices.Contains(kinds, session.EventEnded) {
		t.Errorf("kinds %q", kinds)
	}
}

func TestEvents_theMemoryStoreTellsOfEveryExpiry(t *testing.T) {
	for name, find := range map[string]func(b *browser){
		"a request":   func(b *browser) { b.user() },
		"Exists":      func(b *browser) { _, _ = b.m.Exists(b.t.Context(), "", b.id()) },
		"the list":    func(b *browser) { _, _ = b.m.Sessions(b.t.Context(), "", "ann") },
		"EndUser":     func(b *browser) { _, _ = b.m.EndUser(b.t.Context(), "", "ann", "", "root") },
		"another one": func(b *browser) { b.another().set("main", "a", 1) },
		"the sweep": func(b *browser) {
			if n, err := b.m.ClearExpired(b.t.Context()); n != 1 || err != nil {
				b.t.Errorf("ClearExpired = %d, %v", n, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := new(audit)
				b := newBrowser(t)
				b.m = session.New(b.m.Registry(), b.store.Store, session.Options{Events: a})
				b.login("ann")
				time.Sleep(30 * time.Minute)
				a.drain()
				find(b)
				if _, err := b.m.ClearExpired(t.Context()); err != nil {
					t.Error(err)
				}
				var expired []session.Event
				for _, e := range a.drain() {
					if e.Kind == session.EventExpired {
						expired = append(expired, e)
					}
				}
				want := []session.Event{{Kind: session.EventExpired, Root: "main", ID: b.id(), User: "ann"}}
				if d := cmp.Diff(want, expired); d != "" || b.m.Stats().Expired != 1 {
					t.Errorf("Stats().Expired = %d (-want +got):\n%s", b.m.Stats().Expired, d)
				}
			})
		})
	}
}

// A store that forgets without a word, as Redis does.
func TestEvents_expiryIsFoundOutByAListOrAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, a := newAudited(t)
		b.store.Store = &lister{Store: b.store.Store}
		b.login("ann")
		want := session.Event{Kind: session.EventExpired, Root: "main", ID: b.id(), User: "ann"}
		time.Sleep(30 * time.Minute)
		a.drain()
		for range 2 {
			if list, err := b.m.Sessions(t.Context(), "", "ann"); len(list) != 0 || err != nil {
				t.Errorf("Sessions = %+v, %v", list, err)
			}
		}
		a.want(t, "a list", want)

		b = b.another()
		b.login("ann")
		want.ID = b.id()
		b.hold()
		revalidate := func() {
			t.Helper()
			err := b.m.Check(t.Context(), "main", []string{b.id()}, func(_ string, _ bool, _ uint64, _ time.Duration, _ map[string]uint64) {})
			if err != nil {
				t.Error(err)
			}
		}
		revalidate()
		time.Sleep(30 * time.Minute)
		a.drain()
		revalidate()
		revalidate()
		a.want(t, "a connection", want)
		if got := b.m.Stats().Expired; got != 2 {
			t.Errorf("Stats().Expired = %d", got)
		}
	})
}

// lister keeps what it lists until it is told to unlist it.
type lister struct {
	session.Store
	ids []string
}

func (s *lister) Create(ctx context.Context, f *session.Family, c session.Create) (session.Record, error) {
	s.ids = append(s.ids, c.ID)
	return s.Store.Create(ctx, f, c)
}

func (s *lister) Listed(context.Context, *session.Family, string) ([]session.Listing, error) {
	var all []session.Listing
	for _, id := range s.ids {
		all = append(all, session.Listing{ID: id, Age: 30 * time.Minute})
	}
	return all, nil
}

func (s *lister) Unlist(_ context.Context, _ *session.Family, _ string, _ time.Duration, ids []string) error {
	s.ids = slices.DeleteFunc(s.ids, func(id string) bool { return slices.Contains(ids, id) })
	return nil
}

func TestEvents_ofAnEndAreNoExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, a := newAudited(t)
		b.login("ann")
		b.hold()
		if _, err := b.m.EndSession(t.Context(), "", b.id(), "root"); err != nil {
			t.Fatal(err)
		}
		a.drain()
		err := b.m.Check(t.Context(), "main", []string{b.id()}, func(_ string, alive bool, _ uint64, _ time.Duration, _ map[string]uint64) {
			if alive {
				t.Error("it lives")
			}
		})
		if err != nil {
			t.Error(err)
		}
		a.want(t, "a connection of a session that was ended")
	})
}
