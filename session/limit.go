package session

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sessionhub/sessionhub/prefixes"
)

// ErrMaxSessions is returned by [Scope.Commit] for a login that would give its
// user one session more than [prefixes.Namespace.MaxSessions], where that
// refuses the newest. Nobody is logged in then.
var ErrMaxSessions = errors.New("session: the user has as many sessions as allowed")

// room refuses a login of user for which there is no room, before it is carried
// out. It takes the place of old, if that is not nil.
func (m *Manager) room(ctx context.Context, f *family, user string, old *previously) error {
	if f.root.MaxSessions == 0 || f.root.AtMax != prefixes.RefuseNewest {
		return nil
	}
	all, err := m.ofUser(ctx, f, user)
	if err != nil {
		return fmt.Errorf("count sessions: %w", err)
	}
	if old != nil {
		all = slices.DeleteFunc(all, func(s State) bool { return s.ID == old.cred.ID })
	}
	if len(all) >= f.root.MaxSessions {
		return ErrMaxSessions
	}
	return nil
}

// enforce holds the user's sessions to the limit after a login. Every login
// looks when it is listed and lives: of several at once the last to look sees
// them all, so no more stay than may. Where the oldest end, all agree on which
// those are, as far as the store's clock goes.
func (m *Manager) enforce(ctx context.Context, f *family, user, current string) error {
	limit := f.root.MaxSessions
	if limit == 0 {
		return nil
	}
	all, err := m.ofUser(ctx, f, user)
	if err != nil {
		// The login stands, and the next one looks again.
		m.log.Warn("hold a user to MaxSessions", "error", err)
		return nil
	}
	if len(all) <= limit {
		return nil
	}
	if f.root.AtMax == prefixes.RefuseNewest {
		// Another login came between room and this one. Nobody knows which of
		// them looked first, whatever the clocks say, so this one does not stay;
		// nor does the other, if it sees this one.
		o := &order{f: f, ends: []End{{ID: current, User: user}}, why: WhyMaxSessions, by: user}
		if _, err := m.end(ctx, o); err != nil {
			// Nobody was given its secret, so that nobody is let in by it.
			m.log.Warn("end a session that is one too many", "error", err)
		}
		return ErrMaxSessions
	}
	var oldest []*State
	for i := range all[:len(all)-limit] {
		oldest = append(oldest, &all[i])
	}
	if _, err := m.end(ctx, f.order(WhyMaxSessions, user, oldest...)); err != nil {
		m.log.Warn("hold a user to MaxSessions", "error", err)
	}
	return nil
}
