package transport_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
)

// use returns a handler that looks at some namespaces and writes others.
func use(look, write []string) transport.HandlerFunc {
	return func(ctx context.Context, out *transport.Outbox, _ transport.Message) error {
		for _, name := range look {
			s, err := session.Get(ctx, name)
			if err != nil {
				return err
			}
			if _, err := sent.Get(s); err != nil && !errors.Is(err, session.ErrAbsent) {
				return err
			}
		}
		for _, name := range write {
			s, err := session.Get(ctx, name)
			if err != nil {
				return err
			}
			if err := sent.Add(s, 1); err != nil {
				return err
			}
		}
		out.Reply([]byte("done"))
		return nil
	}
}

func TestMessage_roundTrips(t *testing.T) {
	both := []string{"main", "chat"}
	for _, c := range []struct {
		name        string
		look, write []string
		fresh       bool
		want        int64
	}{
		{"no session", nil, nil, false, 0},
		{"no session, fresh", nil, nil, true, 0},
		{"read", both, nil, false, 0},
		{"read, fresh", both, nil, true, 1},
		{"write one", nil, []string{"main"}, false, 1},
		{"read and write two", both, both, false, 1},
		{"read and write two, fresh", both, both, true, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t)
				v := n.logIn("ada")
				e := n.endpoint(use(c.look, c.write), transport.Options{Fresh: c.fresh})
				trips := n.store.trips.Load()
				ws := dial(t, e, page(v))
				if got := n.store.trips.Load() - trips; got != 1 {
					t.Errorf("upgrade: %d trips, want 1", got)
				}
				for range 3 {
					trips = n.store.trips.Load()
					ws.send("go")
					ws.wantNext("done")
					if got := n.store.trips.Load() - trips; got != c.want {
						t.Errorf("message: %d trips, want %d", got, c.want)
					}
				}
				_ = ws.ws.CloseNow()
			})
		})
	}
}
