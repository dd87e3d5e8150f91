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

// A handler that outlasts the freshness of its node saves nothing, so no store
// tells it of the end.
func TestStale_whatAHandlerSendsIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		b := newDeaf(s.broker)
		n, other := s.join(b), s.join(nil)
		v, w := n.logIn("ada"), n.logIn("bob")
		e := n.endpoint(transport.HandlerFunc(slow), transport.Options{})
		listens := dial(t, other.endpoint(&full{open: inLobby}, transport.Options{}), page(other.logIn("carol")))
		stays, ends := dial(t, e, page(v)), dial(t, e, page(w))
		stays.send("stays")
		ends.send("ends")
		synctest.Wait()
		b.deafen()
		n.endElsewhere(w.Header())
		time.Sleep(slowness + time.Second)
		synctest.Wait()
		stays.wantQuiet()
		ends.wantQuiet()
		listens.wantQuiet()
		b.hear()
		stays.wantNext("stays")
		listens.wantNext("stays")
		ends.wantClose(hub.SessionEnded)
		ends.wantQuiet()
		listens.wantQuiet()
		_ = stays.ws.CloseNow()
		_ = listens.ws.CloseNow()
	})
}

func TestStale_whatIsHeldDetainsNoSocket(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *node, *client){
		"the client leaves": func(_ *testing.T, _ *node, c *client) { _ = c.raw.Close() },
		"the node drains": func(t *testing.T, n *node, c *client) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := n.hub.Drain(ctx); err != nil {
				t.Error(err)
			}
			c.wantClose(hub.Restart)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				b := newDeaf(s.broker)
				n, other := s.join(b), s.join(nil)
				e := n.endpoint(transport.HandlerFunc(slow), transport.Options{})
				listens := dial(t, other.endpoint(&full{open: inLobby}, transport.Options{}), page(nil))
				c := dial(t, e, page(n.logIn("ada")))
				c.send("held")
				synctest.Wait()
				b.deafen()
				time.Sleep(slowness + time.Second)
				end(t, n, c)
				synctest.Wait()
				if got := e.Stats().Open; got != 0 {
					t.Errorf("%d sockets are open", got)
				}
				c.wantQuiet()
				listens.wantQuiet()
				_ = listens.ws.CloseNow()
			})
		})
	}
}

// Frames wait for a peer that takes nothing when its node becomes stale.
func TestStale_whatIsQueuedIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		b := newDeaf(s.broker)
		n := s.join(b)
		v, w := n.logIn("ada"), n.logIn("bob")
		e := n.endpoint(&full{open: inLobby}, transport.Options{})
		stays, ends := dialing{silent: true}.dial(t, e, page(v)), dialing{silent: true}.dial(t, e, page(w))
		synctest.Wait() // subscribed
		for _, text := range []string{"being written", "second", "third"} {
			if err := n.hub.Publish(t.Context(), "lobby", []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		b.deafen()
		n.endElsewhere(w.Header())
		time.Sleep(8 * time.Second)
		for _, c := range []*client{stays, ends} {
			go c.read()
			c.wantNext("being written")
			synctest.Wait()
			c.wantQuiet()
		}
		b.hear()
		stays.wantNext("second")
		stays.wantNext("third")
		ends.wantClose(hub.SessionEnded)
		ends.wantQuiet()
		_ = stays.ws.CloseNow()
	})
}

func TestStale_closeOvertakesWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		b := newDeaf(s.broker)
		n := s.join(b)
		c := dialing{silent: true}.dial(t, n.endpoint(&full{open: inLobby}, transport.Options{}), page(n.logIn("ada")))
		synctest.Wait() // subscribed
		for _, text := range []string{"being written", "second"} {
			if err := n.hub.Publish(t.Context(), "lobby", []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		b.deafen()
		go c.read()
		c.wantNext("being written")
		began := time.Now()
		c.wantClose(hub.TryLater)
		if d := c.at.Sub(began); d != 10*time.Second {
			t.Errorf("closed after %v", d)
		}
		c.wantQuiet()
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

// slowness is how long [slow] takes.
const slowness = 8 * time.Second

// slow sends every message back and to the lobby, in the end.
func slow(_ context.Context, out *transport.Outbox, in transport.Message) error {
	time.Sleep(slowness)
	out.Reply(in.Data)
	out.Publish("lobby", in.Data)
	return nil
}

// inLobby opens a socket that gets what is published to the lobby.
func inLobby(_ context.Context, out *transport.Outbox) error {
	out.Subscribe("lobby", "")
	return nil
}
