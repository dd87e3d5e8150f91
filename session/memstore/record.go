package memstore

import (
	"crypto/subtle"
	"strings"

	"github.com/sessionhub/sessionhub/session"
)

// record is what a [Store] keeps of one session. The lock of its shard
// guards it. Deadlines are absolute; a passed one is acted upon by whoever
// comes next.
type record struct {
	labels    pack    // of [labels]. The index' lock is held too to change it
	idle, end instant // without activity, and of the lifetime
	policy    *policy // nil: the zero one, as for most
	former    *former // nil: none, or over
	answer    *answer // nil: none is kept
	kept      int32   // the place of that in the shard's answers

	children []child // those that ever began or ended
	root     space

	epoch                                 uint64
	created, seen, renewed, authenticated instant
	done                                  done
	nonce                                 uint64 // a checksum; 0 for none

	tread   tread
	listing listing // guarded by the index' lock
}

// done is which operations were carried out lately: the last one, and until
// when earlier ones may be among those that the shard remembers.
type done struct {
	op             uint64 // a checksum
	until, earlier instant
}

// former is the hash before the current one.
type former struct {
	hash  session.Hash
	kind  session.Match // MatchRenewed or MatchElevated
	until instant       // 0: until the current one was seen, and RenewGrace
}

// space is one namespace of a record. It has begun when it was ever written.
type space struct {
	generation, version uint64
	values              pack // keys and values in turn
}

func (p space) begun() bool { return p.version > 0 }

// child is a namespace other than the root.
type child struct {
	name string
	space
	idle, end instant
}

// newRecord returns a record that has not begun any namespace.
func newRecord(c session.Create, now instant) *record {
	r := &record{
		labels:  labels{c.ID, c.Hash, c.User, c.Device, c.Address}.pack(),
		epoch:   1,
		created: now,
		renewed: now,
	}
	if c.User != "" {
		r.authenticated = now
	}
	return r
}

// child returns a namespace that is not the root, nil for one that never began
// or ended.
func (r *record) child(name string) *child {
	for i := range r.children {
		if r.children[i].name == name {
			return &r.children[i]
		}
	}
	return nil
}

// space returns a namespace of the family as it is.
func (r *record) space(f *session.Family, name string) space {
	if name == f.Root().Name {
		return r.root
	}
	if c := r.child(name); c != nil {
		return c.space
	}
	return space{}
}

// grown returns a namespace of the family to change, and forgets the answer
// that was made of it.
func (r *record) grown(f *session.Family, name string) *space {
	r.answer.forget()
	if name == f.Root().Name {
		return &r.root
	}
	c := r.child(name)
	if c == nil {
		r.children = append(r.children, child{name: name})
		c = &r.children[len(r.children)-1]
	}
	return &c.space
}

// deadline is the first moment at which the record is gone.
func (r *record) deadline() instant { return min(r.idle, r.last()) }

// last is the end of the lifetime, or of the expiry if that comes first.
func (r *record) last() instant {
	if r.policy == nil || r.policy.end == 0 {
		return r.end
	}
	return min(r.end, r.policy.end)
}

// deadline is the first moment at which the namespace has ended.
func (c *child) deadline(r *record) instant { return min(c.idle, c.end, r.deadline()) }

// start begins the lifetime of the record and of the namespaces that have
// begun, and counts as activity.
func (r *record) start(f *session.Family, now instant) {
	_, life := r.timeouts(f, f.Root())
	r.end = now.add(life)
	for _, s := range f.Spaces[1:] {
		if c := r.child(s.Name); c != nil && c.begun() {
			_, life := r.timeouts(f, s)
			c.end = now.add(life)
		}
	}
	r.touch(f, now)
}

// slide counts as activity when s says so.
func (r *record) slide(f *session.Family, s session.Slide, now instant) {
	if s == session.SlideAlways || s == session.SlideDue && r.due(f, now) {
		r.touch(f, now)
	}
}

// due reports whether it is time for [session.SlideDue] to slide.
func (r *record) due(f *session.Family, now instant) bool {
	shortest, _ := r.timeouts(f, f.Root())
	for _, s := range f.Spaces[1:] {
		if c := r.child(s.Name); c != nil && c.begun() {
			idle, _ := r.timeouts(f, s)
			shortest = min(shortest, idle)
		}
	}
	return now.sub(r.seen) >= shortest/10
}

// touch slides the deadlines of the record and of the namespaces that have
// begun, all together.
func (r *record) touch(f *session.Family, now instant) {
	r.answer.forgetSpaces()
	idle, _ := r.timeouts(f, f.Root())
	r.seen, r.idle = now, now.add(idle)
	for _, s := range f.Spaces[1:] {
		if c := r.child(s.Name); c != nil && c.begun() {
			idle, _ := r.timeouts(f, s)
			c.idle = now.add(idle)
		}
	}
}

// begin gives a namespace that was not written yet its deadlines. The root has
// the record's.
func (r *record) begin(f *session.Family, s session.Space, now instant) {
	if c := r.child(s.Name); c != nil && !c.begun() {
		idle, life := r.timeouts(f, s)
		c.idle, c.end = now.add(idle), now.add(life)
	}
}

// settle ends the namespaces whose deadlines have passed, and forgets a former
// hash whose grace is over.
func (r *record) settle(now instant) {
	for i := range r.children {
		if c := &r.children[i]; c.begun() && now >= c.deadline(r) {
			c.space = space{generation: c.generation + 1}
			r.answer.forget()
		}
	}
	if r.former != nil && r.former.until != 0 && now >= r.former.until {
		r.former = nil
	}
}

// endNamespace ends the generations of a namespace up to last. One that is
// past last already has nothing to do with this end, and keeps its values.
func (r *record) endNamespace(f *session.Family, name string, last uint64) {
	if r.space(f, name).generation <= last {
		*r.grown(f, name) = space{generation: last + 1}
	}
}

// recognise says how a hash fits, and notes that the current one was seen.
func (r *record) recognise(h session.Hash, now instant) session.Match {
	current := equal(r.hash(), h)
	if r.former == nil {
		if current {
			return session.MatchCurrent
		}
		return session.MatchNone
	}
	previous := equal(r.former.hash, h)
	switch {
	case current:
		if r.former.until == 0 {
			r.former.until = now.add(session.RenewGrace)
		}
		return session.MatchCurrent
	case previous: // in its grace, or settle had forgotten it
		return r.former.kind
	}
	return session.MatchNone
}

// replace notes the current hash as a former one, of which a copy is kept that
// keeps no other labels alive.
func (r *record) replace(kind session.Match, until instant) {
	r.former = &former{hash: session.Hash(strings.Clone(string(r.hash()))), kind: kind, until: until}
}

// equal compares in constant time.
func equal(h, other session.Hash) bool {
	return subtle.ConstantTimeCompare([]byte(h), []byte(other)) == 1
}
