package session

import (
	"context"
	"sync"
	"time"
)

// MemoryStore is a [Store] in the memory of this process: the embedded
// default, for one node, tests and development. Its sessions end with the
// process. The zero value works. A MemoryStore must not be copied after its
// first use.
//
// One lock makes each operation atomic, and is held for well under a
// microsecond by a load, and for the copy of one namespace's values by a save.
// Nothing waits for anything else, so contexts are not looked at and
// [ErrUnavailable] and [ErrUserEnded] are never returned. Time is [time.Now].
//
// It starts no goroutine. What has expired is gone for every operation at
// once; its memory comes back a few records with each write.
//
// All methods may be called from any goroutine.
type MemoryStore struct {
	// Deliver takes each notice, on the goroutine of the operation that
	// caused it, when the change is visible and before the operation returns.
	// No lock is held: it may use the store. It must not be changed after the
	// first use of the store.
	//
	// Defaults to nil: notices go nowhere.
	Deliver func(notice string)

	mu      sync.Mutex // guards the following fields
	records map[recordKey]*record
	all     []*record // the same, in the order in which they are swept
	hand    int       // the sweep has come down to here in all
	index   userIndex
	ops     opMemory

	replaced map[recordKey]time.Time // until when the sessions are recognised that a login replaced
}

var _ Store = (*MemoryStore)(nil)

// MemoryStats is how much a [MemoryStore] keeps.
type MemoryStats struct {
	Sessions int // records, with those that expired and were not swept yet
	Users    int // users in the index
	Ops      int // saves that are remembered, with those not swept yet
}

// Stats returns how much the store keeps at the moment.
func (s *MemoryStore) Stats() MemoryStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return MemoryStats{Sessions: len(s.all), Users: len(s.index.users), Ops: len(s.ops.until)}
}

// Create implements [Store]. Listing and creating are one step here, so the
// user's generation cannot change in between.
func (s *MemoryStore) Create(ctx context.Context, f *Family, c Create) (Record, error) {
	if len(c.Ends) > 0 {
		if err := s.Delete(ctx, f, c.Ends...); err != nil {
			return Record{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if r := s.living(f, c.ID, now); r != nil {
		if c.Nonce == "" || r.nonce != c.Nonce {
			return Record{}, ErrExists
		}
		return r.whole(f, now), nil
	}
	r := newRecord(f, c, now)
	changes, err := r.work(f, c.Deltas)
	if err != nil {
		return Record{}, err
	}
	r.apply(f, changes, now)
	s.insert(r)
	if r.user != "" {
		s.index.add(r.owner(), c.ID, now)
	}
	s.sweep(now)
	return r.whole(f, now), nil
}

// Load implements [Store].
func (s *MemoryStore) Load(_ context.Context, f *Family, id string, l Load) (Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	r := s.living(f, id, now)
	if r == nil {
		if l.Hash != "" && now.Before(s.replaced[recordKey{f.Root().Name, id}]) {
			return Record{Match: MatchElevated}, nil
		}
		return Record{}, ErrNotFound
	}
	match := MatchCurrent
	if l.Hash != "" {
		match = r.recognise(l.Hash, now)
	}
	if match != MatchCurrent && match != MatchRenewed {
		return Record{Match: match}, nil
	}
	r.slide(f, l.Slide, now)
	rec := r.whole(f, now)
	rec.Match = match
	return rec, nil
}

// Save implements [Store].
func (s *MemoryStore) Save(_ context.Context, f *Family, id string, v Save) (Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	r := s.living(f, id, now)
	if r == nil {
		return Record{}, ErrEnded
	}
	op := opKey{r.key, v.Op}
	if s.ops.has(op, now) {
		return r.present(f, v.Deltas, now), nil
	}
	if r.epoch != v.Epoch {
		return Record{}, ErrRenewed
	}
	changes, err := r.work(f, v.Deltas)
	if err != nil {
		return r.refusal(f, v.Deltas, err, now)
	}
	r.slide(f, v.Slide, now) // before apply: what it begins does not count yet
	others := r.apply(f, changes, now)
	r.renew(v.Renew.Old, v.Renew.New, now)
	s.ops.add(op, now)
	s.sweep(now)
	return Record{State: r.state(f, now), Match: MatchCurrent, Values: others}, nil
}

// Login implements [Store]. As in [MemoryStore.Create], the index is kept in
// the same step.
func (s *MemoryStore) Login(_ context.Context, f *Family, id string, l Elevation) (Record, error) {
	rec, done, err := s.login(f, id, l)
	if done {
		s.deliver(l.Notice)
	}
	return rec, err
}

// login is Login without the notice. It reports whether the login was carried
// out now, and not by an earlier try.
func (s *MemoryStore) login(f *Family, id string, l Elevation) (_ Record, done bool, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	r := s.living(f, id, now)
	if r == nil {
		return Record{}, false, ErrEnded
	}
	op := opKey{r.key, l.Op}
	if s.ops.has(op, now) || r.epoch == l.Epoch+1 && r.hash.equal(l.Hash) {
		return r.present(f, l.Deltas, now), false, nil
	}
	if r.epoch != l.Epoch {
		return Record{}, false, ErrRenewed
	}
	changes, err := r.work(f, l.Deltas)
	if err != nil {
		rec, err := r.refusal(f, l.Deltas, err, now)
		return rec, false, err
	}
	s.index.remove(r.owner(), id)
	r.elevate(f, l, now)
	if r.user != "" {
		s.index.add(r.owner(), id, now)
	}
	others := r.apply(f, changes, now)
	s.ops.add(op, now)
	s.sweep(now)
	return Record{State: r.state(f, now), Match: MatchCurrent, Values: others}, true, nil
}

// Delete implements [Store].
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
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	notices := make([]string, 0, len(ends))
	for _, e := range ends {
		r := s.living(f, e.ID, now)
		switch {
		case r == nil:
		case e.User != "" && r.user != e.User:
			continue
		case e.Namespace == "":
			s.remove(r)
			if e.Replaced {
				s.replace(r.key, now)
			}
		default:
			r.endNamespace(e.Namespace, e.Generation)
		}
		notices = append(notices, e.Notice)
	}
	s.sweep(now)
	return notices
}

// Check implements [Store]. It lets others in between two ids.
func (s *MemoryStore) Check(_ context.Context, f *Family, ids []string) ([]*State, error) {
	states := make([]*State, len(ids))
	for i, id := range ids {
		states[i] = s.state(f, id)
	}
	return states, nil
}

// state returns the state of id, nil when it does not live.
func (s *MemoryStore) state(f *Family, id string) *State {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	r := s.living(f, id, now)
	if r == nil {
		return nil
	}
	st := r.state(f, now)
	return &st
}

// Listed implements [Store].
func (s *MemoryStore) Listed(_ context.Context, f *Family, user string) ([]Listing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.index.list(userKey{f.Root().Name, user}, time.Now()), nil
}

// Raise implements [Store]. A login is one step under the lock: either it was
// listed before and is in the answer, or it begins after the raise and is a
// new one. None can be in progress, so there is no generation to keep.
func (s *MemoryStore) Raise(ctx context.Context, f *Family, user string) ([]Listing, error) {
	return s.Listed(ctx, f, user)
}

// Unlist implements [Store].
func (s *MemoryStore) Unlist(_ context.Context, f *Family, user string, ids []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		s.index.remove(userKey{f.Root().Name, user}, id)
	}
	return nil
}

func (s *MemoryStore) deliver(notice string) {
	if s.Deliver != nil {
		s.Deliver(notice)
	}
}
