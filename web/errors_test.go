package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

func TestStatus(t *testing.T) {
	seen := make(map[string]error)
	for _, c := range []struct {
		err  error
		code int
	}{
		{session.ErrEnded, 400},
		{session.ErrNamespaceEnded, 400},
		{session.ErrUserEnded, 401},
		{web.ErrNoUser, 401},
		{web.ErrCrossOrigin, 403},
		{session.ErrRenewed, 409},
		{session.ErrConflict, 409},
		{session.ErrLimit, 413},
		{session.ErrType, 500},
		{session.ErrCommitted, 500},
		{session.ErrNoScope, 500},
		{errors.New("secret detail"), 500},
		{session.ErrUnavailable, 503},
		{fmt.Errorf("%w: %w", session.ErrOwed, session.ErrUnavailable), 503},
		{fmt.Errorf("%w: %w", session.ErrUnavailable, context.DeadlineExceeded), 503},
		{context.DeadlineExceeded, 504},
	} {
		code, sentence := web.Status(fmt.Errorf("save abc: %w", c.err))
		if code != c.code {
			t.Errorf("Status(%v) = %d, want %d", c.err, code, c.code)
		}
		if !strings.HasSuffix(sentence, ".") || strings.Contains(sentence, "session:") || strings.Contains(sentence, "secret") {
			t.Errorf("Status(%v) says %q", c.err, sentence)
		}
		if before := seen[sentence]; before != nil && code != 500 && code != 503 && code != 400 {
			t.Errorf("%v and %v say the same", before, c.err)
		}
		seen[sentence] = c.err
	}
}

// asJSON answers errors as an API would.
func asJSON(w http.ResponseWriter, _ *http.Request, err error) {
	code, sentence := web.Status(err)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(map[string]string{"error": sentence})
}

func TestTheErrorOptionAnswersEverywhere(t *testing.T) {
	for _, c := range []struct {
		name string
		h    http.HandlerFunc
		code int
	}{
		{"a save that failed", func(w http.ResponseWriter, r *http.Request) {
			put(t, r, "main", "k", 1)
			w.Write([]byte("mine"))
		}, 503},
		{"RequireUser", func(w http.ResponseWriter, r *http.Request) {
			web.RequireUser(http.NotFoundHandler()).ServeHTTP(w, r)
		}, 401},
		{"Error", func(w http.ResponseWriter, r *http.Request) { web.Error(w, r, session.ErrConflict) }, 409},
	} {
		s := newSite(t)
		s.options.Error = asJSON
		s.store.fail("", session.ErrUnavailable)
		resp := s.serve(c.h)
		got := body(t, resp)
		if resp.StatusCode != c.code || !strings.HasPrefix(got, `{"error":"`) || strings.Contains(got, "mine") {
			t.Errorf("%s: %d %q", c.name, resp.StatusCode, got)
		}
		if h := resp.Header; h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: header %v", c.name, h)
		}
	}
}

func TestAnErrorOptionThatWritesNothingStillFails(t *testing.T) {
	s := newSite(t)
	s.options.Error = func(w http.ResponseWriter, r *http.Request, err error) {}
	s.store.fail("Create", session.ErrUnavailable)
	resp := s.serve(func(w http.ResponseWriter, r *http.Request) { put(t, r, "main", "k", 1) })
	if resp.StatusCode != 503 {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestErrorDropsWhatTheHandlerChanged(t *testing.T) {
	s := newSite(t)
	s.set("main", "k", 1)
	resp := s.serve(func(w http.ResponseWriter, r *http.Request) {
		put(t, r, "main", "k", 2)
		w.Header().Set("Location", "/done")
		web.Error(w, r, session.ErrNamespaceEnded)
	})
	if resp.StatusCode != 400 || resp.Header.Get("Location") != "" || s.get("main", "k") != "1" {
		t.Errorf("%d, header %v", resp.StatusCode, resp.Header)
	}
}

func TestEachErrorOfTheStoreBecomesItsStatus(t *testing.T) {
	for err, code := range map[error]int{
		session.ErrEnded: 400, session.ErrRenewed: 409, session.ErrNamespaceEnded: 400,
		session.ErrLimit: 413, session.ErrUnavailable: 503, session.ErrType: 500,
	} {
		s := newSite(t)
		s.set("main", "k", 1)
		s.store.fail("Save", err)
		was := s.cookies["__Host-id"]
		resp := s.serve(func(_ http.ResponseWriter, r *http.Request) { put(t, r, "main", "k", 2) })
		if resp.StatusCode != code || len(resp.Cookies()) != 0 || s.cookies["__Host-id"] != was {
			t.Errorf("%v = %d, cookies %v", err, resp.StatusCode, resp.Cookies())
		}
	}
}

func TestAValueOverTheLimitKeepsNothing(t *testing.T) {
	s := newSite(t)
	s.set("main", "k", 1)
	resp := s.serve(func(_ http.ResponseWriter, r *http.Request) {
		put(t, r, "main", "k", 2)
		sess, err := session.Get(r.Context(), "chat")
		if err != nil {
			t.Error(err)
			return
		}
		_ = sess.Set("text", strings.Repeat("x", session.MaxValueBytes)) // overlooked
	})
	if resp.StatusCode != 413 || s.get("main", "k") != "1" {
		t.Errorf("%d", resp.StatusCode)
	}
}

func TestWhatOneFamilySavedGoesOutThoughAnotherFailed(t *testing.T) {
	shop := prefixes.Namespace{Name: "shop", Cookie: prefixes.Cookie{Name: "__Host-shop"}}
	s := newSite(t, prefixes.Parse("main"), shop)
	s.set("shop", "k", 1)
	s.store.fail("Save", session.ErrUnavailable)
	resp := s.serve(func(_ http.ResponseWriter, r *http.Request) {
		put(t, r, "main", "k", 1)
		put(t, r, "shop", "k", 2)
	})
	// The session of main exists; without its cookie nobody could use it.
	if c := resp.Cookies(); resp.StatusCode != 503 || len(c) != 1 || c[0].Name != "__Host-id" {
		t.Errorf("%d, cookies %v", resp.StatusCode, c)
	}
}

func TestErrorsAreLoggedWithoutTheSecret(t *testing.T) {
	var log bytes.Buffer
	s := newSite(t)
	s.options.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s.set("main", "k", 1)
	s.store.fail("Save", session.ErrUnavailable)
	s.serve(func(_ http.ResponseWriter, r *http.Request) { put(t, r, "main", "k", "canary") })
	s.serve(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		put(t, r, "main", "k", "canary")
	})
	got := log.String()
	id, secret, _ := strings.Cut(s.cookies["__Host-id"], ".")
	if strings.Count(got, "level=ERROR") != 2 || !strings.Contains(got, session.Short(id)) {
		t.Errorf("log %q", got)
	}
	if strings.Contains(got, secret) || strings.Contains(got, id) || strings.Contains(got, "canary") {
		t.Errorf("log tells too much: %q", got)
	}
}

func TestErrorWithoutTheMiddlewareAnswersToo(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { web.Error(w, r, session.ErrConflict) })
	if got := bare(h).StatusCode; got != 409 {
		t.Errorf("status %d", got)
	}
}

func TestAnAbsentStoreIsLoggedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		var log strings.Builder
		s.options.Logger = slog.New(slog.NewTextHandler(&log, nil))
		s.store.fail("", session.ErrUnavailable)
		h := web.Sessions(s.m, s.options)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { put(t, r, "main", "k", 1) }))
		for range 30 {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
			if w.Code != http.StatusServiceUnavailable {
				t.Errorf("status %d", w.Code)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if got := strings.Count(log.String(), "\n"); got != 3 {
			t.Errorf("%d lines in three seconds:\n%s", got, log.String())
		}
	})
}
