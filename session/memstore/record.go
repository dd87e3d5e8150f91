package memstore

import (
	"crypto/subtle"
	"strings"

	"github.com/sessionhub/sessionhub/session"
)

// record is what a [Store] keeps of one session. The lock of its shard
// guards it. Deadlines are absolute; a passed one is acted upon by whoever
// comes next.
//
// A load of any of many records takes as long as it waits for memory. So what it
// looks at comes first, and what it only hands out it does not look at.
type record struct {
	joined            // the labels. The index' lock is held too to change them
	idle, end instant // without activity, and of the lifetime
	due       instant // when [session.SlideDue] slides next
	next      instant // the first deadline of a namespace other than the root; 0: none
	policy    *policy // nil: the zero one, as for most
	former    *former // nil: none, or over

	// The namespaces at their places in the [layout]. Callers share the slices,
	// which are never changed but by the visit that made them.
	spaces []session.SpaceState
	values []session.Values

	epoch                                 uint64
	created, seen, renewed, authenticated instant
	done                                  done
	nonce                                 uint64 // a checksum; 0 for none

	lifetimes *lifetime // of the namespaces other than the root that ever began
	tread     tread
	listing   listing // guarded by the index' lock
}

// done is which operations were carried out lately: one, and until when others
// may be among those that the shard remembers.
type done struct {
	op            uint64 // a checksum
	until, others instant
}

// former is the hash before the current one.
type former struct {
	hash  session.Hash
	kind  session.Match // MatchRenewed or MatchElevated
	until instant       // 0: until the current one was seen, and RenewGrace
}

// lifetime is that of one namespace. Most sessions have one at the most.
type lifetime struct {
	place int
	end   instant
	after *lifetime
}

// newRecord returns a record that has not begun any namespace.
func newRecord(c session.Create, now instant) *record {
	r := &record{
		joined:  labels{c.ID, c.Hash, c.User, c.Device, c.Address}.join(),
		epoch:   1,
		created: now,
		renewed: now,
	}
	if c.User != "" {
		r.authenticated = now
	}
	return r
}

// lifetime returns that of the namespace at a place, and adds it when it is new.
func (r *record) lifetime(place int) *lifetime {
	for l := r.lifetimes; l != nil; l = l.after {
		if l.place == place {
			return l
		}
	}
	r.lifetimes = &lifetime{place: place, after: r.lifetimes}
	return r.lifetimes
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
