package web_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/web"
)

// quiet has a logger that says nothing.
func quiet() web.Options { return web.Options{Logger: slog.New(slog.DiscardHandler)} }

// site is a handler behind the middleware, and a browser in front of it.
type site struct {
	t       testing.TB
	m       *session.Manager
	store   *spyStore
	options web.Options
	cookies map[string]string
}

func newSite(t testing.TB, ns ...prefixes.Namespace) *site {
	if len(ns) == 0 {
		ns = mainAndChat()
	}
	m, store := newManager(t, ns...)
	return &site{t: t, m: m, store: store, options: quiet(), cookies: make(map[string]string)}
}

// serve has one request answered by h, with the browser's cookies.
func (s *site) serve(h http.HandlerFunc) *http.Response {
	return s.request(httptest.NewRequest("POST", "/", nil), h)
}

func (s *site) request(r *http.Request, h http.Handler) *http.Response {
	for name, value := range s.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	web.Sessions(s.m, s.options)(h).ServeHTTP(w, r)
	resp := w.Result()
	s.take(resp)
	return resp
}

// take stores the cookies of a response.
func (s *site) take(resp *http.Response) {
	for _, c := range resp.Cookies() {
		if c.MaxAge < 0 {
			delete(s.cookies, c.Name)
		} else {
			s.cookies[c.Name] = c.Value
		}
	}
}

// set sets a value in a request of its own.
func (s *site) set(name, key string, value any) {
	s.t.Helper()
	resp := s.serve(func(_ http.ResponseWriter, r *http.Request) { put(s.t, r, name, key, value) })
	if resp.StatusCode != 200 {
		s.t.Fatalf("setting %s of %s = %d", key, name, resp.StatusCode)
	}
	s.store.drain()
}

// get returns the JSON text that a request of its own reads, "" for none.
func (s *site) get(name, key string) (value string) {
	s.t.Helper()
	s.serve(func(_ http.ResponseWriter, r *http.Request) { value = look(s.t, r, name, key) })
	s.store.drain()
	return value
}

// user returns who a request of its own finds logged in.
func (s *site) user() (user string) {
	s.t.Helper()
	s.serve(func(_ http.ResponseWriter, r *http.Request) {
		var err error
		if user, err = session.User(r.Context()); err != nil {
			s.t.Errorf("User: %v", err)
		}
	})
	s.store.drain()
	return user
}

// login logs in with a request of its own.
func (s *site) login(user string) {
	s.t.Helper()
	s.serve(func(_ http.ResponseWriter, r *http.Request) {
		if err := session.Login(r.Context(), user); err != nil {
			s.t.Errorf("Login: %v", err)
		}
	})
	s.store.drain()
}

// end ends the browser's session behind its back, as another tab does.
func (s *site) end() {
	s.t.Helper()
	for _, value := range s.cookies {
		id, _, _ := strings.Cut(value, ".")
		if _, err := s.m.EndSession(s.t.Context(), "", id, "admin"); err != nil {
			s.t.Fatal(err)
		}
	}
}

func put(t testing.TB, r *http.Request, name, key string, value any) {
	t.Helper()
	sess, err := session.Get(r.Context(), name)
	if err != nil {
		t.Errorf("Get %s: %v", name, err)
		return
	}
	if err := sess.Set(key, value); err != nil {
		t.Errorf("Set %s of %s: %v", key, name, err)
	}
}

func look(t testing.TB, r *http.Request, name, key string) string {
	t.Helper()
	sess, err := session.Get(r.Context(), name)
	if err != nil {
		t.Errorf("Get %s: %v", name, err)
		return ""
	}
	raw, _ := sess.Value(key)
	return string(raw)
}

func body(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	resp.Body.Close()
	return string(b)
}
