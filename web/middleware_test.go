package web_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/web"
)

// The names of these tests begin with the number of a case of Django's
// SessionMiddlewareTests, or of what its code does and no test of it asserts.

// attributes returns the one Set-Cookie of a response.
func attributes(t *testing.T, resp *http.Response) string {
	t.Helper()
	lines := resp.Header["Set-Cookie"]
	if len(lines) != 1 {
		t.Fatalf("Set-Cookie = %q, want one", lines)
	}
	return lines[0]
}

func TestA60_A63_theCookieHasTheAttributesOfItsSettings(t *testing.T) {
	for _, c := range []struct {
		name    string
		cookie  prefixes.Cookie
		has, no []string
	}{
		{"defaults", prefixes.Cookie{},
			[]string{"__Host-id=", "; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"}, []string{"Domain", "Max-Age", "Expires"}},
		{"A60 insecure", prefixes.Cookie{Insecure: true}, []string{"id=", "HttpOnly"}, []string{"Secure"}},
		{"A62 strict", prefixes.Cookie{SameSite: http.SameSiteStrictMode}, []string{"SameSite=Strict"}, nil},
		{"A62 none", prefixes.Cookie{SameSite: http.SameSiteNoneMode}, []string{"SameSite=None", "Secure"}, nil},
		{"A63 scripts", prefixes.Cookie{Scripts: true}, []string{"Secure"}, []string{"HttpOnly"}},
		{"domain and path", prefixes.Cookie{Domain: "example.com", Path: "/app"},
			[]string{"__Secure-id=", "Domain=example.com", "Path=/app"}, nil},
		{"persistent", prefixes.Cookie{Persistent: true}, []string{"Max-Age=28800"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, prefixes.Namespace{Name: "main", Cookie: c.cookie})
			resp := s.serve(func(_ http.ResponseWriter, r *http.Request) { put(t, r, "main", "k", 1) })
			line := attributes(t, resp)
			for _, want := range c.has {
				if !strings.Contains(line, want) {
					t.Errorf("%q has no %q", line, want)
				}
			}
			for _, not := range c.no {
				if strings.Contains(line, not) {
					t.Errorf("%q has %q", line, not)
				}
			}
			if len(line) > 4096 {
				t.Errorf("%d bytes", len(line))
			}
			if got := resp.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control = %q", got)
			}
		})
	}
}

func TestA64_A65_aServerErrorSavesNothing(t *testing.T) {
	for _, code := range []int{500, 503, 599} {
		s := newSite(t)
		s.set("main", "k", "before")
		change := func(w http.ResponseWriter, r *http.Request) {
			put(t, r, "main", "k", "after")
			if err := session.OnSaved(r.Context(), func(context.Context) { t.Error("OnSaved ran") }); err != nil {
				t.Error(err)
			}
			w.WriteHeader(code)
			// Too late, and as little kept as the rest.
			put(t, r, "main", "late", 1)
		}
		resp := s.serve(change)
		if got := s.store.drain(); resp.StatusCode != code || got != "Load" {
			t.Errorf("%d: status %d, store calls %q", code, resp.StatusCode, got)
		}
		if len(resp.Cookies()) != 0 {
			t.Errorf("%d: cookies %v", code, resp.Cookies())
		}
		if got := s.get("main", "k") + s.get("main", "late"); got != `"before"` {
			t.Errorf("%d: value %s", code, got)
		}
	}
}

func TestA64_aServerErrorLogsNobodyIn(t *testing.T) {
	s := newSite(t)
	s.set("main", "k", 1)
	before := s.cookies["__Host-id"]
	resp := s.serve(func(w http.ResponseWriter, r *http.Request) {
		if err := session.Login(r.Context(), "alice"); err != nil {
			t.Error(err)
		}
		w.WriteHeader(500)
	})
	if len(resp.Cookies()) != 0 || s.user() != "" || s.cookies["__Host-id"] != before {
		t.Errorf("cookies %v, user %q", resp.Cookies(), s.user())
	}
}

func TestA65_aServerErrorLeavesCookiesAlone(t *testing.T) {
	for name, value := range map[string]string{"unknown": good, "malformed": "x"} {
		s := newSite(t)
		s.cookies["__Host-id"] = value
		resp := s.serve(func(w http.ResponseWriter, r *http.Request) {
			look(t, r, "main", "k")
			w.WriteHeader(503)
		})
		if len(resp.Cookies()) != 0 || resp.Header.Get("Vary") != "Cookie" {
			t.Errorf("%s: header %v", name, resp.Header)
		}
	}
}

func TestA64_theOptionSavesWithAServerError(t *testing.T) {
	s := newSite(t)
	s.options.SaveOnServerError = true
	s.serve(func(w http.ResponseWriter, r *http.Request) {
		put(t, r, "main", "k", 1)
		w.WriteHeader(500)
	})
	if got := s.get("main", "k"); got != "1" {
		t.Errorf("value %q", got)
	}
}

func TestA66_aSessionEndedMeanwhileIsA400AndOneFixedSentence(t *testing.T) {
	s := newSite(t)
	s.set("main", "k", 1)
	was := s.cookies["__Host-id"]
	var wrote error
	resp := s.serve(func(w http.ResponseWriter, r *http.Request) {
		put(t, r, "main", "k", 2)
		s.end()
		h := w.Header()
		h.Set("Location", "/secret")
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", "7")
		h.Set("Content-Encoding", "br")
		h.Set("ETag", `"x"`)
		h.Set("X-Frame-Options", "DENY")
		http.SetCookie(w, &http.Cookie{Name: "flash", Value: "saved"})
		w.WriteHeader(http.StatusSeeOther)
		_, wrote = w.Write([]byte(`{"a":1}`))
	})
	if !errors.Is(wrote, session.ErrEnded) {
		t.Errorf("Write = %v, want ErrEnded", wrote)
	}
	want := "Your session ended before this request could be completed. You may have signed out in another tab, for example.\n"
	if got := body(t, resp); resp.StatusCode != 400 || got != want {
		t.Errorf("%d %q", resp.StatusCode, got)
	}
	for name, want := range map[string]string{
		"Location": "", "Content-Length": "", "Content-Encoding": "", "Etag": "", "Set-Cookie": "",
		"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store",
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if s.cookies["__Host-id"] != was {
		t.Error("the cookie was touched")
	}
	if got := s.get("main", "k"); got != "" {
		t.Errorf("the save brought %s back", got)
	}
	if got := s.m.Stats().Refused; got != 1 {
		t.Errorf("Refused = %d", got)
	}
}

func TestA67_A68_aLogoutClearsTheCookieAsItWasSet(t *testing.T) {
	for _, cookie := range []prefixes.Cookie{
		{},
		{Domain: "example.com", Path: "/app", SameSite: http.SameSiteStrictMode},
	} {
		s := newSite(t, prefixes.Namespace{Name: "main", Cookie: cookie, Companions: []prefixes.Cookie{{Name: "seen"}}})
		s.set("main", "k", 1)
		resp := s.serve(func(_ http.ResponseWriter, r *http.Request) {
			if _, err := session.Logout(r.Context(), session.This); err != nil {
				t.Error(err)
			}
		})
		cleared := resp.Cookies()
		if len(cleared) != 2 {
			t.Fatalf("cookies %v", cleared)
		}
		c := cleared[0]
		path := cookie.Path
		if path == "" {
			path = "/"
		}
		if c.Value != "" || c.MaxAge >= 0 || c.Expires.Unix() != 0 || c.Path != path || c.Domain != cookie.Domain {
			t.Errorf("clearing cookie %q", c.Raw)
		}
		if c := cleared[1]; c.Name != "seen" || c.MaxAge >= 0 {
			t.Errorf("companion %q", c.Raw)
		}
		if got := resp.Header.Get("Vary"); got != "Cookie" {
			t.Errorf("Vary = %q", got)
		}
		if len(s.cookies) != 0 {
			t.Errorf("still has %v", s.cookies)
		}
	}
}

func TestA69_aLogoutWithoutACookieSetsNone(t *testing.T) {
	s := newSite(t)
	resp := s.serve(func(_ http.ResponseWriter, r *http.Request) {
		if r, err := session.Logout(r.Context(), session.This); err != nil || !r.StoreOK {
			t.Error(r, err)
		}
	})
	if len(resp.Cookies()) != 0 || resp.Header.Get("Vary") != "Cookie" || s.store.drain() != "" {
		t.Errorf("cookies %v, Vary %q", resp.Cookies(), resp.Header.Get("Vary"))
	}
}

func TestA70_anEmptiedSessionIsSavedAndItsCookieNotSentAgain(t *testing.T) {
	for _, c := range []struct {
		policy prefixes.SavePolicy
		again  bool
	}{{prefixes.SaveChanges, false}, {prefixes.SaveAlways, true}} {
		s := newSite(t, prefixes.Namespace{Name: "main", Save: c.policy})
		s.set("main", "k", 1)
		was := s.cookies["__Host-id"]
		resp := s.serve(func(_ http.ResponseWriter, r *http.Request) {
			sess, err := session.Get(r.Context(), "main")
			if err == nil {
				err = sess.Delete("k")
			}
			if err != nil {
				t.Error(err)
			}
		})
		if got := s.store.drain(); got != "Load Save" {
			t.Errorf("store calls %q", got)
		}
		if got := len(resp.Cookies()) == 1 && resp.Cookies()[0].Value == was; got != c.again {
			t.Errorf("policy %d: cookies %v", c.policy, resp.Cookies())
		}
		if got := resp.Header.Get("Vary"); got != "Cookie" {
			t.Errorf("Vary = %q", got)
		}
		if got := s.get("main", "k"); got != "" || s.cookies["__Host-id"] != was {
			t.Errorf("value %q", got)
		}
	}
}

func TestA70_aLateAnswerDoesNotOverwriteTheCookieOfALogin(t *testing.T) {
	// With SaveAlways too: the save of the overtaken request is refused, and a
	// refused response sends no cookie.
	for _, policy := range []prefixes.SavePolicy{prefixes.SaveChanges, prefixes.SaveAlways} {
		s := newSite(t, prefixes.Namespace{Name: "main", Save: policy})
		s.set("main", "k", 1)
		resp := s.serve(func(_ http.ResponseWriter, r *http.Request) {
			put(t, r, "main", "k", 2)
			s.login("alice")
		})
		if resp.StatusCode != 409 || len(resp.Cookies()) != 0 || s.user() != "alice" {
			t.Errorf("policy %d: %d, cookies %v, user %q", policy, resp.StatusCode, resp.Cookies(), s.user())
		}
	}
}

func TestA79_saveAlwaysSendsTheCookieOfAnUntouchedSessionWithVary(t *testing.T) {
	s := newSite(t, prefixes.Namespace{Name: "main", Save: prefixes.SaveAlways})
	nothing := func(http.ResponseWriter, *http.Request) {}
	if resp := s.serve(nothing); len(resp.Cookies()) != 0 || resp.Header.Get("Vary") != "" || s.store.drain() != "" {
		t.Errorf("without a session: %v", resp.Header)
	}
	s.set("main", "k", 1)
	resp := s.serve(nothing)
	if len(resp.Cookies()) != 1 || resp.Header.Get("Vary") != "Cookie" || s.store.drain() != "Load Save" {
		t.Errorf("with a session: %v", resp.Header)
	}
	resp = s.serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	if len(resp.Cookies()) != 0 || s.store.drain() != "" {
		t.Errorf("with a server error: %v", resp.Header)
	}
}

func TestUntouchedSessionLeavesTheResponseAlone(t *testing.T) {
	s := newSite(t)
	for _, state := range []string{"without a cookie", "with a cookie", "with an unknown cookie"} {
		switch state {
		case "with a cookie":
			s.set("main", "k", 1)
		case "with an unknown cookie":
			s.end()
			s.store.drain()
		}
		resp := s.serve(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("x")) })
		for _, name := range []string{"Vary", "Set-Cookie", "Cache-Control"} {
			if got := resp.Header.Get(name); got != "" {
				t.Errorf("%s: %s = %q", state, name, got)
			}
		}
		if got := s.store.drain(); got != "" {
			t.Errorf("%s: store calls %q", state, got)
		}
	}
}

func TestUnknownCookieIsClearedOnceItIsRead(t *testing.T) {
	s := newSite(t)
	s.set("main", "k", 1)
	s.end()
	resp := s.serve(func(_ http.ResponseWriter, r *http.Request) {
		if sess, err := session.Get(r.Context(), "main"); err != nil || sess.ID() != "" || len(sess.Keys()) != 0 {
			t.Errorf("ID %q, keys %q, %v", sess.ID(), sess.Keys(), err)
		}
	})
	if c := resp.Cookies(); len(c) != 1 || c[0].MaxAge >= 0 || resp.Header.Get("Vary") != "Cookie" {
		t.Errorf("header %v", resp.Header)
	}
}

func TestUnfitSecretLeavesTheCookieAlone(t *testing.T) {
	// Its id lives: the answer to the login that replaced it may be on its way.
	s := newSite(t)
	s.set("main", "k", 1)
	was := s.cookies["__Host-id"]
	s.login("alice")
	s.cookies["__Host-id"] = was
	resp := s.serve(func(_ http.ResponseWriter, r *http.Request) {
		if got := look(t, r, "main", "k"); got != "" {
			t.Errorf("opened %s", got)
		}
	})
	if len(resp.Cookies()) != 0 || s.m.Stats().Unfit != 1 {
		t.Errorf("cookies %v, stats %+v", resp.Cookies(), s.m.Stats())
	}
}

func TestKeylessEmptySessionIsNotSaved(t *testing.T) {
	s := newSite(t)
	resp := s.serve(func(_ http.ResponseWriter, r *http.Request) {
		put(t, r, "main", "k", 1)
		sess, err := session.Get(r.Context(), "main")
		if err == nil {
			err = sess.Delete("k")
		}
		if err != nil {
			t.Error(err)
		}
	})
	if len(resp.Cookies()) != 0 || s.store.drain() != "" {
		t.Errorf("cookies %v", resp.Cookies())
	}
}

func TestVaryKeepsWhatIsThere(t *testing.T) {
	for _, c := range []struct {
		has  []string
		want string
	}{
		{nil, "Cookie"},
		{[]string{"Accept-Encoding"}, "Accept-Encoding, Cookie"},
		{[]string{"Accept-Language, COOKIE", "Accept-Encoding"}, "Accept-Language, COOKIE, Accept-Encoding"},
		{[]string{"A, a, B"}, "A, B, Cookie"},
		{[]string{"A, *"}, "*"},
	} {
		s := newSite(t)
		resp := s.serve(func(w http.ResponseWriter, r *http.Request) {
			for _, line := range c.has {
				w.Header().Add("Vary", line)
			}
			look(t, r, "main", "k")
		})
		if got := strings.Join(resp.Header["Vary"], "|"); got != c.want {
			t.Errorf("Vary %q became %q, want %q", c.has, got, c.want)
		}
	}
}

func TestCacheControlIsTheHandlersUnlessACookieGoesOut(t *testing.T) {
	s := newSite(t)
	handler := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "private, max-age=60")
		if look(t, r, "main", "k") == "" {
			put(t, r, "main", "k", 1)
		}
	}
	for _, want := range []string{"no-store", "private, max-age=60"} {
		if got := s.serve(handler).Header.Get("Cache-Control"); got != want {
			t.Errorf("Cache-Control = %q, want %q", got, want)
		}
	}
	reads := s.serve(func(_ http.ResponseWriter, r *http.Request) { look(t, r, "main", "k") })
	if got := reads.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control of a read = %q", got)
	}
}

func TestTheMiddlewareTwiceIsTheMiddlewareOnce(t *testing.T) {
	s := newSite(t)
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { put(t, r, "main", "k", 1) })
	twice := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		put(t, r, "main", "between", 1)
		web.Sessions(s.m, s.options)(h).ServeHTTP(w, r)
	})
	resp := s.request(httptest.NewRequest("GET", "/", nil), twice)
	if got := s.store.drain(); got != "Create" || len(resp.Cookies()) != 1 {
		t.Errorf("store calls %q, cookies %v", got, resp.Cookies())
	}
}

func TestPanicSavesNothingAndGoesOn(t *testing.T) {
	for _, value := range []any{"boom", http.ErrAbortHandler} {
		s := newSite(t)
		s.set("main", "k", 1)
		func() {
			defer func() {
				if got := recover(); got != value {
					t.Errorf("recovered %v, want %v", got, value)
				}
			}()
			s.serve(func(_ http.ResponseWriter, r *http.Request) {
				put(t, r, "main", "k", 2)
				panic(value)
			})
		}()
		if got := s.get("main", "k"); got != "1" {
			t.Errorf("value %s", got)
		}
	}
}

func TestChangesAfterTheHeaderAreSavedAtTheEnd(t *testing.T) {
	s := newSite(t)
	s.set("main", "k", 1)
	saved := 0
	s.serve(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		put(t, r, "main", "k", 2)
		session.OnSaved(r.Context(), func(context.Context) { saved++ })
		if err := session.Login(r.Context(), "alice"); !errors.Is(err, session.ErrCommitted) {
			t.Errorf("late Login = %v, want ErrCommitted", err)
		}
	})
	if got := s.get("main", "k"); got != "2" || saved != 1 {
		t.Errorf("value %s, OnSaved ran %d times", got, saved)
	}
}

func TestANewSessionIsTooLateAfterTheHeader(t *testing.T) {
	s := newSite(t)
	s.serve(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		sess, err := session.Get(r.Context(), "main")
		if err != nil {
			t.Error(err)
			return
		}
		if err := sess.Set("k", 1); !errors.Is(err, session.ErrCommitted) {
			t.Errorf("Set = %v, want ErrCommitted", err)
		}
	})
	if got := s.store.drain(); got != "" {
		t.Errorf("store calls %q", got)
	}
}

func TestOnSavedRunsBetweenTheSaveAndTheHeader(t *testing.T) {
	s := newSite(t)
	var order []string
	s.serve(func(w http.ResponseWriter, r *http.Request) {
		put(t, r, "main", "k", 1)
		session.OnSaved(r.Context(), func(context.Context) {
			order = append(order, s.store.drain(), w.Header().Get("Set-Cookie"))
		})
		w.WriteHeader(200)
	})
	if len(order) != 2 || order[0] != "Create" || order[1] != "" {
		t.Errorf("order %q", order)
	}
}

func TestSaveAfterLogoutResurrectsNothing(t *testing.T) {
	s := newSite(t)
	s.login("alice")
	s.serve(func(_ http.ResponseWriter, r *http.Request) {
		put(t, r, "main", "k", 1)
		if _, err := session.Logout(r.Context(), session.This); err != nil {
			t.Error(err)
		}
		put(t, r, "main", "k", 2) // a visitor's, from here on
	})
	states, err := s.m.Sessions(t.Context(), "", "alice")
	if err != nil || len(states) != 0 || s.user() != "" {
		t.Errorf("sessions of alice: %v, %v", states, err)
	}
}
