package redisstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

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

func TestOpen_setsTheClient(t *testing.T) {
	for _, url := range []string{"redis://:pw@127.0.0.1:1/3", "rediss://127.0.0.1:1/3", "unix:///nowhere/redis.sock?db=3"} {
		s, err := redisstore.Open(url, redisstore.Options{})
		if err != nil {
			t.Errorf("Open(%q) = %v", url, err)
			continue
		}
		o := s.Client().(*redis.Client).Options()
		if o.DB != 3 || o.PoolSize != 64 || o.ReadTimeout != 500*time.Millisecond || o.MaxRetries != 1 ||
			(o.TLSConfig != nil) != strings.HasPrefix(url, "rediss") {
			t.Errorf("Open(%q): %+v", url, o)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
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
	ring := redis.NewRing(&redis.RingOptions{})
	defer ring.Close()
	if _, err := redisstore.New(ring, redisstore.Options{}); err == nil {
		t.Error("New of a ring = nil")
	}
}
