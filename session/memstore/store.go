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
// does not grow with the number of sessions: a load looks its record up, hands
// out what it keeps and allocates nothing, a save also copies one namespace's
// values. Contexts are not looked at but by
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

	onExpired func(root string, st session.State)
	layouts   layouts
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
	Ops      int // saves that are remembered beside one of each session, with those not forgotten yet
}

// Stats returns how much the store keeps at the moment. It takes one lock after
// the other.
func (s *Store) Stats() Stats {
	var st Stats
	for _, l := range s.layouts.firsts() {
		st.Users += l.root.index.len()
		for i := range l.root.shards {
			shard := &l.root.shards[i]
			shard.mu.Lock()
			st.Sessions += len(shard.records)
			st.Ops += shard.ops.len()
			shard.mu.Unlock()
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
func (s *Store) Create(ctx context.Context, f *session.Family, c session.Create) (rec session.Record, _ error) {
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
		v.whole(r, &rec)
		return rec, nil
	}
	r := newRecord(c, v.now)
	r.nonce = nonce
	v.own(r)
	var room [2]change
	changes, err := v.work(r, c.Deltas, room[:0])
	if err != nil {
		return session.Record{}, err
	}
	r.setPolicy(c.Terms, c.Expiry, v.layout.root.clock)
	v.start(r)
	v.apply(r, changes)
	v.insert(r)
	v.whole(r, &rec)
	v.written(r)
	return rec, nil
}

// Load implements [session.Store].
func (s *Store) Load(_ context.Context, f *session.Family, id string, l session.Load) (rec session.Record, _ error) {
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
	v.slide(r, l.Slide)
	v.whole(r, &rec)
	rec.Match = match
	return rec, nil
}

// Save implements [session.Store].
func (s *Store) Save(_ context.Context, f *session.Family, id string, c session.Save) (rec session.Record, _ error) {
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
	var room [2]change // spares most saves a slice on the heap
	changes, err := v.work(r, c.Deltas, room[:0])
	if err != nil {
		return v.refusal(r, c.Deltas, err)
	}
	if c.Expiry != nil {
		r.setPolicy(r.terms(), *c.Expiry, v.layout.root.clock)
		c.Slide = session.SlideAlways
	}
	v.slide(r, c.Slide) // before apply: what it begins does not count yet
	rec.Match, rec.Values = session.MatchCurrent, v.apply(r, changes)
	v.renew(r, c.Renew.Old, c.Renew.New)
	v.state(r, &rec.State)
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
func (s *Store) login(f *session.Family, id string, l session.Elevation) (rec session.Record, done bool, _ error) {
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
	var room [2]change
	changes, err := v.work(r, l.Deltas, room[:0])
	if err != nil {
		rec, err := v.refusal(r, l.Deltas, err)
		return rec, false, err
	}
	v.elevate(r, l)
	rec.Match, rec.Values = session.MatchCurrent, v.apply(r, changes)
	v.state(r, &rec.State)
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
	st := new(session.State)
	v.state(r, st)
	return st
}
