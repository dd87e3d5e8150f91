package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/session"
)

// ErrNotDurable is returned by [Store.Probe] with Options.RequireDurable, for
// a Redis that may lose sessions or ends of sessions, or does not tell.
var ErrNotDurable = errors.New("redisstore: redis is not durable")

// minVersion is the first Redis whose scripts declare their flags.
const minVersion = 7

// Probe finds out, at the start of a program, whether Redis can be used: that
// it answers, is new enough, is not a replica, and lets this user run every
// operation and publish. It makes a session below "<prefix>:probe:" for that,
// and ends it again; its notice goes to "<prefix>:probe", where nobody listens.
//
// Warnings are one line each and say what may be lost: sessions, when Redis
// may evict keys, and sessions and logouts, when it keeps no append-only file
// (a restart then goes back to the last snapshot, which brings ended sessions
// back). Another says so when this user may not look. With
// Options.RequireDurable they are an error that wraps [ErrNotDurable].
//
// Errors name the server's address and never a password. About ten round
// trips, on a Redis Cluster one more to each master.
func (s *Store) Probe(ctx context.Context) (warnings []string, err error) {
	if s.cluster {
		cluster := s.client.(*redis.ClusterClient)
		found := make(chan []string, 1)
		found <- nil
		err = cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			w, err := probeServer(ctx, node)
			found <- append(<-found, w...)
			return err
		})
		warnings = <-found
	} else {
		warnings, err = probeServer(ctx, s.client.(*redis.Client))
	}
	if err == nil {
		err = s.probeOperations(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("redisstore: probe redis at %s: %w", s.address(), err)
	}
	if s.options.RequireDurable && len(warnings) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrNotDurable, strings.Join(warnings, "; "))
	}
	return warnings, nil
}

func (s *Store) address() string {
	switch c := s.client.(type) {
	case *redis.Client:
		return c.Options().Addr
	case *redis.ClusterClient:
		return strings.Join(c.Options().Addrs, ",")
	}
	return ""
}

// probeServer looks at one server and its settings.
func probeServer(ctx context.Context, c *redis.Client) (warnings []string, err error) {
	if err := c.Ping(ctx).Err(); err != nil {
		return nil, unavailable("ping", err)
	}
	addr := c.Options().Addr
	text, err := c.Info(ctx, "server", "memory", "persistence").Result()
	if redis.HasErrorPrefix(err, "NOPERM") {
		return []string{"redis at " + addr + ": this user may not run INFO, so its version, " +
			"maxmemory-policy and appendonly are unknown"}, nil
	}
	if err != nil {
		return nil, unavailable("info", err)
	}
	info := parseInfo(text)
	major, _, _ := strings.Cut(info["redis_version"], ".")
	if n, err := strconv.Atoi(major); err != nil || n < minVersion {
		return nil, fmt.Errorf("%s: redis %.20q, want %d.0 or newer", addr, info["redis_version"], minVersion)
	}
	if p := info["maxmemory_policy"]; p != "noeviction" {
		warnings = append(warnings, fmt.Sprintf("redis at %s: maxmemory-policy is %.40q: "+
			"sessions may be evicted, want noeviction", addr, p))
	}
	if info["aof_enabled"] != "1" {
		warnings = append(warnings, "redis at "+addr+": appendonly is off: "+
			"a restart loses sessions and brings ended ones back, want yes")
	}
	return warnings, nil
}

// parseInfo reads the lines "name:value" of INFO.
func parseInfo(text string) map[string]string {
	m := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			m[name] = value
		}
	}
	return m
}

// probeOperations runs each operation once.
func (s *Store) probeOperations(ctx context.Context) error {
	p := *s
	p.channel = s.options.Prefix + ":probe"
	f := &session.Family{Spaces: []session.Space{{
		Name: "probe", Prefix: "probe", Idle: time.Minute, Life: time.Minute,
	}}}
	id, user := rand.Text(), rand.Text()
	first, second := session.Hash(rand.Text()), session.Hash(rand.Text())
	rec, err := p.Create(ctx, f, session.Create{ID: id, Nonce: rand.Text(), Hash: first})
	if err != nil {
		return err
	}
	rec, err = p.Login(ctx, f, id, session.Elevation{
		Op: rand.Text(), Epoch: rec.Epoch, Hash: second, User: user, Notice: "probe",
	})
	if err != nil {
		return err
	}
	one := "1"
	if _, err = p.Save(ctx, f, id, session.Save{
		Op: rand.Text(), Epoch: rec.Epoch, Slide: session.SlideAlways,
		Deltas: map[string]session.Delta{"probe": {
			Clear:  true,
			Delete: []string{"gone"},
			Swap:   map[string]session.Swap{"swapped": {New: &one}},
		}},
	}); err != nil {
		return err
	}
	if _, err = p.Load(ctx, f, id, session.Load{Hash: second}); err != nil {
		return err
	}
	if _, err = p.Check(ctx, f, []string{id}); err != nil {
		return err
	}
	if _, err = p.Raise(ctx, f, user); err != nil {
		return err
	}
	if err = p.Delete(ctx, f, session.End{ID: id, User: user, Notice: "probe"}); err != nil {
		return err
	}
	if list, err := p.Listed(ctx, f, user); err != nil {
		return err
	} else if len(list) > 0 {
		return errors.New("the probe's session is still listed")
	}
	if err = p.Unlist(ctx, f, user, 0, []string{id}); err != nil {
		return err
	}
	// The index of a user who never was would stay for a day.
	if err = p.client.Del(ctx, p.indexKeys(f, user)...).Err(); err != nil {
		return unavailable("delete the probe's index", err)
	}
	return nil
}
