package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
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
		other := &site{t: t, m: s.m, store: s.store, options: s.options, cookies: make(map[string]string)}
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
