package web_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/web"
)

// api has one request of a client with a token ("": none) answered by h, behind
// AllowTokens. It returns the token that the client has then.
func (s *site) api(token string, h http.HandlerFunc) (*http.Response, string) {
	s.t.Helper()
	r := httptest.NewRequest("POST", "/", nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp := s.request(r, web.AllowTokens("")(h))
	if next := resp.Header.Get(session.TokenHeader); next != "" {
		token = next
	}
	return resp, token
}

func logIn(t *testing.T, user string) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		if err := session.Login(r.Context(), user); err != nil {
			t.Errorf("Login: %v", err)
		}
	}
}

// whoIs answers with the user, as handlers do that tell errors.
func whoIs(w http.ResponseWriter, r *http.Request) {
	user, err := session.User(r.Context())
	if err != nil {
		web.Error(w, r, err)
		return
	}
	_, _ = w.Write([]byte(user))
}

func TestAllowTokens_aLoginAnswersWithATokenAndNoCookie(t *testing.T) {
	s := newSite(t)
	resp, token := s.api("", logIn(t, "ann"))
	if token == "" || len(resp.Cookies()) != 0 || resp.Header.Get("Cache-Control") != "no-store" ||
		resp.Header.Get("Vary") != "Cookie, Authorization" {
		t.Errorf("header %v", resp.Header)
	}
	resp, next := s.api(token, whoIs)
	if got := body(t, resp); got != "ann" || next != token || len(resp.Cookies()) != 0 || resp.Header.Get("Vary") != "Cookie, Authorization" {
		t.Errorf("user %q, header %v", got, resp.Header)
	}
	resp, next = s.api(token, logIn(t, "ann"))
	if next == token || len(resp.Cookies()) != 0 {
		t.Errorf("another login: header %v", resp.Header)
	}
	if resp, _ := s.api(token, whoIs); body(t, resp) != "" || len(resp.Cookies()) != 0 {
		t.Errorf("the old token: header %v", resp.Header)
	}
	if resp, _ := s.api(next, whoIs); body(t, resp) != "ann" {
		t.Error("the new token opens nothing")
	}
}

func TestAllowTokens_aValueOfAVisitorAnswersWithATokenToo(t *testing.T) {
	s := newSite(t)
	resp, token := s.api("", func(_ http.ResponseWriter, r *http.Request) { put(t, r, "chat", "k", 1) })
	if token == "" || len(resp.Cookies()) != 0 {
		t.Errorf("header %v", resp.Header)
	}
	var got string
	s.api(token, func(_ http.ResponseWriter, r *http.Request) { got = look(t, r, "chat", "k") })
	if got != "1" {
		t.Errorf("value %q", got)
	}
}

// R5: an id in another place than the cookie is ignored.
func TestTokensAreNotLookedAtWithoutAllowTokens(t *testing.T) {
	s := newSite(t)
	_, token := s.api("", logIn(t, "ann"))
	s.store.drain()
	for _, header := range []string{"Authorization", session.TokenHeader} {
		r := httptest.NewRequest("POST", "/?token="+token, nil)
		r.Header.Set(header, "Bearer "+token)
		resp := s.request(r, http.HandlerFunc(whoIs))
		if got := body(t, resp); got != "" || resp.Header.Get("Vary") != "Cookie" || s.store.drain() != "" {
			t.Errorf("%s: user %q, header %v", header, got, resp.Header)
		}
	}
	resp := s.serve(logIn(t, "bob"))
	if len(resp.Cookies()) != 1 || resp.Header.Get(session.TokenHeader) != "" {
		t.Errorf("a login: header %v", resp.Header)
	}
}

func TestAllowTokens_costsNothingByItself(t *testing.T) {
	s := newSite(t)
	_, token := s.api("", logIn(t, "ann"))
	s.store.drain()
	resp, _ := s.api(token, func(http.ResponseWriter, *http.Request) {})
	if got := s.store.drain(); got != "" || resp.Header.Get("Vary") != "" || resp.Header.Get("Cache-Control") != "" {
		t.Errorf("trips %q, header %v", got, resp.Header)
	}
	s.api(token, whoIs)
	if got := s.store.drain(); got != "Load" {
		t.Errorf("trips %q", got)
	}
}

func TestAllowTokens_aCookieAndAnotherTokenAreA400(t *testing.T) {
	s := newSite(t)
	_, token := s.api("", logIn(t, "ann"))
	s.login("ann")
	for name, h := range map[string]http.HandlerFunc{
		"a handler that asks":        whoIs,
		"RequireUser":                web.RequireUser(http.HandlerFunc(whoIs)).ServeHTTP,
		"RequireRecent":              web.RequireRecent(time.Hour)(http.HandlerFunc(whoIs)).ServeHTTP,
		"a logout":                   web.Logout(web.LogoutOptions{}).ServeHTTP,
		"a handler that asks nobody": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("welcome")) },
	} {
		s.store.drain()
		before := s.cookies["__Host-id"]
		resp, _ := s.api(token, h)
		if got := body(t, resp); resp.StatusCode != 400 || got != sentenceOf(session.ErrCredentials)+"\n" {
			t.Errorf("%s: %d %q", name, resp.StatusCode, got)
		}
		if got := s.store.drain(); got != "" || len(resp.Cookies()) != 0 || s.cookies["__Host-id"] != before ||
			resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: trips %q, header %v", name, got, resp.Header)
		}
	}
	r := httptest.NewRequest("POST", "/", nil)
	r.Header["Authorization"] = []string{"Bearer " + token, "Bearer " + token}
	s.cookies = make(map[string]string)
	if resp := s.request(r, web.AllowTokens("")(http.HandlerFunc(whoIs))); resp.StatusCode != 400 {
		t.Errorf("a token twice: %d", resp.StatusCode)
	}
}

func TestAllowTokens_aCookieAndItsOwnTokenAreFine(t *testing.T) {
	s := newSite(t)
	s.login("ann")
	resp, _ := s.api(s.cookies["__Host-id"], whoIs)
	if got := body(t, resp); got != "ann" {
		t.Errorf("user %q", got)
	}
	resp, _ = s.api(s.cookies["__Host-id"], logIn(t, "ann"))
	if len(resp.Cookies()) != 1 || resp.Header.Get(session.TokenHeader) != "" {
		t.Errorf("header %v", resp.Header)
	}
}

func TestAllowTokens_aBadTokenIsNobody(t *testing.T) {
	for name, token := range map[string]string{"unknown": good, "malformed": "x", "half": good[:30]} {
		s := newSite(t)
		resp, next := s.api(token, whoIs)
		if got := body(t, resp); resp.StatusCode != 200 || got != "" || len(resp.Cookies()) != 0 || next != token {
			t.Errorf("%s: %d %q, header %v", name, resp.StatusCode, got, resp.Header)
		}
		if resp, _ := s.api(token, web.RequireUser(http.HandlerFunc(whoIs)).ServeHTTP); resp.StatusCode != 401 {
			t.Errorf("%s, RequireUser: %d", name, resp.StatusCode)
		}
		resp, next = s.api(token, logIn(t, "ann"))
		if next == token || len(resp.Cookies()) != 0 {
			t.Errorf("%s, a login: header %v", name, resp.Header)
		}
	}
}

func TestAllowTokens_aLogoutClearsNoCookie(t *testing.T) {
	s := newSite(t)
	_, token := s.api("", logIn(t, "ann"))
	resp, _ := s.api(token, web.Logout(web.LogoutOptions{}).ServeHTTP)
	if resp.StatusCode != 200 || len(resp.Header["Set-Cookie"]) != 0 || resp.Header.Get(session.TokenHeader) != "" {
		t.Errorf("%d, header %v", resp.StatusCode, resp.Header)
	}
	if resp, _ := s.api(token, whoIs); body(t, resp) != "" {
		t.Error("the token still opens it")
	}
}

func TestAllowTokens_aTokenOfACertainAgeIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, prefixes.Namespace{Name: "main", RenewAfter: time.Minute})
		_, token := s.api("", logIn(t, "ann"))
		time.Sleep(time.Minute)
		resp, next := s.api(token, whoIs)
		if next == token || len(resp.Cookies()) != 0 || body(t, resp) != "ann" {
			t.Errorf("header %v", resp.Header)
		}
		if resp, _ := s.api(next, whoIs); body(t, resp) != "ann" {
			t.Error("the new token opens nothing")
		}
	})
}

func TestAllowTokens_aSaveThatFailsHandsOutNothing(t *testing.T) {
	s := newSite(t)
	s.store.fail("Create", session.ErrUnavailable)
	resp, token := s.api("", logIn(t, "ann"))
	if resp.StatusCode != 503 || token != "" || len(resp.Cookies()) != 0 {
		t.Errorf("%d, header %v", resp.StatusCode, resp.Header)
	}
	s.store.fail("Create", nil)
	resp, token = s.api("", func(w http.ResponseWriter, r *http.Request) {
		logIn(t, "ann")(w, r)
		w.WriteHeader(500)
	})
	if token != "" || s.store.drain() != "Create" { // the one that failed
		t.Errorf("after a server error: header %v", resp.Header)
	}
}

func TestAllowTokens_oneSessionTooManyIsA403(t *testing.T) {
	s := newSite(t, prefixes.Namespace{Name: "main", MaxSessions: 1, AtMax: prefixes.RefuseNewest})
	_, first := s.api("", logIn(t, "ann"))
	resp, token := s.api("", logIn(t, "ann"))
	if got := body(t, resp); resp.StatusCode != 403 || token != "" || got != sentenceOf(session.ErrMaxSessions)+"\n" {
		t.Errorf("with a token: %d %q, header %v", resp.StatusCode, got, resp.Header)
	}
	if resp := s.serve(logIn(t, "ann")); resp.StatusCode != 403 || len(resp.Cookies()) != 0 {
		t.Errorf("with a cookie: %d, header %v", resp.StatusCode, resp.Header)
	}
	if resp, _ := s.api(first, whoIs); body(t, resp) != "ann" {
		t.Error("the first one is out")
	}
}

func TestAllowTokens_standsBehindSessionsAndBeforeThoseWhoAsk(t *testing.T) {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	defer slog.SetDefault(before)
	never := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let through") })
	if got := bare(web.AllowTokens("")(never)).StatusCode; got != 500 {
		t.Errorf("without Sessions: %d", got)
	}
	s := newSite(t)
	late := s.serve(func(w http.ResponseWriter, r *http.Request) {
		look(t, r, "main", "k")
		web.AllowTokens("")(never).ServeHTTP(w, r)
	})
	if late.StatusCode != 500 {
		t.Errorf("after a session was asked for: %d", late.StatusCode)
	}
	if got := s.serve(web.AllowTokens("chat")(never).ServeHTTP).StatusCode; got != 500 {
		t.Errorf("of a namespace that is no root: %d", got)
	}
}

func TestAllowTokens_ofOneRootOpenNothingAtAnother(t *testing.T) {
	s := newSite(t, prefixes.Parse("main"), prefixes.Namespace{Name: "shop", Cookie: prefixes.Cookie{Name: "__Host-shop"}})
	_, token := s.api("", logIn(t, "ann"))
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	resp := s.request(r, web.AllowTokens("shop")(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		sc := session.FromContext(r.Context())
		for _, root := range []string{"main", "shop"} {
			if user, err := sc.User(r.Context(), root); user != "" || err != nil {
				t.Errorf("%s: user %q, %v", root, user, err)
			}
		}
	})))
	if len(resp.Cookies()) != 0 || !strings.Contains(resp.Header.Get("Vary"), "Authorization") {
		t.Errorf("header %v", resp.Header)
	}
}

// What is written of the response commits it, and its end commits again.
func TestCycle_ofAVisitorWhoIsNewAndAResponseWithABody(t *testing.T) {
	s := newSite(t)
	s.serve(func(w http.ResponseWriter, r *http.Request) {
		if err := session.Cycle(r.Context()); err != nil {
			t.Error(err)
		}
		put(t, r, "main", "k", 1)
		_, _ = w.Write([]byte("welcome"))
	})
	if got := s.get("main", "k"); got != "1" {
		t.Errorf("value %q: the cookie that was sent opens nothing", got)
	}
}
