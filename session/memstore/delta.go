package memstore

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/sessionhub/sessionhub/session"
)

// outcome is a delta worked out and not applied yet.
type outcome struct {
	space  *session.Space
	stale  bool // somebody else wrote since the delta's version
	values pack
}

// work works deltas out, in the family's order, and applies none: the whole
// save is refused when one is. It appends to changes.
func (r *record) work(f *session.Family, deltas map[string]session.Delta, changes []outcome) ([]outcome, error) {
	if len(deltas) == 0 {
		return nil, nil
	}
	for name, d := range deltas {
		if !has(f, name) {
			return nil, stranger(f, name)
		}
		if r.space(f, name).generation != d.Generation {
			return nil, fmt.Errorf("%w: %s", session.ErrNamespaceEnded, name)
		}
	}
	for i := range f.Spaces {
		s := &f.Spaces[i]
		d, ok := deltas[s.Name]
		if !ok {
			continue
		}
		p := r.space(f, s.Name)
		values, err := work(&d, p.values)
		if err != nil {
			return nil, fmt.Errorf("%w in %s", err, s.Name)
		}
		changes = append(changes, outcome{space: s, stale: p.version != d.Version, values: values})
	}
	return changes, nil
}

// apply applies changes and returns the values of the namespaces in which
// somebody else had written.
func (r *record) apply(f *session.Family, changes []outcome, now instant) map[string]map[string]string {
	var others map[string]map[string]string
	for _, c := range changes {
		p := r.grown(f, c.space.Name)
		r.begin(f, *c.space, now)
		p.values = c.values
		p.version++
		if c.stale {
			if others == nil {
				others = make(map[string]map[string]string)
			}
			others[c.space.Name] = p.unpack()
		}
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
// through those before a key for each [Delta.Add] and [Delta.Swap].
func work(d *session.Delta, old pack) (pack, error) {
	if d.Clear {
		old = ""
	}
	var buf [512]byte // most namespaces fit, and only the result is on the heap
	text := buf[:0]
	var t tally
	for p := old; len(p) > 0; {
		k, rest := p.cut()
		v, rest := rest.cut()
		if !names(d, k) {
			text = append(text, p[:len(p)-len(rest)]...)
			t.count(k, v)
		}
		p = rest
	}
	for k, v := range d.Set {
		text = appendText(appendText(text, k), v)
		t.count(k, v)
	}
	for k, n := range d.Add {
		v, err := add(old, k, n)
		if err != nil {
			return "", err
		}
		text = appendText(appendText(text, k), v)
		t.count(k, v)
	}
	for k, s := range d.Swap {
		v, ok := old.get(k)
		if ok != (s.Old != nil) || ok && v != *s.Old {
			return "", fmt.Errorf("%w: %.40q", session.ErrConflict, k)
		}
		if s.New != nil {
			text = appendText(appendText(text, k), *s.New)
			t.count(k, *s.New)
		}
	}
	if err := t.check(); err != nil {
		return "", err
	}
	return pack(text), nil
}

// names reports whether the delta says what becomes of a key.
func names(d *session.Delta, key string) bool {
	if _, ok := d.Set[key]; ok {
		return true
	}
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
func add(values pack, key string, n int64) (string, error) {
	var old int64
	if text, ok := values.get(key); ok {
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

// has reports whether a namespace is of the family.
func has(f *session.Family, name string) bool {
	for _, s := range f.Spaces {
		if s.Name == name {
			return true
		}
	}
	return false
}

// stranger is the error for a namespace that is not of the family: a mistake of
// the program, not of its user.
func stranger(f *session.Family, name string) error {
	return fmt.Errorf("session: namespace %q is not in the family of %q", name, f.Root().Name)
}
