package sessionhub_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub"
	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/redisstore"
	"github.com/sessionhub/sessionhub/transport"
)

// A session that one node begins is there on another, and a logout ends it, on
// every kind of Redis.
func TestApp_redisTopologies(t *testing.T) {
	servers, cluster := redistest.StartSentinel(t, 1), redistest.SharedCluster(t)
	single := redistest.Shared(t).URL
	for name, o := range map[string]sessionhub.Options{
		"Sentinel":              {Redis: servers.URL + patient},
		"cluster":               {Redis: cluster.URL + patient},
		"a client":              {RedisClient: redisClient(t, single)},
		"a client for clusters": {RedisClient: redisClient(t, cluster.URL)},
	} {
		t.Run(name, func(t *testing.T) {
			o.Prefix = redistest.Prefix(t)
			var nodes []*node
			for range 2 {
				app := newApp(t, o)
				r := app.Router()
				r.Post("/login", func(_ http.ResponseWriter, r *http.Request) {
					if err := session.Login(r.Context(), "ada"); err != nil {
						t.Error(err)
					}
				})
				r.Post("/logout", func(_ http.ResponseWriter, r *http.Request) {
					if took, err := session.Logout(r.Context(), session.This); err != nil || !took.StoreOK {
						t.Errorf("Logout = %+v, %v", took, err)
					}
				})
				r.Post("/user", func(w http.ResponseWriter, r *http.Request) {
					user, err := session.User(r.Context())
					if err != nil {
						t.Error(err)
					}
					_, _ = io.WriteString(w, "user:"+user)
				})
				nodes = append(nodes, serve(t, app, r))
			}
			cookie := nodes[0].login(t)
			if got := string(nodes[1].post(t, "/user", cookie)); got != "user:ada" {
				t.Errorf("on the other node: %q", got)
			}
			nodes[1].post(t, "/logout", cookie)
			if got := string(nodes[0].post(t, "/user", cookie)); got != "user:" {
				t.Errorf("after the logout: %q", got)
			}
		})
	}
}

// A program may do all that it does as the user whose rights the documentation
// names.
func TestApp_leastRights(t *testing.T) {
	server, prefix := redistest.Start(t), redistest.Prefix(t)
	store, err := redisstore.New(redisClient(t, server.URL), redisstore.Options{Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	server.SetUser(t, "hub", append(store.Rights(), ">pw")...)
	var nodes []*node
	for range 2 {
		app := newApp(t, sessionhub.Options{Redis: "redis://hub:pw@" + server.Addr + patient, Prefix: prefix})
		r := app.Router()
		r.Post("/login", func(_ http.ResponseWriter, r *http.Request) {
			if err := session.Login(r.Context(), "ada"); err != nil {
				t.Error(err)
			}
		})
		r.Post("/say", func(_ http.ResponseWriter, r *http.Request) {
			if err := app.Hub().Publish(r.Context(), "lobby", []byte("hello")); err != nil {
				t.Error(err)
			}
		})
		r.Post("/logout", func(_ http.ResponseWriter, r *http.Request) {
			took, err := session.Logout(r.Context(), session.All)
			if err != nil || !took.StoreOK || took.NodesAcked != 2 || took.NodesExpected != 2 {
				t.Errorf("Logout = %+v, %v", took, err)
			}
		})
		r.Handle("/ws", app.Socket(func(ctx context.Context, out *transport.Outbox, m transport.Message) error {
			if err := put(ctx, "main"); err != nil {
				return err
			}
			out.Reply(m.Data)
			return nil
		}, "lobby"))
		n := serve(t, app, r)
		awaitNodes(t, app.Hub(), len(nodes)+1)
		nodes = append(nodes, n)
	}
	cookie := nodes[0].login(t)
	ws := nodes[1].dial(t, "/ws", cookie)
	if err := ws.Write(t.Context(), websocket.MessageText, []byte("hi")); err != nil {
		t.Fatal(err)
	}
	hears(t, ws, "hi") // and so has subscribed
	nodes[0].post(t, "/say", cookie)
	hears(t, ws, "hello")
	nodes[0].post(t, "/logout", cookie)
	if _, _, err := ws.Read(t.Context()); websocket.CloseStatus(err) != 4501 {
		t.Errorf("after the logout: %v, want close code 4501", err)
	}
	var denials []string
	log, err := server.Client(t).ACLLog(t.Context(), 10).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range log {
		denials = append(denials, entry.Reason+" "+entry.Object)
	}
	if len(denials) > 0 {
		t.Errorf("Redis denied %q", denials)
	}
}

// hears waits for the next message of a socket.
func hears(t *testing.T, ws *websocket.Conn, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, text, err := ws.Read(ctx); err != nil || string(text) != want {
		t.Fatalf("heard %q, %v, want %q", text, err, want)
	}
}

// awaitNodes waits until a hub knows all nodes.
func awaitNodes(t *testing.T, h *hub.Hub, nodes int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	await(t, ctx, "knowledge of all nodes", func() bool { st := h.Stats(); return st.NodesKnown && st.Nodes == nodes })
}

func TestNew_configuresItsParts(t *testing.T) {
	server := redistest.Start(t)
	app := newApp(t, sessionhub.Options{
		Redis: server.URL + patient, Prefix: redistest.Prefix(t), Node: "a", StoreTimeout: 50 * time.Millisecond,
		Hub: hub.Options{Broker: hub.NewMemoryBroker(), Heartbeat: 20 * time.Millisecond, StaleLimit: time.Hour},
	})
	serve(t, app, app.Router())
	begin := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	await(t, ctx, "heartbeats", func() bool { return app.Hub().Stats().BeatsSent >= 10 })
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("ten heartbeats took %v", took)
	}
	if n, err := server.Client(t).PubSubChannels(t.Context(), "*").Result(); err != nil || len(n) == 0 {
		t.Errorf("channels %q, %v: the hub does not use the App's broker", n, err)
	}
	server.Pause()
	defer server.Resume()
	begin = time.Now()
	if _, err := app.Sessions().EndSession(t.Context(), "main", "x", "test"); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("EndSession = %v", err)
	}
	if took := time.Since(begin); took > 400*time.Millisecond {
		t.Errorf("EndSession took %v of a store that may take 50 ms", took)
	}
}

// patient are timeouts for the race detector on a busy machine.
const patient = "?dial_timeout=2s&read_timeout=2s&write_timeout=2s"

// redisClient makes a client that no App may close: the test does, and a second
// time would be an error.
func redisClient(t *testing.T, url string) redis.UniversalClient {
	t.Helper()
	c, err := redisstore.NewClient(url+patient, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close of the client = %v", err)
		}
	})
	return c
}

func TestNew_refusesRedisWithoutTellingSecrets(t *testing.T) {
	const secret = "hunter2"
	server := redistest.Start(t, "--appendonly", "no")
	server.SetUser(t, "mute", ">"+secret, "~*", "&*", "+@all", "-publish")
	sentinels := redistest.StartSentinel(t, 0)
	for _, c := range []struct {
		name string
		o    sessionhub.Options
		want string // in the error
	}{
		{"wrong password", sessionhub.Options{Redis: "redis://mute:" + secret + "x@" + server.Addr}, "WRONGPASS"},
		{"no right to publish", sessionhub.Options{Redis: "redis://mute:" + secret + "@" + server.Addr}, "lacks +publish"},
		{"wrong password behind Sentinels", sessionhub.Options{Redis: strings.Replace(sentinels.URL, "://", "://nobody:"+secret+"@", 1)}, "WRONGPASS"},
		{"not durable", sessionhub.Options{Redis: server.URL, RedisStore: redisstore.Options{RequireDurable: true}}, "appendonly"},
		{"a URL and a client", sessionhub.Options{Redis: server.URL, RedisClient: redisClient(t, server.URL)}, "both"},
		{"a client without settings", sessionhub.Options{RedisClient: server.Client(t)}, "DialTimeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			c.o.Public, c.o.Prefix = origin, redistest.Prefix(t)
			c.o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			app, err := sessionhub.New(c.o)
			if err == nil {
				_ = app.Close()
				t.Fatal("New = nil, want an error")
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) || strings.Contains(log.String(), secret) {
				t.Errorf("New = %v, and logged %q; want %q, and no password", err, log.String(), c.want)
			}
		})
	}
}
