package redisbroker_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/internal/redistest"
)

// census asks until all nodes answered: the machine may be too busy for the
// bound now and then.
func census(t *testing.T, h *hub.Hub, ids []string, want map[string]int) {
	t.Helper()
	var got map[string]int
	var err error
	eventually(t, func() bool {
		got, err = h.Connections(t.Context(), "main", ids)
		return !errors.Is(err, hub.ErrPartial)
	}, func() any { return err })
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("Connections = %v, %v, want %v", got, err, want)
	}
}

func TestHub_countsConnectionsOfAllNodes(t *testing.T) {
	c := redistest.Shared(t).Client(t)
	prefix := redistest.Prefix(t)
	l := new(living)
	h1, h2 := runHub(t, c, prefix, l), runHub(t, c, prefix, l)
	ids := []string{"a", "b", "c"}
	open(t, h1, "a", "alice")
	open(t, h2, "a", "alice")
	gone, _ := open(t, h2, "b", "alice")
	for _, h := range []*hub.Hub{h1, h2} {
		census(t, h, ids, map[string]int{"a": 2, "b": 1})
	}
	gone.Remove()
	for _, h := range []*hub.Hub{h1, h2} {
		census(t, h, ids, map[string]int{"a": 2})
	}
	if st := h1.Stats(); st.Malformed != 0 {
		t.Errorf("Malformed = %d", st.Malformed)
	}
}

func TestHub_nodeThatDoesNotAnswerIsNamed(t *testing.T) {
	c := redistest.Shared(t).Client(t)
	prefix := redistest.Prefix(t)
	h := runHub(t, c, prefix, new(living))
	open(t, h, "a", "alice")
	silent := newBroker(c, prefix)
	run(t, silent).await(t, "fresh")
	if err := silent.Subscribe(t.Context(), "\x01direct"); err != nil {
		t.Fatal(err)
	}
	got, err := h.Connections(t.Context(), "main", []string{"a"})
	if !errors.Is(err, hub.ErrPartial) || got["a"] != 1 {
		t.Errorf("Connections = %v, %v, want 1 and ErrPartial", got, err)
	}
}

func TestHub_countsAgainAfterAGap(t *testing.T) {
	c := redistest.Start(t).Client(t)
	l := new(living)
	h1, h2 := runHub(t, c, "sessionhub", l), runHub(t, c, "sessionhub", l)
	open(t, h1, "a", "alice")
	open(t, h2, "a", "alice")
	gaps1, gaps2 := h1.Gaps(), h2.Gaps()
	killPubSub(t, c)
	eventually(t, func() bool {
		return h1.Gaps() > gaps1 && h2.Gaps() > gaps2 && h1.Fresh() && h2.Fresh()
	}, func() any { return h1.Stats() })
	census(t, h1, []string{"a"}, map[string]int{"a": 2})
	census(t, h2, []string{"a"}, map[string]int{"a": 2})
}

// anyClient is a client that the broker does not know: it could be a
// cluster's.
type anyClient struct{ redis.UniversalClient }

func TestHub_waitsWhereOneServerDoesNotKnowAllNodes(t *testing.T) {
	c := redistest.Shared(t).Client(t)
	prefix := redistest.Prefix(t)
	l := new(living)
	h1, h2 := runHub(t, anyClient{c}, prefix, l), runHub(t, anyClient{c}, prefix, l)
	open(t, h1, "a", "alice")
	open(t, h2, "a", "alice")
	eventually(t, func() bool {
		begin := time.Now()
		got, err := h1.Connections(t.Context(), "main", []string{"a"})
		if d := time.Since(begin); d < 250*time.Millisecond {
			t.Fatalf("Connections took %v, want the bound of 250ms", d)
		}
		return err == nil && got["a"] == 2
	}, func() any { return "not both counted" })
}

func TestPublishCounted_countsSubscribersAlone(t *testing.T) {
	prefix := redistest.Prefix(t)
	c := redistest.Shared(t).Client(t)
	b := newBroker(c, prefix)
	r := run(t, b)
	r.await(t, "fresh")
	if err := b.Subscribe(t.Context(), "topic"); err != nil {
		t.Fatal(err)
	}
	onlooker := c.PSubscribe(t.Context(), prefix+":*") // an operator at a terminal
	defer onlooker.Close()
	if _, err := onlooker.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := b.PublishCounted(t.Context(), "topic", []byte("x")); n != 1 || err != nil {
		t.Errorf("PublishCounted = %d, %v, want 1", n, err)
	}
	r.await(t, "fresh", "topic x")
}

func TestPublishCounted_withoutTheRightToCount(t *testing.T) {
	s := redistest.Start(t)
	if err := s.Client(t).Do(t.Context(), "ACL", "SETUSER", "narrow", "on", "nopass", "~*", "&*", "+@all", "-pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(&redis.Options{
		Addr:                     s.Addr,
		Username:                 "narrow",
		Password:                 "any",
		ContextTimeoutEnabled:    true,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	defer c.Close()
	b := newBroker(c, "sessionhub")
	r := run(t, b)
	r.await(t, "fresh")
	if err := b.Subscribe(t.Context(), "topic"); err != nil {
		t.Fatal(err)
	}
	if n, err := b.PublishCounted(t.Context(), "topic", []byte("x")); n >= 0 || err != nil {
		t.Errorf("PublishCounted = %d, %v, want an unknown number", n, err)
	}
	r.await(t, "fresh", "topic x")
}

func TestPublishCounted_errorsAsPublish(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := redistest.Start(t)
	b := newBroker(s.Client(t), "sessionhub")
	if _, err := b.PublishCounted(ctx, "topic", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("PublishCounted with an ended context = %v", err)
	}
	s.Kill()
	if _, err := b.PublishCounted(t.Context(), "topic", nil); err == nil {
		t.Error("PublishCounted while down succeeded")
	}
}
