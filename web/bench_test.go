package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
	"github.com/sessionhub/sessionhub/web"
)

// nothing is a response that goes nowhere, so that the benchmark measures no
// recorder.
type nothing struct{ h http.Header }

func (w *nothing) Header() http.Header         { return w.h }
func (w *nothing) Write(p []byte) (int, error) { return len(p), nil }
func (w *nothing) WriteHeader(int)             {}

// BenchmarkSessions shows what the middleware, and a session in the memory of
// this process, cost over the bare handler.
func BenchmarkSessions(b *testing.B) {
	reg, err := prefixes.NewRegistry(mainAndChat()...)
	if err != nil {
		b.Fatal(err)
	}
	m := session.New(reg, new(memstore.Store), session.Options{})
	sessions := web.Sessions(m, web.Options{})
	name := session.Field[string]("name")
	count := session.Counter("count")
	ok := []byte("ok")

	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(ok) })
	read := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := session.Get(r.Context(), "main")
		if err != nil {
			b.Error(err)
			return
		}
		if v, err := name.Get(s); err != nil || v != "alice" {
			b.Errorf("name = %q, %v", v, err)
		}
		w.Write(ok)
	})
	modify := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := session.Get(r.Context(), "main")
		if err == nil {
			err = count.Add(s, 1)
		}
		if err != nil {
			b.Error(err)
		}
		w.Write(ok)
	})

	first := httptest.NewRecorder()
	sessions(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := session.Get(r.Context(), "main")
		if err == nil {
			err = name.Set(s, "alice")
		}
		if err != nil {
			b.Error(err)
		}
	})).ServeHTTP(first, httptest.NewRequest("GET", "/", nil))

	for _, c := range []struct {
		name string
		h    http.Handler
	}{
		{"bare", bare},
		{"untouched", sessions(bare)},
		{"read", sessions(read)},
		{"modify", sessions(modify)},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/", nil)
			r.AddCookie(first.Result().Cookies()[0])
			w := &nothing{make(http.Header)}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.h)
				c.h.ServeHTTP(w, r)
			}
		})
	}
}
