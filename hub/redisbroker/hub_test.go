package redisbroker_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/hubtest"
	"github.com/sessionhub/sessionhub/internal/redistest"
)

// living is a store of sessions that live: all but the ended ones.
type living struct{ ended sync.Map }

func (*living) Recover(context.Context, bool) error { return nil }

func (l *living) Check(_ context.Context, _ string, ids []string, report hub.Report) error {
	for _, id := range ids {
		_, ended := l.ended.Load(id)
		report(id, !ended, 0, time.Hour, nil)
	}
	return nil
}

// runHub runs a node until the end of the test.
func runHub(t *testing.T, c redis.UniversalClient, prefix string, l *living) *hub.Hub {
	t.Helper()
	return runHubWith(t, hub.Options{}, c, prefix, l)
}

// runHubWith is runHub with options.
func runHubWith(t *testing.T, o hub.Options, c redis.UniversalClient, prefix string, l *living) *hub.Hub {
	t.Helper()
	o.Broker, o.Logger = newBroker(c, prefix), slog.New(slog.DiscardHandler)
	h := hub.New(o)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := h.Run(ctx, l); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	eventually(t, h.Fresh, func() any { return h.Stats() })
	return h
}

// open makes a LIVE connection.
func open(t *testing.T, h *hub.Hub, id, user string) (*hub.Entry, *hubtest.Conn) {
	t.Helper()
	c := new(hubtest.Conn)
	e := h.Register("main", id, []string{"main"}, c)
	if err := e.Admit(user, 0, time.Hour, nil); err != nil {
		t.Fatalf("Admit = %v", err)
	}
	if err := e.Live(); err != nil {
		t.Fatalf("Live = %v", err)
	}
	t.Cleanup(func() {
		e.Remove()
		if err := c.Err(); err != nil {
			t.Error(err)
		}
	})
	return e, c
}

func TestHub_twoNodesOverRedis(t *testing.T) {
	c := redistest.Shared(t).Client(t)
	prefix := redistest.Prefix(t)
	l := new(living)
	h1, h2 := runHub(t, c, prefix, l), runHub(t, c, prefix, l)
	_, a1 := open(t, h1, "a", "alice")
	e2, a2 := open(t, h2, "a", "alice")
	_, b2 := open(t, h2, "b", "alice")
	if err := e2.Subscribe(t.Context(), "lobby", "main"); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		h1.Publish(t.Context(), "lobby", []byte("1")),
		h1.Send(t.Context(), "main", "a", []byte("2")),
		h2.SendUser(t.Context(), "main", "alice", []byte("3")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() bool {
		return len(a1.Delivered()) == 2 && len(a2.Delivered()) == 3 && len(b2.Delivered()) == 1
	}, func() any { return fmt.Sprint(a1.Delivered(), a2.Delivered(), b2.Delivered()) })
	l.ended.Store("a", true)
	if err := c.Publish(t.Context(), prefix+":notice", "1|s|main|a||0").Err(); err != nil {
		t.Fatal(err)
	}
	for _, conn := range []*hubtest.Conn{a1, a2} {
		eventually(t, func() bool {
			r, ok := conn.Closed()
			return ok && r == hub.SessionEnded
		}, func() any { return "open" })
	}
	if r, ok := b2.Marked(); ok {
		t.Errorf("another session was marked %v", r)
	}
}

// Ends whose notices fall into gaps are found when the gap is over.
func TestHub_noZombiesWhenSubscriptionsAreKilled(t *testing.T) {
	c := redistest.Start(t).Client(t)
	l := new(living)
	h1, h2 := runHub(t, c, "sessionhub", l), runHub(t, c, "sessionhub", l)
	const sessions = 300
	conns := make(map[string]*hubtest.Conn)
	for i := range sessions {
		for j, h := range []*hub.Hub{h1, h2} {
			_, conn := open(t, h, fmt.Sprint("s", i), "")
			conns[fmt.Sprint(i, " on ", j)] = conn
		}
	}
	for i := range sessions {
		if i%20 == 0 {
			killPubSub(t, c)
		}
		id := fmt.Sprint("s", i)
		l.ended.Store(id, true)
		if err := c.Publish(t.Context(), "sessionhub:notice", "1|s|main|"+id+"||0").Err(); err != nil {
			t.Fatal(err)
		}
	}
	for name, conn := range conns {
		eventually(t, func() bool { _, ok := conn.Closed(); return ok }, func() any { return "zombie " + name })
	}
}
