package cases_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
	"github.com/sessionhub/sessionhub/web"
)

func ignoring(context.Context, *transport.Outbox, transport.Message) error { return nil }

func TestD28_idleTimeoutEndsASocketThatOnlyPings(t *testing.T) {
	visRun(t, "memory", func(w *visWorld) {
		n := w.socketNode()
		began := time.Now()
		v := n.visitor().login("alice")
		s := v.dial(n.endpoint(ignoring, transport.Options{}))
		for range 29 {
			time.Sleep(time.Minute)
			if err := s.ws.Ping(context.Background()); err != nil {
				w.Fatal(err)
			}
			// What is pushed to it is no activity of its own either.
			if err := n.hub.Send(w.Context(), "main", v.id(), []byte("news")); err != nil {
				w.Error(err)
			}
		}
		s.wantClose(hub.SessionExpired)
		if got := s.at.Sub(began); got != 30*time.Minute {
			w.Errorf("ended after %v, want 30m", got)
		}
	})
}

func TestD29_lifetimeEndsASocketThatIsActiveAllDay(t *testing.T) {
	visRun(t, "memory", func(w *visWorld) {
		n := w.socketNode()
		began := time.Now()
		s := n.visitor().login("alice").dial(n.endpoint(visEcho, transport.Options{}))
		for time.Since(began) < 8*time.Hour-7*time.Minute {
			time.Sleep(7 * time.Minute)
			s.ask("active")
		}
		s.wantClose(hub.SessionExpired)
		if got := s.at.Sub(began); got != 8*time.Hour {
			w.Errorf("ended after %v, want 8h", got)
		}
	})
}

func TestD30_anotherTabSlidesTheSession(t *testing.T) {
	visRun(t, "memory", func(w *visWorld) {
		a, b := w.socketNode(), w.socketNode()
		v := a.visitor().login("alice")
		first := v.dial(a.endpoint(visEcho, transport.Options{}))
		second := v.at(b).dial(b.endpoint(visEcho, transport.Options{}))
		for range 24 {
			time.Sleep(10 * time.Minute)
			second.ask("active")
		}
		if !first.open() {
			w.Fatal("four hours later the quiet tab is closed")
		}
		last := time.Now()
		first.wantClose(hub.SessionExpired)
		second.wantClose(hub.SessionExpired)
		if got := first.at.Sub(last); got != 30*time.Minute {
			w.Errorf("ended %v after the last activity, want 30m", got)
		}
	})
}

// guarded asks for a page that wants a user, and returns the status.
func (v *visVisitor) guarded() int {
	h := web.RequireUser(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, "in") }))
	return v.request(httptest.NewRequest("GET", visOrigin, nil), h.ServeHTTP).StatusCode
}

func TestD32_thePreviousSecretIsGoodForItsGrace(t *testing.T) {
	visRun(t, "memory", func(w *visWorld) {
		n := w.node(prefixes.Namespace{Name: "main", IdleTimeout: 8 * time.Hour, RenewAfter: time.Hour})
		v := n.visitor().login("alice")
		time.Sleep(time.Hour)
		old := v.copy()
		if got := v.guarded(); got != 200 || v.cookie() == old.cookie() || v.id() != old.id() {
			w.Fatalf("%d, and the secret was not renewed", got)
		}
		// Until the new one is seen the old one may be all that the browser has.
		time.Sleep(10 * time.Minute)
		was := old.cookie()
		if got := old.guarded(); got != 200 || old.cookie() != was {
			w.Errorf("before the new secret was seen: %d", got)
		}
		if got := v.guarded(); got != 200 {
			w.Errorf("with the new secret: %d", got)
		}
		time.Sleep(session.RenewGrace - time.Second)
		if got := old.guarded(); got != 200 {
			w.Errorf("inside the grace: %d", got)
		}
		time.Sleep(time.Second)
		if got := old.copy().guarded(); got != 401 {
			w.Errorf("after the grace: %d, want 401", got)
		}
		if got := v.guarded(); got != 200 {
			w.Errorf("with the new secret after the grace: %d", got)
		}
	})
}

// A renewal leaves the sockets alone, unlike a login.
func TestD32_aRenewalClosesNoSocket(t *testing.T) {
	visRun(t, "memory", func(w *visWorld) {
		w.Setenv("SESSION_RENEW_AFTER", "10m")
		n := w.socketNode()
		v := n.visitor().login("alice")
		s := v.dial(n.endpoint(visEcho, transport.Options{}))
		time.Sleep(11 * time.Minute)
		was := v.cookie()
		if got := v.guarded(); got != 200 || v.cookie() == was {
			w.Fatalf("%d, and the secret was not renewed", got)
		}
		time.Sleep(session.RenewGrace + time.Second)
		if got := s.ask("hello"); got != "hello" {
			w.Errorf("answer %q", got)
		}
	})
}
