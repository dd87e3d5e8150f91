package transport_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/transport"
)

func TestStale_messagesAreHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		b := newDeaf(s.broker)
		n := s.join(b)
		v, w := n.logIn("ada"), n.logIn("bob")
		e := n.endpoint(transport.HandlerFunc(echo), transport.Options{})
		stays, ends := dial(t, e, page(v)), dial(t, e, page(w))
		b.deafen()
		stays.send("held")
		ends.send("held")
		synctest.Wait()
		stays.wantQuiet()
		time.Sleep(5 * time.Second)
		n.endElsewhere(w.Header())
		synctest.Wait()
		ends.wantOpen()
		stays.wantQuiet()
		b.hear()
		stays.wantNext("held")
		ends.wantClose(hub.SessionEnded)
		ends.wantQuiet()
		_ = stays.ws.CloseNow()
	})
}

func TestStale_forTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		b := newDeaf(s.broker)
		n := s.join(b)
		e := n.endpoint(transport.HandlerFunc(echo), transport.Options{})
		c := dial(t, e, page(n.logIn("ada")))
		b.deafen()
		c.send("held")
		time.Sleep(15 * time.Second)
		c.wantClose(hub.TryLater)
		c.wantQuiet()
		b.hear()
	})
}

func TestStale_failOpenGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, prefixes.Namespace{Name: "main", Stale: prefixes.FailOpen}, prefixes.Namespace{Name: "chat", Parent: "main"})
		b := newDeaf(s.broker)
		n := s.join(b)
		v, w := n.logIn("ada"), n.logIn("bob")
		h := &full{message: func(_ context.Context, out *transport.Outbox, in transport.Message) error {
			out.Subscribe("lobby", "")
			out.Publish("lobby", in.Data)
			return nil
		}}
		open := n.endpoint(h, transport.Options{Namespaces: []string{"main"}})
		both := n.endpoint(h, transport.Options{}) // chat fails closed, and it with that
		closes := dial(t, both, page(v))
		b.deafen()
		wantStatus(t, both, page(v), http.StatusServiceUnavailable)
		stays, ends := dial(t, open, page(v)), dial(t, open, page(w))
		stays.send("deaf")
		stays.wantNext("deaf")
		n.endElsewhere(w.Header())
		time.Sleep(15 * time.Second)
		closes.wantClose(hub.TryLater)
		stays.send("still")
		stays.wantNext("still")
		b.hear()
		ends.wantClose(hub.SessionEnded)
		stays.wantOpen()
		_ = stays.ws.CloseNow()
	})
}
