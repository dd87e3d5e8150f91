package redisstore

import (
	"context"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// Listed implements [session.Store]. One round trip.
func (s *Store) Listed(ctx context.Context, f *session.Family, user string) ([]session.Listing, error) {
	return s.listing(ctx, "list", call{s.listedScript, s.indexKeys(f, user), nil})
}

// Raise implements [session.Store]. One round trip.
func (s *Store) Raise(ctx context.Context, f *session.Family, user string) ([]session.Listing, error) {
	return s.listing(ctx, "raise", call{s.raiseScript, s.indexKeys(f, user), nil})
}

func (s *Store) listing(ctx context.Context, doing string, c call) ([]session.Listing, error) {
	replies, err := s.run(ctx, doing, c)
	if err != nil {
		return nil, err
	}
	list := make([]session.Listing, 0, len(replies[0])/2)
	for i := 0; i+1 < len(replies[0]); i += 2 {
		id, _ := replies[0][i].(string)
		age, ok := replies[0][i+1].(int64)
		if !ok {
			return nil, unexpected(replies[0])
		}
		list = append(list, session.Listing{ID: id, Age: millis(age)})
	}
	return list, nil
}

// Unlist implements [session.Store]. One round trip.
func (s *Store) Unlist(ctx context.Context, f *session.Family, user string, age time.Duration, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	a := make(args, 0, 1+len(ids))
	a = append(a, age.Milliseconds())
	for _, id := range ids {
		a = append(a, id)
	}
	_, err := s.run(ctx, "unlist", call{s.unlistScript, s.indexKeys(f, user), a})
	return err
}
