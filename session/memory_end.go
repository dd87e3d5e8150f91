package session

import (
	"context"
	"strings"
)

// Delete implements [Store]. Each end is a step of its own; the notices follow
// when all are done.
func (s *MemoryStore) Delete(_ context.Context, f *Family, ends ...End) error {
	for _, e := range ends {
		if e.Namespace != "" && !f.has(e.Namespace) {
			return f.unknown(e.Namespace)
		}
	}
	for _, notice := range s.end(f, ends) {
		s.deliver(notice)
	}
	return nil
}

// end carries ends out and returns the notices to deliver: all but those of
// sessions that are somebody else's.
func (s *MemoryStore) end(f *Family, ends []End) []string {
	notices := make([]string, 0, len(ends))
	for _, e := range ends {
		if s.endOne(f, e) {
			notices = append(notices, e.Notice)
		}
	}
	return notices
}

func (s *MemoryStore) endOne(f *Family, e End) (told bool) {
	v := s.visit(f, e.ID)
	defer v.leave()
	r := v.living(e.ID)
	switch {
	case r == nil:
	case e.User != "" && r.user() != e.User:
		return false
	case e.Namespace == "":
		v.remove(r)
		if e.Replaced {
			v.shard.replaced.add(strings.Clone(e.ID), v.now.add(ElevateGrace), v.now, ElevateGrace)
		}
		v.wrote = true
	default:
		r.endNamespace(f, e.Namespace, e.Generation)
		v.wrote = true
	}
	return true
}

func (s *MemoryStore) deliver(notice string) {
	if s.Deliver != nil {
		s.Deliver(notice)
	}
}
