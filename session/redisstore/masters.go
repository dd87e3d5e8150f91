package redisstore

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// eachMaster calls visit for the server, on a cluster for each master at the same
// time, and returns the first error.
func (s *Store) eachMaster(ctx context.Context, visit func(ctx context.Context, c *redis.Client) error) error {
	switch c := s.client.(type) {
	case *redis.ClusterClient:
		return c.ForEachMaster(ctx, visit)
	case *redis.Client:
		return visit(ctx, c)
	}
	return nil // New takes no other
}

// Server says which Redis keeps the sessions: by the run_id of its INFO, on a
// cluster by those of all masters, in order. It is another one after a restart,
// after a failover, and when a cluster got or lost a master. Each of these may
// have undone what was done last.
//
// It is "" when this user may not run INFO. When a server cannot be reached, the
// error wraps [session.ErrUnavailable]. One round trip; on a cluster two, one of
// them to all masters at once.
func (s *Store) Server(ctx context.Context) (string, error) {
	var (
		mu      sync.Mutex // guards the following fields
		ids     []string
		blinded bool
	)
	err := s.eachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		text, err := c.Info(ctx, "server").Result()
		mu.Lock()
		defer mu.Unlock()
		if redis.HasErrorPrefix(err, "NOPERM") {
			blinded = true
			return nil
		}
		ids = append(ids, parseInfo(text)["run_id"])
		return err
	})
	if err != nil {
		return "", unavailable("server", err)
	}
	if blinded {
		return "", nil
	}
	slices.Sort(ids)
	return strings.Join(ids, ","), nil
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
