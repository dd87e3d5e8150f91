package redisstore_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/internal/faultproxy"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/redisstore"
	"github.com/sessionhub/sessionhub/session/sessiontest"
)

// contract runs the conformance kit on one store. admin may do everything, and
// reaches the same servers by another way.
func contract(t *testing.T, s *redisstore.Store, admin redis.UniversalClient, prefix string) {
	sessiontest.TestStore(t, func(t *testing.T) sessiontest.Harness {
		for _, key := range everyKey(t, admin, prefix) { // of the rule before
			admin.Del(t.Context(), key)
		}
		return sessiontest.Harness{
			Store: s,
			Advance: func(d time.Duration) {
				for _, key := range everyKey(t, admin, prefix) {
					if err := moveBack.Run(t.Context(), admin, []string{key}, d.Milliseconds()).Err(); err != nil && err != redis.Nil {
						t.Fatal(err)
					}
				}
			},
			Notices: listenEverywhere(t, admin, prefix+":notice"),
		}
	})
}

// eachMaster calls visit for the server, or for each master of a cluster.
func eachMaster(t testing.TB, c redis.UniversalClient, visit func(*redis.Client)) {
	t.Helper()
	switch c := c.(type) {
	case *redis.Client:
		visit(c)
	case *redis.ClusterClient:
		var mu sync.Mutex
		if err := c.ForEachMaster(t.Context(), func(_ context.Context, c *redis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			visit(c)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// everyKey returns all keys below prefix.
func everyKey(t testing.TB, c redis.UniversalClient, prefix string) (found []string) {
	t.Helper()
	eachMaster(t, c, func(c *redis.Client) { found = append(found, keys(t, c, prefix)...) })
	return found
}

// listenEverywhere is listen for clusters too, which keep the order of what one
// master published: each publishes a mark.
func listenEverywhere(t testing.TB, c redis.UniversalClient, channel string) func() []string {
	t.Helper()
	sub := c.Subscribe(t.Context(), channel)
	t.Cleanup(func() { _ = sub.Close() })
	if _, err := sub.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	return func() (notices []string) {
		t.Helper()
		marks := make(map[string]bool)
		eachMaster(t, c, func(c *redis.Client) {
			mark := "mark " + rand.Text()
			marks[mark] = true
			if err := c.Publish(t.Context(), channel, mark).Err(); err != nil {
				t.Fatal(err)
			}
		})
		for len(marks) > 0 {
			m, err := sub.ReceiveMessage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(m.Payload, "mark ") {
				notices = append(notices, m.Payload)
			}
			delete(marks, m.Payload)
		}
		return notices
	}
}

// The user of this kit has the rights of Rights and no others, and its connections
// are encrypted.
func TestStore_tlsAndLeastRights(t *testing.T) {
	t.Parallel()
	server, addr, roots := redistest.StartTLS(t)
	prefix := redistest.Prefix(t)
	c, err := redisstore.NewClient("rediss://hub:pw@"+addr+"/0"+patient, &tls.Config{RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := redisstore.New(c, redisstore.Options{Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	server.SetUser(t, "hub", append(s.Rights(), ">pw")...)
	if warnings, err := s.Probe(t.Context()); err != nil || len(warnings) != 0 {
		t.Errorf("Probe = %q, %v", warnings, err)
	}
	contract(t, s, server.Client(t), prefix)

	stranger, _ := open(t, "rediss://hub:pw@"+addr, redisstore.Options{Prefix: prefix})
	if _, err := stranger.Probe(t.Context()); !errors.Is(err, session.ErrUnavailable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("Probe of a server whose authority is not known = %v", err)
	}
}

// patient are timeouts for the race detector on a busy machine.
const patient = "?dial_timeout=2s&read_timeout=2s&write_timeout=2s"

func TestStore_sentinel(t *testing.T) {
	t.Parallel()
	servers := redistest.StartSentinel(t, 1)
	s, prefix := open(t, servers.URL, redisstore.Options{WaitReplicas: 1, WaitTimeout: 1900 * time.Millisecond})
	if warnings, err := s.Probe(t.Context()); err != nil || len(warnings) != 0 {
		t.Fatalf("Probe = %q, %v", warnings, err)
	}
	// The Sentinels may have a user and a password of their own.
	for _, sentinel := range servers.Sentinels {
		sentinel.SetUser(t, "watcher", ">canary", "-@all", "+sentinel|get-master-addr-by-name", "+sentinel|sentinels",
			"+subscribe", "&+switch-master", "&+replica-reconf-done") // as the package's documentation says
	}
	for password, works := range map[string]bool{"canary": true, "canary2": false} {
		s, _ := open(t, servers.URL+"?sentinel_username=watcher&sentinel_password="+password, redisstore.Options{})
		if _, err := s.Probe(t.Context()); (err == nil) != works || strings.Contains(fmt.Sprint(err), "canary") {
			t.Errorf("Probe with the password %q of the Sentinels = %v", password, err)
		}
	}
	contract(t, s, servers.Servers[0].Client(t), prefix)
}

// failoverBound is how long a store may take from the death of the master to the
// first session that it can make again: half a second until the Sentinels find
// the master down, about two until they have a new one, and what the client takes
// to hear of it. Twice that, for a busy machine.
const failoverBound = 10 * time.Second

func TestStore_sentinelFailover(t *testing.T) {
	t.Parallel()
	servers := redistest.StartSentinel(t, 1)
	s, _ := open(t, servers.URL, redisstore.Options{WaitReplicas: 1, WaitTimeout: 1900 * time.Millisecond})
	before, err := s.Server(t.Context())
	if err != nil || before == "" {
		t.Fatalf("Server = %q, %v", before, err)
	}
	kept, ended := create(t, s, "alice"), create(t, s, "alice")
	if err := s.Delete(t.Context(), family, session.End{ID: ended.ID, User: "alice"}); err != nil {
		t.Fatal(err)
	}
	servers.Servers[0].Kill()
	began := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := s.Create(t.Context(), family, session.Create{ID: rand.Text(), Nonce: rand.Text(), Hash: "h"})
		if err == nil {
			break
		}
		if !errors.Is(err, session.ErrUnavailable) {
			t.Fatalf("Create in a failover = %v, want %v", err, session.ErrUnavailable)
		}
		if time.Since(began) > failoverBound {
			t.Fatalf("no store %v after the death of the master: %v", failoverBound, err)
		}
		<-tick.C
	}
	t.Logf("the store was back %v after the death of the master", time.Since(began).Round(time.Millisecond))
	if after, err := s.Server(t.Context()); err != nil || after == before || after == "" {
		t.Errorf("Server after the failover = %q, %v, want another than %q", after, err, before)
	}
	// What a replica had taken is there, and what it had ended is not.
	states, err := s.Check(t.Context(), family, []string{kept.ID, ended.ID})
	if err != nil || states[0] == nil || states[1] != nil {
		t.Errorf("Check after the failover = %v, %v", states, err)
	}
	// The master has no replica now.
	warnings, err := s.Probe(t.Context())
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], servers.Servers[1].Addr) ||
		!strings.Contains(warnings[0], "0 replicas") {
		t.Errorf("Probe after the failover = %q, %v", warnings, err)
	}
}

// A cluster of three masters, whose users have no more rights than they need.
func TestStore_cluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.SharedCluster(t)
	s, prefix := asHub(t, cluster, redisstore.Options{})
	if warnings, err := s.Probe(t.Context()); err != nil || len(warnings) != 0 {
		t.Fatalf("Probe = %q, %v", warnings, err)
	}
	contract(t, s, cluster.Client(t), prefix)
	for _, server := range cluster.Masters {
		log, err := server.Client(t).Do(t.Context(), "acl", "log").Slice()
		if err != nil || strings.Contains(fmt.Sprint(log), prefix) {
			t.Errorf("ACL LOG of %s = %v, %v", server.Addr, log, err)
		}
	}
}

// asHub opens a store on a cluster as a user with the rights of Rights. The user
// is named after the prefix.
func asHub(t *testing.T, cluster *redistest.Cluster, o redisstore.Options) (s *redisstore.Store, prefix string) {
	t.Helper()
	prefix = redistest.Prefix(t)
	o.Prefix = prefix
	url := strings.Replace(cluster.URL, "://", "://"+prefix+":pw@", 1)
	s, _ = open(t, url, o)
	for _, server := range cluster.Masters {
		server.SetUser(t, prefix, append(s.Rights(), ">pw")...)
	}
	return s, prefix
}

func TestStore_clusterRoundTrips(t *testing.T) {
	t.Parallel()
	s, _ := open(t, redistest.SharedCluster(t).URL, redisstore.Options{})
	// On each master.
	for range 20 {
		rehearse(t, s)
	}
	for _, user := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		if _, err := s.Raise(t.Context(), family, user); err != nil {
			t.Fatal(err)
		}
	}
	var h trips
	s.Client().AddHook(&h)
	for range 3 { // a script may be new to a master
		h.n.Store(0)
		rec := create(t, s, "alice")
		created := h.n.Swap(0)
		if err := s.Delete(t.Context(), family, session.End{ID: rec.ID, User: "alice"}); err != nil {
			t.Error(err)
		}
		if deleted := h.n.Load(); created == 3 && deleted == 2 {
			return
		} else if created < 3 || deleted < 2 {
			t.Errorf("Create of a user: %d round trips, Delete: %d; want 3 and 2", created, deleted)
		}
	}
	t.Error("Create of a user and Delete took more than 3 and 2 round trips")
}

// The scripts are forgotten on all masters all the time.
func TestStore_clusterScriptFlushUnderLoad(t *testing.T) {
	t.Parallel()
	cluster := redistest.SharedCluster(t)
	s, _ := open(t, cluster.URL, redisstore.Options{})
	stop := make(chan struct{})
	var flusher sync.WaitGroup
	for _, server := range cluster.Masters {
		c := server.Client(t)
		flusher.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					c.ScriptFlush(context.Background())
				}
			}
		})
	}
	work(t, s, 8, 10, func(int) string { return rand.Text() })
	close(stop)
	flusher.Wait()
}

// work has so many visitors begin a session, save, load, check and end it, so many
// times. id says which ids they have. No operation may fail, or have another
// outcome than alone.
func work(t *testing.T, s *redisstore.Store, visitors, rounds int, id func(visitor int) string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var working sync.WaitGroup
	for visitor := range visitors {
		working.Go(func() {
			for range rounds {
				if err := visit(ctx, s, id(visitor)); err != nil {
					t.Errorf("visitor %d: %v", visitor, err)
					return
				}
			}
		})
	}
	working.Wait()
}

// visit is the life of one session.
func visit(ctx context.Context, s *redisstore.Store, id string) error {
	const saves = 5
	_, hash := secret()
	rec, err := s.Create(ctx, family, session.Create{ID: id, Nonce: rand.Text(), Hash: hash, User: id,
		Deltas: map[string]session.Delta{"main": {Add: map[string]int64{"n": 1}}}})
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	for range saves - 1 {
		if rec, err = s.Save(ctx, family, id, saving(rec, "main", session.Delta{Add: map[string]int64{"n": 1}})); err != nil {
			return fmt.Errorf("save: %w", err)
		}
	}
	rec, err = s.Load(ctx, family, id, session.Load{Hash: hash, Slide: session.SlideAlways})
	if err != nil || rec.In("main").Map()["n"] != fmt.Sprint(saves) {
		return fmt.Errorf("load: %v, %v, want n = %d", rec.Values, err, saves)
	}
	states, err := s.Check(ctx, family, []string{id, "nobody"})
	if err != nil || states[0] == nil || states[1] != nil {
		return fmt.Errorf("check: %v, %v", states, err)
	}
	// One that is not first in its pipeline, which go-redis would not try again.
	if err := s.Delete(ctx, family, session.End{ID: "nobody"}, session.End{ID: id, User: id, Notice: "ended"}); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if _, err = s.Load(ctx, family, id, session.Load{}); !errors.Is(err, session.ErrNotFound) {
		return fmt.Errorf("load after delete: %v", err)
	}
	_, err = s.Save(ctx, family, id, saving(rec, "main", set("a", "1")))
	if !errors.Is(err, session.ErrEnded) {
		return fmt.Errorf("save after delete: %v", err)
	}
	return nil
}

// A slot moves from master to master while its sessions are used. Both masters
// refuse what they have not all keys of, and nobody notices.
func TestStore_clusterSlotMoves(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	s, _ := asHub(t, cluster, redisstore.Options{})
	slot := int(cluster.Client(t).ClusterKeySlot(t.Context(), "moving").Val())
	var working sync.WaitGroup
	stop := make(chan struct{})
	working.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				// The brace ends what Redis takes for the place of the key.
				work(t, s, 8, 1, func(visitor int) string { return fmt.Sprint("moving}", visitor) })
			}
		}
	})
	for range 3 {
		before := refusals(t, cluster)
		cluster.MoveSlot(t, slot, func() {
			for deadline := time.Now().Add(20 * time.Second); refusals(t, cluster) == before; {
				if time.Now().After(deadline) {
					t.Error("nobody was refused while the slot moved")
					return
				}
			}
		})
	}
	close(stop)
	working.Wait()
	t.Logf("a master refused %d times", refusals(t, cluster))
}

// refusals counts how often masters answered TRYAGAIN.
func refusals(t testing.TB, cluster *redistest.Cluster) (n int) {
	t.Helper()
	for _, server := range cluster.Masters {
		text, err := server.Client(t).Info(t.Context(), "errorstats").Result()
		if err != nil {
			t.Error(err)
			return 0
		}
		for line := range strings.Lines(text) {
			var count int
			if _, err := fmt.Sscanf(line, "errorstat_TRYAGAIN:count=%d", &count); err == nil {
				n += count
			}
		}
	}
	return n
}

func TestServer_isAnotherOneAfterARestart(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, prefix := open(t, server.URL, redisstore.Options{})
	before, err := s.Server(t.Context())
	if again, _ := s.Server(t.Context()); err != nil || before == "" || again != before {
		t.Errorf("Server = %q, %v, then %q", before, err, again)
	}
	server.Kill()
	if got, err := s.Server(t.Context()); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("Server of a dead one = %q, %v, want %v", got, err, session.ErrUnavailable)
	}
	server.Restart()
	if after, err := s.Server(t.Context()); err != nil || after == "" || after == before {
		t.Errorf("Server after a restart = %q, %v, want another than %q", after, err, before)
	}
	server.SetUser(t, "blind", ">pw", "~*", "+@all", "-info")
	blind, _ := open(t, "redis://blind:pw@"+server.Addr, redisstore.Options{Prefix: prefix})
	if got, err := blind.Server(t.Context()); got != "" || err != nil {
		t.Errorf("Server without the right to INFO = %q, %v, want nothing", got, err)
	}
}

func TestServer_namesAllMastersOfACluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.SharedCluster(t)
	var want []string
	for _, server := range cluster.Masters {
		for line := range strings.Lines(server.Client(t).Info(t.Context(), "server").Val()) {
			if id, ok := strings.CutPrefix(strings.TrimSpace(line), "run_id:"); ok {
				want = append(want, id)
			}
		}
	}
	slices.Sort(want)
	s, _ := open(t, cluster.URL, redisstore.Options{})
	if got, err := s.Server(t.Context()); err != nil || got != strings.Join(want, ",") || len(want) != 3 {
		t.Errorf("Server = %q, %v, want %q", got, err, want)
	}
}

// The replica's link is cut: the end is done, and not safe.
func TestStore_endThatNoReplicaTook(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t, "--repl-diskless-sync-delay", "0")
	link := faultproxy.Start(t, primary.Addr)
	replica := redistest.StartReplica(t, link.Addr)
	s, prefix := open(t, primary.URL, redisstore.Options{WaitReplicas: 1, WaitTimeout: 200 * time.Millisecond})
	rec := create(t, s, "alice")
	book := prefix + ":main:{" + rec.ID + "}"
	if n := primary.Client(t).Wait(t.Context(), 1, 5*time.Second).Val(); n != 1 {
		t.Fatalf("WAIT = %d", n)
	}
	link.DropDown(true)
	wantFewReplicas(t, s, rec)
	if n := replica.Client(t).Exists(t.Context(), book).Val(); n != 1 {
		t.Errorf("the replica has %d of the session's book, want 1: this is what a failover would bring back", n)
	}
	link.DropDown(false)
	again := session.End{ID: rec.ID, User: "alice", Notice: "end"}
	for deadline := time.Now().Add(20 * time.Second); ; {
		err := s.Delete(t.Context(), family, again)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("Delete again, with the link = %v", err)
		}
	}
	if n := replica.Client(t).Exists(t.Context(), book).Val(); n != 0 {
		t.Error("the replica still has the session after an end that it took")
	}
}

// wantFewReplicas ends a session where no replica takes it.
func wantFewReplicas(t *testing.T, s *redisstore.Store, rec session.Record) {
	t.Helper()
	err := s.Delete(t.Context(), family, session.End{ID: rec.ID, User: rec.User, Notice: "end"})
	if !errors.Is(err, session.ErrUnavailable) || !errors.Is(err, session.ErrUnconfirmed) ||
		!strings.Contains(err.Error(), "taken by 0 replicas of 1") {
		t.Errorf("Delete = %v, want %v and %v because of 0 replicas", err, session.ErrUnavailable, session.ErrUnconfirmed)
	}
	if _, err := s.Load(t.Context(), family, rec.ID, session.Load{}); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Load after it = %v, want %v", err, session.ErrNotFound)
	}
	if list, err := s.Listed(t.Context(), family, rec.User); err != nil || len(list) != 0 {
		t.Errorf("Listed after it = %v, %v", list, err)
	}
}

// On a cluster it is the replicas of the session's master that count, also after
// the slot has moved to another one.
func TestStore_clusterWaitsForReplicas(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	s, _ := asHub(t, cluster, redisstore.Options{WaitReplicas: 1, WaitTimeout: 1500 * time.Millisecond})
	hasty, _ := asHub(t, cluster, redisstore.Options{WaitReplicas: 1, WaitTimeout: 20 * time.Millisecond})
	warnings, err := hasty.Probe(t.Context())
	if err != nil || len(warnings) != 3 || !strings.Contains(warnings[0], "0 replicas") {
		t.Errorf("Probe without replicas = %q, %v, want a warning for each master", warnings, err)
	}
	wantFewReplicas(t, hasty, create(t, hasty, "alice"))

	admin := cluster.Client(t)
	slot := int(admin.ClusterKeySlot(t.Context(), "moving").Val())
	from := slot / (16384/3 + 1)
	cluster.StartReplica(t, from)
	cluster.StartReplica(t, (from+1)%3)
	for round := range 2 {
		// The first after the move is sent to the old master, which sends it on.
		id := fmt.Sprint("moving}", round)
		if err := s.Delete(t.Context(), family, session.End{ID: id}, session.End{ID: id + "too"}); err != nil {
			t.Errorf("Delete with replicas = %v", err)
		}
		rec, err := s.Create(t.Context(), family, session.Create{ID: id, Nonce: id, Hash: "h", User: id})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(t.Context(), family, session.End{ID: id, User: id}); err != nil {
			t.Errorf("Delete with replicas = %v", err)
		}
		if states, err := s.Check(t.Context(), family, []string{rec.ID}); err != nil || states[0] != nil {
			t.Errorf("Check = %v, %v", states, err)
		}
		if round == 0 {
			cluster.MoveSlot(t, slot, func() {})
		}
	}
	var moved int
	for _, server := range cluster.Masters {
		text := server.Client(t).Info(t.Context(), "errorstats").Val()
		if strings.Contains(text, "errorstat_MOVED") {
			moved++
		}
	}
	if moved == 0 {
		t.Error("no master sent anybody elsewhere")
	}
}

// A replica that lags is not one that has it, though its connection stands. On
// another connection than that of the end WAIT would count it: the pool gives them
// out in turn here.
func TestStore_clusterWaitsForAReplicaThatLags(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	replica := cluster.StartReplica(t, 0)
	like, prefix := open(t, cluster.URL, redisstore.Options{})
	o := *like.Client().(*redis.ClusterClient).Options()
	o.PoolFIFO, o.MinIdleConns = true, 3
	o.PipelinePoolSize = -1 // one pool for all
	client := redis.NewClusterClient(&o)
	defer client.Close()
	s, err := redisstore.New(client, redisstore.Options{Prefix: prefix, WaitReplicas: 1, WaitTimeout: 1500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	eachMaster(t, client, func(c *redis.Client) {
		for deadline := time.Now().Add(20 * time.Second); c.PoolStats().IdleConns < 3; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("one connection does not show whose end is waited for")
			}
		}
	})
	const lagging = "lag}" // in a slot of the first master
	rec, err := s.Create(t.Context(), family, session.Create{ID: lagging, Nonce: "n", Hash: "h", User: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 { // on each connection: the first command greets, and after that WAIT is about it
		if _, err := s.Load(t.Context(), family, lagging, session.Load{}); err != nil {
			t.Fatal(err)
		}
	}
	// The replica has all that was written before.
	if err := s.Delete(t.Context(), family, session.End{ID: lagging + "other"}); err != nil {
		t.Fatalf("Delete with a replica = %v", err)
	}
	replica.Pause()
	wantFewReplicas(t, s, rec)
	replica.Resume()
	if err := s.Delete(t.Context(), family, session.End{ID: lagging, User: "alice", Notice: "end"}); err != nil {
		t.Errorf("Delete again, with the replica = %v", err)
	}
}
