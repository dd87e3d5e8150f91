package web_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/web"
)

// bare has h answer a request without sessions.
func bare(h http.Handler) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	return w.Result()
}

func TestRequireUser(t *testing.T) {
	guarded := func(s *site) (*http.Response, bool) {
		through := false
		resp := s.serve(web.RequireUser(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			through = true
		})).ServeHTTP)
		return resp, through
	}
	s := newSite(t)
	if resp, through := guarded(s); resp.StatusCode != 401 || through {
		t.Errorf("without a cookie: %d", resp.StatusCode)
	}
	s.set("main", "k", 1)
	if resp, through := guarded(s); resp.StatusCode != 401 || through || resp.Header.Get("Vary") != "Cookie" {
		t.Errorf("anonymous: %d", resp.StatusCode)
	}
	s.login("alice")
	if resp, through := guarded(s); resp.StatusCode != 200 || !through {
		t.Errorf("logged in: %d", resp.StatusCode)
	}
	// R57: a store that fails opens nothing, and makes nobody anonymous.
	s.store.fail("Load", session.ErrUnavailable)
	if resp, through := guarded(s); resp.StatusCode != 503 || through || len(resp.Cookies()) != 0 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("store down: %d, header %v", resp.StatusCode, resp.Header)
	}
	s.store.fail("Load", nil)
	s.end()
	if resp, through := guarded(s); resp.StatusCode != 401 || through || len(resp.Cookies()) != 1 {
		t.Errorf("ended: %d, cookies %v", resp.StatusCode, resp.Cookies())
	}
}

func TestRequireUserWithoutTheMiddlewareLetsNobodyThrough(t *testing.T) {
	h := web.RequireUser(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let through") }))
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	defer slog.SetDefault(before)
	if got := bare(h).StatusCode; got != 500 {
		t.Errorf("status %d", got)
	}
}

func TestRequireUserKeepsWhatMiddlewaresBeforeItChanged(t *testing.T) {
	s := newSite(t)
	s.serve(func(w http.ResponseWriter, r *http.Request) {
		put(t, r, "main", "seen", 1)
		web.RequireUser(http.NotFoundHandler()).ServeHTTP(w, r)
	})
	if got := s.get("main", "seen"); got != "1" {
		t.Errorf("value %q", got)
	}
}
