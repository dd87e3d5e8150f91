package bench

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/internal/redistest"
)

// TestClaims holds what docs/comparison.md says that sessions of each library
// do, in the versions of go.mod.
func TestClaims(t *testing.T) {
	type claim struct {
		stolen  bool // a cookie that was copied before the logout opens the session after it
		revived bool // a request that began before the logout and saves after it brings the session back
		lost    bool // of two requests that set two values at once, the later one undoes the other
		planted bool // a cookie of before the login is logged in after it
	}
	want := map[string]claim{
		"sessionhub (memory)":      {},
		"sessionhub (Redis)":       {},
		"scs (memory)":             {revived: true, lost: true},
		"scs, JSON codec (memory)": {revived: true, lost: true},
		"scs (Redis)":              {revived: true, lost: true},
		"gorilla (cookie)":         {stolen: true, revived: true, lost: true},
		"gorilla (Redis)":          {revived: true, lost: true, planted: true},
	}
	for _, l := range libraries(t, redistest.Shared(t)) {
		t.Run(l.String(), func(t *testing.T) {
			got := claim{l.stolen(t), l.revived(t), l.lost(t), l.planted(t)}
			if got != want[l.String()] {
				t.Errorf("%+v, want %+v", got, want[l.String()])
			}
		})
	}
}

// TestClaims_idleTimeout: with an idle timeout, which ours always has, every
// read of scs writes, and one of ours does when it has something to slide.
func TestClaims_idleTimeout(t *testing.T) {
	server := redistest.Shared(t)
	idle, m := withSCSOnRedis(t, server)
	m.IdleTimeout = 30 * time.Minute
	for _, c := range []struct {
		l    *library
		want float64
	}{{oursOnRedis(t, server), 1}, {idle, 2}} {
		if got := c.l.trips(c.l.step(t, "read")); got != c.want {
			t.Errorf("%v: a read is %v round trips, want %v", c.l, got, c.want)
		}
	}
}

// TestClaims_lateSave: what is saved after the first byte of a body is saved
// with gorilla's cookies nowhere, without an error.
func TestClaims_lateSave(t *testing.T) {
	l := withGorillaCookies()
	w := httptest.NewRecorder()
	w.WriteString("hello")
	if err := l.set("theme", "light")(w, httptest.NewRequest("GET", "/", nil)); err != nil {
		t.Errorf("the late save returned %v", err)
	}
	if got := w.Result().Cookies(); len(got) != 0 {
		t.Errorf("the response has the cookies %v", got)
	}
}

func (l *library) stolen(t *testing.T) bool {
	v := l.visitor(t, l.fill, l.login)
	thief := v.twin()
	v.visit(l.handler(t, l.logout))
	return l.answers(thief, l.user("/ada"))
}

func (l *library) revived(t *testing.T) bool {
	v := l.visitor(t, l.fill, l.login)
	tab, later := v.twin(), v.twin()
	v.visit(l.handler(t, func(w http.ResponseWriter, r *http.Request) error {
		if err := l.check("name", "ada")(w, r); err != nil {
			return err
		}
		tab.visit(l.handler(t, l.logout))
		return l.set("theme", "light")(w, r)
	}))
	return l.answers(later, l.check("theme", "light")) || l.answers(later, l.user("/ada"))
}

func (l *library) lost(t *testing.T) bool {
	v := l.visitor(t, l.fill)
	tab := v.twin()
	v.visit(l.handler(t, func(w http.ResponseWriter, r *http.Request) error {
		if err := l.check("name", "ada")(w, r); err != nil {
			return err
		}
		tab.visit(l.handler(t, l.set("theme", "light")))
		return l.set("email", "grace@example.org")(w, r)
	}))
	if !l.answers(v, l.check("email", "grace@example.org")) {
		t.Error("neither of two values was kept")
	}
	return !l.answers(v, l.check("theme", "light"))
}

func (l *library) planted(t *testing.T) bool {
	v := l.visitor(t, l.fill)
	planted := v.twin()
	v.visit(l.handler(t, l.login))
	if !l.answers(v, l.user("/ada")) {
		t.Error("nobody is logged in")
	}
	return l.answers(planted, l.user("/ada"))
}

// visitor returns one who did so much.
func (l *library) visitor(t *testing.T, acts ...action) *visitor {
	v := newVisitor("ada")
	for _, act := range acts {
		v.visit(l.handler(t, act))
	}
	if !l.answers(v, l.check("name", "ada")) {
		t.Fatal("no session to begin with")
	}
	return v
}

// answers reports whether what a visitor asks of the session is so.
func (l *library) answers(v *visitor, act action) bool {
	var err error
	v.twin().visit(l.handler(nil, func(w http.ResponseWriter, r *http.Request) error {
		err = act(w, r)
		return nil
	}))
	return err == nil
}
