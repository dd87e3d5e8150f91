package memstore

import (
	"cmp"

	"github.com/sessionhub/sessionhub/session"
)

// answer is what a [Store] made of a record for a caller. Callers share
// its maps, which are never changed.
type answer struct {
	family *session.Family
	spaces map[string]session.SpaceState // nil: to be made
	values map[string]map[string]string  // likewise
}

// forget is called when a namespace changes; a is nil when there is no answer.
func (a *answer) forget() {
	if a != nil {
		a.spaces, a.values = nil, nil
	}
}

// forgetSpaces is called when deadlines change.
func (a *answer) forgetSpaces() {
	if a != nil {
		a.spaces = nil
	}
}

// defaultReady is how many answers a store keeps.
const defaultReady = 1 << 14

// answers are the records of a shard that have an answer: those that were asked
// for last.
type answers struct {
	records []*record // a ring when it is full, with nil for those that ended
	oldest  int32
}

// of returns the answer of r for a family, which may be empty yet. There are
// limit answers at most.
func (x *answers) of(r *record, f *session.Family, limit int) *answer {
	if r.answer == nil {
		x.add(r, limit)
	}
	if r.answer.family != f {
		*r.answer = answer{family: f}
	}
	return r.answer
}

func (x *answers) add(r *record, limit int) {
	r.answer = new(answer)
	if len(x.records) < limit {
		r.kept = int32(len(x.records))
		x.records = append(x.records, r)
		return
	}
	if old := x.records[x.oldest]; old != nil {
		old.answer = nil
	}
	r.kept, x.records[x.oldest] = x.oldest, r
	x.oldest = (x.oldest + 1) % int32(limit)
}

// remove forgets the answer of a record that ends.
func (x *answers) remove(r *record) {
	if r.answer != nil {
		x.records[r.kept], r.answer = nil, nil
	}
}

// answer returns the answer of a record, which may be empty yet.
func (v *visit) answer(r *record) *answer {
	return v.shard.answers.of(r, v.family, max(1, cmp.Or(v.store.Ready, defaultReady)/memoryShards))
}

// state returns the state of a record.
func (v *visit) state(r *record) session.State {
	a := v.answer(r)
	if a.spaces == nil {
		a.spaces = v.spaces(r)
	}
	return v.stateOf(r, a.spaces)
}

func (v *visit) stateOf(r *record, spaces map[string]session.SpaceState) session.State {
	l := r.unpacked()
	return session.State{
		ID:      l.id,
		Epoch:   r.epoch,
		User:    l.user,
		Device:  l.device,
		Address: l.address,
		Hash:    l.hash,
		Created: v.root.clock.time(r.created),
		Seen:    v.root.clock.time(r.seen),
		Renewed: v.root.clock.time(r.renewed),
		Now:     v.time,
		Left:    r.deadline().sub(v.now),
		Life:    r.last().sub(v.now),
		Terms:   r.terms(),
		Expiry:  r.expiry(),
		Spaces:  spaces,

		Authenticated: v.root.clock.time(r.authenticated),
	}
}

// spaces returns the state of each namespace of the family.
func (v *visit) spaces(r *record) map[string]session.SpaceState {
	m := make(map[string]session.SpaceState, len(v.family.Spaces))
	for i, s := range v.family.Spaces {
		var st session.SpaceState
		if i == 0 {
			st = session.SpaceState{Generation: r.root.generation, Version: r.root.version}
			if r.root.begun() {
				st.Deadline = v.root.clock.time(r.deadline())
			}
		} else if c := r.child(s.Name); c != nil {
			st = session.SpaceState{Generation: c.generation, Version: c.version}
			if c.begun() {
				st.Deadline = v.root.clock.time(c.deadline(r))
			}
		}
		m[s.Name] = st
	}
	return m
}

// whole returns the record with all values.
func (v *visit) whole(r *record) session.Record {
	a := v.answer(r)
	if a.values == nil {
		a.values = make(map[string]map[string]string, len(v.family.Spaces))
		for _, s := range v.family.Spaces {
			a.values[s.Name] = r.space(v.family, s.Name).unpack()
		}
	}
	return session.Record{State: v.state(r), Match: session.MatchCurrent, Values: a.values}
}

// present returns the record with the values, as they are, of the namespaces
// that the deltas name.
func (v *visit) present(r *record, deltas map[string]session.Delta) session.Record {
	values := make(map[string]map[string]string, len(deltas))
	for name := range deltas {
		values[name] = r.space(v.family, name).unpack()
	}
	return session.Record{State: v.state(r), Match: session.MatchCurrent, Values: values}
}

// unpack returns the values, nil when none was ever written.
func (p space) unpack() map[string]string {
	if !p.begun() {
		return nil
	}
	return p.values.unpack()
}
