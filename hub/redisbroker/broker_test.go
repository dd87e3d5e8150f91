package redisbroker_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/hubtest"
	"github.com/sessionhub/sessionhub/hub/redisbroker"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session/redisstore"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

func TestBroker(t *testing.T) {
	hubtest.TestBroker(t, func(t *testing.T) hubtest.Harness {
		s := redistest.Shared(t)
		prefix := redistest.Prefix(t)
		if strings.HasSuffix(t.Name(), "/Cut") {
			s = redistest.Start(t) // others' connections are not to be cut
		}
		c := s.Client(t)
		return hubtest.Harness{
			Node: func() hub.Broker { return newBroker(c, prefix) },
			Cut:  func() { killPubSub(t, c) },
		}
	})
}

// The user of this kit has the rights that a store says are needed, and no others.
func TestBroker_leastRights(t *testing.T) {
	s, prefix := redistest.Start(t), redistest.Prefix(t)
	url := "redis://hub:pw@" + s.Addr + "/0?dial_timeout=2s&read_timeout=2s&write_timeout=2s"
	c, err := redisstore.NewClient(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	store, err := redisstore.New(c, redisstore.Options{Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	s.SetUser(t, "hub", append(store.Rights(), ">pw")...)
	admin := s.Client(t)
	hubtest.TestBroker(t, func(*testing.T) hubtest.Harness {
		return hubtest.Harness{
			Node: func() hub.Broker { return newBroker(c, prefix) },
			Cut:  func() { killPubSub(t, admin) },
		}
	})
	if denied, err := admin.ACLLog(t.Context(), 10).Result(); err != nil || len(denied) > 0 {
		t.Errorf("Redis denied %+v, %v", denied, err)
	}
}

// What is subscribed to while Redis is away, and given up, leaves nothing.
func TestBroker_forgetsWhatWasGivenUpWhileRedisIsAway(t *testing.T) {
	s := redistest.Start(t)
	c := s.Client(t)
	b := newBroker(c, "sessionhub")
	r := run(t, b)
	r.await(t, "fresh")
	s.Kill()
	r.await(t, "fresh", "stale")
	const topics, size = 500, 64 << 10
	before := heap()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range topics {
		if err := b.Subscribe(over, strings.Repeat("x", size)+strconv.Itoa(i)); !errors.Is(err, context.Canceled) {
			t.Fatalf("Subscribe = %v", err)
		}
	}
	eventually(t, func() bool { return heap() < before+topics*size/4 }, func() any { return heap() - before })
}

// heap returns how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func newBroker(c redis.UniversalClient, prefix string) *redisbroker.Broker {
	return redisbroker.New(c, redisbroker.Options{Prefix: prefix, Logger: slog.New(slog.DiscardHandler)})
}

func killPubSub(t *testing.T, c *redis.Client) {
	t.Helper()
	if err := c.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
		t.Fatalf("CLIENT KILL: %v", err)
	}
}

// recorder is a Receiver.
type recorder struct {
	mu     sync.Mutex // guards the following field
	events []string
}

func (r *recorder) add(event string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, event)
}
func (r *recorder) Fresh()                                { r.add("fresh") }
func (r *recorder) Stale(error)                           { r.add("stale") }
func (r *recorder) Notice(text string)                    { r.add("notice " + text) }
func (r *recorder) Publication(topic string, data []byte) { r.add(topic + " " + string(data)) }

func (r *recorder) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

func (r *recorder) await(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, func() bool {
		all := r.all()
		return len(all) >= len(want) && slices.Equal(all[len(all)-len(want):], want)
	}, func() any { return r.all() })
}

// eventually polls a condition.
func eventually(t *testing.T, ok func() bool, state func() any) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen; now: %v", state())
		}
		<-tick.C
	}
}

// run runs a broker until the end of the test.
func run(t *testing.T, b *redisbroker.Broker) *recorder {
	t.Helper()
	r := new(recorder)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := b.Run(ctx, r); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return r
}

func TestBroker_hearsNoticesOfOtherClients(t *testing.T) {
	prefix := redistest.Prefix(t)
	c := redistest.Shared(t).Client(t)
	r := run(t, newBroker(c, prefix))
	r.await(t, "fresh")
	if err := c.Publish(t.Context(), prefix+":notice", "1|s|main|abc||0").Err(); err != nil {
		t.Fatal(err)
	}
	r.await(t, "fresh", "notice 1|s|main|abc||0")
}

func TestBroker_defaultPrefix(t *testing.T) {
	c := redistest.Start(t).Client(t)
	r := run(t, redisbroker.New(c, redisbroker.Options{}))
	r.await(t, "fresh")
	if err := c.Publish(t.Context(), "sessionhub:notice", "x").Err(); err != nil {
		t.Fatal(err)
	}
	r.await(t, "fresh", "notice x")
}

func TestBroker_unsubscribesAtServer(t *testing.T) {
	prefix := redistest.Prefix(t)
	c := redistest.Shared(t).Client(t)
	b := newBroker(c, prefix)
	r := run(t, b)
	r.await(t, "fresh")
	channel := prefix + ":topic:a b"
	receivers := func() int64 {
		n, err := c.PubSubNumSub(t.Context(), channel).Result()
		if err != nil {
			t.Fatal(err)
		}
		return n[channel]
	}
	for range 2 {
		if err := b.Subscribe(t.Context(), "a b"); err != nil {
			t.Fatal(err)
		}
	}
	b.Unsubscribe("a b")
	if got := receivers(); got != 1 {
		t.Errorf("receivers = %d, want 1", got)
	}
	b.Unsubscribe("a b")
	eventually(t, func() bool { return receivers() == 0 }, func() any { return receivers() })
	b.Unsubscribe("a b") // one too many does nothing
	if err := b.Subscribe(t.Context(), "a b"); err != nil {
		t.Fatal(err)
	}
	if got := receivers(); got != 1 {
		t.Errorf("receivers after all = %d, want 1", got)
	}
	b.Unsubscribe("a b")
	for i := range 50 { // given up before or after the command is sent
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*10*time.Microsecond)
		if b.Subscribe(ctx, "a b") == nil {
			b.Unsubscribe("a b")
		}
		cancel()
	}
	eventually(t, func() bool { return receivers() == 0 }, func() any { return receivers() })
}

func TestBroker_survivesServerRestart(t *testing.T) {
	s := redistest.Start(t)
	c := s.Client(t)
	b := newBroker(c, "sessionhub")
	r := run(t, b)
	r.await(t, "fresh")
	if err := b.Subscribe(t.Context(), "before"); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	r.await(t, "fresh", "stale")

	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := b.Subscribe(short, "given up"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Subscribe while down = %v, want the context's error", err)
	}
	if err := b.Publish(t.Context(), "before", nil); err == nil {
		t.Error("Publish while down succeeded")
	}
	waiting := make(chan error, 1)
	go func() { waiting <- b.Subscribe(t.Context(), "during") }()

	s.Restart()
	if err := <-waiting; err != nil {
		t.Errorf("Subscribe that waited = %v", err)
	}
	r.await(t, "fresh", "stale", "fresh")
	for _, topic := range []string{"given up", "before", "during"} {
		if err := b.Publish(t.Context(), topic, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	r.await(t, "fresh", "before x", "during x")
}

func TestBroker_killedManyTimesComesBackWithAllTopics(t *testing.T) {
	c := redistest.Start(t).Client(t)
	b := newBroker(c, "sessionhub")
	r := run(t, b)
	r.await(t, "fresh")
	topics := []string{"a", "b", "c"}
	for _, topic := range topics {
		if err := b.Subscribe(t.Context(), topic); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		killPubSub(t, c)
		r.await(t, "stale", "fresh")
		want := []string{"fresh"}
		for _, topic := range topics {
			if err := b.Publish(t.Context(), topic, []byte("x")); err != nil {
				t.Fatal(err)
			}
			want = append(want, topic+" x")
		}
		r.await(t, want...)
	}
}

// The dialer of this test hangs from the second connection for receiving on,
// as a black hole does.
func TestBroker_gapIsSaidBeforeDialingAnew(t *testing.T) {
	s := redistest.Start(t)
	var hang atomic.Bool
	c := redis.NewClient(&redis.Options{
		Addr:                     s.Addr,
		ContextTimeoutEnabled:    true,
		DialerRetries:            1,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if hang.Load() {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			var d net.Dialer
			return d.DialContext(ctx, network, addr)
		},
	})
	defer c.Close()
	r := run(t, newBroker(c, "sessionhub"))
	r.await(t, "fresh")
	hang.Store(true)
	killPubSub(t, s.Client(t))
	r.await(t, "fresh", "stale")
}

func TestBroker_unsubscribeWhileDialingDoesNotHinderFresh(t *testing.T) {
	s := redistest.Start(t)
	var hang atomic.Bool
	dialing, open := make(chan struct{}, 100), make(chan struct{})
	c := redis.NewClient(&redis.Options{
		Addr:                     s.Addr,
		ContextTimeoutEnabled:    true,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if hang.Load() {
				dialing <- struct{}{}
				<-open
			}
			var d net.Dialer
			return d.DialContext(ctx, network, addr)
		},
	})
	defer c.Close()
	b := newBroker(c, "sessionhub")
	r := run(t, b)
	r.await(t, "fresh")
	if err := b.Subscribe(t.Context(), "topic"); err != nil {
		t.Fatal(err)
	}
	hang.Store(true)
	killPubSub(t, s.Client(t))
	<-dialing
	b.Unsubscribe("topic")
	close(open)
	r.await(t, "fresh", "stale", "fresh")
}

// staleHook is a Receiver that does something in Stale.
type staleHook struct {
	*recorder
	stale func()
}

func (h staleHook) Stale(err error) {
	h.stale()
	h.recorder.Stale(err)
}

func TestBroker_subscribeInAGapWaitsForItsEnd(t *testing.T) {
	c := redistest.Start(t).Client(t)
	b := newBroker(c, "sessionhub")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	r := staleHook{new(recorder), func() {
		if err := b.Subscribe(ended, "topic"); !errors.Is(err, context.Canceled) {
			t.Errorf("Subscribe in a gap = %v, want the context's error", err)
		}
	}}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := b.Run(ctx, r); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	defer wg.Wait()
	defer stop()
	r.await(t, "fresh")
	if err := b.Subscribe(t.Context(), "topic"); err != nil {
		t.Fatal(err)
	}
	killPubSub(t, c)
	r.await(t, "fresh", "stale", "fresh")
}

func TestBroker_unexpectedSubscriptionIsAGap(t *testing.T) {
	s := redistest.Start(t)
	c := s.Client(t)
	var conns sync.Map
	c2 := redis.NewClient(&redis.Options{
		Addr:                     s.Addr,
		ContextTimeoutEnabled:    true,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			var d net.Dialer
			conn, err := d.DialContext(ctx, network, addr)
			if err == nil {
				conns.Store(conn.LocalAddr().String(), conn)
			}
			return conn, err
		},
	})
	defer c2.Close()
	r := run(t, newBroker(c2, "sessionhub"))
	r.await(t, "fresh")
	// A SUBSCRIBE that the broker did not send, on its own connection.
	list, err := c.Do(t.Context(), "CLIENT", "LIST", "TYPE", "pubsub").Text()
	if err != nil {
		t.Fatal(err)
	}
	conns.Range(func(addr, conn any) bool {
		if strings.Contains(list, " addr="+addr.(string)+" ") {
			if _, err := conn.(net.Conn).Write([]byte("SUBSCRIBE sessionhub:notice\r\n")); err != nil {
				t.Error(err)
			}
		}
		return true
	})
	r.await(t, "fresh", "stale", "fresh")
}

func TestBroker_subscribeAfterRunIsRefused(t *testing.T) {
	b := newBroker(redistest.Shared(t).Client(t), redistest.Prefix(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Run(ctx, new(recorder)); err != nil {
		t.Errorf("Run = %v", err)
	}
	if err := b.Subscribe(t.Context(), "topic"); !errors.Is(err, redisbroker.ErrStopped) {
		t.Errorf("Subscribe after Run = %v, want ErrStopped", err)
	}
}
