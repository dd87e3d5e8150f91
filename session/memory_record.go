package session

import (
	"cmp"
	"crypto/subtle"
	"time"
)

// record is what a [MemoryStore] keeps of one session. The store's lock guards
// it. Deadlines are absolute; a passed one is acted upon by whoever comes next.
type record struct {
	key    recordKey
	place  int // in MemoryStore.all
	nonce  string
	hash   Hash
	former former
	epoch  uint64
	user   string
	device string
	terms  Terms

	created, seen, renewed time.Time
	idle, end              time.Time // without activity, and in any case

	spaces []*space

	// values is the answer to a load by the family valuesOf, until something
	// is written. Callers share it.
	values   map[string]map[string]string
	valuesOf *Family
}

// recordKey names a record: an id of one family opens nothing in another.
type recordKey struct{ root, id string }

// former is the hash before the current one.
type former struct {
	hash  Hash
	kind  Match     // MatchRenewed or MatchElevated
	until time.Time // zero: until the current one was seen, and RenewGrace
}

// space is one namespace of a record.
type space struct {
	name                string
	generation, version uint64
	begun               bool
	idle, end           time.Time         // zero for the root, which has the record's
	values              map[string]string // never changed, but replaced
	size                int               // bytes of keys and values
}

// newRecord returns a record that has not begun any namespace.
func newRecord(f *Family, c Create, now time.Time) *record {
	r := &record{
		key:     recordKey{f.Root().Name, c.ID},
		nonce:   c.Nonce,
		hash:    c.Hash,
		epoch:   1,
		user:    c.User,
		device:  c.Device,
		terms:   c.Terms,
		created: now,
		renewed: now,
	}
	r.start(f, now)
	return r
}

// owner is the key of the user's index.
func (r *record) owner() userKey { return userKey{r.key.root, r.user} }

// space returns the namespace called name, which may never have begun.
func (r *record) space(name string) *space {
	for _, p := range r.spaces {
		if p.name == name {
			return p
		}
	}
	p := &space{name: name}
	r.spaces = append(r.spaces, p)
	return p
}

// timeouts returns those of a namespace. The record's terms stand for the
// root's; a child without timeouts has the root's.
func (r *record) timeouts(f *Family, s Space) (idle, life time.Duration) {
	root := f.Root()
	idle, life = cmp.Or(r.terms.Idle, root.Idle), cmp.Or(r.terms.Life, root.Life)
	if s.Name == root.Name {
		return idle, life
	}
	return cmp.Or(s.Idle, idle), cmp.Or(s.Life, life)
}

// deadline is the first moment at which the record is gone.
func (r *record) deadline() time.Time { return earlier(r.idle, r.end) }

// deadline is the first moment at which the namespace has ended.
func (p *space) deadline(r *record) time.Time {
	if p.end.IsZero() {
		return r.deadline()
	}
	return earlier(earlier(p.idle, p.end), r.deadline())
}

// start begins the lifetime of the record and of the namespaces that have
// begun, and counts as activity.
func (r *record) start(f *Family, now time.Time) {
	_, life := r.timeouts(f, f.Root())
	r.end = now.Add(life)
	for _, s := range f.Spaces[1:] {
		if p := r.space(s.Name); p.begun {
			_, life := r.timeouts(f, s)
			p.end = now.Add(life)
		}
	}
	r.touch(f, now)
}

// slide counts as activity when s says so.
func (r *record) slide(f *Family, s Slide, now time.Time) {
	if s == SlideAlways || s == SlideDue && r.due(f, now) {
		r.touch(f, now)
	}
}

// due reports whether it is time for [SlideDue] to slide.
func (r *record) due(f *Family, now time.Time) bool {
	shortest, _ := r.timeouts(f, f.Root())
	for _, s := range f.Spaces[1:] {
		if r.space(s.Name).begun {
			idle, _ := r.timeouts(f, s)
			shortest = min(shortest, idle)
		}
	}
	return now.Sub(r.seen) >= shortest/10
}

// touch slides the deadlines of the record and of the namespaces that have
// begun, all together.
func (r *record) touch(f *Family, now time.Time) {
	idle, _ := r.timeouts(f, f.Root())
	r.seen, r.idle = now, now.Add(idle)
	for _, s := range f.Spaces[1:] {
		if p := r.space(s.Name); p.begun {
			idle, _ := r.timeouts(f, s)
			p.idle = now.Add(idle)
		}
	}
}

// begin gives the namespace its deadlines, if it has none yet.
func (r *record) begin(f *Family, s Space, now time.Time) {
	p := r.space(s.Name)
	if p.begun {
		return
	}
	p.begun = true
	if s.Name != r.key.root {
		idle, life := r.timeouts(f, s)
		p.idle, p.end = now.Add(idle), now.Add(life)
	}
}

// settle ends the namespaces whose deadlines have passed.
func (r *record) settle(now time.Time) {
	for _, p := range r.spaces {
		if p.begun && !now.Before(p.deadline(r)) {
			r.endNamespace(p.name, p.generation)
		}
	}
}

// endNamespace ends the generations of a namespace up to last. One that is
// past last already has nothing to do with this end, and keeps its values.
func (r *record) endNamespace(name string, last uint64) {
	p := r.space(name)
	if p.generation <= last {
		*p = space{name: name, generation: last + 1}
		r.values = nil
	}
}

// recognise says how a hash fits, and notes that the current one was seen.
func (r *record) recognise(h Hash, now time.Time) Match {
	current, previous := r.hash.equal(h), r.former.hash.equal(h)
	waits := r.former.kind == MatchRenewed && r.former.until.IsZero()
	switch {
	case current:
		if waits {
			r.former.until = now.Add(RenewGrace)
		}
		return MatchCurrent
	case previous && (waits || now.Before(r.former.until)):
		return r.former.kind
	}
	return MatchNone
}

// renew replaces the hash, if it is still the one that the caller knows.
func (r *record) renew(known, next Hash, now time.Time) {
	if next == "" || !r.hash.equal(known) {
		return
	}
	r.former = former{hash: known, kind: MatchRenewed}
	r.hash, r.renewed = next, now
}

// elevate replaces the hash by that of a login and begins the lifetimes anew.
func (r *record) elevate(f *Family, l Elevation, now time.Time) {
	r.former = former{hash: r.hash, kind: MatchElevated, until: now.Add(ElevateGrace)}
	r.hash, r.renewed = l.Hash, now
	r.epoch++
	r.user, r.device, r.terms = l.User, l.Device, l.Terms
	r.start(f, now)
}

// state returns the state as of now.
func (r *record) state(f *Family, now time.Time) State {
	return State{
		ID:      r.key.id,
		Epoch:   r.epoch,
		User:    r.user,
		Device:  r.device,
		Hash:    r.hash,
		Created: r.created,
		Seen:    r.seen,
		Renewed: r.renewed,
		Now:     now,
		Left:    r.deadline().Sub(now),
		Life:    r.end.Sub(now),
		Terms:   r.terms,
		Spaces:  r.states(f, now),
	}
}

// states returns the state of each namespace of the family.
func (r *record) states(f *Family, now time.Time) map[string]SpaceState {
	m := make(map[string]SpaceState, len(f.Spaces))
	for _, s := range f.Spaces {
		p := r.space(s.Name)
		st := SpaceState{Generation: p.generation, Version: p.version}
		if p.begun {
			st.Left = p.deadline(r).Sub(now)
		}
		m[s.Name] = st
	}
	return m
}

// present returns the record with the values, as they are, of the namespaces
// that the deltas name.
func (r *record) present(f *Family, deltas map[string]Delta, now time.Time) Record {
	values := make(map[string]map[string]string, len(deltas))
	for name := range deltas {
		values[name] = r.space(name).values
	}
	return Record{State: r.state(f, now), Match: MatchCurrent, Values: values}
}

// whole returns the record with all values.
func (r *record) whole(f *Family, now time.Time) Record {
	if r.values == nil || r.valuesOf != f {
		r.valuesOf = f
		r.values = make(map[string]map[string]string, len(f.Spaces))
		for _, s := range f.Spaces {
			r.values[s.Name] = r.space(s.Name).values
		}
	}
	return Record{State: r.state(f, now), Match: MatchCurrent, Values: r.values}
}

// equal compares in constant time.
func (h Hash) equal(other Hash) bool {
	return subtle.ConstantTimeCompare([]byte(h), []byte(other)) == 1
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
