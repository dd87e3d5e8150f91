package bench

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/web"
)

// sink is a response that goes nowhere, so that no recorder is measured.
type sink struct{ h http.Header }

func (w *sink) Header() http.Header         { return w.h }
func (w *sink) Write(p []byte) (int, error) { return len(p), nil }
func (w *sink) WriteHeader(int)             {}

var ok = []byte("ok")

// bare is the handler without sessions.
var bare = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(ok) })

// values are what each session holds: five, as an ordinary program has them.
var (
	name  = session.Field[string]("name")
	email = session.Field[string]("email")
	theme = session.Field[string]("theme")
	since = session.Field[int64]("since")
	admin = session.Field[bool]("admin")
)

// library is one way to have sessions over HTTP.
type library struct {
	name string
	wrap func(http.Handler) http.Handler

	fill, read, modify, login func(*http.Request) error
}

// errWrong is a value that was not the one set before.
var errWrong = fmt.Errorf("bench: the session has another value")

func ours(b *testing.B) library {
	reg, err := prefixes.NewRegistry(prefixes.Parse("main"), prefixes.Parse("main/chat"))
	if err != nil {
		b.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	m := session.New(reg, new(session.MemoryStore), session.Options{Logger: quiet})
	with := func(fn func(*session.Session) error) func(*http.Request) error {
		return func(r *http.Request) error {
			s, err := session.Get(r.Context(), "main")
			if err != nil {
				return err
			}
			return fn(s)
		}
	}
	return library{
		name: "sessionhub",
		wrap: web.Sessions(m, web.Options{Logger: quiet}),
		fill: with(func(s *session.Session) error {
			email.Set(s, "ada@example.org")
			theme.Set(s, "dark")
			since.Set(s, 1735689600)
			admin.Set(s, true)
			return name.Set(s, "ada")
		}),
		read: with(func(s *session.Session) error {
			if v, err := name.Get(s); err != nil || v != "ada" {
				return errWrong
			}
			return nil
		}),
		modify: with(func(s *session.Session) error { return theme.Set(s, "light") }),
		login:  func(r *http.Request) error { return session.Login(r.Context(), "ada") },
	}
}

// theirs is scs with the memory store that it begins with, and without its idle
// timeout, which would make every request write.
func theirs(b *testing.B, name string, codec scs.Codec) library {
	m := scs.New()
	b.Cleanup(m.Store.(*memstore.MemStore).StopCleanup)
	if codec != nil {
		m.Codec = codec
	}
	return library{
		name: name,
		wrap: m.LoadAndSave,
		fill: func(r *http.Request) error {
			m.Put(r.Context(), "name", "ada")
			m.Put(r.Context(), "email", "ada@example.org")
			m.Put(r.Context(), "theme", "dark")
			m.Put(r.Context(), "since", int64(1735689600))
			m.Put(r.Context(), "admin", true)
			return nil
		},
		read: func(r *http.Request) error {
			if m.GetString(r.Context(), "name") != "ada" {
				return errWrong
			}
			return nil
		},
		modify: func(r *http.Request) error { m.Put(r.Context(), "theme", "light"); return nil },
		login: func(r *http.Request) error {
			if err := m.RenewToken(r.Context()); err != nil {
				return err
			}
			m.Put(r.Context(), "user", "ada")
			return nil
		},
	}
}

// jsonCodec is for scs what its documentation suggests to those to whom gob is
// too slow. Integers come back as floats.
type jsonCodec struct{}

type jsonSession struct {
	Deadline time.Time
	Values   map[string]any
}

func (jsonCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return json.Marshal(jsonSession{deadline, values})
}

func (jsonCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	var s jsonSession
	err := json.Unmarshal(b, &s)
	return s.Deadline, s.Values, err
}

// visitor returns a function that makes the same request again and again, with
// the session that the library gave it, and the cookies that come back.
func (l library) visitor(b *testing.B, act func(*http.Request) error) func() {
	handler := func(act func(*http.Request) error) http.Handler {
		return l.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := act(r); err != nil {
				b.Errorf("%s: %v", l.name, err)
			}
			w.Write(ok)
		}))
	}
	r := httptest.NewRequest("GET", "/", nil)
	w := &sink{make(http.Header)}
	take := func() {
		for _, line := range w.h["Set-Cookie"] {
			pair, _, _ := strings.Cut(line, ";")
			r.Header["Cookie"] = []string{pair}
		}
	}
	handler(l.fill).ServeHTTP(w, r)
	take()
	h := handler(act)
	return func() {
		clear(w.h)
		h.ServeHTTP(w, r)
		take()
	}
}

// sessionCases are what BenchmarkSessions compares, and the order of its table.
func sessionCases(b *testing.B) (names []string, fns []func()) {
	r := httptest.NewRequest("GET", "/", nil)
	w := &sink{make(http.Header)}
	names, fns = []string{"bare"}, []func(){func() { clear(w.h); bare.ServeHTTP(w, r) }}
	for _, step := range []struct {
		name string
		act  func(library) func(*http.Request) error
	}{
		{"untouched", func(library) func(*http.Request) error { return func(*http.Request) error { return nil } }},
		{"read", func(l library) func(*http.Request) error { return l.read }},
		{"modify", func(l library) func(*http.Request) error { return l.modify }},
		{"login", func(l library) func(*http.Request) error { return l.login }},
	} {
		for _, l := range []library{ours(b), theirs(b, "scs", nil), theirs(b, "scs-json", jsonCodec{})} {
			names = append(names, l.name+"/"+step.name)
			fns = append(fns, l.visitor(b, step.act(l)))
		}
	}
	return names, fns
}

// BenchmarkSessions is what a request with a session of five values costs in
// the memory of one process, over the bare handler.
func BenchmarkSessions(b *testing.B) {
	names, fns := sessionCases(b)
	for i, fn := range fns {
		b.Run(names[i], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				fn()
			}
		})
	}
}

// BenchmarkSessionRatios measures the same in turns, and prints a table.
func BenchmarkSessionRatios(b *testing.B) {
	names, fns := sessionCases(b)
	costs := measure(101, 5*time.Millisecond, fns)
	none := costs[0]
	over := func(c cost, q float64) time.Duration { return c.time.at(q) - none.time.at(q) }

	lines := []string{"\tbest\tmedian\tspread\tallocs\tbytes\tover bare: best\tmedian\tallocs\tto sessionhub"}
	var ours cost
	for i, c := range costs {
		line := fmt.Sprintf("%s\t%s\t%s\t%s\t%.0f\t%.0f", names[i],
			micros(c.time.at(0)), micros(c.time.at(0.5)), c.time.spread(), c.allocs, c.bytes)
		if i == 0 {
			lines = append(lines, line+"\t\t\t\t")
			continue
		}
		if strings.HasPrefix(names[i], "sessionhub/") {
			ours = c
		}
		lines = append(lines, fmt.Sprintf("%s\t%s\t%s\t%.0f\t%s", line,
			micros(over(c, 0)), micros(over(c, 0.5)), c.allocs-none.allocs, times(over(c, 0.5), over(ours, 0.5))))
	}
	table("A request with a session of 5 values, in memory", lines...)
}
