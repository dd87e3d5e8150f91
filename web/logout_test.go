package web_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/web"
)

// logout answers a request to h, and returns the result that it told.
func (s *site) logout(h http.Handler) (*http.Response, session.Result) {
	s.t.Helper()
	resp := s.serve(h.ServeHTTP)
	var result session.Result
	if err := json.NewDecoder(resp.Body).Decode(&result); err != nil {
		s.t.Errorf("body: %v", err)
	}
	s.store.drain()
	return resp, result
}

// copy is another browser with the same cookies.
func (s *site) copy() *site {
	return &site{t: s.t, m: s.m, store: s.store, options: s.options, cookies: maps.Clone(s.cookies)}
}

func TestLogout(t *testing.T) {
	s := newSite(t)
	s.login("alice")
	resp, result := s.logout(web.Logout(web.LogoutOptions{}))
	h := resp.Header
	if resp.StatusCode != 200 || result != (session.Result{NodesAcked: 1, NodesExpected: 1, StoreOK: true}) {
		t.Errorf("%d %+v", resp.StatusCode, result)
	}
	if h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" || h.Get("Clear-Site-Data") != "" {
		t.Errorf("header %v", h)
	}
	if len(s.cookies) != 0 {
		t.Errorf("cookies %v", s.cookies)
	}
	if resp, _ := s.logout(web.Logout(web.LogoutOptions{})); resp.StatusCode != 200 {
		t.Errorf("again: %d", resp.StatusCode)
	}
}

func TestLogoutTakesPOSTOnly(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS"} {
		s := newSite(t)
		s.login("alice")
		resp := s.request(httptest.NewRequest(method, "/", nil), web.Logout(web.LogoutOptions{}))
		if resp.StatusCode != 405 || resp.Header.Get("Allow") != "POST" || s.user() != "alice" {
			t.Errorf("%s: %d", method, resp.StatusCode)
		}
	}
}

func TestLogoutWithoutTheStoreClearsTheCookieAndSaysSo(t *testing.T) {
	for _, method := range []string{"Load", "Delete"} {
		s := newSite(t)
		s.login("alice")
		s.store.fail(method, session.ErrUnavailable)
		resp, result := s.logout(web.Logout(web.LogoutOptions{ClearSiteData: true}))
		h := resp.Header
		if resp.StatusCode != 503 || result.StoreOK || h.Get("Retry-After") == "" || h.Get("Clear-Site-Data") != `"storage"` {
			t.Errorf("%s fails: %d %+v %v", method, resp.StatusCode, result, h)
		}
		if len(s.cookies) != 0 {
			t.Errorf("%s fails: cookies %v", method, s.cookies)
		}
	}
}

// A handler of one's own that leaves the answer to Error.
func TestLogoutThatIsOwedIsAnsweredInWordsOfItsOwn(t *testing.T) {
	for _, method := range []string{"", "Delete"} {
		s := newSite(t)
		s.login("alice")
		s.store.fail(method, session.ErrUnavailable)
		other := s.copy()
		resp := s.serve(func(w http.ResponseWriter, r *http.Request) {
			if _, err := session.Logout(r.Context(), session.This); err != nil {
				web.Error(w, r, err)
			}
		})
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || !strings.Contains(string(body), "Signed out on this server") {
			t.Errorf("%q fails: %d %v %s, %v", method, resp.StatusCode, resp.Header, body, err)
		}
		if len(s.cookies) != 0 {
			t.Errorf("%q fails: cookies %v", method, s.cookies)
		}
		// The store is back, and has not been told yet.
		s.store.fail(method, nil)
		if other.user() != "" || len(other.cookies) != 0 {
			t.Errorf("%q fails: the cookie still opens the session of %q", method, other.user())
		}
	}
}

// A logout in front of a handler that fails is done all the same.
func TestLogoutThatIsOwedClearsTheCookieOfEveryAnswer(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"500":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"nothing": func(http.ResponseWriter, *http.Request) {},
		"a login that cannot be saved": func(_ http.ResponseWriter, r *http.Request) {
			_ = session.Login(r.Context(), "bob")
		},
	} {
		s := newSite(t)
		s.login("alice")
		s.store.fail("", session.ErrUnavailable)
		s.serve(func(w http.ResponseWriter, r *http.Request) {
			if _, err := session.Logout(r.Context(), session.This); err == nil {
				t.Error("the logout was carried out")
			}
			h(w, r)
		})
		if len(s.cookies) != 0 {
			t.Errorf("%s: cookies %v", name, s.cookies)
		}
	}
}

func TestLogoutTargets(t *testing.T) {
	for _, c := range []struct {
		target      session.Target
		code        int
		here, there string // who is logged in afterwards, in this browser and another
	}{
		{session.This, 200, "", "alice"},
		{session.Others, 200, "alice", ""},
		{session.All, 200, "", ""},
		{session.Namespace("chat"), 200, "alice", "alice"},
		{session.Namespace("main"), 200, "", "alice"},
		{session.Namespace("nowhere"), 400, "alice", "alice"},
		{"nonsense", 400, "alice", "alice"},
	} {
		s := newSite(t)
		other := s.copy()
		s.login("alice")
		other.login("alice")
		s.set("chat", "k", 1)
		h := web.Logout(web.LogoutOptions{
			Target:        func(*http.Request) session.Target { return c.target },
			ClearSiteData: true,
		})
		resp := s.serve(h.ServeHTTP)
		if got := resp.StatusCode; got != c.code || s.user() != c.here || other.user() != c.there {
			t.Errorf("%s: %d, here %q, there %q", c.target, got, s.user(), other.user())
		}
		ends := c.target == session.This || c.target == session.All
		if got := resp.Header.Get("Clear-Site-Data") != ""; got != ends {
			t.Errorf("%s: Clear-Site-Data %v", c.target, got)
		}
		if got := s.get("chat", "k"); c.target == session.Namespace("chat") && got != "" {
			t.Errorf("chat still has %s", got)
		}
	}
}
