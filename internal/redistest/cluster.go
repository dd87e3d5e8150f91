package redistest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// slots is how many a cluster has.
const slots = 16384

// Cluster is a Redis Cluster of three masters without replicas, each with a
// third of the slots at first.
type Cluster struct {
	Masters []*Server
	URL     string // "redis+cluster://127.0.0.1:port,..."

	ids []string // of the masters
}

// StartCluster runs a cluster until the end of the test, and returns when all
// of its masters agree on who has which slot.
func StartCluster(t testing.TB) *Cluster {
	t.Helper()
	c, err := newCluster()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	for _, s := range c.Masters {
		s.fail = func(err error) { t.Helper(); t.Fatal(err) }
	}
	return c
}

// Client returns a client that is closed at the end of the test. It is what
// [Server.Client] is, and follows redirections.
func (c *Cluster) Client(t testing.TB) *redis.ClusterClient {
	t.Helper()
	o := &redis.ClusterOptions{
		ContextTimeoutEnabled:    true,
		DialTimeout:              startTimeout / 10,
		ReadTimeout:              startTimeout / 10,
		WriteTimeout:             startTimeout / 10,
		DialerRetries:            1,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		// Else it takes a minute to notice that a replica has taken a master's place.
		ClusterStateReloadInterval: time.Second,
	}
	for _, s := range c.Masters {
		o.Addrs = append(o.Addrs, s.Addr)
	}
	client := redis.NewClusterClient(o)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// MoveSlot migrates a slot from the master that has it to the next one, key by
// key, as an operator does while clients use it. It calls halfway when about
// half of the keys have moved, and moves those that came meanwhile too. Only one
// slot may move at a time.
func (c *Cluster) MoveSlot(t testing.TB, slot int, halfway func()) {
	t.Helper()
	if err := c.moveSlot(t.Context(), slot, halfway); err != nil {
		t.Fatalf("redistest: move slot %d: %v", slot, err)
	}
}

func (c *Cluster) moveSlot(ctx context.Context, slot int, halfway func()) error {
	clients := make([]*redis.Client, len(c.Masters))
	for i, s := range c.Masters {
		clients[i] = s.client()
		defer clients[i].Close()
	}
	from, err := c.owner(ctx, clients[0], slot)
	if err != nil {
		return err
	}
	to := (from + 1) % len(clients)
	source, target := clients[from], clients[to]
	if err := target.Do(ctx, "cluster", "setslot", slot, "importing", c.ids[from]).Err(); err != nil {
		return err
	}
	if err := source.Do(ctx, "cluster", "setslot", slot, "migrating", c.ids[to]).Err(); err != nil {
		return err
	}
	keys, err := source.ClusterGetKeysInSlot(ctx, slot, slots).Result()
	if err != nil {
		return err
	}
	host, port, _ := strings.Cut(c.Masters[to].Addr, ":")
	for half := len(keys) / 2; ; half = -1 {
		for i, key := range keys {
			if i == half {
				halfway()
			}
			// NOKEY, when it has expired or was deleted meanwhile, is no error.
			if err := source.Migrate(ctx, host, port, key, 0, startTimeout).Err(); err != nil {
				return err
			}
		}
		if half == 0 {
			halfway()
		}
		if keys, err = source.ClusterGetKeysInSlot(ctx, slot, slots).Result(); err != nil {
			return err
		}
		if len(keys) == 0 {
			break
		}
	}
	// The new owner first, so that at no time nobody has it.
	for i := range clients {
		if err := clients[(to+i)%len(clients)].Do(ctx, "cluster", "setslot", slot, "node", c.ids[to]).Err(); err != nil {
			return err
		}
	}
	return nil
}

// owner returns which master has a slot.
func (c *Cluster) owner(ctx context.Context, client *redis.Client, slot int) (int, error) {
	shards, err := client.ClusterShards(ctx).Result()
	if err != nil {
		return 0, err
	}
	for _, shard := range shards {
		for _, r := range shard.Slots {
			if r.Start > int64(slot) || int64(slot) > r.End {
				continue
			}
			for i, id := range c.ids {
				if slices.ContainsFunc(shard.Nodes, func(n redis.Node) bool { return n.ID == id }) {
					return i, nil
				}
			}
		}
	}
	return 0, fmt.Errorf("nobody has it: %v", shards)
}

// StartReplica runs a replica of a master until the end of the test, and returns
// when it has the master's data and all masters know it, so that it can take the
// master's place.
func (c *Cluster) StartReplica(t testing.TB, master int) *Server {
	t.Helper()
	s := own(t, clustered)
	client, of := s.Client(t), c.Masters[master]
	bus := of.Client(t).ConfigGet(t.Context(), "cluster-port").Val()["cluster-port"]
	if err := client.Do(t.Context(), "cluster", "meet", "127.0.0.1", of.port, bus).Err(); err != nil {
		t.Fatalf("redistest: %v", err)
	}
	// It hears of the others after a while, and until then knows no such master.
	if err := await(t.Context(), func(ctx context.Context) error {
		return client.Do(ctx, "cluster", "replicate", c.ids[master]).Err()
	}); err != nil {
		t.Fatal(err)
	}
	s.AwaitInfo(t, "replication", "master_link_status:up")
	for _, knows := range append(slices.Clone(c.Masters), s) {
		client := knows.Client(t)
		if err := await(t.Context(), func(ctx context.Context) error {
			nodes, err := client.ClusterNodes(ctx).Result()
			if err == nil && (strings.Count(nodes, " connected") <= len(c.Masters) || !strings.Contains(nodes, "slave "+c.ids[master])) {
				err = fmt.Errorf("%s knows only %q", knows.Addr, nodes)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// newCluster starts the servers and makes a cluster of them.
func newCluster() (*Cluster, error) {
	c := &Cluster{Masters: make([]*Server, 3), ids: make([]string, 3)}
	errs := make([]error, len(c.Masters))
	var wg sync.WaitGroup
	for i := range c.Masters {
		wg.Go(func() { c.Masters[i], errs[i] = start(clustered) })
	}
	wg.Wait()
	err := errors.Join(errs...)
	if err == nil {
		err = c.meet(context.Background())
	}
	if err != nil {
		c.stop()
		return nil, err
	}
	addrs := make([]string, len(c.Masters))
	for i, s := range c.Masters {
		addrs[i] = s.Addr
		s.URL = "redis+cluster://" + s.Addr
	}
	c.URL = "redis+cluster://" + strings.Join(addrs, ",")
	return c, nil
}

// clustered is the command line of a server of a cluster.
func clustered(dir string, port int) ([]string, error) {
	// The default, port + 10000, may be one that the kernel gives to outgoing
	// connections.
	bus, err := freePort()
	if err != nil {
		return nil, err
	}
	return plain([]string{
		"--repl-diskless-sync-delay", "0",
		"--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus),
		"--cluster-announce-ip", "127.0.0.1", "--cluster-node-timeout", "5000",
	})(dir, port)
}

// meet gives each server its slots, has them meet, and waits until they agree.
func (c *Cluster) meet(ctx context.Context) error {
	n := len(c.Masters)
	clients := make([]*redis.Client, n)
	for i, s := range c.Masters {
		clients[i] = s.client()
		defer clients[i].Close()
	}
	for i, client := range clients {
		if err := client.ClusterAddSlotsRange(ctx, i*slots/n, (i+1)*slots/n-1).Err(); err != nil {
			return fmt.Errorf("redistest: %w", err)
		}
		if err := client.Do(ctx, "cluster", "set-config-epoch", i+1).Err(); err != nil {
			return fmt.Errorf("redistest: %w", err)
		}
		id, err := client.ClusterMyID(ctx).Result()
		if err != nil {
			return fmt.Errorf("redistest: %w", err)
		}
		c.ids[i] = id
		if i > 0 {
			bus := clients[0].ConfigGet(ctx, "cluster-port").Val()["cluster-port"]
			if err := client.Do(ctx, "cluster", "meet", "127.0.0.1", c.Masters[0].port, bus).Err(); err != nil {
				return fmt.Errorf("redistest: %w", err)
			}
		}
	}
	return await(ctx, func(ctx context.Context) error {
		for i, client := range clients {
			info, err := client.ClusterInfo(ctx).Result()
			if err != nil {
				return err
			}
			if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, fmt.Sprintf("cluster_size:%d\r\n", n)) {
				return fmt.Errorf("server %d: %q", i, info)
			}
		}
		return nil
	})
}

func (c *Cluster) stop() {
	for _, s := range c.Masters {
		if s != nil {
			s.stop()
		}
	}
}
