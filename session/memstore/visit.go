package memstore

import (
	"hash/maphash"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// visit is one operation at one shard, whose lock it holds.
type visit struct {
	store  *Store
	layout *layout
	family *session.Family
	shard  *shard
	sum    uint64 // of the id
	op     uint64 // of the operation, see [visit.did]
	time   time.Time
	now    instant

	owned   *record // whose namespaces are this visit's to change
	wrote   bool
	expired []session.State // found so, if anybody wants to know
}

// visit enters the shard of an id.
func (s *Store) visit(f *session.Family, id string) visit {
	l := s.layouts.of(f)
	sum := maphash.String(l.root.seed, id)
	v := s.enter(l, f, &l.root.shards[sum%memoryShards])
	v.sum = sum
	return v
}

// enter takes the lock of a shard. [visit.leave] gives it back.
func (s *Store) enter(l *layout, f *session.Family, shard *shard) visit {
	shard.mu.Lock()
	now := time.Now()
	return visit{store: s, layout: l, family: f, shard: shard, time: now, now: l.root.clock.instant(now)}
}

// leave gives the lock back and tells of what had expired. After a write it
// sweeps a little if something is due: the writes of each shard take all shards
// in turn, so that what has expired in one that is not written any more goes
// too.
func (v *visit) leave() {
	turn := v.shard.turn
	if v.wrote {
		v.shard.turn = (turn + 1) % memoryShards
	}
	v.shard.mu.Unlock()
	for _, st := range v.expired {
		v.store.onExpired(v.layout.root.name, st)
	}
	if v.wrote && v.layout.root.hands[turn].Load() < bucketOf(v.now) {
		v.store.sweep(v.layout, &v.layout.root.shards[turn], sweepPerWrite, 0)
	}
}

// did reports whether an operation on r was carried out already. The empty op
// is that of a save without deltas, which may as well be carried out again.
func (v *visit) did(r *record, op string) bool {
	if op == "" {
		return false
	}
	v.op = maphash.String(v.layout.root.seed, op)
	return v.op == r.done.op && v.now < r.done.until ||
		v.now < r.done.others && v.shard.ops.has(v.sum^v.op, v.now)
}

// remember notes that the operation of which [visit.did] was asked was carried
// out. Most sessions are saved less than once in [session.OpMemory], and need no
// place but their own for it. Another one goes to where did has just looked for
// it: that memory is at hand.
func (v *visit) remember(r *record, op string) {
	if op == "" {
		return
	}
	until := v.now.add(session.OpMemory)
	if v.now >= r.done.until {
		r.done.op, r.done.until = v.op, until
		return
	}
	v.shard.ops.add(v.sum^v.op, until, v.now, session.OpMemory)
	r.done.others = until
}

// nonce returns what is kept of a nonce.
func (v *visit) nonce(nonce string) uint64 {
	if nonce == "" {
		return 0
	}
	return max(1, maphash.String(v.layout.root.seed, nonce))
}

// living returns the record of id, with the namespaces ended whose deadlines
// have passed. It returns nil, and frees the record, when its own has.
func (v *visit) living(id string) *record {
	r := v.shard.records[id]
	if r == nil {
		return nil
	}
	if v.now >= r.deadline() {
		v.expire(r)
		return nil
	}
	v.settle(r)
	return r
}

func (v *visit) insert(r *record) {
	if v.shard.records == nil {
		v.shard.records = make(map[string]*record)
	}
	v.shard.records[r.id()] = r
	v.shard.wheel.put(r)
	v.layout.root.index.add(r, v.now)
}

// remove frees a record and takes it out of its user's index, so that the
// index never outgrows the records.
func (v *visit) remove(r *record) {
	delete(v.shard.records, r.id())
	v.shard.wheel.remove(r)
	v.layout.root.index.remove(r)
}

// expire frees a record whose deadline has passed.
func (v *visit) expire(r *record) {
	if v.store.onExpired != nil {
		v.extend(r)
		st := session.State{}
		v.state(r, &st)
		v.expired = append(v.expired, st)
	}
	v.remove(r)
}

// written is called when r was written.
func (v *visit) written(r *record) {
	v.wrote = true
	if v.now >= r.deadline() { // an expiry that has passed was set
		v.expire(r)
		return
	}
	v.shard.wheel.hasten(r)
}

// renew replaces the hash, if it is still the one that the caller knows.
func (v *visit) renew(r *record, known, next session.Hash) {
	if next == "" || !equal(r.hash(), known) {
		return
	}
	r.replace(session.MatchRenewed, 0)
	r.renewed = v.now
	l := r.labels()
	l.hash = next
	v.layout.root.index.relabel(r, l)
	v.shard.records[r.id()] = r // so that the key keeps no old labels alive
}

// elevate replaces the hash by that of a login and begins the lifetimes anew,
// unless the login keeps them. Listing is the same step.
func (v *visit) elevate(r *record, e session.Elevation) {
	r.replace(session.MatchElevated, v.now.add(session.ElevateGrace))
	r.renewed = v.now
	r.epoch++
	l := r.labels()
	l.hash = e.Hash
	if e.Keep {
		v.touch(r)
	} else {
		l.user, l.device, l.address = e.User, e.Device, e.Address
		r.authenticated = 0
		if e.User != "" {
			r.authenticated = v.now
		}
		r.setPolicy(e.Terms, e.Expiry, v.layout.root.clock)
		v.start(r)
	}
	v.layout.root.index.relist(r, l, v.now)
	v.shard.records[r.id()] = r
}
