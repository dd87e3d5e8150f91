package redisstore_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/redisstore"
	"github.com/sessionhub/sessionhub/session/sessiontest"
)

func TestStore(t *testing.T) {
	sessiontest.TestStore(t, func(t *testing.T) sessiontest.Harness {
		s, prefix := shared(t)
		return harness(t, s, redistest.Shared(t), prefix)
	})
}

// Replies are lost all the time, and the client sends again.
func TestStore_linearizableWithLostReplies(t *testing.T) {
	s, proxy, server, prefix := behindProxy(t)
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := make(chan struct{})
	defer close(stop)
	wg.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				proxy.CutOnReply(1 + rand.IntN(8))
			case <-stop:
				return
			}
		}
	})
	sessiontest.TestLinearizable(t, func(t *testing.T) sessiontest.Harness {
		return harness(t, s, server, prefix)
	}, true)
}

// A cluster refuses a script whose keys are in several slots, or that touches
// a key it does not declare. One server that has all slots does so too.
func TestStore_cluster(t *testing.T) {
	server := startCluster(t)
	sessiontest.TestStore(t, func(t *testing.T) sessiontest.Harness {
		prefix := redistest.Prefix(t)
		s := openCluster(t, server, prefix)
		return harness(t, s, server, prefix)
	})
}

func TestStore_clusterRoundTrips(t *testing.T) {
	server := startCluster(t)
	s := openCluster(t, server, redistest.Prefix(t))
	if warnings, err := s.Probe(t.Context()); err != nil || len(warnings) != 0 {
		t.Fatalf("Probe = %q, %v", warnings, err)
	}
	rehearse(t, s)
	var h trips
	s.Client().AddHook(&h)
	rec := create(t, s, "alice")
	if n := h.n.Swap(0); n != 3 {
		t.Errorf("Create of a user: %d round trips, want 3", n)
	}
	if err := s.Delete(t.Context(), family, session.End{ID: rec.ID, User: "alice"}); err != nil {
		t.Error(err)
	}
	if n := h.n.Load(); n != 2 {
		t.Errorf("Delete: %d round trips, want 2", n)
	}
}

func startCluster(t *testing.T) *redistest.Server {
	t.Helper()
	server := redistest.Start(t, "--cluster-enabled", "yes")
	c := server.Client(t)
	if err := c.ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		if err := c.Set(t.Context(), "k", "v", time.Second).Err(); err == nil {
			return server
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func openCluster(t *testing.T, server *redistest.Server, prefix string) *redisstore.Store {
	t.Helper()
	c := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs:                    []string{server.Addr},
		ContextTimeoutEnabled:    true,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		DialTimeout:              2 * time.Second,
		ReadTimeout:              2 * time.Second,
		WriteTimeout:             2 * time.Second,
	})
	s, err := redisstore.New(c, redisstore.Options{Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
