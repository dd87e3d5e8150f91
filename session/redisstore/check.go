package redisstore

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/session"
)

// How many ids one round trip asks for: enough for the round trip not to count.
// And little enough for other commands to come in between: one server works on
// nothing else meanwhile (about 0.2 ms), the masters of a cluster share theirs.
const (
	checkBatch        = 200
	checkBatchCluster = 500
)

// Check implements [session.Store]. One round trip for each 200 ids, on a Redis
// Cluster for each 500. It reads the bookkeeping as it is: without a script it is
// several times cheaper for Redis, and there is nothing to keep together.
func (s *Store) Check(ctx context.Context, f *session.Family, ids []string) ([]*session.State, error) {
	states := make([]*session.State, 0, len(ids))
	err := s.CheckEach(ctx, f, ids, func(_ string, state *session.State) {
		if state != nil {
			own := *state
			own.Spaces = slices.Clone(own.Spaces)
			state = &own
		}
		states = append(states, state)
	})
	if err != nil {
		return nil, err
	}
	return states, nil
}

// CheckEach implements [session.EachChecker]. While ids are visited, the next ones
// are under way.
func (s *Store) CheckEach(ctx context.Context, f *session.Family, ids []string, visit func(id string, state *session.State)) error {
	read, size := s.books, checkBatch
	if s.cluster {
		read, size = s.booksOfCluster, checkBatchCluster
	}
	ctx, cancel := context.WithCancel(ctx)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel()
	trips, over := make(chan trip, 1), make(chan struct{})
	defer close(over)
	reading.Go(func() {
		for batch := range slices.Chunk(ids, size) {
			t := read(ctx, f, batch)
			select {
			case trips <- t:
			case <-over:
				return
			}
			if t.err != nil {
				return
			}
		}
	})

	var (
		state  session.State
		room   [bookRoom]field
		spaces = make([]session.SpaceState, len(f.Spaces))
	)
	for batch := range slices.Chunk(ids, size) {
		t := <-trips
		if t.err != nil {
			return unavailable("check", t.err)
		}
		for i, id := range batch {
			packed, _ := t.books[i].(string)
			if kept(packed, room[:0]).settled(&state, f, id, t.now, spaces) {
				visit(id, &state)
			} else { // what is no session does not live
				visit(id, nil)
			}
		}
	}
	return nil
}

// trip is what came of a round trip.
type trip struct {
	books []any // a text for each id, nil where there is none
	now   int64 // in milliseconds
	err   error
}

// books reads the books of some ids. One command takes less of Redis' time than
// one for each.
func (s *Store) books(ctx context.Context, f *session.Family, ids []string) trip {
	keys, root := make([]string, len(ids)), s.root(f)
	for i, id := range ids {
		keys[i] = root + "{" + id + "}"
	}
	pipe := s.client.Pipeline()
	clock, values := pipe.Time(ctx), pipe.MGet(ctx, keys...)
	if _, err := pipe.Exec(ctx); err != nil {
		return trip{err: err}
	}
	if len(values.Val()) != len(ids) {
		return trip{err: errShort}
	}
	return trip{books: values.Val(), now: clock.Val().UnixMilli()}
}

var errShort = errors.New("reply of another length than the question")

// booksOfCluster is books for ids of different slots.
func (s *Store) booksOfCluster(ctx context.Context, f *session.Family, ids []string) trip {
	pipe := s.client.Pipeline()
	clock, values := pipe.Time(ctx), make([]*redis.StringCmd, len(ids))
	for i, id := range ids {
		values[i] = pipe.Get(ctx, s.root(f)+"{"+id+"}")
	}
	// Nil is that of an id without a book.
	if _, err := pipe.Exec(ctx); err != nil && err != redis.Nil && !corrupt(err) {
		return trip{err: err}
	}
	books := make([]any, len(ids))
	for i, value := range values {
		switch packed, err := value.Result(); {
		case err == nil:
			books[i] = packed
		case err != redis.Nil && !corrupt(err):
			return trip{err: err}
		}
	}
	return trip{books: books, now: clock.Val().UnixMilli()}
}
