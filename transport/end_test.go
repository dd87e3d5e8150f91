package transport_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
)

func TestLogin_closesOlderSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		open := n.endpoint(transport.HandlerFunc(count), transport.Options{Anonymous: transport.Create})
		planted := dial(t, open, cookies()) // before the login, by whomever
		planted.send("one")
		planted.wantNext("1")
		old := cookies("__Host-id=" + planted.resp.Cookies()[0].Value)
		resp := n.post(old.Clone(), func(w http.ResponseWriter, r *http.Request) {
			if err := session.Login(r.Context(), "ada"); err != nil {
				t.Errorf("Login: %v", err)
			}
			w.WriteHeader(http.StatusNoContent)
		})
		planted.wantClose(hub.SessionRenewed)
		now := cookies("__Host-id=" + resp.Cookies()[0].Value)
		for range 2 {
			c := dial(t, open, now)
			c.send("more")
			c.next()
			_ = c.ws.CloseNow()
		}
		dial(t, open, old).wantClose(hub.SessionRenewed) // a moment ago
		time.Sleep(session.ElevateGrace)
		strict := n.endpoint(transport.HandlerFunc(count), transport.Options{})
		dial(t, strict, old).wantClose(hub.SessionEnded)
	})
}

func TestNamespace_ends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		v := n.logIn("ada")
		var calls events
		h := &full{
			open: func(_ context.Context, out *transport.Outbox) error {
				out.Subscribe("of chat", "chat")
				out.Subscribe("of the socket", "")
				return nil
			},
			ended: func(ctx context.Context, out *transport.Outbox, namespace string) error {
				_, err := session.Get(ctx, "chat")
				calls.add("%s ended %v", namespace, errors.Is(err, session.ErrNamespaceEnded))
				out.Reply([]byte("session.ended " + namespace))
				return count(ctx, out, transport.Message{})
			},
			message: func(ctx context.Context, out *transport.Outbox, in transport.Message) error {
				if string(in.Data) == "chat" {
					out.Reply([]byte("never"))
					_, err := session.Get(ctx, "chat")
					return err
				}
				return count(ctx, out, in)
			},
		}
		both := dial(t, n.endpoint(h, transport.Options{}), page(v))
		chat := dial(t, n.endpoint(h, transport.Options{Namespaces: []string{"chat"}}), page(v))
		synctest.Wait()
		if got := n.logOut(v, session.Namespace("chat")); got.ClosedHere != 1 {
			t.Errorf("Logout = %+v", got)
		}
		chat.wantClose(hub.SessionEnded)
		chat.wantQuiet()
		both.wantNext("session.ended chat")
		both.wantNext("1")
		if got := calls.String(); got != "chat ended true" {
			t.Errorf("calls %s", got)
		}
		for _, topic := range []string{"of chat", "of the socket"} {
			if err := n.hub.Publish(t.Context(), topic, []byte(topic)); err != nil {
				t.Fatal(err)
			}
		}
		both.wantNext("of the socket")
		both.send("chat") // ErrNamespaceEnded keeps the socket
		both.send("main")
		both.wantNext("2")
		again := dial(t, n.endpoint(h, transport.Options{}), page(v)) // anew, for those who come later
		again.send("chat")
		again.wantNext("never")
		_, _ = both.ws.CloseNow(), again.ws.CloseNow()
		if got := n.log.String(); got != "" {
			t.Errorf("log %s", got)
		}
	})
}

func TestNamespace_endsDuringUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		v := n.logIn("ada")
		var calls events
		h := &full{
			open: func(_ context.Context, out *transport.Outbox) error {
				calls.add("open for %s", out.Peer().User)
				return nil
			},
			ended: func(_ context.Context, out *transport.Outbox, namespace string) error {
				calls.add("%s ended for %s", namespace, out.Peer().User)
				out.Reply([]byte(namespace))
				return nil
			},
		}
		e := n.endpoint(h, transport.Options{})
		n.store.during("load", func() { n.logOut(v, session.Namespace("chat")) })
		c := dial(t, e, page(v))
		c.wantNext("chat")
		if got := calls.String(); got != "open for ada, chat ended for ada" {
			t.Errorf("calls %s", got)
		}
		_ = c.ws.CloseNow()
		n.store.during("load", func() { n.logOut(v, session.Namespace("chat")) })
		dial(t, n.endpoint(h, transport.Options{Namespaces: []string{"chat"}}), page(v)).wantClose(hub.SessionEnded)
	})
}

func TestDrain_finishesWhatBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		v := n.logIn("ada")
		began := make(chan struct{})
		e := n.endpoint(transport.HandlerFunc(func(ctx context.Context, out *transport.Outbox, in transport.Message) error {
			close(began)
			<-ctx.Done()
			return count(ctx, out, in)
		}), transport.Options{})
		c := dial(t, e, page(v))
		c.send("hello")
		<-began
		if err := n.hub.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		c.wantClose(hub.Restart)
		if got := n.counted(v, "main"); got != 1 {
			t.Errorf("counted %d, want 1", got)
		}
		dial(t, e, page(v)).wantClose(hub.Restart)
	})
}

func TestNodes_shareSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		a, b := s.join(nil), s.join(nil)
		v := a.logIn("ada")
		see := func(ctx context.Context, out *transport.Outbox, in transport.Message) error {
			if string(in.Data) == "add" {
				return count(ctx, out, in)
			}
			s, err := session.Get(ctx, "main")
			if err != nil {
				return err
			}
			raw, _ := s.Value("sent")
			out.Reply(raw)
			return nil
		}
		ea := a.endpoint(transport.HandlerFunc(see), transport.Options{})
		eb := b.endpoint(transport.HandlerFunc(see), transport.Options{})
		fresh := b.endpoint(transport.HandlerFunc(see), transport.Options{Fresh: true})
		a1, a2, b1, b2 := dial(t, ea, page(v)), dial(t, ea, page(v)), dial(t, eb, page(v)), dial(t, fresh, page(v))
		do := func(c *client, text, want string) {
			t.Helper()
			c.send(text)
			c.wantNext(want)
		}
		do(a1, "add", "1")
		do(a2, "see", "1") // on the same node at once
		do(b1, "see", "")  // on another not yet
		do(b2, "see", "1") // unless it asks; and then all of that node see it
		do(b1, "see", "1")
		do(a1, "add", "2")
		do(b1, "add", "2") // the snapshot said 1
		do(b1, "see", "3") // after a save of its own it sees all
		do(a1, "see", "2")
		time.Sleep(67 * time.Second) // the hub revalidates
		do(a1, "see", "3")
		for _, c := range []*client{a1, a2, b1, b2} {
			_ = c.ws.CloseNow()
		}
	})
}
