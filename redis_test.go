package sessionhub_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/redisstore"
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
