package redistest_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/internal/faultproxy"
	"github.com/sessionhub/sessionhub/internal/redistest"
)

func TestStartReplica_hasTheDataAndItsLinkCanBeCut(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t, "--repl-diskless-sync-delay", "0")
	c := primary.Client(t)
	if err := c.Set(t.Context(), "k", "before", 0).Err(); err != nil {
		t.Fatal(err)
	}
	link := faultproxy.Start(t, primary.Addr)
	r := redistest.StartReplica(t, link.Addr).Client(t)
	if got := r.Get(t.Context(), "k").Val(); got != "before" {
		t.Errorf("GET at the replica = %q, want %q", got, "before")
	}
	if n := c.Wait(t.Context(), 1, 5*time.Second).Val(); n != 1 {
		t.Errorf("WAIT = %d, want 1", n)
	}
	link.DropDown(true)
	wait := func() int {
		var n *redis.Cmd
		if _, err := c.Pipelined(t.Context(), func(p redis.Pipeliner) error {
			p.Set(t.Context(), "k", "after", 0)
			n = p.Do(t.Context(), "wait", 1, 50)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		got, err := n.Int()
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if n := wait(); n != 0 {
		t.Errorf("WAIT with a cut link = %d, want 0", n)
	}
	link.DropDown(false)
	for deadline := time.Now().Add(20 * time.Second); wait() != 1; {
		if time.Now().After(deadline) {
			t.Fatal("the replica never had what was written while its link was cut")
		}
	}
}

func TestStartCluster_movesSlots(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	c := cluster.Client(t)
	const keys = 10
	for i := range keys {
		if err := c.Set(t.Context(), fmt.Sprintf("{tag}%d", i), i, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	slot := int(c.ClusterKeySlot(t.Context(), "{tag}").Val())
	for range len(cluster.Masters) {
		before := holder(t, cluster, slot)
		called := 0
		cluster.MoveSlot(t, slot, func() {
			called++
			if n := cluster.Masters[before].Client(t).ClusterCountKeysInSlot(t.Context(), slot).Val(); n != keys/2 {
				t.Errorf("halfway %d keys are left, want %d", n, keys/2)
			}
		})
		if after := holder(t, cluster, slot); after == before || called != 1 {
			t.Errorf("the slot is at %d, was at %d; halfway was called %d times", after, before, called)
		}
		for i := range keys {
			if got := c.Get(t.Context(), fmt.Sprintf("{tag}%d", i)).Val(); got != fmt.Sprint(i) {
				t.Errorf("key %d = %q", i, got)
			}
		}
	}
	called := 0
	cluster.MoveSlot(t, 1, func() { called++ }) // an empty one
	if called != 1 {
		t.Errorf("halfway was called %d times for an empty slot", called)
	}
}

// holder returns which master has a slot and keys in it.
func holder(t *testing.T, cluster *redistest.Cluster, slot int) int {
	t.Helper()
	for i, s := range cluster.Masters {
		if s.Client(t).ClusterCountKeysInSlot(t.Context(), slot).Val() > 0 {
			return i
		}
	}
	t.Fatalf("nobody has keys in slot %d", slot)
	return 0
}

func TestSharedCluster_isOne(t *testing.T) {
	if a, b := redistest.SharedCluster(t), redistest.SharedCluster(t); a != b {
		t.Errorf("SharedCluster twice = %s and %s", a.URL, b.URL)
	}
}

func TestStartSentinel_failsOver(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t, 1)
	if got := s.Master(t); got != s.Servers[0] {
		t.Fatalf("Master = %s, want the first server", got.Addr)
	}
	s.Servers[0].Kill()
	began := time.Now()
	for s.Master(t) != s.Servers[1] {
		if time.Since(began) > 30*time.Second {
			t.Fatal("no failover")
		}
	}
	s.Servers[1].AwaitInfo(t, "replication", "role:master")
	t.Logf("failover took %v", time.Since(began).Round(time.Millisecond))
}

func TestStartTLS_isForItsRootsAlone(t *testing.T) {
	t.Parallel()
	s, addr, roots := redistest.StartTLS(t)
	if err := s.Client(t).Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
	for _, trusting := range []bool{true, false} {
		config := new(tls.Config)
		if trusting {
			config.RootCAs = roots
		}
		c := redis.NewClient(&redis.Options{Addr: addr, TLSConfig: config, MaxRetries: -1, DialerRetries: 1})
		if err := c.Ping(t.Context()).Err(); (err == nil) != trusting {
			t.Errorf("PING = %v with trust %v", err, trusting)
		}
		_ = c.Close()
	}
}

func TestSetUser_addsRules(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	s.SetUser(t, "hub", ">pw", "~*", "+get")
	c := redis.NewClient(&redis.Options{Addr: s.Addr, Username: "hub", Password: "pw", DisableIdentity: true})
	defer c.Close()
	try := func(ctx context.Context) (get, set error) {
		return c.Get(ctx, "k").Err(), c.Set(ctx, "k", "v", 0).Err()
	}
	if get, set := try(t.Context()); get != redis.Nil || !strings.HasPrefix(fmt.Sprint(set), "NOPERM") {
		t.Errorf("GET = %v, SET = %v", get, set)
	}
	s.SetUser(t, "hub", "+set")
	if get, set := try(t.Context()); get != redis.Nil || set != nil {
		t.Errorf("after +set: GET = %v, SET = %v", get, set)
	}
}
