package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
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

// ender notes the notices that it is given.
type ender struct {
	mu     sync.Mutex // guards the following fields
	gated  []string
	closed []string
}

func (e *ender) Gate(notice string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if slices.Contains(e.gated, notice) {
		return 0 // its one connection is marked already
	}
	e.gated = append(e.gated, notice)
	return 1
}

func (e *ender) Close(notice string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Contains(e.closed, notice) {
		e.closed = append(e.closed, notice)
	}
}

func (e *ender) Acks(context.Context, ...string) (acked, expected int) { return 2, 3 }

// drain returns what was gated, and then closed, since the last time.
func (e *ender) drain(t *testing.T) []string {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Equal(e.gated, e.closed) {
		t.Errorf("gated %q, closed %q", e.gated, e.closed)
	}
	all := e.gated
	e.gated, e.closed = nil, nil
	return all
}

// broken fails every operation while it is down.
type broken struct {
	session.Store
	down bool
}

func (s *broken) Create(ctx context.Context, f *session.Family, c session.Create) (session.Record, error) {
	if s.down {
		return session.Record{}, session.ErrUnavailable
	}
	return s.Store.Create(ctx, f, c)
}

func (s *broken) Load(ctx context.Context, f *session.Family, id string, l session.Load) (session.Record, error) {
	if s.down {
		return session.Record{}, session.ErrUnavailable
	}
	return s.Store.Load(ctx, f, id, l)
}

func (s *broken) Save(ctx context.Context, f *session.Family, id string, v session.Save) (session.Record, error) {
	if s.down {
		return session.Record{}, session.ErrUnavailable
	}
	return s.Store.Save(ctx, f, id, v)
}

func (s *broken) Delete(ctx context.Context, f *session.Family, ends ...session.End) error {
	if s.down {
		return session.ErrUnavailable
	}
	return s.Store.Delete(ctx, f, ends...)
}

// browser is a visitor: a cookie jar in front of a manager.
type browser struct {
	t       *testing.T
	m       *session.Manager
	ends    *ender
	store   *broken
	cookies map[string]string
}

func newBrowser(t *testing.T, ns ...prefixes.Namespace) *browser {
	t.Helper()
	if len(ns) == 0 {
		ns = []prefixes.Namespace{prefixes.Parse("main"), prefixes.Parse("main/chat"), prefixes.Parse("chat/room")}
	}
	reg, err := prefixes.NewRegistry(ns...)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, ends: new(ender), store: &broken{Store: new(memstore.Store)}, cookies: make(map[string]string)}
	b.m = session.New(reg, b.store, session.Options{Ends: b.ends})
	return b
}

// another is another browser of the same site.
func (b *browser) another() *browser {
	c := *b
	c.cookies = make(map[string]string)
	return &c
}

func (b *browser) request() *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

func (b *browser) scope() *session.Scope { return b.m.Scope(b.request()) }

// commit ends a request as a middleware does, and takes its cookies.
func (b *browser) commit(sc *session.Scope) error {
	err := sc.Commit(b.t.Context())
	if err != nil {
		sc.Discard()
	} else {
		sc.Saved(b.t.Context())
	}
	h := make(http.Header)
	sc.WriteHeader(h)
	for _, c := range (&http.Response{Header: h}).Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return err
}

func (b *browser) mustCommit(sc *session.Scope) {
	b.t.Helper()
	if err := b.commit(sc); err != nil {
		b.t.Fatalf("Commit: %v", err)
	}
}

// open returns a session of a scope.
func (b *browser) open(sc *session.Scope, name string) *session.Session {
	b.t.Helper()
	s, err := sc.Session(b.t.Context(), name)
	if err != nil {
		b.t.Fatalf("Session %s: %v", name, err)
	}
	return s
}

func (b *browser) set(name, key string, value any) {
	b.t.Helper()
	sc := b.scope()
	if err := b.open(sc, name).Set(key, value); err != nil {
		b.t.Fatal(err)
	}
	b.mustCommit(sc)
}

func (b *browser) get(name, key string) string {
	b.t.Helper()
	raw, _ := b.open(b.scope(), name).Value(key)
	return string(raw)
}

func (b *browser) login(user string) {
	b.t.Helper()
	sc := b.scope()
	if err := sc.Login(b.t.Context(), user, session.LoginOptions{}); err != nil {
		b.t.Fatal(err)
	}
	b.mustCommit(sc)
}

func (b *browser) user() string {
	b.t.Helper()
	user, err := b.scope().User(b.t.Context(), "")
	if err != nil {
		b.t.Fatal(err)
	}
	return user
}

func (b *browser) id() string {
	id, _, _ := strings.Cut(b.cookies["__Host-id"], ".")
	return id
}

// Two tabs: the second writes after the first loaded.

func TestScope_writersOfDifferentKeysKeepEachOthersValues(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "first", 0)
	one, two := b.scope(), b.scope()
	if err := errors.Join(b.open(one, "main").Set("a", 1), b.open(two, "main").Set("b", 2)); err != nil {
		t.Fatal(err)
	}
	b.mustCommit(one)
	b.mustCommit(two)
	if got := b.get("main", "a") + b.get("main", "b"); got != "12" {
		t.Errorf("values %q", got)
	}
}

func TestScope_aSaveNeverBringsASessionBack(t *testing.T) {
	b := newBrowser(t)
	b.login("alice")
	tab := b.scope()
	if err := b.open(tab, "main").Set("a", 1); err != nil {
		t.Fatal(err)
	}
	out := b.scope()
	if _, err := out.Logout(t.Context(), session.This); err != nil {
		t.Fatal(err)
	}
	if err := b.commit(tab); !errors.Is(err, session.ErrEnded) {
		t.Errorf("Commit after the logout = %v, want ErrEnded", err)
	}
	if got := b.user(); got != "" {
		t.Errorf("user %q", got)
	}
}

func TestScope_aSaveUnderAnOlderLoginIsRefused(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "a", 1)
	tab := b.scope()
	if err := b.open(tab, "main").Set("a", 2); err != nil {
		t.Fatal(err)
	}
	b.login("alice")
	if err := b.commit(tab); !errors.Is(err, session.ErrRenewed) {
		t.Errorf("Commit = %v, want ErrRenewed", err)
	}
	if got := b.user() + b.get("main", "a"); got != "alice1" {
		t.Errorf("user and value %q", got)
	}
}

func TestScope_aNamespaceThatEndedRefusesTheSaveOfWhoLoadedIt(t *testing.T) {
	b := newBrowser(t)
	b.set("room", "a", 1)
	b.set("main", "a", 1)
	tab := b.scope()
	if err := b.open(tab, "room").Set("a", 2); err != nil {
		t.Fatal(err)
	}
	out := b.scope()
	if _, err := out.Logout(t.Context(), session.Namespace("chat")); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Session(t.Context(), "room"); !errors.Is(err, session.ErrNamespaceEnded) {
		t.Errorf("Session in the scope that ended it = %v, want ErrNamespaceEnded", err)
	}
	if err := b.commit(tab); !errors.Is(err, session.ErrNamespaceEnded) {
		t.Errorf("Commit = %v, want ErrNamespaceEnded", err)
	}
	if got := b.get("room", "a") + b.get("main", "a"); got != "1" {
		t.Errorf("values %q", got)
	}
	b.set("room", "a", 3) // it begins anew
	if got := b.get("room", "a"); got != "3" {
		t.Errorf("value %q", got)
	}
}

func TestScope_discardDropsEverythingUnsaved(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "a", 1)
	sc := b.scope()
	s := b.open(sc, "main")
	if err := errors.Join(s.Set("a", 2), sc.Login(t.Context(), "alice", session.LoginOptions{})); err != nil {
		t.Fatal(err)
	}
	sc.OnSaved(func(context.Context) { t.Error("OnSaved ran") })
	sc.Discard()
	b.mustCommit(sc)
	if got := b.user() + b.get("main", "a"); got != "1" {
		t.Errorf("user and value %q", got)
	}
}

func TestScope_saveKeepsTheLoginForTheCommit(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "a", 1)
	sc := b.scope()
	if err := sc.Login(t.Context(), "alice", session.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.open(sc, "main").Set("a", 2), sc.Save(t.Context())); err != nil {
		t.Fatal(err)
	}
	if got := b.get("main", "a") + b.user(); got != "2" {
		t.Errorf("before the commit %q", got)
	}
	b.mustCommit(sc)
	if got := b.get("main", "a") + b.user(); got != "2alice" {
		t.Errorf("after the commit %q", got)
	}
}

func TestScope_onSavedRunsOnceInOrder(t *testing.T) {
	b := newBrowser(t)
	sc := b.scope()
	var got []int
	for i := range 3 {
		sc.OnSaved(func(context.Context) { got = append(got, i) })
	}
	b.mustCommit(sc)
	sc.Saved(t.Context())
	if !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("ran %v", got)
	}
}

func TestScope_namesThatDoNotExist(t *testing.T) {
	b := newBrowser(t)
	sc := b.scope()
	if _, err := sc.Session(t.Context(), "nowhere"); err == nil {
		t.Error("Session of an unknown namespace")
	}
	if _, err := sc.User(t.Context(), "chat"); err == nil {
		t.Error("User of a namespace that is no root")
	}
	if err := sc.Login(t.Context(), "", session.LoginOptions{}); err == nil {
		t.Error("Login of nobody")
	}
	if _, err := sc.Logout(t.Context(), session.Namespace("nowhere")); err == nil {
		t.Error("Logout of an unknown namespace")
	}
}

func TestAnonymous_readsNothingAndKeepsNothing(t *testing.T) {
	b := newBrowser(t)
	b.store.down = true
	sc := b.m.Anonymous()
	s := b.open(sc, "main")
	if user, err := sc.User(t.Context(), ""); user != "" || err != nil || s.Has("a") {
		t.Errorf("User = %q, %v", user, err)
	}
	if err := s.Set("a", 1); !errors.Is(err, session.ErrCommitted) {
		t.Errorf("Set = %v, want ErrCommitted", err)
	}
	if err := sc.Login(t.Context(), "alice", session.LoginOptions{}); !errors.Is(err, session.ErrCommitted) {
		t.Errorf("Login = %v, want ErrCommitted", err)
	}
	if _, err := sc.Logout(t.Context(), session.This); err != nil {
		t.Errorf("Logout = %v", err)
	}
	if err := sc.Commit(t.Context()); err != nil {
		t.Errorf("Commit = %v", err)
	}
}

func TestScope_functionsOfAContextWithoutOne(t *testing.T) {
	ctx := t.Context()
	_, get := session.Get(ctx, "main")
	_, user := session.User(ctx)
	_, logout := session.Logout(ctx, session.This)
	for name, err := range map[string]error{
		"Get": get, "User": user, "Logout": logout, "Login": session.Login(ctx, "alice"), "OnSaved": session.OnSaved(ctx, nil),
	} {
		if !errors.Is(err, session.ErrNoScope) {
			t.Errorf("%s = %v, want ErrNoScope", name, err)
		}
	}
}

func TestScope_aStoreThatFailsMakesNobodyAnonymous(t *testing.T) {
	b := newBrowser(t)
	b.login("alice")
	b.store.down = true
	sc := b.scope()
	if _, err := sc.User(t.Context(), ""); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("User = %v, want ErrUnavailable", err)
	}
	b.store.down = false
	if user, err := sc.User(t.Context(), ""); user != "alice" || err != nil {
		t.Errorf("User afterwards = %q, %v", user, err)
	}
}

// Logins.

func TestLogin_newSecretSameIDAndTheValuesStay(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "a", 1)
	was, id := b.cookies["__Host-id"], b.id()
	b.login("alice")
	if b.id() != id || b.cookies["__Host-id"] == was || b.get("main", "a") != "1" || b.user() != "alice" {
		t.Errorf("id %s, was %s", b.id(), id)
	}
	notices := b.ends.drain(t)
	if len(notices) != 1 || !strings.HasPrefix(notices[0], "1|e|main|"+id) {
		t.Errorf("notices %q", notices)
	}
	old := b.another()
	old.cookies["__Host-id"] = was
	if got := old.user(); got != "" {
		t.Errorf("the old secret opens the session of %q", got)
	}
}

func TestLogin_asSomebodyElseCarriesNothingOver(t *testing.T) {
	b := newBrowser(t)
	b.login("alice")
	b.set("main", "a", 1)
	id := b.id()
	sc := b.scope()
	s := b.open(sc, "main")
	if err := sc.Login(t.Context(), "bob", session.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	if s.Has("a") {
		t.Error("bob sees alice's value")
	}
	if err := s.Set("b", 2); err != nil {
		t.Fatal(err)
	}
	b.mustCommit(sc)
	if b.id() == id || b.user() != "bob" || b.get("main", "a") != "" || b.get("main", "b") != "2" {
		t.Errorf("user %q, a %q, b %q", b.user(), b.get("main", "a"), b.get("main", "b"))
	}
	if states, err := b.m.Sessions(t.Context(), "", "alice"); len(states) != 0 || err != nil {
		t.Errorf("alice's sessions: %v, %v", states, err)
	}
}

func TestLogin_rememberedOutlivesTheIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, brief := newBrowser(t), newBrowser(t)
		sc := b.scope()
		if err := sc.Login(t.Context(), "alice", session.LoginOptions{Remember: true}); err != nil {
			t.Fatal(err)
		}
		h := make(http.Header)
		if err := sc.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		sc.WriteHeader(h)
		c := (&http.Response{Header: h}).Cookies()[0]
		if want := int((30 * 24 * time.Hour).Seconds()); c.MaxAge != want {
			t.Errorf("Max-Age = %d, want %d", c.MaxAge, want)
		}
		b.cookies[c.Name] = c.Value
		brief.login("alice")
		time.Sleep(13 * 24 * time.Hour)
		if b.user() != "alice" || brief.user() != "" {
			t.Errorf("after 13 days: remembered %q, not remembered %q", b.user(), brief.user())
		}
	})
}

func TestLogin_isTooLateAfterTheCommit(t *testing.T) {
	b := newBrowser(t)
	sc := b.scope()
	b.mustCommit(sc)
	if err := sc.Login(t.Context(), "alice", session.LoginOptions{}); !errors.Is(err, session.ErrCommitted) {
		t.Errorf("Login = %v, want ErrCommitted", err)
	}
	if err := b.open(sc, "main").Set("a", 1); !errors.Is(err, session.ErrCommitted) {
		t.Errorf("Set on a new session = %v, want ErrCommitted", err)
	}
}

// Logouts.

func TestLogout_targets(t *testing.T) {
	for _, c := range []struct {
		target      session.Target
		here, there string
		notices     []string // their kinds
	}{
		{session.This, "", "alice", []string{"s"}},
		{session.Others, "alice", "", []string{"s"}},
		{session.All, "", "", []string{"s", "s"}},
		{session.Namespace("room"), "alice", "alice", []string{"n"}},
		{session.Namespace("chat"), "alice", "alice", []string{"n", "n"}},
		{session.Namespace("main"), "", "alice", []string{"s"}},
	} {
		b := newBrowser(t)
		other := b.another()
		b.login("alice")
		other.login("alice")
		b.ends.drain(t)
		sc := b.scope()
		r, err := sc.Logout(t.Context(), c.target)
		if err != nil || !r.StoreOK || r.ClosedHere != len(c.notices) || r.NodesAcked != 2 || r.NodesExpected != 3 {
			t.Errorf("%s = %+v, %v", c.target, r, err)
		}
		b.mustCommit(sc)
		var kinds []string
		for _, n := range b.ends.drain(t) {
			kinds = append(kinds, n[2:3])
		}
		if !slices.Equal(kinds, c.notices) || b.user() != c.here || other.user() != c.there {
			t.Errorf("%s: notices %q, here %q, there %q", c.target, kinds, b.user(), other.user())
		}
	}
}

func TestEndUser_endsAllButOne(t *testing.T) {
	b := newBrowser(t)
	other := b.another()
	b.login("alice")
	other.login("alice")
	b.ends.drain(t)
	id, err := b.scope().ID(t.Context(), "")
	if err != nil || id != b.id() {
		t.Errorf("ID = %q, %v", id, err)
	}
	r, err := b.m.EndUser(t.Context(), "", "alice", id, "admin")
	if err != nil || r.ClosedHere != 1 || b.user() != "alice" || other.user() != "" {
		t.Errorf("EndUser = %+v, %v; here %q, there %q", r, err, b.user(), other.user())
	}
	states, err := b.m.Sessions(t.Context(), "", "alice")
	if err != nil || len(states) != 1 || states[0].ID != id {
		t.Errorf("Sessions = %+v, %v", states, err)
	}
}

func TestLogout_withoutTheStoreStillClosesHereWhoeverMayEndIt(t *testing.T) {
	b := newBrowser(t)
	b.login("alice")
	b.ends.drain(t)
	cred, ok, _ := b.m.Identify(b.request(), "", false)
	if !ok {
		t.Fatal("no credential")
	}
	h, err := b.m.Hold(t.Context(), cred)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Release()
	b.store.down = true

	thief := b.another() // knows the id, which is no secret, and not the secret
	thief.cookies["__Host-id"] = b.id() + "." + strings.Repeat("A", 43)
	if r, err := thief.scope().Logout(t.Context(), session.This); !errors.Is(err, session.ErrUnavailable) || r.ClosedHere != 0 {
		t.Errorf("thief: %+v, %v", r, err)
	}
	if got := b.ends.drain(t); len(got) != 0 {
		t.Errorf("the thief ended %q", got)
	}
	sc := b.scope()
	r, err := sc.Logout(t.Context(), session.This)
	if !errors.Is(err, session.ErrUnavailable) || r != (session.Result{ClosedHere: 1, NodesAcked: 1, NodesExpected: 3}) {
		t.Errorf("owner: %+v, %v", r, err)
	}
	if got := b.ends.drain(t); len(got) != 1 {
		t.Errorf("notices %q", got)
	}
	b.mustCommit(sc)
	if len(b.cookies) != 0 {
		t.Errorf("cookies %v", b.cookies)
	}
}

func TestLogout_dropsWhatTheScopeChangedBefore(t *testing.T) {
	b := newBrowser(t)
	b.login("alice")
	sc := b.scope()
	if err := b.open(sc, "main").Set("a", 1); err != nil {
		t.Fatal(err)
	}
	if _, err := sc.Logout(t.Context(), session.This); err != nil {
		t.Fatal(err)
	}
	b.mustCommit(sc)
	if len(b.cookies) != 0 || b.get("main", "a") != "" {
		t.Errorf("cookies %v", b.cookies)
	}
}

// Renewal.

func TestRenew_theCommitReplacesAnOldSecretAndKeepsTheID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t, prefixes.Namespace{Name: "main", RenewAfter: 10 * time.Minute})
		b.set("main", "a", 1)
		was, id := b.cookies["__Host-id"], b.id()
		time.Sleep(10 * time.Minute)
		sc := b.scope()
		b.open(sc, "main")
		b.mustCommit(sc)
		if b.id() != id || b.cookies["__Host-id"] == was {
			t.Error("not renewed")
		}
		old := b.another()
		old.cookies["__Host-id"] = was
		if old.get("main", "a") != "1" || b.get("main", "a") != "1" {
			t.Error("the previous secret opens nothing before the new one was seen")
		}
		time.Sleep(session.RenewGrace)
		if old.get("main", "a") != "" || b.get("main", "a") != "1" {
			t.Error("the previous secret is good for longer than its grace")
		}
	})
}

// A page's late request with the cookie of before the login may not take the
// login's place in the browser.
func TestScope_lateWriterBeginsNothing(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "a", 1)
	late := b.another()
	late.cookies["__Host-id"] = b.cookies["__Host-id"]
	b.login("alice")
	sc := late.scope()
	if err := late.open(sc, "main").Set("a", 2); err != nil {
		t.Fatal(err)
	}
	before := late.cookies["__Host-id"]
	if err := late.commit(sc); !errors.Is(err, session.ErrRenewed) {
		t.Errorf("Commit = %v, want ErrRenewed", err)
	}
	if late.cookies["__Host-id"] != before {
		t.Error("the cookie was replaced or cleared")
	}
}

func TestScope_logoutAfterALoginAsSomebodyElse(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	old := b.id()
	ann := b.another()
	ann.cookies["__Host-id"] = b.cookies["__Host-id"]
	sc := b.scope()
	if err := sc.Login(t.Context(), "bob", session.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := sc.Logout(t.Context(), session.This); err != nil {
		t.Fatal(err)
	}
	b.mustCommit(sc)
	if got := ann.user(); got != "" || b.id() == old || b.user() != "" {
		t.Errorf("ann's session is %q's, the cookie is %q", got, b.id())
	}
}

// Two sessions never live for one cookie: the old one ends first, and if it
// cannot be ended nobody is logged in.
func TestScope_loginAsSomebodyElseWhenTheOldCannotEnd(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	sc := b.scope()
	if err := sc.Login(t.Context(), "bob", session.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	b.store.down = true
	if err := b.commit(sc); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("Commit = %v, want ErrUnavailable", err)
	}
	b.store.down = false
	if got := b.user(); got != "ann" {
		t.Errorf("logged in is %q, want ann still", got)
	}
	if all, err := b.m.Sessions(t.Context(), "", "bob"); len(all) != 0 || err != nil {
		t.Errorf("bob has %v, %v", all, err)
	}
}

// After a change of the password: log in anew, end all others.
func TestScope_othersOfALoginThatWaits(t *testing.T) {
	b := newBrowser(t)
	other := b.another()
	other.login("ann")
	sc := b.scope()
	if err := sc.Login(t.Context(), "ann", session.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := sc.Logout(t.Context(), session.Others); err != nil {
		t.Fatal(err)
	}
	b.mustCommit(sc)
	if here, there := b.user(), other.user(); here != "ann" || there != "" {
		t.Errorf("here %q, there %q", here, there)
	}
}

// A page whose sockets closed at a login as somebody else asks again before it
// has the new cookie: the answer may not clear the cookie that is on its way.
func TestScope_lateReaderOfAReplacedSessionClearsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t)
		b.login("ann")
		late := b.another()
		late.cookies["__Host-id"] = b.cookies["__Host-id"]
		old := late.cookies["__Host-id"]
		b.login("bob")
		read := func() string {
			sc := late.scope()
			user, err := sc.User(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			late.mustCommit(sc)
			return user
		}
		if got := read(); got != "" || late.cookies["__Host-id"] != old {
			t.Errorf("user %q, cookie %q", got, late.cookies["__Host-id"])
		}
		r := late.request()
		cred, ok, _ := late.m.Identify(r, "main", false)
		if _, err := late.m.Hold(t.Context(), cred); !ok || !errors.Is(err, session.ErrRenewed) {
			t.Errorf("Hold = %v, want ErrRenewed: come again with the new cookie", err)
		}
		time.Sleep(session.ElevateGrace)
		if read(); late.cookies["__Host-id"] != "" {
			t.Error("a minute later the cookie that opens nothing is kept")
		}
	})
}

func TestScope_loginAsSomebodyElseThatIsRefusedLogsNobodyIn(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	sc := b.scope()
	if err := sc.Login(t.Context(), "bob", session.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	s := b.open(sc, "main")
	for i := range session.MaxValues + 1 {
		if err := s.Set(strings.Repeat("k", i+1), i); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.commit(sc); !errors.Is(err, session.ErrLimit) {
		t.Errorf("Commit = %v, want ErrLimit", err)
	}
	if b.cookies["__Host-id"] != "" || b.user() != "" {
		t.Errorf("cookie %q, user %q: want neither", b.cookies["__Host-id"], b.user())
	}
	for _, user := range []string{"ann", "bob"} {
		if all, err := b.m.Sessions(t.Context(), "", user); len(all) != 0 || err != nil {
			t.Errorf("%s has %v, %v", user, all, err)
		}
	}
}

// A logout has acted, whatever becomes of a login that follows it.
func TestScope_logoutClearsTheCookieThoughALoginAfterItFails(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	sc := b.scope()
	if _, err := sc.Logout(t.Context(), session.This); err != nil {
		t.Fatal(err)
	}
	if err := sc.Login(t.Context(), "bob", session.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	b.store.down = true
	if err := b.commit(sc); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("Commit = %v, want ErrUnavailable", err)
	}
	if got := b.cookies["__Host-id"]; got != "" {
		t.Errorf("cookie %q is left", got)
	}
}
