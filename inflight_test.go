package sessionhub_test

import (
	"context"
	"net/http/httptest"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/redisbroker"
	"github.com/sessionhub/sessionhub/internal/faultproxy"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/redisstore"
	"github.com/sessionhub/sessionhub/transport"
	"github.com/sessionhub/sessionhub/transport/transporttest"
)

// TestUpgrade_endedWhileTheLoadIsInFlight holds back the reply that says that a
// session lives, ends the session elsewhere, and lets the reply arrive after
// the notice: what it says is over, and the socket must not open.
func TestUpgrade_endedWhileTheLoadIsInFlight(t *testing.T) {
	server := redistest.Start(t)
	proxy := faultproxy.Start(t, server.Addr)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	registry, err := prefixes.NewRegistry(prefixes.Namespace{Name: "main"})
	if err != nil {
		t.Fatal(err)
	}
	open := func(addr string) *redisstore.Store {
		t.Helper()
		client := redis.NewClient(&redis.Options{
			Addr: addr, ContextTimeoutEnabled: true, MaxRetries: -1, DisableIdentity: true,
			DialTimeout: 2 * time.Second, ReadTimeout: 2 * time.Second, WriteTimeout: 2 * time.Second,
			MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		})
		t.Cleanup(func() { _ = client.Close() })
		store, err := redisstore.New(client, redisstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	// The node's store is behind the proxy, its broker is not: the notice comes
	// at once. The session is ended by another node.
	direct, slow := open(server.Addr), open(proxy.Addr)
	h := hub.New(hub.Options{Broker: redisbroker.New(direct.Client(), redisbroker.Options{})})
	m := session.New(registry, slow, session.Options{Ends: h, Timeout: 2 * time.Second})
	other := session.New(registry, direct, session.Options{})
	var opened sync.Once
	e, err := transport.New(opener(func() { opened.Do(func() { t.Error("the socket was opened") }) }), m, h,
		transport.Options{Origins: []string{origin}})
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := h.Run(running, m); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); wg.Wait() })
	if err := h.WaitFresh(ctx); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(e)
	t.Cleanup(srv.Close)
	v, err := transporttest.LogIn(ctx, other, "ada")
	if err != nil {
		t.Fatal(err)
	}
	id, err := v.Scope().ID(ctx, "") // which also lets Redis know the script
	if err != nil {
		t.Fatal(err)
	}

	// The node has its connection already: only the answer to the load is
	// held back.
	if _, err := m.Sessions(ctx, "", "ada"); err != nil {
		t.Fatal(err)
	}
	client := server.Client(t)
	before := scriptRuns(t, client)
	proxy.DropDown(true)
	closed := make(chan error, 1)
	wg.Go(func() {
		header := v.Header()
		header.Set("Origin", origin)
		ws, _, err := websocket.Dial(ctx, "ws"+srv.URL[len("http"):], &websocket.DialOptions{HTTPHeader: header})
		if err == nil {
			_, _, err = ws.Read(ctx)
			_ = ws.CloseNow()
		}
		closed <- err
	})
	await(t, ctx, "the load to run in Redis", func() bool { return scriptRuns(t, client) > before })
	marked := h.Stats().Marked
	if _, err := other.EndSession(ctx, "", id, "admin"); err != nil {
		t.Fatal(err)
	}
	await(t, ctx, "the notice", func() bool { return h.Stats().Marked > marked })
	proxy.DropDown(false)
	if err := <-closed; websocket.CloseStatus(err) != 4501 {
		t.Errorf("the socket reads %v, want close code 4501", err)
	}
	await(t, ctx, "the entry to go", func() bool { return h.Stats().Connections == 0 })
}

// opener is a handler that says when a socket was opened.
type opener func()

func (o opener) Open(context.Context, *transport.Outbox) error { o(); return nil }
func (o opener) ServeMessage(context.Context, *transport.Outbox, transport.Message) error {
	return nil
}

// scriptRuns returns how many scripts Redis has run.
func scriptRuns(t *testing.T, c *redis.Client) int {
	t.Helper()
	info, err := c.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, m := range regexp.MustCompile(`cmdstat_eval(?:sha)?:calls=(\d+)`).FindAllStringSubmatch(info, -1) {
		calls, _ := strconv.Atoi(m[1])
		n += calls
	}
	return n
}

// await polls until what it waits for is there.
func await(t *testing.T, ctx context.Context, what string, there func() bool) {
	t.Helper()
	for !there() {
		select {
		case <-ctx.Done():
			t.Fatalf("no end of waiting for %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}
