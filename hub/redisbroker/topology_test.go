package redisbroker_test

import (
	"context"
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/hubtest"
	"github.com/sessionhub/sessionhub/internal/redistest"
)

// contract runs the conformance kit. Nobody else uses the servers.
func contract(t *testing.T, c redis.UniversalClient, cut func()) {
	hubtest.TestBroker(t, func(t *testing.T) hubtest.Harness {
		prefix := redistest.Prefix(t)
		return hubtest.Harness{Node: func() hub.Broker { return newBroker(c, prefix) }, Cut: cut}
	})
}

// failoverClient asks the Sentinels for the master.
func failoverClient(t *testing.T, s *redistest.Sentinel) *redis.Client {
	t.Helper()
	o := &redis.FailoverOptions{
		MasterName:            "mymaster",
		ContextTimeoutEnabled: true,
		DialTimeout:           2 * time.Second,
		ReadTimeout:           2 * time.Second,
		WriteTimeout:          2 * time.Second,
		MaxRetries:            1,
		DialerRetries:         1,
		DisableIdentity:       true,
	}
	for _, sentinel := range s.Sentinels {
		o.SentinelAddrs = append(o.SentinelAddrs, sentinel.Addr)
	}
	c := redis.NewFailoverClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestBroker_cluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	contract(t, cluster.Client(t), func() {
		for _, server := range cluster.Masters {
			killPubSub(t, server.Client(t))
		}
	})
}

func TestBroker_sentinel(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t, 1)
	contract(t, failoverClient(t, s), func() { killPubSub(t, s.Servers[0].Client(t)) })
}

func TestBroker_tls(t *testing.T) {
	t.Parallel()
	server, addr, roots := redistest.StartTLS(t)
	c := redis.NewClient(&redis.Options{
		Addr:                     addr,
		TLSConfig:                &tls.Config{RootCAs: roots},
		ContextTimeoutEnabled:    true,
		DialerRetries:            1,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	defer c.Close()
	contract(t, c, func() { killPubSub(t, server.Client(t)) })
}

// What is said while the slots of the channels move is heard: a subscription does
// not belong to a slot.
func TestBroker_clusterSlotsMove(t *testing.T) {
	t.Parallel()
	cluster := redistest.SharedCluster(t)
	c := cluster.Client(t)
	prefix := redistest.Prefix(t)
	b := newBroker(c, prefix)
	r := run(t, b)
	r.await(t, "fresh")
	if err := b.Subscribe(t.Context(), "topic"); err != nil {
		t.Fatal(err)
	}
	want := []string{"fresh"}
	say := func() {
		if err := b.Publish(t.Context(), "topic", []byte("x")); err != nil {
			t.Fatal(err)
		}
		r.await(t, "topic x")
		if err := b.Notify(t.Context(), "n"); err != nil {
			t.Fatal(err)
		}
		r.await(t, "topic x", "notice n")
		want = append(want, "topic x", "notice n")
	}
	for _, channel := range []string{prefix + ":topic:topic", prefix + ":notice"} {
		slot := int(c.ClusterKeySlot(t.Context(), channel).Val())
		say()
		cluster.MoveSlot(t, slot, say)
		say()
	}
	r.await(t, want...)
}

// failoverBound is how long the subscription may be away when a master dies, with
// Sentinels that find it dead after half a second. It is about twice what it
// takes, for a busy machine.
const failoverBound = 10 * time.Second

func TestBroker_sentinelFailover(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t, 1)
	took := failover(t, failoverClient(t, s), s.Servers[0])
	t.Logf("the subscription was back %v after the death of the master", took)
	if took > failoverBound {
		t.Errorf("want it within %v", failoverBound)
	}
}

// A cluster finds a master dead after its cluster-node-timeout, 5 seconds here.
func TestBroker_clusterFailover(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	c := cluster.Client(t)
	slot := int(c.ClusterKeySlot(t.Context(), "sessionhub:notice").Val())
	master := slot / (16384/3 + 1)
	cluster.StartReplica(t, master)
	took := failover(t, c, cluster.Masters[master])
	t.Logf("the subscription was back %v after the death of its master", took)
	if want := 5*time.Second + failoverBound; took > want {
		t.Errorf("want it within %v", want)
	}
}

// failover kills the server that a broker listens to, and returns how long it took
// until the broker was fresh again and a notice came.
func failover(t *testing.T, c redis.UniversalClient, server *redistest.Server) time.Duration {
	t.Helper()
	b := newBroker(c, "sessionhub")
	r := run(t, b)
	r.await(t, "fresh")
	if err := b.Subscribe(t.Context(), "topic"); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	began := time.Now()
	r.await(t, "fresh", "stale")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := began.Add(3 * patience); ; <-tick.C {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err := b.Notify(ctx, "n")
		cancel()
		if all := strings.Join(r.all(), ","); strings.Contains(all, "stale,fresh") && strings.Contains(all, "notice n") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no subscription; Notify = %v, events = %q", err, r.all())
		}
	}
	took := time.Since(began).Round(time.Millisecond)
	if err := b.Publish(t.Context(), "topic", []byte("x")); err != nil {
		t.Error(err)
	}
	eventually(t, func() bool { return strings.Contains(strings.Join(r.all(), ","), "topic x") }, func() any { return r.all() })
	return took
}
