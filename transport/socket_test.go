package transport_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
)

func TestSocket_panicClosesOneSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		v := n.logIn("ada")
		e := n.endpoint(transport.HandlerFunc(func(ctx context.Context, out *transport.Outbox, in transport.Message) error {
			out.Reply(in.Data)
			if string(in.Data) == "panic" {
				panic("a bug of the program")
			}
			return nil
		}), transport.Options{})
		bad, good := dial(t, e, page(v)), dial(t, e, page(v))
		bad.send("panic")
		bad.wantClose(hub.InternalError)
		bad.wantQuiet()
		good.send("hello")
		good.wantNext("hello")
		good.wantOpen()
		if got := n.log.String(); strings.Count(got, "a bug of the program") != 1 || strings.Count(got, "level=ERROR") != 1 ||
			!strings.Contains(got, t.Name()) {
			t.Errorf("log: %s", got)
		}
		_ = good.ws.CloseNow()
	})
}

func TestSocket_errorsOfHandlers(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		want   hub.Reason
		logged bool
	}{
		{"own", errors.New("own"), hub.InternalError, true},
		{"close", fmt.Errorf("wrapped: %w", &transport.CloseError{Code: 4000, Reason: "bye"}), hub.Reason{Code: 4000, Text: "bye"}, false},
		{"close without a reason", &transport.CloseError{Code: 1000}, hub.Reason{Code: 1000}, false},
		{"close with a code that cannot be sent", &transport.CloseError{Code: 1006}, hub.InternalError, true},
		{"close with a code of nobody", &transport.CloseError{Code: 2999}, hub.InternalError, true},
		{"close with a long reason", &transport.CloseError{Code: 4000, Reason: strings.Repeat("x", 124)}, hub.InternalError, true},
		{"close with garbage", &transport.CloseError{Code: 4000, Reason: "\xff"}, hub.InternalError, true},
		{"reason of the hub", hub.TooManyMessages, hub.TooManyMessages, false},
		{"ended", fmt.Errorf("wrapped: %w", session.ErrEnded), hub.SessionEnded, false},
		{"renewed", session.ErrRenewed, hub.SessionRenewed, false},
		{"unavailable", session.ErrUnavailable, hub.TryLater, true},
		{"limit without a refuser", session.ErrLimit, hub.InternalError, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t)
				e := n.endpoint(transport.HandlerFunc(func(_ context.Context, out *transport.Outbox, _ transport.Message) error {
					out.Reply([]byte("never"))
					return c.err
				}), transport.Options{})
				ws := dial(t, e, page(n.logIn("ada")))
				ws.send("hello")
				ws.wantClose(c.want)
				ws.wantQuiet()
				if got := strings.Contains(n.log.String(), "level=ERROR"); got != c.logged {
					t.Errorf("logged %v, want %v: %s", got, c.logged, n.log)
				}
			})
		})
	}
}

func TestOutbox_closesAfterReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		v := n.logIn("ada")
		e := n.endpoint(transport.HandlerFunc(func(ctx context.Context, out *transport.Outbox, in transport.Message) error {
			if string(in.Data) == "invalid" {
				out.Close(999, "")
				return nil
			}
			for i := range 100 {
				out.Reply(fmt.Append(nil, i))
			}
			out.Close(4000, "bye")
			out.Reply([]byte("never"))
			return count(ctx, out, in)
		}), transport.Options{})
		c := dial(t, e, page(v))
		c.send("hello")
		for i := range 100 {
			c.wantNext(fmt.Sprint(i))
		}
		c.wantClose(hub.Reason{Code: 4000, Text: "bye"})
		c.wantQuiet()
		if got := n.counted(v, "main"); got != 1 {
			t.Errorf("counted %d, want 1", got)
		}
		c = dial(t, e, page(v))
		c.send("invalid")
		c.wantClose(hub.InternalError)
		if !strings.Contains(n.log.String(), "close code 999") {
			t.Errorf("log: %s", n.log)
		}
	})
}

func TestSocket_topics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		e := n.endpoint(transport.HandlerFunc(func(_ context.Context, out *transport.Outbox, in transport.Message) error {
			switch verb, topic, _ := strings.Cut(string(in.Data), " "); verb {
			case "sub":
				out.Subscribe(topic, "chat")
			case "unsub":
				out.Unsubscribe(topic)
			case "elsewhere":
				out.Subscribe(topic, "no such namespace")
			default:
				out.Publish(topic, []byte(verb))
			}
			out.Reply([]byte("done"))
			return nil
		}), transport.Options{})
		a, b := dial(t, e, page(n.logIn("ada"))), dial(t, e, page(n.logIn("bob")))
		do := func(c *client, text string) {
			t.Helper()
			c.send(text)
			c.wantNext("done")
		}
		do(a, "sub lobby")
		do(b, "hello lobby")
		a.wantNext("hello")
		do(a, "unsub lobby")
		do(b, "again lobby")
		synctest.Wait()
		a.wantQuiet()
		a.send("hello bad\ntopic")
		a.wantClose(hub.InternalError)
		b.send("elsewhere lobby")
		b.wantClose(hub.InternalError)
	})
}

func TestOpener_failureClosesTheSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		var calls events
		h := &full{
			open: func(_ context.Context, out *transport.Outbox) error {
				out.Reply([]byte("never"))
				return &transport.CloseError{Code: 4000, Reason: "no room"}
			},
			closed: func(_ context.Context, _ *transport.Peer, r hub.Reason) { calls.add("closed %d", r.Code) },
		}
		c := dial(t, n.endpoint(h, transport.Options{}), page(n.logIn("ada")))
		c.wantClose(hub.Reason{Code: 4000, Text: "no room"})
		synctest.Wait()
		if got := calls.String(); got != "closed 4000" {
			t.Error(got)
		}
	})
}

func TestOpener_comesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		v := n.logIn("ada")
		var calls []string
		h := &full{
			open: func(ctx context.Context, out *transport.Outbox) error {
				calls = append(calls, "open")
				out.Subscribe("lobby", "")
				return count(ctx, out, transport.Message{})
			},
			message: func(ctx context.Context, out *transport.Outbox, in transport.Message) error {
				calls = append(calls, string(in.Data))
				return count(ctx, out, in)
			},
			closed: func(ctx context.Context, p *transport.Peer, r hub.Reason) {
				_, err := session.User(ctx)
				calls = append(calls, fmt.Sprint("closed by ", p.User, " ", r.Code, " ", ctx.Err(), " ", errors.Is(err, session.ErrNoScope)))
			},
		}
		c := dial(t, n.endpoint(h, transport.Options{}), page(v))
		c.send("one")
		c.send("two")
		for i := range 3 {
			c.wantNext(fmt.Sprint(i + 1))
		}
		_ = c.ws.Close(4321, "enough")
		synctest.Wait()
		if want := []string{"open", "one", "two", "closed by ada 4321 <nil> true"}; !slices.Equal(calls, want) {
			t.Errorf("calls %q, want %q", calls, want)
		}
	})
}
