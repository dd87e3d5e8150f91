package transport_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
	"github.com/sessionhub/sessionhub/transport"
	"github.com/sessionhub/sessionhub/web"
)

// post sends a request through the session middleware of n.
func (n *node) post(cookie http.Header, h http.HandlerFunc) *http.Response {
	r := httptest.NewRequestWithContext(context.Background(), "POST", "/", nil)
	r.Header = cookie
	w := httptest.NewRecorder()
	web.Sessions(n.m, web.Options{})(h).ServeHTTP(w, r)
	return w.Result()
}

func TestLogout_overHTTPClosesAllSocketsOfTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		a, b := s.join(nil), s.join(nil)
		v, w := a.logIn("ada"), a.logIn("ada")
		handled := func(context.Context, *transport.Outbox, transport.Message) error {
			t.Error("a message was handled after the logout")
			return nil
		}
		ea, eb := a.endpoint(transport.HandlerFunc(handled), transport.Options{}), b.endpoint(transport.HandlerFunc(handled), transport.Options{})
		var ended []*client
		for range 5 {
			ended = append(ended, dial(t, ea, page(v)), dial(t, eb, page(v)))
		}
		other := dial(t, eb, page(w))
		began := time.Now()
		a.post(v.Header(), func(_ http.ResponseWriter, r *http.Request) {
			got, err := session.Logout(r.Context(), session.This)
			if err != nil || got.ClosedHere != 5 || !got.StoreOK {
				t.Errorf("Logout = %+v, %v", got, err)
			}
		})
		synctest.Wait() // for the notice on the other node
		for _, c := range ended {
			_ = c.ws.Write(t.Context(), 1, []byte("too late"))
			c.wantClose(hub.SessionEnded)
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("took %v", d)
		}
		other.wantOpen()
		_ = other.ws.CloseNow()
		dial(t, ea, page(v)).wantClose(hub.SessionEnded)
	})
}

func TestLogout_endsTheFamilyAndNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, prefixes.Namespace{Name: "main"}, prefixes.Namespace{Name: "chat", Parent: "main"},
			prefixes.Namespace{Name: "shop", Cookie: prefixes.Cookie{Name: "__Host-shop"}})
		v := n.logIn("ada")
		shop := n.endpoint(transport.HandlerFunc(use(nil, []string{"shop"})),
			transport.Options{Namespaces: []string{"shop"}, Anonymous: transport.Create})
		other := dial(t, shop, page(v))
		if got := other.resp.Cookies(); len(got) != 1 || got[0].Name != "__Host-shop" {
			t.Errorf("cookies %v", got)
		}
		var family []*client
		for _, names := range [][]string{{"main"}, {"chat"}, {"main", "chat"}} {
			e := n.endpoint(transport.HandlerFunc(echo), transport.Options{Namespaces: names})
			family = append(family, dial(t, e, page(v)))
		}
		synctest.Wait()
		if got := n.logOut(v, session.This); got.ClosedHere != 3 {
			t.Errorf("Logout = %+v", got)
		}
		for _, c := range family {
			c.wantClose(hub.SessionEnded)
		}
		other.send("go")
		other.wantNext("done")
		_ = other.ws.CloseNow()
	})
}

func TestLogout_withinAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		e := n.endpoint(transport.HandlerFunc(func(ctx context.Context, out *transport.Outbox, _ transport.Message) error {
			out.Reply([]byte("never"))
			_, err := session.Logout(ctx, session.This)
			return err
		}), transport.Options{})
		v := n.logIn("ada")
		c := dial(t, e, page(v))
		c.send("log out")
		c.wantClose(hub.SessionEnded)
		c.wantQuiet()
	})
}

func TestLogout_duringUpgrade(t *testing.T) {
	for _, c := range []struct {
		name string
		at   func(*node, *dialing, func()) // has the logout done
	}{
		{"between registration and load", func(n *node, _ *dialing, logout func()) {
			hook := func(op string) {
				if op == "load" {
					n.store.before.Store(nil)
					logout()
				}
			}
			n.store.before.Store(&hook)
		}},
		{"between load and admission", func(n *node, _ *dialing, logout func()) { n.store.during("load", logout) }},
		{"between admission and 101", func(_ *node, d *dialing, logout func()) { d.onSwitch = logout }},
	} {
		for _, anonymous := range []transport.Anonymous{transport.Refuse, transport.Allow} {
			t.Run(fmt.Sprint(c.name, " ", anonymous), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := newNode(t)
					v := n.logIn("ada")
					var calls events
					e := n.endpoint(&full{
						open:   func(context.Context, *transport.Outbox) error { calls.add("open"); return nil },
						closed: func(context.Context, *transport.Peer, hub.Reason) { calls.add("closed") },
						message: func(_ context.Context, out *transport.Outbox, _ transport.Message) error {
							calls.add("message by %q", out.Peer().User)
							return nil
						},
					}, transport.Options{Anonymous: anonymous})
					var d dialing
					c.at(n, &d, func() { n.logOut(v, session.This) })
					ws := d.dial(t, e, page(v))
					_ = ws.ws.Write(t.Context(), 1, []byte("hello"))
					synctest.Wait()
					if anonymous == transport.Allow && calls.has("open") {
						// The cookie opened nothing any more: like none.
						if got := calls.String(); got != `open, message by ""` {
							t.Errorf("calls %s", got)
						}
						_ = ws.ws.CloseNow()
						return
					}
					ws.wantClose(hub.SessionEnded)
					if got := calls.String(); got != "" {
						t.Errorf("calls %s", got)
					}
				})
			})
		}
	}
}

func TestLogout_atAThousandMomentsOfAnUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		pause := func(string) { time.Sleep(time.Duration(rand.IntN(5)) * time.Microsecond) }
		n.store.before.Store(&pause)
		n.store.after.Store(&pause)
		var over atomic.Bool
		e := n.endpoint(transport.HandlerFunc(func(ctx context.Context, out *transport.Outbox, in transport.Message) error {
			pause("")
			if over.Load() && ctx.Err() == nil { // else it began before
				t.Error("a message was dispatched after the logout")
			}
			return count(ctx, out, in)
		}), transport.Options{HandshakeRate: 1000})
		ways := make(map[bool]int) // by whether the socket was let in
		for range 1000 {
			v := n.logIn("ada")
			over.Store(false)
			done := make(chan struct{})
			go func() {
				defer close(done)
				time.Sleep(time.Duration(rand.IntN(6)) * time.Microsecond)
				n.logOut(v, session.This)
				over.Store(true)
			}()
			before := e.Stats().Accepted
			time.Sleep(time.Duration(rand.IntN(12)) * time.Microsecond)
			c := dialing{onSwitch: func() { pause("") }}.dial(t, e, page(v))
			_ = c.ws.Write(t.Context(), 1, []byte("hello"))
			<-done
			c.wantClose(hub.SessionEnded)
			ways[e.Stats().Accepted > before]++
		}
		if ways[true] < 50 || ways[false] < 50 {
			t.Errorf("let in or not: %v; the moments are badly spread", ways)
		}
		// A handler of the last round may be in its pause, which Wait does not
		// wait for: time has to pass.
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if got := n.hub.Stats(); got.Connections != 0 {
			t.Errorf("%d entries are left", got.Connections)
		}
	})
}

func TestLogout_whileAMessageIsHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		v := n.logIn("ada")
		listener := dial(t, n.endpoint(&full{open: func(_ context.Context, out *transport.Outbox) error {
			out.Subscribe("lobby", "")
			return nil
		}}, transport.Options{Anonymous: transport.Allow}), cookies())
		began := make(chan struct{})
		h := func(ctx context.Context, out *transport.Outbox, in transport.Message) error {
			if string(in.Data) == "next" {
				t.Error("the message that waited was handled")
			}
			if err := count(ctx, out, in); err != nil {
				return err
			}
			out.Publish("lobby", in.Data)
			if err := session.OnSaved(ctx, func(context.Context) { t.Error("saved") }); err != nil {
				return err
			}
			close(began)
			<-ctx.Done()
			var reason hub.Reason
			if cause := context.Cause(ctx); !errors.Is(cause, transport.ErrEnded) || !errors.As(cause, &reason) || reason != hub.SessionEnded {
				t.Errorf("cause %v", cause)
			}
			return nil
		}
		c := dial(t, n.endpoint(transport.HandlerFunc(h), transport.Options{}), page(v))
		c.send("first")
		c.send("next") // read ahead
		<-began
		synctest.Wait()
		n.logOut(v, session.This)
		c.wantClose(hub.SessionEnded)
		c.wantQuiet()
		synctest.Wait()
		listener.wantQuiet()
		_ = listener.ws.CloseNow()
		if got := n.log.String(); got != "" {
			t.Errorf("log %s", got)
		}
	})
}

func TestLogout_betweenSaveAndSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		v := n.logIn("ada")
		listener := dial(t, n.endpoint(&full{open: func(_ context.Context, out *transport.Outbox) error {
			out.Subscribe("lobby", "")
			return nil
		}}, transport.Options{Anonymous: transport.Allow}), cookies())
		synctest.Wait()
		h := func(ctx context.Context, out *transport.Outbox, in transport.Message) error {
			out.Reply(in.Data)
			out.Publish("lobby", in.Data)
			return session.OnSaved(ctx, func(context.Context) { n.logOut(v, session.This) })
		}
		c := dial(t, n.endpoint(transport.HandlerFunc(h), transport.Options{}), page(v))
		c.send("hello")
		c.wantClose(hub.SessionEnded)
		c.wantQuiet()
		synctest.Wait()
		listener.wantQuiet()
		_ = listener.ws.CloseNow()
	})
}

func TestLogout_markStopsSaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		v := n.logIn("ada")
		c := dial(t, n.endpoint(transport.HandlerFunc(func(ctx context.Context, out *transport.Outbox, in transport.Message) error {
			<-ctx.Done()
			return count(ctx, out, in)
		}), transport.Options{}), page(v))
		c.send("hello")
		synctest.Wait()
		hook := func(op string) {
			switch op {
			case "delete":
				synctest.Wait() // the handler has returned, and the session lives still
			case "save":
				t.Error("saved after the mark")
			}
		}
		n.store.before.Store(&hook)
		n.logOut(v, session.This)
		c.wantClose(hub.SessionEnded)
	})
}

func TestLogout_endsWhatOpensMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		v := n.logIn("ada")
		// The notice would end the socket too, a moment before or after: not
		// here.
		n.store.Store.(*memstore.Store).Deliver = nil
		e := n.endpoint(transport.HandlerFunc(echo), transport.Options{})
		var c *client
		hook := func(op string) {
			if op == "delete" { // the sockets that were open are marked
				n.store.before.Store(nil)
				c = dial(t, e, page(v))
				synctest.Wait()
			}
		}
		n.store.before.Store(&hook)
		if got := n.logOut(v, session.This); got.ClosedHere != 1 {
			t.Errorf("Logout = %+v", got)
		}
		c.wantClose(hub.SessionEnded)
	})
}

func TestHandler_thatStopsWithItsSocketIsNotLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		wait := func(ctx context.Context, _ *transport.Outbox, in transport.Message) error {
			<-ctx.Done()
			if string(in.Data) == "cause" {
				return context.Cause(ctx)
			}
			return fmt.Errorf("own words: %w", ctx.Err())
		}
		e := n.endpoint(transport.HandlerFunc(wait), transport.Options{})
		for _, text := range []string{"cause", "error"} {
			v := n.logIn("ada")
			ended, gone := dial(t, e, page(v)), dial(t, e, page(v))
			ended.send(text)
			gone.send(text)
			synctest.Wait()
			_ = gone.ws.CloseNow()
			synctest.Wait()
			n.logOut(v, session.This)
			ended.wantClose(hub.SessionEnded)
		}
		if got := n.log.String(); got != "" {
			t.Errorf("log %s", got)
		}
	})
}
