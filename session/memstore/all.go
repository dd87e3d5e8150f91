package memstore

import (
	"context"
	"maps"
	"slices"

	"github.com/sessionhub/sessionhub/session"
)

// All implements [session.Store]. It holds the lock of one of 64 shards while it
// copies that one's ids, which takes some milliseconds for a million sessions,
// and none while visit is called.
func (s *Store) All(_ context.Context, f *session.Family, visit func(ids []string) error) error {
	l := s.layouts.of(f)
	for i := range l.root.shards {
		v := s.enter(l, f, &l.root.shards[i])
		ids := slices.Collect(maps.Keys(v.shard.records))
		v.leave()
		if len(ids) == 0 {
			continue
		}
		if err := visit(ids); err != nil {
			return err
		}
	}
	return nil
}
