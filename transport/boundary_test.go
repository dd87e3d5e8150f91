package transport_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
	"github.com/sessionhub/sessionhub/transport/transporttest"
)

func TestStep_savesThenSends(t *testing.T) {
	n := newNode(t)
	v := n.logIn("ada")
	var order events
	trace := func(op string) { order.add("%s", op) }
	n.store.before.Store(&trace)
	r := transporttest.Do(t.Context(), transport.HandlerFunc(func(ctx context.Context, out *transport.Outbox, in transport.Message) error {
		out.Publish("lobby", in.Data)
		out.Subscribe("room", "chat")
		if err := session.OnSaved(ctx, func(context.Context) { order.add("first") }); err != nil {
			return err
		}
		if err := session.OnSaved(ctx, func(context.Context) { order.add("second") }); err != nil {
			return err
		}
		order.add("handler")
		return count(ctx, out, in)
	}), v.Scope(), "hello")
	want := transporttest.Result{
		Replies: []string{"1"}, Published: []transporttest.Publication{{Topic: "lobby", Data: "hello"}}, Subscribed: []string{"room"},
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
	if got, want := order.String(), "handler, load, save, first, second"; got != want {
		t.Errorf("order: %s, want %s", got, want)
	}
}

func TestStep_dropsAll(t *testing.T) {
	own := errors.New("own error")
	for _, c := range []struct {
		name string
		end  func(*node, *transporttest.Visitor) error // of the handler
		want error
	}{
		{"when the handler fails", func(*node, *transporttest.Visitor) error { return own }, own},
		{"when the handler panics", func(*node, *transporttest.Visitor) error { panic(own) }, nil},
		{"when the session ended meanwhile", func(n *node, v *transporttest.Visitor) error {
			n.logOut(v, session.This)
			return nil
		}, session.ErrEnded},
		{"when the store cannot be asked", func(n *node, _ *transporttest.Visitor) error {
			n.store.down.Store(true)
			return nil
		}, session.ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNode(t)
			v := n.logIn("ada")
			saved := false
			r := transporttest.Do(t.Context(), transport.HandlerFunc(func(ctx context.Context, out *transport.Outbox, in transport.Message) error {
				if err := session.OnSaved(ctx, func(context.Context) { saved = true }); err != nil {
					return err
				}
				out.Publish("lobby", in.Data)
				if err := count(ctx, out, in); err != nil {
					return err
				}
				return c.end(n, v)
			}), v.Scope(), "hello")
			if r.Err == nil || c.want != nil && !errors.Is(r.Err, c.want) {
				t.Errorf("Err = %v, want %v", r.Err, c.want)
			}
			r.Err = nil
			if diff := cmp.Diff(transporttest.Result{}, r); diff != "" {
				t.Error(diff)
			}
			if saved {
				t.Error("OnSaved ran")
			}
			n.store.down.Store(false)
			if s, err := v.Scope().Session(t.Context(), "main"); err != nil || s.Has("sent") {
				t.Errorf("Session = %v, saved %v", err, s.Has("sent"))
			}
		})
	}
}

// refusing answers refusals with their error.
type refusing struct {
	transport.HandlerFunc
	answer func(context.Context, *transport.Outbox, transport.Message, error) error
}

func (r refusing) Refused(ctx context.Context, out *transport.Outbox, in transport.Message, err error) error {
	return r.answer(ctx, out, in, err)
}

func TestStep_refuserAnswers(t *testing.T) {
	n := newNode(t)
	v := n.logIn("ada")
	over := func(ctx context.Context, out *transport.Outbox, _ transport.Message) error {
		out.Reply([]byte("never"))
		s, err := session.Get(ctx, "main")
		if err != nil {
			return err
		}
		for i := range session.MaxValues + 1 {
			if err := s.Set(fmt.Sprint(i), i); err != nil {
				return err
			}
		}
		return nil
	}
	answer := func(ctx context.Context, out *transport.Outbox, in transport.Message, err error) error {
		s, gerr := session.Get(ctx, "main")
		if gerr != nil {
			return gerr
		}
		_ = sent.Add(s, 1) // not saved
		out.Reply(fmt.Appendf(nil, "%s: over a limit: %v", in.Data, errors.Is(err, session.ErrLimit)))
		return nil
	}
	r := transporttest.Do(t.Context(), refusing{over, answer}, v.Scope(), "much")
	if diff := cmp.Diff(transporttest.Result{Replies: []string{"much: over a limit: true"}}, r); diff != "" {
		t.Error(diff)
	}
	if s, err := v.Scope().Session(t.Context(), "main"); err != nil || len(s.Keys()) > 0 {
		t.Errorf("kept %v, %v", s.Keys(), err)
	}
	for name, answer := range map[string]func(context.Context, *transport.Outbox, transport.Message, error) error{
		"error": func(_ context.Context, out *transport.Outbox, _ transport.Message, err error) error {
			out.Reply([]byte("never"))
			return err
		},
		"panic": func(_ context.Context, out *transport.Outbox, _ transport.Message, err error) error {
			out.Reply([]byte("never"))
			panic(err)
		},
	} {
		if r := transporttest.Do(t.Context(), refusing{over, answer}, v.Scope(), "much"); r.Err == nil || r.Replies != nil {
			t.Errorf("%s in Refused: %+v", name, r)
		}
	}
	other := errors.New("other")
	fails := func(context.Context, *transport.Outbox, transport.Message) error { return other }
	if r := transporttest.Do(t.Context(), refusing{fails, answer}, v.Scope(), ""); !errors.Is(r.Err, other) || r.Replies != nil {
		t.Errorf("an error that is no refusal: %+v", r)
	}
}
