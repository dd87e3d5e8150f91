package web_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/web"
)

// guardRecent has a request pass RequireRecent, and reports whether it did.
func guardRecent(s *site, within time.Duration) (*http.Response, bool) {
	through := false
	resp := s.serve(web.RequireRecent(within)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		through = true
		look(s.t, r, "main", "k")
	})).ServeHTTP)
	return resp, through
}

func TestRequireRecent_letsThroughWhoLoggedInNotLongAgo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const within = 10 * time.Minute
		noUser, notRecent := sentenceOf(web.ErrNoUser), sentenceOf(web.ErrNotRecent)
		s := newSite(t)
		refused := func(when, want string) {
			t.Helper()
			resp, through := guardRecent(s, within)
			if got := body(t, resp); resp.StatusCode != 401 || through || got != want+"\n" {
				t.Errorf("%s: %d %q, let through %v; want 401 %q", when, resp.StatusCode, got, through, want)
			}
			if got := resp.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("%s: Cache-Control %q", when, got)
			}
		}
		passes := func(when string) {
			t.Helper()
			if resp, through := guardRecent(s, within); resp.StatusCode != 200 || !through {
				t.Errorf("%s: %d, let through %v", when, resp.StatusCode, through)
			}
		}
		refused("without a session", noUser)
		s.set("main", "k", 1)
		refused("anonymous", noUser)
		s.login("ann")
		s.store.drain()
		passes("after the login")
		if got := s.store.drain(); got != "Load" {
			t.Errorf("trips %q, want one load", got)
		}
		time.Sleep(within)
		passes("at the last moment")
		time.Sleep(time.Second)
		refused("later", notRecent)
		if s.user() != "ann" {
			t.Error("logged out")
		}
		s.login("ann")
		passes("after another login")
		s.serve(func(_ http.ResponseWriter, r *http.Request) {
			if _, err := session.Logout(r.Context(), session.This); err != nil {
				t.Error(err)
			}
		})
		refused("after a logout", noUser)
	})
}

// sentenceOf is what a client is told.
func sentenceOf(err error) string {
	_, sentence := web.Status(err)
	return sentence
}

func TestStatus_ofWhatIsNew(t *testing.T) {
	seen := make(map[string]bool)
	for err, want := range map[error]int{
		web.ErrNotRecent: 401, web.ErrNoUser: 401, session.ErrMaxSessions: 403, session.ErrCredentials: 400, session.ErrTarget: 400,
	} {
		code, sentence := web.Status(err)
		if code != want || !strings.HasSuffix(sentence, ".") || seen[sentence] {
			t.Errorf("Status(%v) = %d %q, want %d and a sentence of its own", err, code, sentence, want)
		}
		seen[sentence] = true
	}
}

func TestRequireRecent_whenTheStoreCannotBeAskedLetsNobodyThrough(t *testing.T) {
	s := newSite(t)
	s.login("ann")
	s.store.fail("Load", session.ErrUnavailable)
	if resp, through := guardRecent(s, time.Hour); resp.StatusCode != 503 || through {
		t.Errorf("%d, let through %v", resp.StatusCode, through)
	}
}

func TestRequireRecent_withoutTheMiddlewareLetsNobodyThrough(t *testing.T) {
	h := web.RequireRecent(time.Hour)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let through") }))
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	defer slog.SetDefault(before)
	if got := bare(h).StatusCode; got != 500 {
		t.Errorf("status %d", got)
	}
}

func TestRequireRecent_keepsWhatMiddlewaresBeforeItChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.login("ann")
		time.Sleep(time.Minute)
		s.serve(func(w http.ResponseWriter, r *http.Request) {
			put(t, r, "main", "seen", 1)
			web.RequireRecent(time.Second)(http.NotFoundHandler()).ServeHTTP(w, r)
		})
		if got := s.get("main", "seen"); got != "1" {
			t.Errorf("value %q", got)
		}
	})
}
