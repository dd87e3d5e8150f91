package redisstore

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/session"
)

// checkBatch is how many ids one round trip asks for: enough for the round
// trip not to count, and little enough for other commands to come in between.
const checkBatch = 500

// Check implements [session.Store]. One round trip for each 500 ids. It reads
// the bookkeeping as it is: without a script it is several times cheaper for
// Redis, and there is nothing to keep together.
func (s *Store) Check(ctx context.Context, f *session.Family, ids []string) ([]*session.State, error) {
	names := s.libraries.of(f).names
	states := make([]*session.State, 0, len(ids))
	for batch := range slices.Chunk(ids, checkBatch) {
		pipe := s.client.Pipeline()
		now := pipe.Time(ctx)
		books := make([]*redis.SliceCmd, len(batch))
		for i, id := range batch {
			books[i] = pipe.HMGet(ctx, s.root(f)+"{"+id+"}", names...)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return nil, unavailable("check", err)
		}
		for i, id := range batch {
			states = append(states, book(books[i].Val()).settled(f, id, now.Val().UnixMilli()))
		}
	}
	return states, nil
}
