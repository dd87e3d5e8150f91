package cases_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/web"
)

// world is what one case has: a store, a manager on it, and the middleware for
// the browsers that come.
type world struct {
	*testing.T
	kind
	store   session.Store
	records func() int      // sessions that the store keeps
	keys    func() []string // of a Redis store, without its prefix; else nil
	watch   *watched        // between the manager and the store
	m       *session.Manager
	options session.Options // of the next use
	web     web.Options
	log     *bytes.Buffer // in JSON
}

func newWorld(t *testing.T, k kind) *world {
	w := &world{T: t, kind: k, log: new(bytes.Buffer)}
	w.store, w.records, w.keys = k.open(t)
	w.watch = &watched{Store: w.store}
	logger := slog.New(slog.NewJSONHandler(w.log, nil))
	w.options = session.Options{Timeout: 5 * time.Second, Logger: logger}
	w.web = web.Options{Logger: logger}
	w.use()
	return w
}

// use begins anew with other namespaces, on the same store. Without any they
// are main, and chat below it.
func (w *world) use(ns ...prefixes.Namespace) {
	w.Helper()
	if len(ns) == 0 {
		ns = []prefixes.Namespace{prefixes.Parse("main"), prefixes.Parse("main/chat")}
	}
	reg, err := prefixes.NewRegistry(ns...)
	must(w, err)
	type cleaner interface {
		ClearExpired(context.Context) (int, error)
	}
	var store session.Store = w.watch
	if c, ok := w.store.(cleaner); ok {
		store = struct {
			*watched
			cleaner
		}{w.watch, c}
	}
	w.m = session.New(reg, store, w.options)
}

// until waits for a condition.
func (w *world) until(what string, ok func() bool) {
	w.Helper()
	tick := time.NewTicker(w.soon / 50)
	defer tick.Stop()
	for began := time.Now(); !ok(); <-tick.C {
		if time.Since(began) > 30*time.Second+w.soon {
			w.Fatalf("waited in vain until %s", what)
		}
	}
}

// exists reports whether a session lives.
func (w *world) exists(id string) bool {
	w.Helper()
	ok, err := w.m.Exists(w.Context(), "", id)
	must(w, err)
	return ok
}

// end ends a session as an administrator, or another tab, does.
func (w *world) end(id string) {
	w.Helper()
	_, err := w.m.EndSession(w.Context(), "", id, "admin")
	must(w, err)
}

// record is what the store keeps of a session.
func (w *world) record(id string) session.Record {
	w.Helper()
	rec, err := w.store.Load(w.Context(), w.watch.family(), id, session.Load{})
	must(w, err)
	return rec
}

// write writes to main behind the manager's back, as another program does.
func (w *world) write(id string, texts map[string]string, e *session.Expiry) {
	w.Helper()
	rec := w.record(id)
	sp := rec.Space("main")
	_, err := w.store.Save(w.Context(), w.watch.family(), id, session.Save{
		Op: rand.Text(), Epoch: rec.Epoch, Expiry: e,
		Deltas: map[string]session.Delta{"main": {Generation: sp.Generation, Version: sp.Version, Set: texts}},
	})
	must(w, err)
}

// warned returns the lines of the log since the last call.
func (w *world) warned() (lines []map[string]any) {
	w.Helper()
	for d := json.NewDecoder(w.log); ; {
		var line map[string]any
		if err := d.Decode(&line); err == io.EOF {
			w.log.Reset()
			return lines
		} else if err != nil {
			w.Fatal(err)
		}
		lines = append(lines, line)
	}
}

// browser keeps cookies as browsers do, and visits the site.
type browser struct {
	*world
	url string
	jar *cookiejar.Jar
}

// browser returns one that was never here.
func (w *world) browser() *browser {
	w.Helper()
	jar, err := cookiejar.New(nil)
	must(w, err)
	return &browser{w, "https://site.example/", jar}
}

// known returns one with a session, which has {"k": 1}.
func (w *world) known() *browser {
	w.Helper()
	b := w.browser()
	b.set("k", 1)
	w.watch.take()
	return b
}

// showing returns one that shows a key, good or bad.
func (w *world) showing(key string) *browser {
	w.Helper()
	b := w.browser()
	root := w.m.Registry().Roots()[0].Cookie
	r := httptest.NewRequest("GET", b.url, nil)
	b.jar.SetCookies(r.URL, []*http.Cookie{{Name: root.Name, Value: key, Secure: true}})
	return b
}

// page is one request, as its handler sees it.
type page struct {
	*world
	out http.ResponseWriter
	req *http.Request
}

// visits has the site answer a request.
func (b *browser) visits(handle func(p *page)) *http.Response {
	b.Helper()
	r := httptest.NewRequest("POST", b.url, nil)
	for _, c := range b.jar.Cookies(r.URL) {
		r.Header["Cookie"] = append(r.Header["Cookie"], c.Name+"="+c.Value) // AddCookie would mend it
	}
	rec := httptest.NewRecorder()
	web.Sessions(b.m, b.web)(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		handle(&page{b.world, out, r})
	})).ServeHTTP(rec, r)
	resp := rec.Result()
	b.jar.SetCookies(r.URL, resp.Cookies())
	return resp
}

// scope returns the sessions of the request.
func (p *page) scope() *session.Scope { return session.FromContext(p.req.Context()) }

// open returns the session of a namespace.
func (p *page) open(name string) *session.Session {
	p.Helper()
	s, err := session.Get(p.req.Context(), name)
	must(p, err)
	return s
}

// in has a request use the values of main, and returns the flags that they
// have when it has.
func (b *browser) in(use func(s *session.Session)) (left string) {
	b.Helper()
	resp := b.visits(func(p *page) {
		s := p.open("main")
		use(s)
		left = flags(s)
	})
	same(b, "status", resp.StatusCode, 200)
	return left
}

// set sets a value of main.
func (b *browser) set(key string, value any) {
	b.Helper()
	b.in(func(s *session.Session) { must(b, s.Set(key, value)) })
}

// get returns the JSON text of a value of main, "" for none.
func (b *browser) get(key string) (text string) {
	b.Helper()
	b.in(func(s *session.Session) {
		raw, _ := s.Value(key)
		text = string(raw)
	})
	return text
}

// login logs in.
func (b *browser) login(user string) {
	b.Helper()
	resp := b.visits(func(p *page) { must(p, session.Login(p.req.Context(), user)) })
	same(b, "status of the login", resp.StatusCode, 200)
}

// key is what the browser shows, "" for nothing.
func (b *browser) key() string {
	name := b.m.Registry().Roots()[0].Cookie.Name
	for _, c := range b.jar.Cookies(httptest.NewRequest("GET", b.url, nil).URL) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// id is that of the browser's session.
func (b *browser) id() string {
	id, _, _ := strings.Cut(b.key(), ".")
	return id
}

// nobody checks that a request is anonymous, and sees nothing.
func (b *browser) nobody() {
	b.Helper()
	b.visits(func(p *page) {
		user, err := session.User(p.req.Context())
		must(p, err)
		for _, name := range []string{"main", "chat"} {
			if s := p.open(name); s.ID() != "" || s.Len() != 0 || user != "" {
				p.Errorf("a session %q of %q with %q", s.ID(), user, s.Keys())
			}
		}
	})
}

// flags says which flags a session has.
func flags(s *session.Session) string {
	switch a, m := s.Accessed(), s.Modified(); {
	case a && m:
		return "accessed, modified"
	case a:
		return "accessed"
	case m:
		return "modified alone"
	}
	return "untouched"
}

// same reports what is not as it should be.
func same[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
