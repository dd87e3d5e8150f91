package session

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sessionhub/sessionhub/internal/failpoint"
	"github.com/sessionhub/sessionhub/internal/notice"
)

// EndSession ends one session below root ("": the first root), as an
// administrator does, whom by names in the [Event]. Two round trips. Errors:
// [ErrUnavailable].
func (m *Manager) EndSession(ctx context.Context, root, id, by string) (Result, error) {
	f, err := m.family(root)
	if err != nil {
		return Result{}, err
	}
	e := End{ID: id}
	// The user is asked for so that the session leaves the user's list too. It
	// is ended even if that fails.
	s, err := m.check(ctx, f, id)
	why := WhyAdministrator
	if err == nil && s == nil {
		why = "" // nothing lives that could end, but for a connection that nobody told
	} else if err == nil {
		e.User = s.User
	}
	return m.end(ctx, f, []End{e}, why, by)
}

// EndUser ends all sessions of a user below root ("": the first root), but for
// the id except ("": none), and those whose login is in progress. by names in
// the [Event] who does so. Three round trips. Errors: [ErrUnavailable].
func (m *Manager) EndUser(ctx context.Context, root, user, except, by string) (Result, error) {
	f, err := m.family(root)
	if err != nil {
		return Result{}, err
	}
	return m.endUser(ctx, f, user, except, WhyAdministrator, by)
}

// EndAll ends all sessions below root ("": the first root), of all users and of
// nobody, as after a break-in. by names in the [Event]s who does so. A session
// that begins meanwhile may stay: who needs certainty stops logins first. It looks
// at every session that there is, a few hundred at a time with two round trips
// each, and ends with ctx between them; what was ended is counted also with an
// error. Errors: [ErrUnavailable], those of ctx.
func (m *Manager) EndAll(ctx context.Context, root, by string) (Result, error) {
	all := Result{StoreOK: true}
	f, err := m.family(root)
	if err != nil {
		return Result{}, err
	}
	err = m.store.All(ctx, &f.Family, func(ids []string) error {
		for some := range slices.Chunk(ids, 200) {
			if err := ctx.Err(); err != nil {
				return err
			}
			r, err := m.endSome(ctx, f, some, by)
			all.ClosedHere += r.ClosedHere
			all.NodesAcked, all.NodesExpected = r.NodesAcked, r.NodesExpected
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		all.StoreOK = false
		return all, fmt.Errorf("end all sessions: %w", err)
	}
	return all, nil
}

// endSome ends those of the ids that live.
func (m *Manager) endSome(ctx context.Context, f *family, ids []string, by string) (Result, error) {
	cctx, cancel := m.deadline(ctx)
	defer cancel()
	states, err := m.store.Check(cctx, &f.Family, ids)
	if err != nil {
		return Result{}, err
	}
	var ends []End
	for _, s := range states {
		if s != nil {
			ends = append(ends, End{ID: s.ID, User: s.User})
		}
	}
	return m.end(ctx, f, ends, WhyAdministrator, by)
}

func (m *Manager) endUser(ctx context.Context, f *family, user, except string, why Why, by string) (Result, error) {
	lctx, cancel := m.deadline(ctx)
	defer cancel()
	listed, err := m.store.Raise(lctx, &f.Family, user)
	if err != nil {
		return Result{}, fmt.Errorf("end the sessions of a user: %w", err)
	}
	states, err := m.owned(ctx, f, user, listed)
	if err != nil {
		return Result{}, fmt.Errorf("end the sessions of a user: %w", err)
	}
	var ends []End
	for _, s := range states {
		if s.ID != except {
			ends = append(ends, End{ID: s.ID, User: user})
		}
	}
	return m.end(ctx, f, ends, why, by)
}

// end carries out ends: connections here stop first, then the store deletes
// and tells, then connections here close, whatever the store said.
func (m *Manager) end(ctx context.Context, f *family, ends []End, why Why, by string) (Result, error) {
	r := Result{ClosedHere: m.gate(f, ends)}
	failpoint.Hit(failpoint.EndGated)
	err := m.delete(ctx, f, ends)
	failpoint.Hit(failpoint.EndDeleted)
	r.StoreOK = err == nil
	r.ClosedHere += m.shut(ends)
	last := ""
	if len(ends) > 0 {
		last = ends[len(ends)-1].Notice
	}
	r.NodesAcked, r.NodesExpected = m.ends.Acks(ctx, last)
	if err != nil {
		return r, fmt.Errorf("end %d sessions: %w", len(ends), err)
	}
	if why != "" {
		m.ended(ctx, f, ends, why, by)
	}
	return r, nil
}

// delete deletes some at a time. One that fails does not keep the others.
func (m *Manager) delete(ctx context.Context, f *family, ends []End) error {
	var errs []error
	for some := range slices.Chunk(ends, atOnce) {
		dctx, cancel := m.deadline(ctx)
		errs = append(errs, m.store.Delete(dctx, &f.Family, some...))
		cancel()
	}
	return errors.Join(errs...)
}

// ended counts and tells ends that were carried out.
func (m *Manager) ended(ctx context.Context, f *family, ends []End, why Why, by string) {
	m.stats.ended.Add(uint64(len(ends)))
	for _, e := range ends {
		m.tell(ctx, Event{
			Kind: EventEnded, Root: f.root.Name, Namespace: e.Namespace, ID: e.ID, User: e.User, Why: why, By: by,
		})
	}
}

// gate gives the ends their notices and stops the connections of this node. It
// returns how many.
func (m *Manager) gate(f *family, ends []End) (n int) {
	for i := range ends {
		e := &ends[i]
		text := notice.Notice{Kind: notice.Session, Root: f.root.Name, ID: e.ID}
		if e.Namespace != "" {
			text.Kind, text.Namespace, text.Below = notice.Namespace, e.Namespace, e.Generation+1
		}
		e.Notice = text.String()
		n += m.ends.Gate(e.Notice)
	}
	return n
}

// shut closes the connections that gate stopped, when the store was asked to
// end their sessions. It returns how many more it stopped: one may have been
// opened between gate and the deletion, and the notice may take a moment to
// come back.
func (m *Manager) shut(ends []End) (n int) {
	for _, e := range ends {
		n += m.ends.Gate(e.Notice)
		m.ends.Close(e.Notice)
	}
	return n
}
