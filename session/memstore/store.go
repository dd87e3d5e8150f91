// Package memstore keeps sessions in the memory of the process: the embedded
// default, for one node, tests and development.
package memstore

import (
	"context"

	"github.com/sessionhub/sessionhub/session"
)

// Store is a [session.Store] in the memory of this process. Its sessions end with
// it. The zero value works. A Store must not be copied after its first use.
//
// Each operation is one step, and so is each end of [Store.Delete] and
// each id of [Store.Check]. A lock is held for a step; there are 64 for
// each root, by id, and one for the index of users. What is done with one held
// does not grow with the number of sessions: a load looks its record up, a save
// also copies one namespace's values. Contexts are not looked at but by
// [Store.ClearExpired], and [session.ErrUnavailable] and [session.ErrUserEnded] are never
// returned. Time is [time.Now].
//
// It starts no goroutine. What has expired is gone for every operation at once;
// its memory comes back a few sessions with each write, at the earliest 15 s
// later, or with [Store.ClearExpired]. Reads free only what they ask for.
//
// All methods may be called from any goroutine.
type Store struct {
	// Deliver takes each notice, on the goroutine of the operation that
	// caused it, when the change is visible and before the operation returns.
	// No lock is held: it may use the store. It must not be changed after the
	// first use of the store.
	//
	// Defaults to nil: notices go nowhere.
	Deliver func(notice string)

	// Ready is of how many sessions the store keeps the answer to a load, those
	// that were asked for last, so that their next load makes nothing. Each
	// takes about 1.1 KiB for two namespaces and five values, twice what the
	// session itself takes; the load of another session makes it in about a
	// microsecond more. It must not be changed after the first use of the store.
	//
	// Defaults to 16,384.
	Ready int

	onExpired func(root string, st session.State)
	roots     roots
}

var (
	_ session.Store   = (*Store)(nil)
	_ session.Instant = (*Store)(nil)
)

// Instant implements [session.Instant].
func (s *Store) Instant() {}

// Stats is how much a [Store] keeps.
type Stats struct {
	Sessions int // records, with those that expired and were not swept yet
	Users    int // users in the index
	Ops      int // saves that are remembered beside the last one of each session, with those not forgotten yet
}

// Stats returns how much the store keeps at the moment. It takes one lock after
// the other.
func (s *Store) Stats() Stats {
	var st Stats
	for _, m := range s.roots.all() {
		st.Users += m.index.len()
		for i := range m.shards {
			v := s.enter(m, m.family, &m.shards[i])
			st.Sessions += len(v.shard.records)
			st.Ops += v.shard.ops.len()
			v.leave()
		}
	}
	return st
}

// OnExpired sets what is told of each session that expired, with its last
// state: not of one that [Store.Delete] ended. It is told by the operation
// that finds it, so at the latest some time after, as writes come or
// [Store.ClearExpired] is called; once, on the goroutine of that
// operation, when the session is gone, and with no lock held: it may use the
// store. OnExpired must be called before the first use of the store.
func (s *Store) OnExpired(fn func(root string, st session.State)) { s.onExpired = fn }

// Create implements [session.Store]. Listing and creating are one step here, so the
// user's generation cannot change in between.
func (s *Store) Create(ctx context.Context, f *session.Family, c session.Create) (session.Record, error) {
	if len(c.Ends) > 0 {
		if err := s.Delete(ctx, f, c.Ends...); err != nil {
			return session.Record{}, err
		}
	}
	v := s.visit(f, c.ID)
	defer v.leave()
	nonce := v.nonce(c.Nonce)
	if r := v.living(c.ID); r != nil {
		if nonce == 0 || r.nonce != nonce {
			return session.Record{}, session.ErrExists
		}
		return v.whole(r), nil
	}
	r := newRecord(c, v.now)
	r.nonce = nonce
	changes, err := r.work(f, c.Deltas, v.changes[:0])
	if err != nil {
		return session.Record{}, err
	}
	r.setPolicy(c.Terms, c.Expiry, v.root.clock)
	r.start(f, v.now)
	r.apply(f, changes, v.now)
	v.insert(r)
	rec := v.whole(r)
	v.written(r)
	return rec, nil
}

// Load implements [session.Store].
func (s *Store) Load(_ context.Context, f *session.Family, id string, l session.Load) (session.Record, error) {
	v := s.visit(f, id)
	defer v.leave()
	r := v.living(id)
	if r == nil {
		if l.Hash != "" && v.shard.replaced.has(id, v.now) {
			return session.Record{Match: session.MatchElevated}, nil
		}
		return session.Record{}, session.ErrNotFound
	}
	match := session.MatchCurrent
	if l.Hash != "" {
		match = r.recognise(l.Hash, v.now)
	}
	if match != session.MatchCurrent && match != session.MatchRenewed {
		return session.Record{Match: match}, nil
	}
	r.slide(f, l.Slide, v.now)
	rec := v.whole(r)
	rec.Match = match
	return rec, nil
}

// Save implements [session.Store].
func (s *Store) Save(_ context.Context, f *session.Family, id string, c session.Save) (session.Record, error) {
	v := s.visit(f, id)
	defer v.leave()
	r := v.living(id)
	if r == nil {
		return session.Record{}, session.ErrEnded
	}
	if v.did(r, c.Op) {
		return v.present(r, c.Deltas), nil
	}
	if r.epoch != c.Epoch {
		return session.Record{}, session.ErrRenewed
	}
	changes, err := r.work(f, c.Deltas, v.changes[:0])
	if err != nil {
		return v.refusal(r, c.Deltas, err)
	}
	if c.Expiry != nil {
		r.setPolicy(r.terms(), *c.Expiry, v.root.clock)
		c.Slide = session.SlideAlways
	}
	r.slide(f, c.Slide, v.now) // before apply: what it begins does not count yet
	others := r.apply(f, changes, v.now)
	v.renew(r, c.Renew.Old, c.Renew.New)
	rec := session.Record{State: v.state(r), Match: session.MatchCurrent, Values: others}
	v.remember(r, c.Op)
	v.written(r)
	return rec, nil
}

// Login implements [session.Store]. As in [Store.Create], the index is kept in
// the same step.
func (s *Store) Login(_ context.Context, f *session.Family, id string, l session.Elevation) (session.Record, error) {
	rec, done, err := s.login(f, id, l)
	if done {
		s.deliver(l.Notice)
	}
	return rec, err
}

// login is Login without the notice. It reports whether the login was carried
// out now, and not by an earlier try.
func (s *Store) login(f *session.Family, id string, l session.Elevation) (_ session.Record, done bool, _ error) {
	v := s.visit(f, id)
	defer v.leave()
	r := v.living(id)
	if r == nil {
		return session.Record{}, false, session.ErrEnded
	}
	if v.did(r, l.Op) || r.epoch == l.Epoch+1 && equal(r.hash(), l.Hash) {
		return v.present(r, l.Deltas), false, nil
	}
	if r.epoch != l.Epoch {
		return session.Record{}, false, session.ErrRenewed
	}
	changes, err := r.work(f, l.Deltas, v.changes[:0])
	if err != nil {
		rec, err := v.refusal(r, l.Deltas, err)
		return rec, false, err
	}
	v.elevate(r, l)
	others := r.apply(f, changes, v.now)
	rec := session.Record{State: v.state(r), Match: session.MatchCurrent, Values: others}
	v.remember(r, l.Op)
	v.written(r)
	return rec, true, nil
}

// Check implements [session.Store]. It lets others in between two ids.
func (s *Store) Check(_ context.Context, f *session.Family, ids []string) ([]*session.State, error) {
	states := make([]*session.State, len(ids))
	for i, id := range ids {
		states[i] = s.state(f, id)
	}
	return states, nil
}

// state returns the state of id, nil when it does not live.
func (s *Store) state(f *session.Family, id string) *session.State {
	v := s.visit(f, id)
	defer v.leave()
	r := v.living(id)
	if r == nil {
		return nil
	}
	st := v.state(r)
	return &st
}
