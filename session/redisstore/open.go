package redisstore

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// What [Open] gives a client. A query parameter of the URL overrides the
// timeouts, the pool's size and the retries, within what [New] accepts.
const (
	openTimeout  = 500 * time.Millisecond // to dial, to read, to write, and for a free connection
	openPoolSize = 64

	maxTimeout = 2 * time.Second // that New accepts
)

// Open returns a Store with a client of its own, for one Redis server:
//
//	redis://user:password@host:6379/0
//	rediss://user:password@host:6379/0              (TLS)
//	unix://user:password@/run/redis.sock?db=0
//
// [Store.Close] closes the client. Nothing is sent to Redis yet. Errors never
// repeat the URL, which may hold a password.
//
// Query parameters are those of [redis.ParseURL], as in "?pool_size=128".
// For a cluster or Sentinel make a client, see [New].
func Open(url string, o Options) (*Store, error) {
	scheme, _, _ := strings.Cut(url, "://")
	switch scheme {
	case "redis", "rediss", "unix":
	default:
		return nil, errors.New("redisstore: the URL of Redis begins with redis://, rediss:// or unix://")
	}
	c, err := redis.ParseURL(url)
	if err != nil {
		// The cause quotes parts of the URL, and a password with a "/" or a
		// "?" in it may be in any part.
		return nil, errors.New("redisstore: the URL of Redis is malformed or has an unknown parameter " +
			"(a password needs its special characters percent-encoded)")
	}
	c.DialTimeout = cmp.Or(c.DialTimeout, openTimeout)
	c.ReadTimeout = cmp.Or(c.ReadTimeout, openTimeout)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, openTimeout)
	c.PoolTimeout = cmp.Or(c.PoolTimeout, openTimeout)
	c.PoolSize = cmp.Or(c.PoolSize, openPoolSize)
	c.MaxRetries = cmp.Or(c.MaxRetries, 1)
	c.DialerRetries = 1
	c.ContextTimeoutEnabled = true
	c.DisableIdentity = true
	c.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	client := redis.NewClient(c)
	s, err := New(client, o)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return s, nil
}

// settings are those of a client that a store depends on.
type settings struct {
	cluster           bool
	contextTimeout    bool
	identity          bool
	notifications     *maintnotifications.Config
	dial, read, write time.Duration
	retries           int
}

func settingsOf(c redis.UniversalClient) (settings, error) {
	switch c := c.(type) {
	case *redis.Client:
		o := c.Options()
		return settings{
			contextTimeout: o.ContextTimeoutEnabled,
			identity:       !o.DisableIdentity,
			notifications:  o.MaintNotificationsConfig,
			dial:           o.DialTimeout, read: o.ReadTimeout, write: o.WriteTimeout,
			retries: o.MaxRetries,
		}, nil
	case *redis.ClusterClient:
		o := c.Options()
		return settings{
			cluster:        true,
			contextTimeout: o.ContextTimeoutEnabled,
			identity:       !o.DisableIdentity,
			notifications:  o.MaintNotificationsConfig,
			dial:           o.DialTimeout, read: o.ReadTimeout, write: o.WriteTimeout,
		}, nil // retries are redirections there
	}
	return settings{}, fmt.Errorf("redisstore: a %T cannot be used, a *redis.Client or *redis.ClusterClient can", c)
}

func (s settings) check(o Options) error {
	short := func(d time.Duration) bool { return 0 < d && d <= maxTimeout }
	var missing string
	switch {
	case !s.contextTimeout:
		missing = "ContextTimeoutEnabled: true"
	case s.identity:
		missing = "DisableIdentity: true"
	case s.notifications == nil || s.notifications.Mode != maintnotifications.ModeDisabled:
		missing = "MaintNotificationsConfig with Mode: maintnotifications.ModeDisabled"
	case !short(s.dial):
		missing = "DialTimeout of at most 2s"
	case !short(s.read):
		missing = "ReadTimeout of at most 2s"
	case !short(s.write):
		missing = "WriteTimeout of at most 2s"
	case s.retries > 1:
		missing = "MaxRetries of at most 1"
	case o.WaitReplicas > 0 && s.cluster:
		return errors.New("redisstore: Options.WaitReplicas is not for a Redis Cluster")
	case o.WaitReplicas > 0 && o.WaitTimeout >= s.read:
		return fmt.Errorf("redisstore: Options.WaitTimeout %v is not below the client's ReadTimeout %v", o.WaitTimeout, s.read)
	default:
		return nil
	}
	return errors.New("redisstore: the client's options lack " + missing)
}
