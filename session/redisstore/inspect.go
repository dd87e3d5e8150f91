package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/session"
)

const (
	// minVersion is the first Redis whose scripts declare their flags.
	minVersion = 7

	// maxSkew is how far apart the clocks of Redis and of this process may be
	// without a warning.
	maxSkew = 5 * time.Second
)

// finding is a warning about one server.
type finding struct {
	addr, text string
	lossy      bool // it may lose sessions and ends, or does not tell
}

func (f finding) String() string { return "redis at " + f.addr + ": " + f.text }

// inspect looks at one server, at its settings and its clock.
func (s *Store) inspect(ctx context.Context, c *redis.Client) (found []finding, err error) {
	addr := address(ctx, c)
	add := func(lossy bool, format string, args ...any) {
		found = append(found, finding{addr, fmt.Sprintf(format, args...), lossy})
	}
	text, err := c.Info(ctx).Result()
	switch info := parseInfo(text); {
	case redis.HasErrorPrefix(err, "NOPERM"):
		add(true, "this user may not run INFO, so its version, role, maxmemory-policy and appendonly are unknown")
	case err != nil:
		return nil, fmt.Errorf("%s: %w", addr, unavailable("info", err))
	default:
		if err := s.usable(info); err != nil {
			return nil, fmt.Errorf("%s: %w", addr, err)
		}
		s.judge(info, add)
	}

	began := time.Now()
	now, err := c.Time(ctx).Result()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", addr, unavailable("time", err))
	}
	// Half of the trip has passed since the server looked at its clock.
	judgeClock(now.Sub(began.Add(time.Since(began)/2)).Round(time.Second), add)
	return found, nil
}

// judge finds in INFO what may lose something.
func (s *Store) judge(info map[string]string, add func(lossy bool, format string, args ...any)) {
	if p := info["maxmemory_policy"]; p != "noeviction" {
		add(true, "maxmemory-policy is %.40q: sessions may be evicted, want noeviction", p)
	}
	if info["aof_enabled"] != "1" {
		add(true, "appendonly is off: a restart loses sessions and brings ended ones back, want yes")
	}
	if n, err := strconv.Atoi(info["connected_slaves"]); err == nil && n < s.options.WaitReplicas {
		add(true, "it has %d replicas, and each end waits for %d: all will be reported as not done everywhere", n, s.options.WaitReplicas)
	}
}

func judgeClock(skew time.Duration, add func(lossy bool, format string, args ...any)) {
	switch {
	case skew > maxSkew:
		add(false, "its clock is %v ahead of this program's: "+
			"sessions with an end by the clock (Expiry.End) end that much too early, and times of logins look late", skew)
	case skew < -maxSkew:
		add(false, "its clock is %v behind this program's: "+
			"sessions with an end by the clock (Expiry.End) end that much too late, and times of logins look early", -skew)
	}
}

// usable says why a server cannot be used at all.
func (s *Store) usable(info map[string]string) error {
	major, _, _ := strings.Cut(info["redis_version"], ".")
	n, err := strconv.Atoi(major)
	switch {
	case info["redis_mode"] == "sentinel":
		return fmt.Errorf("it is a Sentinel, want a URL that begins with redis+sentinel:// or a client for Sentinels")
	case info["redis_mode"] == "cluster" && !s.cluster:
		return fmt.Errorf("it is part of a cluster, want a URL that begins with redis+cluster:// or a client for clusters")
	case err != nil || n < minVersion:
		return fmt.Errorf("redis %.20q, want %d.0 or newer", info["redis_version"], minVersion)
	case info["role"] == "slave":
		return fmt.Errorf("it is a replica, want its master, which is at %.60q: %w",
			info["master_host"]+":"+info["master_port"], session.ErrUnavailable)
	}
	return nil
}

// address returns that of the server that a client speaks to. Where Sentinels know
// it, the client's dialer does.
func address(ctx context.Context, c *redis.Client) string {
	o := c.Options()
	if o.Addr != "FailoverClient" { // what go-redis writes there
		return o.Addr
	}
	conn, err := o.Dialer(ctx, o.Network, "")
	if err != nil {
		return "the master of the Sentinels"
	}
	defer conn.Close()
	return conn.RemoteAddr().String()
}
