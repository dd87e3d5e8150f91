package session_test

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
)

// trips notes the operations of a store.
type trips struct {
	session.Store

	mu    sync.Mutex // guards the following field
	calls []string
}

// count has the operations of b's store noted from now on.
func (b *browser) count() *trips {
	s := &trips{Store: b.store.Store}
	b.store.Store = s
	return s
}

func (s *trips) call(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, name)
}

// drain returns the operations since the last time, as in "Load Save".
func (s *trips) drain() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := strings.Join(s.calls, " ")
	s.calls = nil
	return all
}

func (s *trips) Create(ctx context.Context, f *session.Family, c session.Create) (session.Record, error) {
	s.call("Create")
	return s.Store.Create(ctx, f, c)
}

func (s *trips) Load(ctx context.Context, f *session.Family, id string, l session.Load) (session.Record, error) {
	s.call("Load")
	return s.Store.Load(ctx, f, id, l)
}

func (s *trips) Save(ctx context.Context, f *session.Family, id string, v session.Save) (session.Record, error) {
	s.call("Save")
	return s.Store.Save(ctx, f, id, v)
}

func (s *trips) Login(ctx context.Context, f *session.Family, id string, l session.Elevation) (session.Record, error) {
	s.call("Login")
	return s.Store.Login(ctx, f, id, l)
}

func (s *trips) Delete(ctx context.Context, f *session.Family, ends ...session.End) error {
	s.call("Delete")
	return s.Store.Delete(ctx, f, ends...)
}

func (s *trips) Check(ctx context.Context, f *session.Family, ids []string) ([]*session.State, error) {
	s.call("Check")
	return s.Store.Check(ctx, f, ids)
}

func (s *trips) Listed(ctx context.Context, f *session.Family, user string) ([]session.Listing, error) {
	s.call("Listed")
	return s.Store.Listed(ctx, f, user)
}

func (s *trips) Raise(ctx context.Context, f *session.Family, user string) ([]session.Listing, error) {
	s.call("Raise")
	return s.Store.Raise(ctx, f, user)
}

func (s *trips) Unlist(ctx context.Context, f *session.Family, user string, age time.Duration, ids []string) error {
	s.call("Unlist")
	return s.Store.Unlist(ctx, f, user, age, ids)
}

// respond ends a request as commit does, and returns the header that it wrote.
func (b *browser) respond(sc *session.Scope) http.Header {
	b.t.Helper()
	if err := sc.Commit(b.t.Context()); err != nil {
		b.t.Fatalf("Commit: %v", err)
	}
	sc.Saved(b.t.Context())
	h := make(http.Header)
	sc.WriteHeader(h)
	for _, c := range (&http.Response{Header: h}).Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return h
}

// expire sets an expiry in a request of its own.
func (b *browser) expire(e session.Expiry) http.Header {
	b.t.Helper()
	sc := b.scope()
	if err := sc.SetExpiry(b.t.Context(), "", e); err != nil {
		b.t.Fatalf("SetExpiry: %v", err)
	}
	return b.respond(sc)
}

func (b *browser) remember(user string) {
	b.t.Helper()
	sc := b.scope()
	if err := sc.Login(b.t.Context(), user, session.LoginOptions{Remember: true}); err != nil {
		b.t.Fatal(err)
	}
	b.respond(sc)
}

// expires is what a request of its own is told.
func (b *browser) expires() session.Expires {
	b.t.Helper()
	x, err := b.scope().Expires(b.t.Context(), "")
	if err != nil {
		b.t.Fatalf("Expires: %v", err)
	}
	return x
}

// oneCookie returns the only cookie of a header, nil for none.
func oneCookie(t *testing.T, h http.Header) *http.Cookie {
	t.Helper()
	switch all := (&http.Response{Header: h}).Cookies(); len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	t.Fatalf("Set-Cookie %q, want at most one", h["Set-Cookie"])
	return nil
}

// lastingMain is a root whose cookie outlives the browser.
func lastingMain() prefixes.Namespace {
	return prefixes.Namespace{Name: "main", Cookie: prefixes.Cookie{Persistent: true}}
}

func TestSetExpiry_afterReplacesTheIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, d := range []time.Duration{10 * time.Minute, 2 * time.Hour} { // the namespace's is 30 minutes
			b := newBrowser(t)
			b.login("ann")
			b.expire(session.After(d))
			for range 2 {
				time.Sleep(d - time.Second)
				if got := b.user(); got != "ann" { // activity
					t.Errorf("After(%v): ended within it", d)
				}
			}
			time.Sleep(d)
			if got := b.user(); got != "" {
				t.Errorf("After(%v): lives without activity", d)
			}
		}
	})
}

func TestSetExpiry_afterDoesNotLengthenTheLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t)
		b.login("ann")
		time.Sleep(10 * time.Minute)
		b.expire(session.After(100 * time.Hour))
		time.Sleep(8*time.Hour - 10*time.Minute - time.Second)
		before := b.user()
		time.Sleep(time.Second)
		if after := b.user(); before != "ann" || after != "" {
			t.Errorf("at the end of the lifetime: before %q, after %q", before, after)
		}
	})
}

func TestSetExpiry_atEndsTheSessionThenActiveOrNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, active := range []bool{false, true} {
			b := newBrowser(t)
			b.login("ann")
			b.expire(session.At(time.Now().Add(2 * time.Hour)))
			for range 2*60 - 1 {
				time.Sleep(time.Minute)
				if active && b.user() != "ann" {
					t.Fatal("ended before")
				}
			}
			before := b.user()
			time.Sleep(time.Minute)
			if after := b.user(); before != "ann" || after != "" {
				t.Errorf("active %v: a minute before %q, then %q", active, before, after)
			}
		}
	})
}

func TestSetExpiry_atDoesNotLengthenTheLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t)
		b.login("ann")
		b.expire(session.At(time.Now().Add(48 * time.Hour)))
		time.Sleep(8*time.Hour - time.Second)
		before := b.user()
		time.Sleep(time.Second)
		if after := b.user(); before != "ann" || after != "" {
			t.Errorf("before %q, after %q", before, after)
		}
	})
}

func TestSetExpiry_atBrowserCloseLeavesTheTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t)
		b.login("ann")
		b.expire(session.AtBrowserClose())
		time.Sleep(30*time.Minute - time.Second)
		before := b.user()
		time.Sleep(30 * time.Minute)
		if after := b.user(); before != "ann" || after != "" {
			t.Errorf("before %q, after %q", before, after)
		}
	})
}

// An idle timeout and an end together: whichever comes first, as the type says.
func TestSetExpiry_anIdleTimeoutAndAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idle, busy := newBrowser(t), newBrowser(t)
		for _, b := range []*browser{idle, busy} {
			b.login("ann")
			b.expire(session.Expiry{Idle: 10 * time.Minute, End: time.Now().Add(time.Hour)})
		}
		for range 59 {
			time.Sleep(time.Minute)
			if busy.user() != "ann" {
				t.Fatal("the busy one ended before")
			}
		}
		if idle.user() != "" {
			t.Error("the idle one outlives its idle timeout")
		}
		time.Sleep(time.Minute)
		if busy.user() != "" {
			t.Error("the busy one outlives its end")
		}
	})
}

func TestSetExpiry_childrenFollowUnlessTheyHaveAnIdleTimeoutOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t, prefixes.Parse("main"), prefixes.Parse("main/chat"),
			prefixes.Namespace{Name: "brief", Parent: "main", IdleTimeout: 5 * time.Minute})
		for _, name := range []string{"main", "chat", "brief"} {
			b.set(name, "a", 1)
		}
		b.expire(session.After(2 * time.Hour))
		time.Sleep(time.Hour)
		if got := b.get("main", "a") + b.get("chat", "a") + b.get("brief", "a"); got != "11" {
			t.Errorf("after an hour %q, want those of main and chat", got)
		}
	})
}

func TestSetExpiry_theCookieLastsAsLongAsItSays(t *testing.T) {
	const life, rest, month = 8 * 3600, 7 * 3600, 30*24*3600 - 3600
	in := func(d time.Duration) func() session.Expiry {
		return func() session.Expiry { return session.At(time.Now().Add(d)) }
	}
	after := func() session.Expiry { return session.After(10 * time.Minute) }
	for _, c := range []struct {
		name       string
		persistent bool // the namespace
		remember   bool // the login, an hour ago
		expiry     func() session.Expiry
		maxAge     int // 0: goes with the browser
	}{
		{"After", false, false, after, rest},
		{"After, persistent", true, false, after, rest},
		{"After, remembered", false, true, after, month},
		{"At", false, false, in(2 * time.Hour), 2 * 3600},
		{"At, persistent", true, false, in(2 * time.Hour), 2 * 3600},
		{"At, remembered", false, true, in(48 * time.Hour), 48 * 3600},
		{"At after the lifetime", false, false, in(48 * time.Hour), rest},
		{"AtBrowserClose", false, false, session.AtBrowserClose, 0},
		{"AtBrowserClose, persistent", true, false, session.AtBrowserClose, 0},
		{"AtBrowserClose, remembered", false, true, session.AtBrowserClose, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBrowser(t, prefixes.Namespace{
					Name: "main", IdleTimeout: 2 * time.Hour, Lifetime: life * time.Second,
					Cookie: prefixes.Cookie{Persistent: c.persistent},
				})
				if c.remember {
					b.remember("ann")
				} else {
					b.login("ann")
				}
				was := b.cookies["__Host-id"]
				time.Sleep(time.Hour)
				ck := oneCookie(t, b.expire(c.expiry()))
				if ck == nil || ck.MaxAge != c.maxAge || ck.Value != was {
					t.Errorf("cookie %v, want Max-Age %d", ck, c.maxAge)
				}
				if b.user() != "ann" {
					t.Error("not logged in any more")
				}
			})
		})
	}
}

func TestSetExpiry_theCookieOfANewSessionLastsAsLongToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			expiry session.Expiry
			maxAge int
		}{
			{session.After(10 * time.Minute), 8 * 3600},
			{session.At(time.Now().Add(time.Hour)), 3600},
			{session.AtBrowserClose(), 0},
		} {
			b := newBrowser(t, lastingMain())
			sc := b.scope()
			if err := errors.Join(sc.SetExpiry(t.Context(), "", c.expiry), b.open(sc, "main").Set("a", 1)); err != nil {
				t.Fatal(err)
			}
			if ck := oneCookie(t, b.respond(sc)); ck == nil || ck.MaxAge != c.maxAge || b.get("main", "a") != "1" {
				t.Errorf("%+v: cookie %v, want Max-Age %d", c.expiry, ck, c.maxAge)
			}
		}
	})
}

func TestSetExpiry_theZeroExpiryGoesBackToThePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, e := range []session.Expiry{
			session.After(time.Minute), session.At(time.Now().Add(time.Minute)), session.AtBrowserClose(),
		} {
			if !e.End.IsZero() {
				e = session.At(time.Now().Add(time.Minute)) // the one before has taken its time
			}
			b := newBrowser(t, lastingMain())
			b.login("ann")
			b.expire(e)
			ck := oneCookie(t, b.expire(session.Expiry{}))
			if ck == nil || ck.MaxAge != 8*3600 {
				t.Errorf("%+v: cookie %v", e, ck)
			}
			time.Sleep(30*time.Minute - time.Second)
			before := b.user()
			time.Sleep(30 * time.Minute)
			if after := b.user(); before != "ann" || after != "" {
				t.Errorf("%+v: within the idle timeout %q, after it %q", e, before, after)
			}
		}
	})
}

func TestSetExpiry_theZeroExpiryIsHarmlessWithoutAnExpiry(t *testing.T) {
	b := newBrowser(t)
	calls := b.count()
	if h := b.expire(session.Expiry{}); len(h["Set-Cookie"]) != 0 || calls.drain() != "" {
		t.Errorf("a visitor without a session: header %v", h)
	}
	b.login("ann")
	calls.drain()
	if h := b.expire(session.Expiry{}); len(h["Set-Cookie"]) != 0 {
		t.Errorf("cookies %q", h["Set-Cookie"])
	}
	if got := calls.drain(); got != "Load" {
		t.Errorf("trips %q, want the load alone", got)
	}
	if err := b.hold().Scope(session.HoldOptions{}).SetExpiry(t.Context(), "", session.Expiry{}); err != nil {
		t.Errorf("on a connection: %v", err)
	}
	if err := b.m.Anonymous().SetExpiry(t.Context(), "", session.Expiry{}); err != nil {
		t.Errorf("on a connection without a session: %v", err)
	}
}

func TestSetExpiry_ofAPastTimeIsEmptyWhenOpenedAgain(t *testing.T) { // Django's test_actual_expiry
	at := func(ago time.Duration) func() session.Expiry {
		return func() session.Expiry { return session.At(time.Now().Add(-ago)) }
	}
	for name, expiry := range map[string]func() session.Expiry{
		"After(0)":         func() session.Expiry { return session.After(0) },
		"After(-1s)":       func() session.Expiry { return session.After(-time.Second) },
		"At now":           at(0),
		"At, an hour ago":  at(time.Hour),
		"At the epoch":     func() session.Expiry { return session.At(time.Unix(0, 0)) },
		"At the zero time": func() session.Expiry { return session.At(time.Time{}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := expiry()
				b := newBrowser(t)
				b.set("main", "a", 1)
				sc := b.scope()
				if err := errors.Join(b.open(sc, "main").Set("b", 2), sc.SetExpiry(t.Context(), "", e)); err != nil {
					t.Fatal(err)
				}
				if err := b.commit(sc); err != nil {
					t.Errorf("a session that was there: Commit = %v", err)
				}
				if got := b.get("main", "a") + b.get("main", "b"); got != "" {
					t.Errorf("a session that was there has %q", got)
				}

				b = newBrowser(t)
				sc = b.scope()
				if err := errors.Join(b.open(sc, "main").Set("a", 1), sc.SetExpiry(t.Context(), "", e)); err != nil {
					t.Fatal(err)
				}
				if err := b.commit(sc); err != nil {
					t.Errorf("a new session: Commit = %v", err)
				}
				if got := b.get("main", "a"); got != "" {
					t.Errorf("a new session has %q", got)
				}

				b = newBrowser(t)
				for _, begun := range []bool{false, true} {
					if begun {
						b.set("main", "a", 1)
					}
					sc = b.scope()
					if err := errors.Join(sc.Login(t.Context(), "ann", session.LoginOptions{}), sc.SetExpiry(t.Context(), "", e)); err != nil {
						t.Fatal(err)
					}
					if err := b.commit(sc); err != nil {
						t.Errorf("a login, session begun %v: Commit = %v", begun, err)
					}
					if got := b.user(); got != "" {
						t.Errorf("a login, session begun %v: user %q", begun, got)
					}
				}
			})
		})
	}
}

func TestSetExpiry_beginsNoSessionByItself(t *testing.T) {
	b := newBrowser(t)
	calls := b.count()
	sc := b.scope()
	if err := sc.SetExpiry(t.Context(), "", session.After(time.Hour)); err != nil {
		t.Fatal(err)
	}
	x, err := sc.Expires(t.Context(), "")
	if err != nil || x.Idle != time.Hour || x.AtBrowserClose {
		t.Errorf("Expires = %+v, %v", x, err)
	}
	if h := b.respond(sc); len(h["Set-Cookie"]) != 0 || calls.drain() != "" {
		t.Errorf("header %v", h)
	}
}

func TestSetExpiry_andALoginInOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, visitor := range []string{"new", "anonymous", "the same user"} {
			for _, first := range []bool{true, false} {
				b := newBrowser(t)
				switch visitor {
				case "anonymous":
					b.set("main", "a", 1)
				case "the same user":
					b.login("ann")
				}
				sc := b.scope()
				var err error
				if first {
					err = sc.SetExpiry(t.Context(), "", session.After(5*time.Minute))
				}
				err = errors.Join(err, sc.Login(t.Context(), "ann", session.LoginOptions{}))
				if !first {
					err = errors.Join(err, sc.SetExpiry(t.Context(), "", session.After(5*time.Minute)))
				}
				if err != nil {
					t.Fatal(err)
				}
				ck := oneCookie(t, b.respond(sc))
				if ck == nil || ck.MaxAge != 8*3600 || b.user() != "ann" || b.expires().Idle != 5*time.Minute {
					t.Errorf("%s, before the login %v: cookie %v, %+v", visitor, first, ck, b.expires())
				}
				time.Sleep(5 * time.Minute)
				if b.user() != "" {
					t.Errorf("%s, before the login %v: outlives its expiry", visitor, first)
				}
			}
		}
	})
}

func TestSetExpiry_isKeptUntilTheNextLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t)
		b.login("ann")
		end := time.Now().Add(time.Hour)
		b.expire(session.At(end))
		time.Sleep(10 * time.Minute)
		b.set("main", "a", 1)
		if x := b.expires(); !x.End.Equal(end) || x.Idle != 0 || x.AtBrowserClose {
			t.Errorf("later: %+v", x)
		}
		b.login("ann")
		if x := b.expires(); !x.End.Equal(time.Now().Add(8*time.Hour)) || x.Idle != 30*time.Minute || !x.AtBrowserClose {
			t.Errorf("after another login: %+v", x)
		}
		time.Sleep(30 * time.Minute)
		if b.user() != "" {
			t.Error("it lives without activity")
		}
	})
}

func TestSetExpiry_rememberedLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			expiry session.Expiry
			maxAge int
			alive  time.Duration // and then no more
		}{
			{session.After(time.Hour), 30 * 24 * 3600, time.Hour},
			{session.At(time.Now().Add(20 * 24 * time.Hour)), 20 * 24 * 3600, 20 * 24 * time.Hour},
			{session.AtBrowserClose(), 0, 14 * 24 * time.Hour},
		} {
			b := newBrowser(t)
			sc := b.scope()
			err := errors.Join(sc.Login(t.Context(), "ann", session.LoginOptions{Remember: true}), sc.SetExpiry(t.Context(), "", c.expiry))
			if err != nil {
				t.Fatal(err)
			}
			if ck := oneCookie(t, b.respond(sc)); ck == nil || ck.MaxAge != c.maxAge {
				t.Errorf("%+v: cookie %v, want Max-Age %d", c.expiry, ck, c.maxAge)
			}
			list, err := b.m.Sessions(t.Context(), "", "ann")
			if err != nil || len(list) != 1 || list[0].Left != c.alive {
				t.Errorf("%+v: %+v, %v; want %v left", c.expiry, list, err, c.alive)
			}
			if _, err := b.m.EndUser(t.Context(), "", "ann", "", "test"); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestSetExpiry_onAConnectionOnlyWhatLeavesTheCookie(t *testing.T) {
	soon := func() session.Expiry { return session.At(time.Now().Add(time.Hour)) }
	late := func() session.Expiry { return session.At(time.Now().Add(2 * time.Hour)) }
	after := func() session.Expiry { return session.After(time.Hour) }
	none := func() session.Expiry { return session.Expiry{} }
	idle := func() session.Expiry { return session.Expiry{Idle: time.Hour} }
	for _, c := range []struct {
		name       string
		persistent bool
		was, set   func() session.Expiry
		err        error
	}{
		{"an idle timeout", false, none, idle, nil},
		{"After", false, none, after, session.ErrCommitted},
		{"After, persistent already", true, none, after, nil},
		{"After, another before", false, after, idle, session.ErrCommitted},
		{"At", false, none, soon, session.ErrCommitted},
		{"AtBrowserClose", false, none, session.AtBrowserClose, nil},
		{"AtBrowserClose, persistent", true, none, session.AtBrowserClose, session.ErrCommitted},
		{"At, earlier", true, late, soon, nil},
		{"At, later: the cookie ends too early", true, soon, late, session.ErrCommitted},
		{"After an At: the cookie ends too early", true, soon, after, session.ErrCommitted},
		{"back from an At: the cookie ends too early", true, soon, none, session.ErrCommitted},
		{"back from an After", true, after, none, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBrowser(t, prefixes.Namespace{Name: "main", Cookie: prefixes.Cookie{Persistent: c.persistent}})
				b.login("ann")
				b.expire(c.was())

				sc := b.hold().Scope(session.HoldOptions{})
				if err := sc.SetExpiry(t.Context(), "", c.set()); !errors.Is(err, c.err) {
					t.Errorf("on a connection: SetExpiry = %v, want %v", err, c.err)
				}
				if err := sc.Commit(t.Context()); err != nil {
					t.Errorf("Commit = %v", err)
				}
				now, want := b.expires(), c.was()
				if c.err == nil {
					want = c.set()
				}
				if want.Idle != 0 && now.Idle != want.Idle || !want.End.IsZero() && !now.End.Equal(want.End) {
					t.Errorf("afterwards %+v, want %+v", now, want)
				}

				// The same once the response has begun.
				b.expire(c.was())
				sc = b.scope()
				b.respond(sc)
				if err := sc.SetExpiry(t.Context(), "", c.set()); !errors.Is(err, c.err) {
					t.Errorf("after the response began: SetExpiry = %v, want %v", err, c.err)
				}
				if h := b.respond(sc); len(h["Set-Cookie"]) != 0 {
					t.Errorf("cookies %q after the response began", h["Set-Cookie"])
				}
				if now := b.expires(); want.Idle != 0 && now.Idle != want.Idle || !want.End.IsZero() && !now.End.Equal(want.End) {
					t.Errorf("after the response began: %+v, want %+v", now, want)
				}
			})
		})
	}
}

func TestSetExpiry_isTooLateForANewSessionAfterTheCommit(t *testing.T) {
	b := newBrowser(t)
	sc := b.scope()
	b.respond(sc)
	if err := sc.SetExpiry(t.Context(), "", session.After(time.Hour)); !errors.Is(err, session.ErrCommitted) {
		t.Errorf("SetExpiry = %v, want ErrCommitted", err)
	}
}

func TestSetExpiry_endsConnectionsElsewhereWithTheirNextSave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t)
		b.login("ann")
		h := b.hold()
		elsewhere := *b
		elsewhere.m = session.New(b.m.Registry(), b.store, session.Options{})
		elsewhere.expire(session.After(0))
		if err := b.say(h, "main", "a", 1); !errors.Is(err, session.ErrEnded) {
			t.Errorf("message = %v, want ErrEnded", err)
		}
	})
}

func TestSetExpiry_isActivityAndSlidesFromThenOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t)
		b.login("ann")
		seen := func() time.Time {
			one, ok, err := b.m.Lookup(t.Context(), "", b.id())
			if !ok || err != nil {
				t.Fatalf("Lookup = %v, %v", ok, err)
			}
			return one.Seen
		}
		time.Sleep(time.Second)
		b.expire(session.After(10 * time.Minute))
		if !seen().Equal(time.Now()) {
			t.Error("setting an expiry was no activity")
		}
		set := seen()
		time.Sleep(time.Minute - time.Second)
		b.user()
		early := seen()
		time.Sleep(time.Second)
		b.user()
		if !early.Equal(set) || !seen().Equal(time.Now()) {
			t.Errorf("slid at %v and %v, want at a tenth of the expiry", early.Sub(set), seen().Sub(set))
		}
	})
}

func TestSetExpiry_isDroppedWithWhatIsDropped(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	sc := b.scope()
	if err := sc.SetExpiry(t.Context(), "", session.After(time.Hour)); err != nil {
		t.Fatal(err)
	}
	sc.Discard()
	b.mustCommit(sc)
	if x := b.expires(); x.Idle != 30*time.Minute {
		t.Errorf("after Discard: %+v", x)
	}

	sc = b.scope()
	if err := sc.SetExpiry(t.Context(), "", session.After(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := sc.Logout(t.Context(), session.This); err != nil {
		t.Fatal(err)
	}
	if err := b.open(sc, "main").Set("a", 1); err != nil {
		t.Fatal(err)
	}
	b.mustCommit(sc)
	if x := b.expires(); b.id() == "" || x.Idle != 30*time.Minute {
		t.Errorf("a session that began after the logout has the expiry of the one that ended: %+v", x)
	}
}

func TestSetExpiry_withoutTheStore(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	b.store.down = true
	if err := b.scope().SetExpiry(t.Context(), "", session.After(time.Hour)); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("SetExpiry = %v, want ErrUnavailable", err)
	}
	if _, err := b.scope().Expires(t.Context(), ""); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("Expires = %v, want ErrUnavailable", err)
	}
}

func TestScope_whatIsNewNeedsAScopeAndARoot(t *testing.T) {
	ctx := t.Context()
	sc := newBrowser(t).scope()
	_, recent := session.Recent(ctx, time.Hour)
	_, list := session.List(ctx)
	for name, err := range map[string]error{
		"SetExpiry": session.SetExpiry(ctx, session.Expiry{}), "Cycle": session.Cycle(ctx), "Recent": recent, "List": list,
	} {
		if !errors.Is(err, session.ErrNoScope) {
			t.Errorf("%s = %v, want ErrNoScope", name, err)
		}
	}
	_, expires := sc.Expires(ctx, "chat")
	_, recent = sc.Recent(ctx, "chat", time.Hour)
	_, list = sc.List(ctx, "chat")
	for name, err := range map[string]error{
		"SetExpiry": sc.SetExpiry(ctx, "chat", session.Expiry{}), "Cycle": sc.Cycle(ctx, "chat"), "AllowToken": sc.AllowToken("chat"),
		"Expires": expires, "Recent": recent, "List": list,
	} {
		if err == nil {
			t.Errorf("%s of a namespace that is no root = nil", name)
		}
	}
}

// What Django's tests of expiry dates and ages say: test_default_expiry,
// test_custom_expiry_seconds, _timedelta, _datetime and _reset, and
// test_get_expire_at_browser_close.
func TestExpires_dateAndAgeForAGivenActivity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		const life = 8 * time.Hour
		for _, c := range []struct {
			name    string
			expiry  session.Expiry
			active  time.Duration // the last activity, from the beginning
			age     time.Duration
			atClose bool
		}{
			{"none", session.Expiry{}, 0, 30 * time.Minute, true},
			{"none, near the end of the lifetime", session.Expiry{}, life - 10*time.Minute, 10 * time.Minute, true},
			{"10 s", session.After(10 * time.Second), time.Hour, 10 * time.Second, false},
			{"10 s, near the end", session.After(10 * time.Second), life - 4*time.Second, 4 * time.Second, false},
			{"a duration over the lifetime", session.After(100 * time.Hour), time.Hour, life - time.Hour, false},
			{"a time", session.At(began.Add(2 * time.Hour)), time.Hour, time.Hour, false},
			{"a time after the lifetime", session.At(began.Add(48 * time.Hour)), time.Hour, life - time.Hour, false},
			{"at browser close", session.AtBrowserClose(), time.Hour, 30 * time.Minute, true},
		} {
			for _, begun := range []bool{true, false} {
				b := newBrowser(t)
				if begun {
					b.set("main", "a", 1)
				}
				sc := b.scope()
				if err := sc.SetExpiry(t.Context(), "", c.expiry); err != nil {
					t.Fatal(err)
				}
				active, age := began.Add(c.active), c.age
				switch end := c.expiry.End; {
				// The lifetime is taken to begin with the activity.
				case !begun && end.IsZero():
					age = min(life, cmp.Or(c.expiry.Idle, 30*time.Minute))
				case !begun:
					age = min(life, end.Sub(active))
				}
				check := func(when string, sc *session.Scope) {
					t.Helper()
					x, err := sc.Expires(t.Context(), "")
					if err != nil || x.Age(active) != age || !x.Date(active).Equal(active.Add(age)) || x.AtBrowserClose != c.atClose {
						t.Errorf("%s, %s, begun %v: %+v, age %v, %v; want %v", c.name, when, begun, x, x.Age(active), err, age)
					}
				}
				check("before the save", sc)
				b.mustCommit(sc)
				if begun {
					check("in a later request", b.scope())
				}
				check("after the save", sc)
			}
		}
	})
}

// Once saved, the date is the one that the store goes by.
func TestExpires_dateOfASessionThatIsNotSavedYetIsNotAfterItsLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t)
		sc := b.scope()
		if err := errors.Join(b.open(sc, "main").Set("a", 1), sc.SetExpiry(t.Context(), "", session.At(time.Now().Add(48*time.Hour)))); err != nil {
			t.Fatal(err)
		}
		before, err := sc.Expires(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		b.mustCommit(sc)
		if got, want := before.Age(time.Now()), b.expires().Age(time.Now()); got != want {
			t.Errorf("age %v before the save, %v after it", got, want)
		}
	})
}

func TestExpires_atBrowserCloseIsTheNamespacesUnlessSet(t *testing.T) {
	for _, persistent := range []bool{false, true} {
		b := newBrowser(t, prefixes.Namespace{Name: "main", Cookie: prefixes.Cookie{Persistent: persistent}})
		b.set("main", "a", 1)
		for _, c := range []struct {
			expiry session.Expiry
			want   bool
		}{
			{session.Expiry{}, !persistent},
			{session.After(10 * time.Second), false},
			{session.AtBrowserClose(), true},
			{session.Expiry{}, !persistent},
		} {
			b.expire(c.expiry)
			if got := b.expires().AtBrowserClose; got != c.want {
				t.Errorf("persistent %v, %+v: %v, want %v", persistent, c.expiry, got, c.want)
			}
		}
		b.remember("ann")
		if b.expires().AtBrowserClose {
			t.Errorf("persistent %v: remembered at browser close", persistent)
		}
	}
}

func TestExpires_ofALoginThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t)
		b.set("main", "a", 1)
		b.expire(session.After(time.Minute))
		sc := b.scope()
		if err := sc.Login(t.Context(), "ann", session.LoginOptions{Remember: true}); err != nil {
			t.Fatal(err)
		}
		x, err := sc.Expires(t.Context(), "")
		if err != nil || x.Age(time.Now()) != 14*24*time.Hour || x.AtBrowserClose || !x.End.IsZero() {
			t.Errorf("before the commit: %+v, %v", x, err)
		}
		b.mustCommit(sc)
		if x := b.expires(); x.Age(time.Now()) != 14*24*time.Hour || !x.End.Equal(time.Now().Add(30*24*time.Hour)) {
			t.Errorf("after the commit: %+v", x)
		}
	})
}
