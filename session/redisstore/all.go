package redisstore

import (
	"context"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/session"
)

// scanned is how many keys Redis looks at for one reply.
const scanned = 1000

// All implements [session.Store]. It goes through all keys of the server, on a
// Redis Cluster of each master, with a round trip for each thousand of them. It
// needs the right to SCAN, which nothing else does.
func (s *Store) All(ctx context.Context, f *session.Family, visit func(ids []string) error) error {
	begin := s.root(f) + "{"
	// On a cluster the masters are asked at the same time.
	var (
		mu     sync.Mutex // held while visit is called
		failed error      // what it returned
	)
	scan := func(ctx context.Context, c *redis.Client) error {
		for cursor := uint64(0); ; {
			keys, next, err := c.Scan(ctx, cursor, begin+"*}", scanned).Result()
			if err != nil {
				return unavailable("list all", err)
			}
			ids := make([]string, 0, len(keys))
			for _, key := range keys {
				// An id has no brace, so what has one is the memory of an op.
				if id := strings.TrimSuffix(strings.TrimPrefix(key, begin), "}"); !strings.Contains(id, "}") {
					ids = append(ids, id)
				}
			}
			if len(ids) > 0 {
				mu.Lock()
				if failed == nil {
					failed = visit(ids)
				}
				err = failed
				mu.Unlock()
				if err != nil {
					return err
				}
			}
			if cursor = next; cursor == 0 {
				return nil
			}
		}
	}
	return s.eachMaster(ctx, scan)
}
