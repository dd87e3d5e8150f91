package memstore

import (
	"context"
	"strings"

	"github.com/sessionhub/sessionhub/session"
)

// Delete implements [session.Store]. Each end is a step of its own; the notices follow
// when all are done.
func (s *Store) Delete(_ context.Context, f *session.Family, ends ...session.End) error {
	for _, e := range ends {
		if e.Namespace != "" && f.Index(e.Namespace) < 0 {
			return stranger(f, e.Namespace)
		}
	}
	for _, notice := range s.end(f, ends) {
		s.deliver(notice)
	}
	return nil
}

// end carries ends out and returns the notices to deliver: all but those of
// sessions that are somebody else's.
func (s *Store) end(f *session.Family, ends []session.End) []string {
	notices := make([]string, 0, len(ends))
	for _, e := range ends {
		if s.endOne(f, e) {
			notices = append(notices, e.Notice)
		}
	}
	return notices
}

func (s *Store) endOne(f *session.Family, e session.End) (told bool) {
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
			v.shard.replaced.add(strings.Clone(e.ID), v.now.add(session.ElevateGrace), v.now, session.ElevateGrace)
		}
		v.wrote = true
	default:
		v.endNamespace(r, e.Namespace, e.Generation)
		v.wrote = true
	}
	return true
}

func (s *Store) deliver(notice string) {
	if s.Deliver != nil {
		s.Deliver(notice)
	}
}
