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
	states := make([]*session.State, 0, len(ids))
	for batch := range slices.Chunk(ids, checkBatch) {
		pipe := s.client.Pipeline()
		now := pipe.Time(ctx)
		books := make([]*redis.StringCmd, len(batch))
		for i, id := range batch {
			books[i] = pipe.Get(ctx, s.root(f)+"{"+id+"}")
		}
		// Nil is that of an id without a book.
		if _, err := pipe.Exec(ctx); err != nil && err != redis.Nil && !corrupt(err) {
			return nil, unavailable("check", err)
		}
		for i, id := range batch {
			fields, err := kept(books[i])
			if err != nil && !corrupt(err) { // what is no session does not live
				return nil, unavailable("check", err)
			}
			states = append(states, fields.settled(f, id, now.Val().UnixMilli()))
		}
	}
	return states, nil
}

// kept decodes a book; nil when there is none.
func kept(cmd *redis.StringCmd) (book, error) {
	packed, err := cmd.Result()
	if err == redis.Nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	values, err := unpack(packed)
	fields, _ := at(values, 0).([]any)
	return fields, err
}
