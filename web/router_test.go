package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/web"
)

func TestD43_formsOfOtherSitesAreRefused(t *testing.T) {
	s := newSite(t)
	s.options.TrustedOrigins = []string{"https://shop.example"}
	r, err := web.NewRouter(s.m, s.options)
	if err != nil {
		t.Fatal(err)
	}
	logins := 0
	login := func(_ http.ResponseWriter, r *http.Request) {
		logins++
		if err := session.Login(r.Context(), "alice"); err != nil {
			t.Error(err)
		}
	}
	r.Post("/login", login)
	r.Method("POST", "/logout", web.Logout(web.LogoutOptions{}))

	for _, c := range []struct {
		name, method, site, origin string
		code                       int
	}{
		{"same origin", "POST", "same-origin", "https://test", 200},
		{"typed", "POST", "none", "", 200},
		{"not a browser", "POST", "", "", 200},
		{"old browser, same origin", "POST", "", "https://test", 200},
		{"trusted", "POST", "cross-site", "https://shop.example", 200},
		{"cross-site", "POST", "cross-site", "https://evil.example", 403},
		{"same site", "POST", "same-site", "https://other.test", 403},
		{"old browser, cross-site", "POST", "", "https://evil.example", 403},
		{"null origin", "POST", "", "null", 403},
		{"trusted but for the port", "POST", "cross-site", "https://shop.example:444", 403},
		{"trusted but for the scheme", "POST", "cross-site", "http://shop.example", 403},
		{"GET", "GET", "same-origin", "", 405},
		{"cross-site GET", "GET", "cross-site", "https://evil.example", 405},
	} {
		for _, path := range []string{"/login", "/logout"} {
			req := httptest.NewRequest(c.method, "https://test"+path, nil)
			req.Header.Set("Sec-Fetch-Site", c.site)
			req.Header.Set("Origin", c.origin)
			w := httptest.NewRecorder()
			before := logins
			r.ServeHTTP(w, req)
			if w.Code != c.code {
				t.Errorf("%s %s = %d, want %d", c.name, path, w.Code, c.code)
			}
			if c.code != 200 && (logins != before || w.Header().Get("Set-Cookie") != "") {
				t.Errorf("%s %s had an effect", c.name, path)
			}
			if c.code == 403 && (!strings.Contains(w.Body.String(), "another site") || w.Header().Get("Cache-Control") != "no-store") {
				t.Errorf("%s %s: %q %v", c.name, path, w.Body, w.Header())
			}
		}
	}
}

func TestARefusedFormIsAnsweredByTheErrorOption(t *testing.T) {
	s := newSite(t)
	s.options.Error = asJSON
	r, err := web.NewRouter(s.m, s.options)
	if err != nil {
		t.Fatal(err)
	}
	r.Post("/", func(http.ResponseWriter, *http.Request) { t.Error("let through") })
	req := httptest.NewRequest("POST", "/", nil)
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	if w.Code != 403 || !strings.HasPrefix(w.Body.String(), `{"error":`) {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

func TestNewRouterRefusesATrustedOriginThatIsNone(t *testing.T) {
	m, _ := newManager(t, mainAndChat()...)
	for _, origin := range []string{"", "shop.example", "https://shop.example/", "https://"} {
		if _, err := web.NewRouter(m, web.Options{TrustedOrigins: []string{origin}}); err == nil {
			t.Errorf("%q was accepted", origin)
		}
	}
}

func TestR51_everyAnswerOfARouterBeginsWithTheProtectingFields(t *testing.T) {
	s := newSite(t)
	r, err := web.NewRouter(s.m, s.options)
	if err != nil {
		t.Fatal(err)
	}
	r.Get("/own", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
	})
	r.Get("/failed", func(w http.ResponseWriter, r *http.Request) { put(t, r, "main", "k", 1) })
	s.store.fail("", session.ErrUnavailable)
	for path, policy := range map[string]string{
		"/own": "default-src 'self'", "/none": "frame-ancestors 'none'", "/failed": "frame-ancestors 'none'",
	} {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		h := w.Header()
		if !strings.Contains(h.Get("Content-Security-Policy"), policy) || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Referrer-Policy") == "" || h.Get("Cross-Origin-Opener-Policy") == "" {
			t.Errorf("%s: header %v", path, h)
		}
	}
}
