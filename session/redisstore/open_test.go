package redisstore_test

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session/redisstore"
)

func TestOpen_refusesBadURLsWithoutRepeatingThem(t *testing.T) {
	const canary = "canary"
	for _, url := range []string{
		"", canary, "http://:" + canary + "@localhost", "redis://:" + canary + "#x@localhost:6379",
		"redis://user:1/" + canary + "@localhost", "redis://u:1?" + canary + "@localhost",
		"redis://:" + canary + "@localhost:port", "redis://localhost/" + canary,
		"redis://localhost?pool=" + canary, "redis://localhost?read_timeout=" + canary,
		"unix://:" + canary + "@", "redis://:%zz" + canary + "@localhost", canary + "://localhost",
		"redis+" + canary + "://localhost", "unix+cluster://" + canary, "redis+sentinel://" + canary,
		"redis+sentinel://" + canary + "/", "redis+sentinel:///" + canary, "redis+sentinel://a,,b/" + canary,
		"redis+sentinel://u:1/" + canary + "@localhost/0", "redis+sentinel://u:1?" + canary + "@localhost/m/0",
		"redis+sentinel://localhost/m/" + canary, "redis+sentinel://localhost/m/0/" + canary,
		"redis+sentinel://localhost/m#" + canary, "redis+sentinel://:%zz" + canary + "@localhost/m",
		"redis+sentinel://localhost/m?replica_only=true&client_name=" + canary,
		"redis+sentinel://localhost/m?route_randomly=true&client_name=" + canary,
		"redis+sentinel://localhost/m?route_by_latency=true&client_name=" + canary,
		"redis+cluster://localhost/" + canary, "redis+cluster://u:1/" + canary + "@localhost",
		"redis+cluster://localhost:port,a:" + canary, "redis+cluster://localhost?x=" + canary,
		"redis+cluster://localhost?read_only=true&client_name=" + canary,
		"redis+cluster://localhost?route_by_latency=true&client_name=" + canary,
		"redis+cluster://localhost?route_randomly=true&client_name=" + canary,
	} {
		s, err := redisstore.Open(url, redisstore.Options{})
		if err == nil {
			_ = s.Close()
			t.Errorf("Open(%q) = nil", url)
		} else if strings.Contains(err.Error(), canary) {
			t.Errorf("Open(%q) repeats it: %v", url, err)
		}
	}
}

func TestNewClient_setsWhatNewWants(t *testing.T) {
	for _, c := range []struct{ url, want string }{
		{"redis://u:pw@h:1/3", "h:1 u:pw db 3"},
		{"rediss://h:1/3", "h:1 : db 3 TLS for \"h\""},
		{"unix:///nowhere/redis.sock?db=3", "/nowhere/redis.sock : db 3"},
		{"redis+sentinel://u:p%2Fw@h1:1,h2/mymaster/3", "FailoverClient u:p/w db 3"},
		{"redis+sentinel://h/mymaster", "FailoverClient : db 0"},
		{"rediss+sentinel://h1,[::1]:5/mymaster/1?sentinel_password=x", "FailoverClient : db 1 TLS for \"\""},
		{"redis+cluster://u:pw@h1:1,h2,[::1]:5,[::2]", "h1:1,h2:6379,[::1]:5,[::2]:6379 u:pw"},
		{"rediss+cluster://h/", "h:6379 : TLS for \"\""},
	} {
		client, err := redisstore.NewClient(c.url, nil)
		if err != nil {
			t.Errorf("NewClient(%q) = %v", c.url, err)
			continue
		}
		if got := describe(client); got != c.want {
			t.Errorf("NewClient(%q) is for %s, want %s", c.url, got, c.want)
		}
		if s, err := redisstore.New(client, redisstore.Options{}); err != nil {
			t.Errorf("New of NewClient(%q) = %v", c.url, err)
		} else if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := client.Close(); err != nil { // a second time would be an error
			t.Errorf("Close of the client, after that of the store = %v", err)
		}
	}
}

// describe says where a client goes, and what is not as it is with all of them.
func describe(c redis.UniversalClient) (text string) {
	var secure *tls.Config
	var size int
	var timeouts [4]time.Duration
	switch c := c.(type) {
	case *redis.Client:
		o := c.Options()
		text = fmt.Sprintf("%s %s:%s db %d", o.Addr, o.Username, o.Password, o.DB)
		secure, size = o.TLSConfig, o.PoolSize
		timeouts = [4]time.Duration{o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout}
		if o.MaxRetries != 1 {
			text += fmt.Sprint(" retries ", o.MaxRetries)
		}
	case *redis.ClusterClient:
		o := c.Options()
		text = fmt.Sprintf("%s %s:%s", strings.Join(o.Addrs, ","), o.Username, o.Password)
		secure, size = o.TLSConfig, o.PoolSize
		timeouts = [4]time.Duration{o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout}
	}
	if size != 64 || timeouts != [4]time.Duration{500e6, 500e6, 500e6, 500e6} {
		text += fmt.Sprint(" pool ", size, " timeouts ", timeouts)
	}
	if secure != nil {
		text += fmt.Sprintf(" TLS for %q", secure.ServerName)
		if secure.MinVersion < tls.VersionTLS12 {
			text += ", of any version"
		}
	}
	return text
}

func TestNewClient_takesParametersAndTLS(t *testing.T) {
	own := &tls.Config{MinVersion: tls.VersionTLS13}
	for _, kind := range []string{"rediss://h", "rediss+sentinel://h/m", "rediss+cluster://h"} {
		c, err := redisstore.NewClient(kind+"?pool_size=7&read_timeout=1s", own)
		if err != nil {
			t.Fatal(err)
		}
		if got := describe(c); !strings.Contains(got, "pool 7 timeouts [500ms 1s 500ms 500ms] TLS") {
			t.Errorf("NewClient(%q) is %s", kind, got)
		}
		_ = c.Close()
		plain := strings.Replace(kind, "rediss", "redis", 1)
		if c, err := redisstore.NewClient(plain, own); err == nil {
			_ = c.Close()
			t.Errorf("NewClient(%q) ignores a TLS configuration", plain)
		}
	}
	if own.ServerName != "" {
		t.Error("the caller's configuration was changed")
	}
}

// One master of a cluster that speaks TLS, also with itself.
func TestNewClient_clusterOverTLS(t *testing.T) {
	t.Parallel()
	server, addr, roots := redistest.StartTLS(t, "--cluster-enabled", "yes", "--tls-cluster", "yes", "--cluster-announce-ip", "127.0.0.1")
	if err := server.Client(t).ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	server.AwaitInfo(t, "cluster", "cluster_enabled:1")
	c, err := redisstore.NewClient("rediss+cluster://"+addr+patient, &tls.Config{RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := redisstore.New(c, redisstore.Options{Prefix: redistest.Prefix(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for deadline := time.Now().Add(20 * time.Second); ; {
		_, err := s.Probe(t.Context())
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("Probe = %v", err)
		}
	}
}

func TestNew_namesTheMissingSetting(t *testing.T) {
	good := redis.Options{
		ContextTimeoutEnabled:    true,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		DialTimeout:              time.Second,
		ReadTimeout:              time.Second,
		WriteTimeout:             time.Second,
		MaxRetries:               1,
	}
	for _, c := range []struct {
		want   string
		change func(*redis.Options, *redisstore.Options)
	}{
		{"", func(*redis.Options, *redisstore.Options) {}},
		{"ContextTimeoutEnabled", func(o *redis.Options, _ *redisstore.Options) { o.ContextTimeoutEnabled = false }},
		{"DisableIdentity", func(o *redis.Options, _ *redisstore.Options) { o.DisableIdentity = false }},
		{"MaintNotificationsConfig", func(o *redis.Options, _ *redisstore.Options) { o.MaintNotificationsConfig = nil }},
		{"DialTimeout", func(o *redis.Options, _ *redisstore.Options) { o.DialTimeout = 0 }},
		{"ReadTimeout", func(o *redis.Options, _ *redisstore.Options) { o.ReadTimeout = 0 }},
		{"ReadTimeout", func(o *redis.Options, _ *redisstore.Options) { o.ReadTimeout = -1 }},
		{"WriteTimeout", func(o *redis.Options, _ *redisstore.Options) { o.WriteTimeout = time.Minute }},
		{"MaxRetries", func(o *redis.Options, _ *redisstore.Options) { o.MaxRetries = 0 }},
		{"Prefix", func(_ *redis.Options, o *redisstore.Options) { o.Prefix = "{a}" }},
		{"Prefix", func(_ *redis.Options, o *redisstore.Options) { o.Prefix = strings.Repeat("a", 65) }},
		{"WaitReplicas", func(_ *redis.Options, o *redisstore.Options) { o.WaitReplicas = -1 }},
		{"WaitTimeout", func(_ *redis.Options, o *redisstore.Options) { o.WaitReplicas, o.WaitTimeout = 1, time.Second }},
	} {
		client, options := good, redisstore.Options{}
		c.change(&client, &options)
		r := redis.NewClient(&client)
		_, err := redisstore.New(r, options)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("New = %v, want an error about %q", err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("New = %q, want one line", err)
		}
		_ = r.Close()
	}
	for name, o := range map[string]redis.ClusterOptions{
		"read only":   {ReadOnly: true},
		"the nearest": {RouteByLatency: true},
		"any":         {RouteRandomly: true},
	} {
		o.ContextTimeoutEnabled, o.DisableIdentity, o.MaintNotificationsConfig = true, true, good.MaintNotificationsConfig
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout = time.Second, time.Second, time.Second
		c := redis.NewClusterClient(&o)
		if _, err := redisstore.New(c, redisstore.Options{}); err == nil || !strings.Contains(err.Error(), "ReadOnly") {
			t.Errorf("New of a client that reads from replicas (%s) = %v", name, err)
		}
		_ = c.Close()
	}
	ring := redis.NewRing(&redis.RingOptions{})
	defer ring.Close()
	if _, err := redisstore.New(ring, redisstore.Options{}); err == nil {
		t.Error("New of a ring = nil")
	}
}
