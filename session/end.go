package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sessionhub/sessionhub/internal/failpoint"
	"github.com/sessionhub/sessionhub/internal/notice"
)

// order is an end to carry out: what, why, and by whom.
type order struct {
	f    *family
	ends []End
	why  Why // empty: nothing lives that could end, but for a connection that nobody told
	by   string

	// logins are when the sessions were logged in to last, by id, as far as it is
	// known: an end that has to wait spares one that is logged in to meanwhile.
	logins map[string]time.Time

	// shown is the secret that the visitor proved the right to it with.
	shown secret
}

// order returns the end of whole sessions.
func (f *family) order(why Why, by string, sessions ...*State) *order {
	o := &order{f: f, why: why, by: by, logins: make(map[string]time.Time, len(sessions))}
	for _, s := range sessions {
		o.ends = append(o.ends, End{ID: s.ID, User: s.User})
		o.logins[s.ID] = s.Authenticated
	}
	return o
}

// EndSession ends one session below root ("": the first root), as an
// administrator does, whom by names in the [Event]. Two round trips. Errors:
// [ErrUnavailable], which is [ErrOwed] too where the end will follow.
func (m *Manager) EndSession(ctx context.Context, root, id, by string) (Result, error) {
	f, err := m.family(root)
	if err != nil {
		return Result{}, err
	}
	o := &order{f: f, ends: []End{{ID: id}}, why: WhyAdministrator, by: by}
	// The user is asked for so that the session leaves the user's list too. It
	// is ended even if that fails, and whoever is logged in to it.
	s, err := m.check(ctx, f, id)
	if err == nil && s == nil {
		o.why = ""
	} else if err == nil {
		o.ends[0].User = s.User
	}
	return m.end(ctx, o)
}

// EndUser ends all sessions of a user below root ("": the first root), but for
// the id except ("": none), and those whose login is in progress. by names in
// the [Event] who does so. Three round trips, and more while ends of the user are
// owed, which are carried out too. Errors: [ErrUnavailable], which is [ErrOwed] too
// where the end will follow.
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
// error, and the nodes are those of the few hundred that the fewest have
// acknowledged. It is never owed: which sessions there are only the store knows, and
// the one who asks can ask again, for what is left and what the store did not confirm.
// What else is owed below root it carries out as well. Errors: [ErrUnavailable], which
// is [ErrOwed] where nothing but that is left; those of ctx.
func (m *Manager) EndAll(ctx context.Context, root, by string) (Result, error) {
	all := Result{StoreOK: true}
	f, err := m.family(root)
	if err != nil {
		return Result{}, err
	}
	count := func(r Result, err error) error {
		all.ClosedHere += r.ClosedHere
		if missing := r.NodesExpected - r.NodesAcked; r.NodesExpected > 0 &&
			(all.NodesExpected == 0 || missing > all.NodesExpected-all.NodesAcked) {
			all.NodesAcked, all.NodesExpected = r.NodesAcked, r.NodesExpected
		}
		return err
	}
	if o := m.owed.triedOf(&f.all); o != nil && ctx.Err() == nil {
		if err = count(m.endLate(ctx, o)); err == nil {
			m.owed.ended(&f.all, o)
		}
	}
	if err == nil {
		err = m.store.All(ctx, &f.Family, func(ids []string) error {
			for some := range slices.Chunk(ids, 200) {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := count(m.endSome(ctx, f, some, by)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err == nil {
		err = m.settleAll(ctx, m.owed.below(f))
	}
	if all.NodesExpected == 0 {
		all.NodesAcked, all.NodesExpected = m.alone(ctx)
	}
	if err != nil {
		all.StoreOK = false
		return all, fmt.Errorf("end all sessions: %w", err)
	}
	return all, nil
}

// endSome ends those of the ids that live. Without one the result is zero.
func (m *Manager) endSome(ctx context.Context, f *family, ids []string, by string) (Result, error) {
	cctx, cancel := m.deadline(ctx)
	defer cancel()
	states, err := m.store.Check(cctx, &f.Family, ids)
	if err != nil {
		return Result{}, err
	}
	living := slices.DeleteFunc(states, func(s *State) bool { return s == nil })
	if len(living) == 0 {
		return Result{}, nil
	}
	o := f.order(WhyAdministrator, by, living...)
	r, err := m.carryOut(ctx, o)
	if away(err) {
		m.done.doubt(o)
		m.owed.try(&f.all, o)
	}
	return r, err
}

// endUser ends the sessions of a user. What the store does not take is owed, and what
// was owed before is carried out too.
func (m *Manager) endUser(ctx context.Context, f *family, user, except string, why Why, by string) (Result, error) {
	r, tried, err := m.carryOutUser(ctx, f, user, why, by, func(id string) bool { return id == except })
	if err == nil {
		err = m.settleAll(context.WithoutCancel(ctx), m.owed.ofUser(f, user, except))
	}
	switch {
	case errors.Is(err, ErrOwed):
		r.StoreOK = false
		r.NodesAcked, r.NodesExpected = m.alone(ctx)
		return r, fmt.Errorf("end the sessions of a user: %w", err)
	case !away(err):
		return r, err
	}
	owed, err := m.owe(ctx, m.debtOfUser(f, user, except, why, by, tried), err)
	owed.ClosedHere += r.ClosedHere
	return owed, fmt.Errorf("end the sessions of a user: %w", err)
}

// carryOutUser ends the sessions of a user, but for those that are spared. The order
// is what the store was asked to carry out, nil for nothing.
func (m *Manager) carryOutUser(ctx context.Context, f *family, user string, why Why, by string, spared func(id string) bool) (Result, *order, error) {
	lctx, cancel := m.deadline(ctx)
	defer cancel()
	listed, err := m.store.Raise(lctx, &f.Family, user)
	if err != nil {
		return Result{}, nil, fmt.Errorf("list sessions: %w", err)
	}
	states, err := m.owned(ctx, f, user, listed)
	if err != nil {
		return Result{}, nil, err
	}
	var all []*State
	for i := range states {
		if !spared(states[i].ID) {
			all = append(all, &states[i])
		}
	}
	o := f.order(why, by, all...)
	r, err := m.carryOut(ctx, o)
	return r, o, err
}

// end carries out an end. What the store does not take is owed.
func (m *Manager) end(ctx context.Context, o *order) (Result, error) {
	r, err := m.carryOut(ctx, o)
	if !away(err) {
		return r, err
	}
	owed, err := m.owe(ctx, m.debtOf(o), err)
	owed.ClosedHere += r.ClosedHere
	return owed, err
}

// carryOut carries out an end: connections here stop first, then the store
// deletes and tells, then connections here close, whatever the store said.
func (m *Manager) carryOut(ctx context.Context, o *order) (Result, error) {
	r := Result{ClosedHere: m.gate(o.f, o.ends)}
	failpoint.Hit(failpoint.EndGated)
	err := m.delete(ctx, o.f, o.ends)
	if err == nil {
		failpoint.Hit(failpoint.EndDeleted)
	}
	r.StoreOK = err == nil
	r.ClosedHere += m.shut(o.ends)
	if err != nil {
		r.NodesAcked, r.NodesExpected = m.alone(ctx)
		return r, fmt.Errorf("end %d sessions: %w", len(o.ends), err)
	}
	r.NodesAcked, r.NodesExpected = m.acks(ctx, o.ends)
	if o.why != "" {
		m.ended(ctx, o)
	}
	return r, nil
}

// acks returns how many nodes have marked what ended, and how many there are. Where
// nothing was left to end nobody can be asked, and other nodes may not have marked
// yet what ended before.
func (m *Manager) acks(ctx context.Context, ends []End) (acked, expected int) {
	if len(ends) == 0 {
		return m.alone(ctx)
	}
	notices := make([]string, len(ends))
	for i, e := range ends {
		notices[i] = e.Notice
	}
	return m.ends.Acks(ctx, notices...)
}

// alone is the answer when only this node has marked what ended.
func (m *Manager) alone(ctx context.Context) (acked, expected int) {
	_, expected = m.ends.Acks(ctx)
	return 1, max(expected, 1)
}

// delete deletes some at a time. One that fails does not keep the others.
func (m *Manager) delete(ctx context.Context, f *family, ends []End) error {
	var errs []error
	for some := range slices.Chunk(ends, atOnce) {
		errs = append(errs, m.done.keep(f, some, func() error {
			dctx, cancel := m.deadline(ctx)
			defer cancel()
			return m.store.Delete(dctx, &f.Family, some...)
		}))
	}
	return errors.Join(errs...)
}

// ended counts and tells ends that were carried out.
func (m *Manager) ended(ctx context.Context, o *order) {
	m.stats.ended.Add(uint64(len(o.ends)))
	for _, e := range o.ends {
		m.tell(ctx, Event{
			Kind: EventEnded, Root: o.f.root.Name, Namespace: e.Namespace, ID: e.ID, User: e.User, Why: o.why, By: o.by,
		})
	}
}

// gate gives the ends their notices and stops the connections of this node. It
// returns how many.
func (m *Manager) gate(f *family, ends []End) (n int) {
	for i := range ends {
		ends[i].Notice = f.notice(ends[i])
		n += m.ends.Gate(ends[i].Notice)
	}
	return n
}

// notice returns what nodes are told of an end.
func (f *family) notice(e End) string {
	n := notice.Notice{Kind: notice.Session, Root: f.root.Name, ID: e.ID}
	if e.Namespace != "" {
		n.Kind, n.Namespace, n.Below = notice.Namespace, e.Namespace, e.Generation+1
	}
	return n.String()
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
