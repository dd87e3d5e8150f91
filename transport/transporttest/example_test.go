package transporttest_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
	"github.com/sessionhub/sessionhub/transport"
	"github.com/sessionhub/sessionhub/transport/transporttest"
)

// chat is a handler under test: it publishes what logged-in visitors say, and
// counts it.
func chat(ctx context.Context, out *transport.Outbox, in transport.Message) error {
	user, err := session.User(ctx)
	if err != nil {
		return err
	}
	s, err := session.Get(ctx, "main")
	if err != nil {
		return err
	}
	sent := session.Counter("sent")
	if err := sent.Add(s, 1); err != nil {
		return err
	}
	n, err := sent.Get(s)
	if err != nil {
		return err
	}
	out.Publish("lobby", fmt.Appendf(nil, "%s: %s", user, in.Data))
	out.Reply(fmt.Appendf(nil, "message %d", n))
	return nil
}

func Example() {
	registry, err := prefixes.NewRegistry(prefixes.Parse("main"))
	if err != nil {
		panic(err)
	}
	m := session.New(registry, new(memstore.Store), session.Options{})
	ctx := context.Background()
	ada, err := transporttest.LogIn(ctx, m, "ada")
	if err != nil {
		panic(err)
	}

	r := transporttest.Do(ctx, transport.HandlerFunc(chat), ada.Scope(), "hello")
	fmt.Println(r.Published, r.Replies, r.Err)
	r = transporttest.Do(ctx, transport.HandlerFunc(chat), ada.Scope(), "again")
	fmt.Println(r.Published, r.Replies, r.Err)

	// A logout while a message is handled: it is not saved, and nothing leaves.
	r = transporttest.Do(ctx, transport.HandlerFunc(func(ctx context.Context, out *transport.Outbox, in transport.Message) error {
		if err := chat(ctx, out, in); err != nil {
			return err
		}
		_, err := ada.Scope().Logout(ctx, session.This)
		return err
	}), ada.Scope(), "too late")
	fmt.Println(r.Published, r.Replies, errors.Is(r.Err, session.ErrEnded))

	// Output:
	// [{lobby ada: hello}] [message 1] <nil>
	// [{lobby ada: again}] [message 2] <nil>
	// [] [] true
}
