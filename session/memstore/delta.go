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
	p := session.Pack(room[:0]).AppendAll(old, func(key string) bool { return names(d, key) })
	var long longest // of what is put: the others were within the limit before
	for k, v := range d.Set {
		p = p.Append(k, v)
		long.see(k, v)
	}
	for k, n := range d.Add {
		v, err := add(old, k, n)
		if err != nil {
			return session.Values{}, err
		}
		p = p.Append(k, v)
	}
	for k, s := range d.Swap {
		v, ok := old.Get(k)
		if ok != (s.Old != nil) || ok && v != *s.Old {
			return session.Values{}, fmt.Errorf("%w: %.40q", session.ErrConflict, k)
		}
		if s.New != nil {
			p = p.Append(k, *s.New)
			long.see(k, *s.New)
		}
	}
	if err := long.check(); err != nil {
		return session.Values{}, err
	}
	values := p.Values()
	return values, limit(values, len(p))
}

// names reports whether the delta says what becomes of a key.
func names(d *session.Delta, key string) bool {
	if _, ok := d.Set[key]; ok {
		return true
	}
	if len(d.Add)+len(d.Swap)+len(d.Delete) == 0 { // as for most
		return false
	}
	_, adds := d.Add[key]
	_, swaps := d.Swap[key]
	return adds || swaps || slices.Contains(d.Delete, key)
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

// longest is the key with the longest value.
type longest struct {
	key  string
	size int
}

func (l *longest) see(key, value string) {
	if len(value) > l.size {
		l.key, l.size = key, len(value)
	}
}

func (l *longest) check() error {
	if l.size > session.MaxValueBytes {
		return fmt.Errorf("%w: value of %.40q is over %d bytes", session.ErrLimit, l.key, session.MaxValueBytes)
	}
	return nil
}

// limit returns an error for values that are over a limit together. Packed they
// are somewhat larger than their texts, so that few have to be added up.
func limit(values session.Values, packed int) error {
	if n := values.Len(); n > session.MaxValues {
		return fmt.Errorf("%w: %d values of %d", session.ErrLimit, n, session.MaxValues)
	}
	if packed <= session.MaxBytes {
		return nil
	}
	size := 0
	for k, v := range values.All() {
		size += len(k) + len(v)
	}
	if size > session.MaxBytes {
		return fmt.Errorf("%w: %d bytes of %d", session.ErrLimit, size, session.MaxBytes)
	}
	return nil
}

// stranger is the error for a namespace that is not of the family: a mistake of
// the program, not of its user.
func stranger(f *session.Family, name string) error {
	return fmt.Errorf("session: namespace %q is not in the family of %q", name, f.Root().Name)
}
