package transport_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
)

// wantEndAfter waits for an expiry of the socket, d after began.
func (c *client) wantEndAfter(began time.Time, d time.Duration) {
	c.t.Helper()
	<-c.gone
	c.wantClose(hub.SessionExpired)
	if got := c.at.Sub(began); got != d {
		c.t.Errorf("ended after %v, want %v", got, d)
	}
}

// keep sends a message every seven minutes until ctx ends or the socket does:
// never at the moment of a deadline.
func (c *client) keep(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.gone:
			return
		case <-time.After(7 * time.Minute):
			_ = c.ws.Write(context.Background(), 1, []byte("active"))
		}
	}
}

func ignore(context.Context, *transport.Outbox, transport.Message) error { return nil }

func TestIdle_endsAtTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		e := n.endpoint(&full{open: func(_ context.Context, out *transport.Outbox) error {
			out.Subscribe("lobby", "")
			return nil
		}}, transport.Options{})
		began := time.Now()
		c := dial(t, e, page(n.logIn("ada")))
		go func() { // neither what is pushed nor a ping is activity
			for range 29 {
				_ = n.hub.Publish(t.Context(), "lobby", []byte("news"))
				_ = c.ws.Ping(t.Context())
				time.Sleep(time.Minute)
			}
		}()
		c.wantEndAfter(began, 30*time.Minute)
	})
}

func TestIdle_messagesSlide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		c := dial(t, n.endpoint(transport.HandlerFunc(ignore), transport.Options{}), page(n.logIn("ada")))
		began := time.Now()
		time.Sleep(29 * time.Minute)
		c.send("active")
		c.wantEndAfter(began, 59*time.Minute)
	})
}

func TestLifetime_endsActiveSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		began := time.Now()
		c := dial(t, n.endpoint(transport.HandlerFunc(ignore), transport.Options{}), page(n.logIn("ada")))
		go c.keep(t.Context())
		c.wantEndAfter(began, 8*time.Hour)
	})
}

func TestIdle_anotherTabKeepsTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		a, b := s.join(nil), s.join(nil)
		v := a.logIn("ada")
		first := dial(t, a.endpoint(transport.HandlerFunc(echo), transport.Options{}), page(v))
		second := dial(t, b.endpoint(transport.HandlerFunc(ignore), transport.Options{}), page(v))
		ctx, cancel := context.WithCancel(t.Context())
		go second.keep(ctx)
		time.Sleep(3 * time.Hour)
		first.send("hello")
		first.wantNext("hello")
		cancel()
		_, _ = first.ws.CloseNow(), second.ws.CloseNow()
	})
}

func TestQuiet_messagesDoNotSlide(t *testing.T) {
	for _, fresh := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n := newNode(t)
			read := func(ctx context.Context, _ *transport.Outbox, _ transport.Message) error {
				_, err := session.Get(ctx, "main")
				return err
			}
			began := time.Now()
			e := n.endpoint(transport.HandlerFunc(read), transport.Options{Quiet: true, Fresh: fresh})
			c := dial(t, e, page(n.logIn("ada")))
			go c.keep(t.Context())
			c.wantEndAfter(began, 30*time.Minute)
		})
	}
}

func TestSetExpiry_closesOpenSocketsWhenItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		v := n.logIn("ada")
		c := dial(t, n.endpoint(transport.HandlerFunc(ignore), transport.Options{}), page(v))
		time.Sleep(time.Minute)
		began := time.Now()
		sc := v.Scope()
		if err := sc.SetExpiry(t.Context(), "", session.At(began.Add(5*time.Second))); err != nil {
			t.Fatal(err)
		}
		if err := sc.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.wantEndAfter(began, 5*time.Second)
	})
}
