package session_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
)

// program is a client without cookies, in front of the manager of a browser.
type program struct {
	*browser
	token string
}

func newProgram(t *testing.T, ns ...prefixes.Namespace) *program {
	t.Helper()
	return &program{browser: newBrowser(t, ns...)}
}

// bearing returns a request with these fields of Authorization.
func bearing(lines ...string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["Authorization"] = lines
	return r
}

// tokenScope returns a scope that takes tokens.
func (p *program) tokenScope(r *http.Request) *session.Scope {
	p.t.Helper()
	sc := p.m.Scope(r)
	// What the request shows is refused at once, and whenever it is asked for.
	if err := sc.AllowToken(""); err != nil && !errors.Is(err, session.ErrCredentials) {
		p.t.Fatal(err)
	}
	return sc
}

func (p *program) scope() *session.Scope {
	p.t.Helper()
	if p.token == "" {
		return p.tokenScope(httptest.NewRequest("GET", "/", nil))
	}
	return p.tokenScope(bearing("Bearer " + p.token))
}

// end ends a request, takes the token, and checks that there is no cookie.
func (p *program) end(sc *session.Scope) http.Header {
	p.t.Helper()
	h := p.respond(sc)
	if lines := h["Set-Cookie"]; len(lines) != 0 {
		p.t.Errorf("Set-Cookie %q", lines)
	}
	if token := h.Get(session.TokenHeader); token != "" {
		p.token = token
		if h.Get("Cache-Control") != "no-store" {
			p.t.Errorf("Cache-Control %q with a token", h.Get("Cache-Control"))
		}
	}
	return h
}

func (p *program) login(user string) {
	p.t.Helper()
	sc := p.scope()
	if err := sc.Login(p.t.Context(), user, session.LoginOptions{}); err != nil {
		p.t.Fatal(err)
	}
	p.end(sc)
}

func (p *program) user() string {
	p.t.Helper()
	user, err := p.scope().User(p.t.Context(), "")
	if err != nil {
		p.t.Fatal(err)
	}
	return user
}

func TestToken_aNewSessionIsHandedOutAsOne(t *testing.T) {
	p := newProgram(t)
	sc := p.scope()
	if err := p.open(sc, "main").Set("a", 1); err != nil {
		t.Fatal(err)
	}
	h := p.end(sc)
	if p.token == "" || h.Get("Vary") != "Cookie, Authorization" {
		t.Errorf("header %v", h)
	}
	if raw, _ := p.open(p.scope(), "main").Value("a"); string(raw) != "1" {
		t.Errorf("value %q", raw)
	}
}

func TestToken_aLoginAndARenewalHandOutAnotherOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram(t, prefixes.Namespace{Name: "main", RenewAfter: 10 * time.Minute, Cookie: prefixes.Cookie{Persistent: true}})
		var tokens []string
		next := func(what string) {
			t.Helper()
			for _, old := range tokens {
				if old == p.token {
					t.Errorf("%s: no new token", what)
				}
			}
			if id, _, _ := strings.Cut(p.token, "."); len(tokens) > 0 && !strings.HasPrefix(tokens[0], id) {
				t.Errorf("%s: another session", what)
			}
			tokens = append(tokens, p.token)
		}
		sc := p.scope()
		if err := p.open(sc, "main").Set("a", 1); err != nil {
			t.Fatal(err)
		}
		p.end(sc)
		next("created")
		p.login("ann")
		next("logged in")
		p.login("ann")
		next("logged in again")
		sc = p.scope()
		if err := sc.Cycle(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		p.end(sc)
		next("cycled")
		time.Sleep(10 * time.Minute)
		sc = p.scope()
		p.open(sc, "main")
		p.end(sc)
		next("renewed")
		if got := p.user(); got != "ann" {
			t.Errorf("user %q", got)
		}
		was := p.token
		sc = p.scope()
		if err := sc.SetExpiry(t.Context(), "", session.After(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if p.end(sc); p.token != was {
			t.Error("an expiry made a new token")
		}
	})
}

func TestToken_aLoginAsSomebodyElseHandsOutAnotherSessions(t *testing.T) {
	p := newProgram(t)
	p.login("ann")
	was := p.token
	p.login("bob")
	if p.token[:22] == was[:22] || p.user() != "bob" {
		t.Errorf("user %q", p.user())
	}
}

func TestToken_withoutAllowTokenItIsNotLookedAt(t *testing.T) {
	p := newProgram(t)
	p.login("ann")
	calls := p.count()
	for _, lines := range [][]string{{"Bearer " + p.token}, {"Bearer x"}, {"Bearer " + p.token, "Bearer " + p.token}} {
		sc := p.m.Scope(bearing(lines...))
		user, err := sc.User(t.Context(), "")
		if err := sc.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		h := make(http.Header)
		sc.WriteHeader(h)
		if user != "" || err != nil || calls.drain() != "" || h.Get("Vary") != "Cookie" {
			t.Errorf("%.30q: user %q, %v, header %v", lines, user, err, h)
		}
	}
	if got := p.m.Stats().Malformed; got != 0 {
		t.Errorf("Malformed = %d", got)
	}
	// A cookie decides, whatever the token.
	b := p.browser.another()
	b.login("bob")
	r := b.request()
	r.Header.Set("Authorization", "Bearer "+p.token)
	if user, err := p.m.Scope(r).User(t.Context(), ""); user != "bob" || err != nil {
		t.Errorf("with a cookie: user %q, %v", user, err)
	}
}

func TestToken_isReadStrictlyAndItsSchemeInAnyCase(t *testing.T) {
	p := newProgram(t)
	p.login("ann")
	good := p.token
	for _, c := range []struct {
		name      string
		lines     []string
		user      string
		malformed uint64
	}{
		{"good", []string{"Bearer " + good}, "ann", 0},
		{"lower case", []string{"bearer " + good}, "ann", 0},
		{"upper case", []string{"BEARER " + good}, "ann", 0},
		{"more spaces", []string{"Bearer   " + good}, "ann", 0},
		{"another scheme besides", []string{"Basic YTpi", "Bearer " + good}, "ann", 0},
		{"another scheme", []string{"Basic " + good}, "", 0},
		{"a scheme that begins so", []string{"Bearers " + good}, "", 0},
		{"no scheme", []string{good}, "", 0},
		{"empty field", []string{""}, "", 0},
		{"no token", []string{"Bearer"}, "", 1},
		{"empty", []string{"Bearer "}, "", 1},
		{"too short", []string{"Bearer " + good[:65]}, "", 1},
		{"too long", []string{"Bearer " + good + "A"}, "", 1},
		{"quoted", []string{`Bearer "` + good + `"`}, "", 1},
		{"another alphabet", []string{"Bearer +" + good[1:]}, "", 1},
		{"two in a line", []string{"Bearer " + good + ", Bearer " + good}, "", 1},
		{"another secret", []string{"Bearer " + good[:23] + strings.Repeat("A", 43)}, "", 0},
		{"unknown", []string{"Bearer " + strings.Repeat("A", 22) + "." + strings.Repeat("A", 43)}, "", 0},
	} {
		calls, before := p.count(), p.m.Stats().Malformed
		sc := p.tokenScope(bearing(c.lines...))
		user, err := sc.User(t.Context(), "")
		if user != c.user || err != nil {
			t.Errorf("%s: user %q, %v; want %q", c.name, user, err, c.user)
		}
		if got := p.m.Stats().Malformed - before; got != c.malformed || got > 0 && calls.drain() != "" {
			t.Errorf("%s: %d malformed, want %d and no trip", c.name, got, c.malformed)
		}
		if h := p.end(sc); h.Get(session.TokenHeader) != "" || h.Get("Vary") != "Cookie, Authorization" {
			t.Errorf("%s: header %v", c.name, h)
		}
	}
}

func TestToken_twiceIsRefusedAndNothingLoaded(t *testing.T) {
	p := newProgram(t)
	p.login("ann")
	b := p.browser.another()
	b.cookies[cookieName] = p.token
	calls := p.count()
	for name, r := range map[string]*http.Request{
		"the same":                bearing("Bearer "+p.token, "Bearer "+p.token),
		"a good and a bad one":    bearing("Bearer "+p.token, "Bearer x"),
		"two bad ones":            bearing("Bearer x", "Bearer y"),
		"beside its cookie":       b.request(),
		"beside a bad cookie":     b.with("x").request(),
		"beside the cookie twice": b.request(),
	} {
		if strings.HasPrefix(name, "beside") {
			r.Header["Authorization"] = []string{"Bearer " + p.token, "Bearer " + p.token}
		}
		if name == "beside the cookie twice" {
			r.Header.Add("Cookie", cookieName+"="+p.token)
		}
		if _, err := p.tokenScope(r).User(t.Context(), ""); !errors.Is(err, session.ErrCredentials) || calls.drain() != "" {
			t.Errorf("%s: %v, want ErrCredentials", name, err)
		}
	}
}

func TestToken_besideACookieBothHaveToBeTheSame(t *testing.T) {
	p := newProgram(t)
	p.login("ann")
	b := p.browser.another()
	b.login("ann") // the same user, another session
	calls := p.count()
	for _, c := range []struct {
		name, cookie, token string
		want                error
	}{
		{"the same", p.token, p.token, nil},
		{"two sessions of one user", b.cookies[cookieName], p.token, session.ErrCredentials},
		{"one session, two secrets", p.token, p.token[:23] + strings.Repeat("A", 43), session.ErrCredentials},
		{"a malformed token", p.token, "x", session.ErrCredentials},
		{"a malformed cookie", "x", p.token, session.ErrCredentials},
		{"an empty cookie", "", p.token, session.ErrCredentials},
	} {
		r := b.with(c.cookie).request()
		r.Header.Set("Authorization", "Bearer "+c.token)
		calls.drain()
		sc := p.tokenScope(r)
		for range 2 { // also when asked again
			user, err := sc.User(t.Context(), "")
			if !errors.Is(err, c.want) || (user == "ann") != (c.want == nil) {
				t.Errorf("%s: user %q, %v; want %v", c.name, user, err, c.want)
			}
		}
		if got := calls.drain(); c.want != nil && got != "" {
			t.Errorf("%s: trips %q", c.name, got)
		}
		if err := sc.Login(t.Context(), "bob", session.LoginOptions{}); !errors.Is(err, c.want) {
			t.Errorf("%s: Login = %v, want %v", c.name, err, c.want)
		}
		sc.Discard()
		if _, err := p.tokenScope(r).Logout(t.Context(), session.Others); c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: Logout = %v, want %v", c.name, err, c.want)
		}
	}
	if p.living("ann") != 1 { // the logout of the others, by the first row
		t.Errorf("%d sessions of ann", p.living("ann"))
	}
}

func TestToken_aRequestWithTheCookieGetsACookie(t *testing.T) {
	p := newProgram(t)
	b := p.browser.another()
	b.login("ann")
	for _, both := range []bool{false, true} {
		r := b.request()
		if both {
			r.Header.Set("Authorization", "Bearer "+b.cookies[cookieName])
		}
		sc := p.tokenScope(r)
		if err := sc.Cycle(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		h := b.respond(sc)
		if len(h["Set-Cookie"]) != 1 || h.Get(session.TokenHeader) != "" || h.Get("Vary") != "Cookie, Authorization" {
			t.Errorf("a token too %v: header %v", both, h)
		}
	}
	sc := p.tokenScope(b.request())
	if err := sc.Login(t.Context(), "ann", session.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	if h := b.respond(sc); len(h["Set-Cookie"]) != 1 || h.Get(session.TokenHeader) != "" || b.user() != "ann" {
		t.Errorf("a login: header %v", h)
	}
}

func TestToken_aLogoutClearsNoCookie(t *testing.T) {
	p := newProgram(t)
	p.login("ann")
	sc := p.scope()
	if _, err := sc.Logout(t.Context(), session.This); err != nil {
		t.Fatal(err)
	}
	if h := p.end(sc); h.Get(session.TokenHeader) != "" || h.Get("Vary") != "Cookie, Authorization" {
		t.Errorf("header %v", h)
	}
	sc = p.scope() // the token opens nothing now
	if user, err := sc.User(t.Context(), ""); user != "" || err != nil {
		t.Errorf("user %q, %v", user, err)
	}
	p.end(sc)
}

func TestToken_saveAlwaysSendsNothingAgain(t *testing.T) {
	p := newProgram(t, prefixes.Namespace{Name: "main", Save: prefixes.SaveAlways})
	p.login("ann")
	sc := p.scope()
	p.open(sc, "main")
	if h := p.end(sc); h.Get(session.TokenHeader) != "" {
		t.Errorf("header %v", h)
	}
}

func TestToken_ofOneRootOpensNothingAtAnother(t *testing.T) {
	p := newProgram(t, prefixes.Parse("main"), prefixes.Namespace{Name: "shop", Cookie: prefixes.Cookie{Name: "__Host-shop"}})
	p.login("ann")
	sc := p.m.Scope(bearing("Bearer " + p.token))
	if err := sc.AllowToken("shop"); err != nil {
		t.Fatal(err)
	}
	shop, err := sc.User(t.Context(), "shop")
	main, err2 := sc.User(t.Context(), "main")
	if shop != "" || main != "" || err != nil || err2 != nil {
		t.Errorf("shop %q, %v; main %q, %v", shop, err, main, err2)
	}
	h := make(http.Header)
	sc.WriteHeader(h)
	if len(h["Set-Cookie"]) != 0 {
		t.Errorf("header %v", h)
	}
	if p.user() != "ann" {
		t.Error("it does not open its own any more")
	}
}

// There is one field for tokens, and one for what is shown: a client that has
// sessions of two roots cannot hold both in it. It must not lose one unawares.
func TestToken_ofTwoRootsAreBothHandedOut(t *testing.T) {
	p := newProgram(t, prefixes.Parse("main"), prefixes.Namespace{Name: "shop", Cookie: prefixes.Cookie{Name: "__Host-shop"}})
	sc := p.m.Scope(httptest.NewRequest("GET", "/", nil))
	if err := sc.AllowToken("main"); err != nil {
		t.Fatal(err)
	}
	if err := sc.AllowToken("shop"); err != nil {
		return // refused: nothing to lose
	}
	err := errors.Join(sc.Login(t.Context(), "ann", session.LoginOptions{}), sc.Login(t.Context(), "ann", session.LoginOptions{Root: "shop"}))
	if err != nil {
		t.Fatal(err)
	}
	h := p.respond(sc)
	if got := len(h[session.TokenHeader]) + len(h["Set-Cookie"]); got != 2 {
		t.Errorf("%d of two sessions were handed out: %v", got, h)
	}
}

func TestAllowToken_hasToComeFirst(t *testing.T) {
	p := newProgram(t)
	sc := p.m.Scope(httptest.NewRequest("GET", "/", nil))
	p.open(sc, "chat")
	if err := sc.AllowToken("main"); err == nil {
		t.Error("AllowToken after a session was asked for = nil")
	}
	if err := sc.AllowToken("chat"); err == nil {
		t.Error("AllowToken of a namespace that is no root = nil")
	}
}

func TestIdentify_takesTokensIfTold(t *testing.T) {
	p := newProgram(t)
	p.login("ann")
	calls := p.count()
	r := bearing("Bearer " + p.token)
	if c, ok, err := p.m.Identify(r, "", false); ok || err != nil || c.ID != "" {
		t.Errorf("without tokens: %v, %v, %v", c, ok, err)
	}
	c, ok, err := p.m.Identify(r, "", true)
	if !ok || err != nil || c.ID != p.token[:22] {
		t.Errorf("with tokens: %v, %v, %v", c, ok, err)
	}
	b := p.browser.another()
	b.cookies[cookieName] = strings.Repeat("A", 22) + "." + strings.Repeat("A", 43)
	differ := b.request()
	differ.Header.Set("Authorization", "Bearer "+p.token)
	if c, ok, err := p.m.Identify(differ, "", true); ok || !errors.Is(err, session.ErrCredentials) || c.ID != "" {
		t.Errorf("differing: %v, %v, %v", c, ok, err)
	}
	if got := calls.drain(); got != "" {
		t.Errorf("trips %q", got)
	}
	h, err := p.m.Hold(t.Context(), c)
	if err != nil || h.User() != "ann" {
		t.Fatalf("Hold = %v", err)
	}
	defer h.Release()
	header := make(http.Header)
	if h.WriteHeader(header); len(header) != 0 {
		t.Errorf("header %v", header)
	}
}

func TestBegin_handsOutATokenToARequestWithoutTheCookie(t *testing.T) {
	for _, c := range []struct {
		name, cookie    string
		tokens, asToken bool
	}{
		{"tokens off", "", false, false},
		{"tokens on", "", true, true},
		{"tokens on, a cookie of no session", "x", true, false},
	} {
		p := newProgram(t)
		if c.cookie != "" {
			p.cookies[cookieName] = c.cookie
		}
		cred, err := p.m.Begin(t.Context(), "", p.request(), c.tokens)
		if err != nil {
			t.Fatal(err)
		}
		h, err := p.m.Hold(t.Context(), cred)
		if err != nil {
			t.Fatal(err)
		}
		header := make(http.Header)
		h.WriteHeader(header)
		h.Release()
		token, cookies := header.Get(session.TokenHeader), header["Set-Cookie"]
		if (token != "") != c.asToken || (len(cookies) == 1) == c.asToken || header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: header %v", c.name, header)
		}
	}
}

func TestHold_renewsATokenAsAToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram(t, prefixes.Namespace{Name: "main", RenewAfter: time.Minute})
		p.login("ann")
		time.Sleep(time.Minute)
		cred, _, err := p.m.Identify(bearing("Bearer "+p.token), "", true)
		if err != nil {
			t.Fatal(err)
		}
		h, err := p.m.Hold(t.Context(), cred)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Release()
		header := make(http.Header)
		h.WriteHeader(header)
		was := p.token
		p.token = header.Get(session.TokenHeader)
		if len(header["Set-Cookie"]) != 0 || p.token == "" || p.token == was || p.user() != "ann" {
			t.Errorf("header %v", header)
		}
	})
}

func TestToken_andWhatEndsARefusedRequest(t *testing.T) {
	p := newProgram(t)
	p.login("ann")
	sc := p.tokenScope(bearing("Bearer "+p.token, "Bearer "+p.token))
	if _, err := sc.Session(t.Context(), "main"); !errors.Is(err, session.ErrCredentials) {
		t.Errorf("Session = %v", err)
	} else if strings.Contains(err.Error(), p.token[23:]) {
		t.Errorf("a secret in %q", err)
	}
	if err := p.commit(sc); err != nil {
		t.Errorf("Commit = %v", err)
	}
}
