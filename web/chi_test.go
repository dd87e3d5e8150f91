package web_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/web"
)

type chain = func(http.Handler) http.Handler

// silence is a chi log that says nothing, of panics either.
type silence struct{}

func (silence) NewLogEntry(*http.Request) middleware.LogEntry   { return silence{} }
func (silence) Write(int, int, http.Header, time.Duration, any) {}
func (silence) Panic(any, []byte)                               {}

// Each of chi's usual middlewares, outside and inside of ours.
func TestD69_chiStack(t *testing.T) {
	stack := func() chi.Middlewares {
		return chi.Middlewares{
			middleware.RequestID, middleware.RequestLogger(silence{}), middleware.Recoverer, middleware.Compress(5), middleware.Timeout(time.Minute),
		}
	}
	for name, around := range map[string]func(ours chain) chi.Middlewares{
		"outside":          func(ours chain) chi.Middlewares { return append(stack(), ours) },
		"inside":           func(ours chain) chi.Middlewares { return append(chi.Middlewares{ours}, stack()...) },
		"both":             func(ours chain) chi.Middlewares { return append(append(stack(), ours), stack()...) },
		"inside, no limit": func(ours chain) chi.Middlewares { return append(chi.Middlewares{ours}, stack()[:4]...) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			r := chi.NewRouter()
			r.Use(around(web.Sessions(s.m, s.options))...)
			r.Get("/write", func(w http.ResponseWriter, r *http.Request) {
				put(t, r, "main", "k", 1)
				w.Header().Set("Content-Type", "text/html")
				io.WriteString(w, "hello")
			})
			r.Get("/stream", func(w http.ResponseWriter, r *http.Request) {
				put(t, r, "main", "k", 2)
				w.Header().Set("Content-Type", "text/html")
				w.WriteHeader(200) // without it, Compress flushes a header that does not say gzip
				if err := http.NewResponseController(w).Flush(); err != nil {
					t.Errorf("Flush = %v", err)
				}
				io.WriteString(w, "hello")
			})
			r.Get("/fails", func(w http.ResponseWriter, r *http.Request) {
				put(t, r, "main", "k", 3)
				s.store.fail("Save", session.ErrEnded)
				w.Header().Set("Content-Type", "text/html")
				io.WriteString(w, "hello")
			})
			r.Get("/panics", func(w http.ResponseWriter, r *http.Request) {
				put(t, r, "main", "k", 4)
				panic("boom")
			})
			r.Get("/upgrade", func(w http.ResponseWriter, r *http.Request) {
				put(t, r, "main", "k", 5)
				w.WriteHeader(101)
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Errorf("Hijack = %v", err)
					return
				}
				conn.Close()
			})
			srv := httptest.NewServer(r)
			defer srv.Close()

			get := func(path string) (status int, text string) {
				conn := s.dialPath(srv.Listener.Addr().String(), path)
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				s.take(resp)
				var in io.Reader = resp.Body
				if resp.Header.Get("Content-Encoding") == "gzip" {
					if in, err = gzip.NewReader(in); err != nil {
						t.Fatal(err)
					}
				}
				b, err := io.ReadAll(in)
				if err != nil {
					t.Errorf("%s: %v", path, err)
				}
				return resp.StatusCode, string(b)
			}
			for _, c := range []struct {
				path  string
				code  int
				text  string
				value string
			}{
				{"/write", 200, "hello", "1"},
				{"/stream", 200, "hello", "2"},
				{"/fails", 400, "Your session ended", "2"},
				{"/panics", 500, "", "2"},
				{"/upgrade", 101, "", "5"},
				{"/nowhere", 404, "404", "5"},
			} {
				code, text := get(c.path)
				s.store.fail("Save", nil)
				if code != c.code || !strings.HasPrefix(text, c.text) {
					t.Errorf("%s = %d %q", c.path, code, text)
				}
				if got := s.get("main", "k"); got != c.value {
					t.Errorf("after %s the value is %q, want %q", c.path, got, c.value)
				}
			}
		})
	}
}

// A handler that gives up when its time is over fails, wherever the Timeout
// stands: nothing is saved and the answer says so.
func TestD69_aTimeoutSavesNothing(t *testing.T) {
	for name, around := range map[string]func(ours chain) chi.Middlewares{
		"outside": func(ours chain) chi.Middlewares { return chi.Middlewares{middleware.Timeout(time.Second), ours} },
		"inside":  func(ours chain) chi.Middlewares { return chi.Middlewares{ours, middleware.Timeout(time.Second)} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				h := around(web.Sessions(s.m, s.options)).HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					put(t, r, "main", "k", 1)
					<-r.Context().Done()
				})
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
				if w.Code != 504 || w.Header().Get("Set-Cookie") != "" || s.store.drain() != "" {
					t.Errorf("%d, header %v", w.Code, w.Header())
				}
			})
		})
	}
}

// A client that leaves does not take its changes with it.
func TestARequestThatWasCancelledIsSavedAllTheSame(t *testing.T) {
	s := newSite(t)
	ctx, leave := context.WithCancel(t.Context())
	s.request(httptest.NewRequest("GET", "/", nil).WithContext(ctx), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		put(t, r, "main", "k", 1)
		leave()
	}))
	if got := s.get("main", "k"); got != "1" {
		t.Errorf("value %q", got)
	}
}

// A logout whose handler panics has happened, and whoever recovers the panic
// sends the cookie's end.
func TestPanicAfterALogoutStillClearsTheCookie(t *testing.T) {
	s := newSite(t)
	s.login("alice")
	r := chi.NewRouter()
	r.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				if recover() != nil {
					w.WriteHeader(500)
				}
			}()
			next.ServeHTTP(w, r)
		})
	}, web.Sessions(s.m, s.options))
	r.Post("/", func(_ http.ResponseWriter, r *http.Request) {
		if _, err := session.Logout(r.Context(), session.This); err != nil {
			t.Error(err)
		}
		panic("boom")
	})
	req := httptest.NewRequest("POST", "/", nil)
	req.Header.Set("Cookie", "__Host-id="+s.cookies["__Host-id"])
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	s.take(w.Result())
	if w.Code != 500 || len(s.cookies) != 0 {
		t.Errorf("%d, cookies %v", w.Code, s.cookies)
	}
}
