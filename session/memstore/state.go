package memstore

import "github.com/sessionhub/sessionhub/session"

// state writes down the state of a record, in st, which is zero: it is too large
// to be copied without need.
func (v *visit) state(r *record, st *session.State) {
	l, clock := r.labels(), v.layout.root.clock
	st.ID, st.Hash, st.User, st.Device, st.Address = l.id, l.hash, l.user, l.device, l.address
	st.Epoch = r.epoch
	st.Created = clock.time(r.created)
	st.Seen = clock.time(r.seen)
	st.Renewed = clock.time(r.renewed)
	st.Authenticated = clock.time(r.authenticated)
	st.Now = v.time
	st.Left = r.deadline().sub(v.now)
	st.Life = r.last().sub(v.now)
	if r.policy != nil {
		st.Terms, st.Expiry = r.terms(), r.expiry()
	}
	st.Family, st.Spaces = v.family, view(v.layout, r.spaces)
}

// view returns what a family sees of what there is at each place of a record.
func view[T any](l *layout, all []T) []T {
	if l.at == nil {
		return all[:l.size:l.size]
	}
	seen := make([]T, len(l.at))
	for i, place := range l.at {
		seen[i] = all[place]
	}
	return seen
}

// whole writes down the record with all values.
func (v *visit) whole(r *record, rec *session.Record) {
	v.state(r, &rec.State)
	rec.Match, rec.Values = session.MatchCurrent, view(v.layout, r.values)
}

// present returns the record with the values, as they are, of the namespaces
// that the deltas name.
func (v *visit) present(r *record, deltas map[string]session.Delta) session.Record {
	rec := session.Record{Match: session.MatchCurrent, Values: make([]session.Values, len(v.family.Spaces))}
	v.state(r, &rec.State)
	for i, s := range v.family.Spaces {
		if _, ok := deltas[s.Name]; ok {
			rec.Values[i] = r.values[v.layout.place(i)]
		}
	}
	return rec
}
