package bench

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// library is one way to have sessions over HTTP, with one store. Its functions
// are what handlers do.
type library struct {
	name  string // "scs"
	store string // where the sessions are: "memory", "Redis", "cookie"
	wrap  func(http.Handler) http.Handler
	wire  *wire // to Redis, or nil

	fill   action                        // gives a visitor without a session five values
	check  func(key, want string) action // the error is errWrong
	set    func(key, value string) action
	login  action // as the path of the URL, and keeps the values
	user   func(want string) action
	logout action
}

func (l *library) String() string { return l.name + " (" + l.store + ")" }

// action is a handler that writes only fields of the header.
type action func(http.ResponseWriter, *http.Request) error

// nothing does not look at the session.
func nothing(http.ResponseWriter, *http.Request) error { return nil }

// errWrong is a value other than the one to be checked.
var errWrong = errors.New("bench: the session has another value")

// handler returns what a program would serve: an action, and an answer.
func (l *library) handler(b testing.TB, act action) http.Handler {
	h := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := act(w, r); err != nil {
			b.Errorf("%v: %v", l, err)
		}
		w.Write(ok)
	}))
	if l.wrap != nil {
		h = l.wrap(h)
	}
	return h
}

// visitor is a browser with one cookie, without the network in between. It
// allocates nothing by itself.
type visitor struct {
	w      sink
	r      http.Request // as it arrives
	now    http.Request // as a handler gets it: some libraries write into it
	cookie [1]string
}

// sink is a response that goes nowhere, so that no recorder is measured.
type sink struct{ h http.Header }

func (w *sink) Header() http.Header         { return w.h }
func (w *sink) Write(p []byte) (int, error) { return len(p), nil }
func (w *sink) WriteHeader(int)             {}

func newVisitor(user string) *visitor {
	return &visitor{w: sink{make(http.Header)}, r: *httptest.NewRequest("GET", "/"+user, nil)}
}

// visit makes a request, and keeps the cookie that comes back.
func (v *visitor) visit(h http.Handler) {
	clear(v.w.h)
	v.now = v.r
	h.ServeHTTP(&v.w, &v.now)
	for _, line := range v.w.h["Set-Cookie"] {
		v.cookie[0], _, _ = strings.Cut(line, ";")
		v.r.Header["Cookie"] = v.cookie[:]
	}
}

// twin returns another browser with the same cookie.
func (v *visitor) twin() *visitor {
	t := newVisitor("ada")
	t.cookie = v.cookie
	t.r.Header["Cookie"] = t.cookie[:]
	return t
}

// forget loses the cookie.
func (v *visitor) forget() { delete(v.r.Header, "Cookie") }
