package redisstore

import (
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// maxTimeout is the longest of a client's that New accepts.
const maxTimeout = 2 * time.Second

// Open returns a Store with a client of its own, which [NewClient] makes of the
// URL. [Store.Close] closes it. Nothing is sent to Redis yet. Errors never repeat
// the URL, which may hold a password.
func Open(url string, o Options) (*Store, error) {
	c, err := NewClient(url, nil)
	if err != nil {
		return nil, err
	}
	s, err := New(c, o)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	s.owned = true
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
	replicas          bool // are read from
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
			replicas: o.ReadOnly || o.RouteByLatency || o.RouteRandomly,
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
	case s.replicas:
		missing = "ReadOnly, RouteByLatency and RouteRandomly: false"
	case o.WaitReplicas > 0 && o.WaitTimeout >= s.read:
		return fmt.Errorf("redisstore: Options.WaitTimeout %v is not below the client's ReadTimeout %v", o.WaitTimeout, s.read)
	default:
		return nil
	}
	return errors.New("redisstore: the client's options lack " + missing)
}
