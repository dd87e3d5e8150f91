package memstore

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/sessionhub/sessionhub/session"
)

// change is a delta worked out and not applied yet.
type change struct {
	i      int // the namespace's place in the family
	delta  session.Delta
	values session.Values
}

// work works deltas out, in the family's order, and applies none: the whole
// save is refused when one is. It appends to changes.
func (v *visit) work(r *record, deltas map[string]session.Delta, changes []change) ([]change, error) {
	if len(deltas) == 0 {
		return nil, nil
	}
	for i := range v.family.Spaces {
		name := v.family.Spaces[i].Name
		if d, ok := deltas[name]; ok {
			if r.spaces[v.layout.place(i)].Generation != d.Generation {
				return nil, fmt.Errorf("%w: %s", session.ErrNamespaceEnded, name)
			}
			changes = append(changes, change{i: i, delta: d})
			if len(changes) == len(deltas) {
				break
			}
		}
	}
	if len(changes) < len(deltas) {
		for name := range deltas {
			if v.family.Index(name) < 0 {
				return nil, stranger(v.family, name)
			}
		}
	}
	for n := range changes {
		c := &changes[n]
		var err error
		if c.values, err = work(&c.delta, r.values[v.layout.place(c.i)]); err != nil {
			return nil, fmt.Errorf("%w in %s", err, v.family.Spaces[c.i].Name)
		}
	}
	return changes, nil
}

// apply applies changes and returns the values of the namespaces in which
// somebody else had written.
func (v *visit) apply(r *record, changes []change) []session.Values {
	if len(changes) == 0 {
		return nil
	}
	v.own(r)
	var others []session.Values
	begun := false
	for n := range changes {
		c := &changes[n]
		place := v.layout.place(c.i)
		s := &r.spaces[place]
		if s.Version != c.delta.Version {
			if others == nil {
				others = make([]session.Values, len(v.family.Spaces))
			}
			others[c.i] = c.values
		}
		if s.Version == 0 {
			begun = true
			if c.i > 0 {
				_, life := r.timeouts(v.family, v.family.Spaces[c.i])
				r.lifetime(place).end = v.now.add(life)
			}
			s.Deadline = v.deadline(r, c.i)
		}
		s.Version++
		r.values[place] = c.values
	}
	if begun {
		v.schedule(r)
	}
	return others
}

// refusal is the answer to a save that err refuses: after a conflict the
// caller learns what is there.
func (v *visit) refusal(r *record, deltas map[string]session.Delta, err error) (session.Record, error) {
	if errors.Is(err, session.ErrConflict) {
		return v.present(r, deltas), err
	}
	return session.Record{}, err
}

// work returns values with the delta applied. It goes once through them, and
// through those before a key for each [session.Delta.Add] and [session.Delta.Swap].
func work(d *session.Delta, old session.Values) (session.Values, error) {
	if d.Clear {
		old = session.Values{}
	}
	var room [512]byte // most namespaces fit, and only the result is on the heap
	p := session.Pack(room[:0])
	var few [8]pair
	set := few[:0]
	for k, v := range d.Set {
		set = append(set, pair{k, v})
	}
	var t tally
	for k, v := range old.All() {
		if !sets(set, d, k) && !names(d, k) {
			p = p.Append(k, v)
			t.count(k, v)
		}
	}
	for _, s := range set {
		p = p.Append(s.key, s.value)
		t.count(s.key, s.value)
	}
	for k, n := range d.Add {
		v, err := add(old, k, n)
		if err != nil {
			return session.Values{}, err
		}
		p = p.Append(k, v)
		t.count(k, v)
	}
	for k, s := range d.Swap {
		v, ok := old.Get(k)
		if ok != (s.Old != nil) || ok && v != *s.Old {
			return session.Values{}, fmt.Errorf("%w: %.40q", session.ErrConflict, k)
		}
		if s.New != nil {
			p = p.Append(k, *s.New)
			t.count(k, *s.New)
		}
	}
	if err := t.check(); err != nil {
		return session.Values{}, err
	}
	return p.Values(), nil
}

// pair is a key and its value.
type pair struct{ key, value string }

// sets reports whether the delta sets a key. To look at a few is faster than to
// ask a map.
func sets(set []pair, d *session.Delta, key string) bool {
	if len(set) > 8 {
		_, ok := d.Set[key]
		return ok
	}
	for i := range set {
		if set[i].key == key {
			return true
		}
	}
	return false
}

// names reports whether the delta says otherwise what becomes of a key.
func names(d *session.Delta, key string) bool {
	if _, ok := d.Add[key]; ok {
		return true
	}
	if _, ok := d.Swap[key]; ok {
		return true
	}
	return slices.Contains(d.Delete, key)
}

// add adds n to a JSON integer. The text must be the one that adding writes,
// as Redis' HINCRBY wants it too: "1.0", "1e3" and "-0" are other types.
func add(values session.Values, key string, n int64) (string, error) {
	var old int64
	if text, ok := values.Get(key); ok {
		var err error
		old, err = strconv.ParseInt(text, 10, 64)
		if err != nil || strconv.FormatInt(old, 10) != text {
			return "", fmt.Errorf("%w: add to %.40q", session.ErrType, key)
		}
	}
	if n > 0 && old > math.MaxInt64-n || n < 0 && old < math.MinInt64-n {
		return "", fmt.Errorf("%w: add to %.40q overflows", session.ErrLimit, key)
	}
	return strconv.FormatInt(old+n, 10), nil
}

// tally counts the values of a namespace against the limits.
type tally struct {
	n, size int    // how many, and the bytes of keys and values
	tooLong bool   // one is
	long    string // its key
}

func (t *tally) count(key, value string) {
	t.n++
	t.size += len(key) + len(value)
	if len(value) > session.MaxValueBytes {
		t.long, t.tooLong = key, true
	}
}

func (t *tally) check() error {
	switch {
	case t.tooLong:
		return fmt.Errorf("%w: value of %.40q is over %d bytes", session.ErrLimit, t.long, session.MaxValueBytes)
	case t.n > session.MaxValues:
		return fmt.Errorf("%w: %d values of %d", session.ErrLimit, t.n, session.MaxValues)
	case t.size > session.MaxBytes:
		return fmt.Errorf("%w: %d bytes of %d", session.ErrLimit, t.size, session.MaxBytes)
	}
	return nil
}

// stranger is the error for a namespace that is not of the family: a mistake of
// the program, not of its user.
func stranger(f *session.Family, name string) error {
	return fmt.Errorf("session: namespace %q is not in the family of %q", name, f.Root().Name)
}
