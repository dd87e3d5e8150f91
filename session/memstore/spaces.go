package memstore

import (
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// makeSpaces returns room for the namespaces of a record, for the few that most
// have in one allocation.
func makeSpaces(n int) ([]session.SpaceState, []session.Values) {
	switch n {
	case 1:
		r := new(struct {
			spaces [1]session.SpaceState
			values [1]session.Values
		})
		return r.spaces[:], r.values[:]
	case 2:
		r := new(struct {
			spaces [2]session.SpaceState
			values [2]session.Values
		})
		return r.spaces[:], r.values[:]
	}
	return make([]session.SpaceState, n), make([]session.Values, n)
}

// own gives the record namespaces that this visit may change, with a place for
// each of the family's.
func (v *visit) own(r *record) {
	if v.owned == r {
		return
	}
	v.owned = r
	spaces, values := makeSpaces(max(len(r.spaces), v.layout.size))
	copy(spaces, r.spaces)
	for i := copy(values, r.values); i < len(values); i++ {
		values[i] = session.NewValues(nil)
	}
	r.spaces, r.values = spaces, values
}

// extend gives a record the family's namespaces if it was made for another one.
func (v *visit) extend(r *record) {
	if len(r.spaces) < v.layout.size {
		v.own(r)
	}
}

// deadline returns that of a namespace that began now, or was active.
func (v *visit) deadline(r *record, i int) time.Time {
	if i == 0 {
		return v.layout.root.clock.time(r.deadline())
	}
	idle, _ := r.timeouts(v.family, v.family.Spaces[i])
	return v.layout.root.clock.time(min(v.now.add(idle), r.lifetime(v.layout.place(i)).end, r.deadline()))
}

// start begins the lifetime of the record and of the namespaces that have
// begun, and counts as activity.
func (v *visit) start(r *record) {
	v.own(r)
	_, life := r.timeouts(v.family, v.family.Root())
	r.end = v.now.add(life)
	for i := 1; i < len(v.family.Spaces); i++ {
		if place := v.layout.place(i); r.spaces[place].Version > 0 {
			_, life := r.timeouts(v.family, v.family.Spaces[i])
			r.lifetime(place).end = v.now.add(life)
		}
	}
	v.touch(r)
}

// slide counts as activity when s says so.
func (v *visit) slide(r *record, s session.Slide) {
	if s == session.SlideAlways || s == session.SlideDue && v.now >= r.due {
		v.touch(r)
	}
}

// touch slides the deadlines of the record and of the namespaces that have
// begun, all together.
func (v *visit) touch(r *record) {
	v.own(r)
	idle, _ := r.timeouts(v.family, v.family.Root())
	r.seen, r.idle = v.now, v.now.add(idle)
	for i := range v.family.Spaces {
		if s := &r.spaces[v.layout.place(i)]; s.Version > 0 {
			s.Deadline = v.deadline(r, i)
		}
	}
	v.schedule(r)
}

// schedule works out when the record is to be looked at, after its deadlines or
// the namespaces that have begun changed.
func (v *visit) schedule(r *record) {
	shortest, _ := r.timeouts(v.family, v.family.Root())
	for i := 1; i < len(v.family.Spaces); i++ {
		if r.spaces[v.layout.place(i)].Version > 0 {
			idle, _ := r.timeouts(v.family, v.family.Spaces[i])
			shortest = min(shortest, idle)
		}
	}
	r.due, r.next = r.seen.add(shortest/10), 0
	for _, s := range r.spaces[1:] {
		if s.Version > 0 {
			if at := v.layout.root.clock.instant(s.Deadline); r.next == 0 || at < r.next {
				r.next = at
			}
		}
	}
}

// settle ends the namespaces whose deadlines have passed, and forgets a former
// hash whose grace is over.
func (v *visit) settle(r *record) {
	v.extend(r)
	if r.next != 0 && v.now >= r.next {
		v.own(r)
		for place := 1; place < len(r.spaces); place++ {
			if s := r.spaces[place]; s.Version > 0 && v.now >= v.layout.root.clock.instant(s.Deadline) {
				r.empty(place, s.Generation+1)
			}
		}
		v.schedule(r)
	}
	if r.former != nil && r.former.until != 0 && v.now >= r.former.until {
		r.former = nil
	}
}

// empty begins a generation of a namespace, which the visit owns.
func (r *record) empty(place int, generation uint64) {
	r.spaces[place], r.values[place] = session.SpaceState{Generation: generation}, session.NewValues(nil)
}

// endNamespace ends the generations of a namespace up to last. One that is
// past last already has nothing to do with this end, and keeps its values.
func (v *visit) endNamespace(r *record, name string, last uint64) {
	place := v.layout.place(v.family.Index(name))
	if r.spaces[place].Generation > last {
		return
	}
	v.own(r)
	r.empty(place, last+1)
	v.schedule(r)
}
