package session

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"strconv"
	"time"
)

// outcome is a delta worked out and not applied yet.
type outcome struct {
	space  Space
	stale  bool // somebody else wrote since the delta's version
	values map[string]string
	size   int
}

// work works deltas out, in the family's order, and applies none: the whole
// save is refused when one is.
func (r *record) work(f *Family, deltas map[string]Delta) ([]outcome, error) {
	for name := range deltas {
		if !f.has(name) {
			return nil, f.unknown(name)
		}
	}
	for name, d := range deltas {
		if r.space(name).generation != d.Generation {
			return nil, fmt.Errorf("%w: %s", ErrNamespaceEnded, name)
		}
	}
	changes := make([]outcome, 0, len(deltas))
	for _, s := range f.Spaces {
		d, ok := deltas[s.Name]
		if !ok {
			continue
		}
		p := r.space(s.Name)
		c := outcome{space: s, stale: p.version != d.Version}
		if err := c.work(p, d); err != nil {
			return nil, fmt.Errorf("%w in %s", err, s.Name)
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// apply applies changes and returns the values of the namespaces in which
// somebody else had written.
func (r *record) apply(f *Family, changes []outcome, now time.Time) map[string]map[string]string {
	var others map[string]map[string]string
	for _, c := range changes {
		r.begin(f, c.space, now)
		p := r.space(c.space.Name)
		p.values, p.size = c.values, c.size
		p.version++
		r.values = nil
		if c.stale {
			if others == nil {
				others = make(map[string]map[string]string)
			}
			others[p.name] = p.values
		}
	}
	return others
}

// refusal is the answer to a save that err refuses: after a conflict the
// caller learns what is there.
func (r *record) refusal(f *Family, deltas map[string]Delta, err error, now time.Time) (Record, error) {
	if errors.Is(err, ErrConflict) {
		return r.present(f, deltas, now), err
	}
	return Record{}, err
}

// work works one delta out on a copy of the values.
func (c *outcome) work(p *space, d Delta) error {
	if d.Clear || p.values == nil {
		c.values = make(map[string]string, len(d.Set)+len(d.Add)+len(d.Swap))
	} else {
		c.values, c.size = maps.Clone(p.values), p.size
	}
	for _, k := range d.Delete {
		c.remove(k)
	}
	for k, v := range d.Set {
		c.put(k, v)
	}
	for k, n := range d.Add {
		if err := c.add(k, n); err != nil {
			return err
		}
	}
	for k, s := range d.Swap {
		if err := c.swap(k, s); err != nil {
			return err
		}
	}
	return c.check(d)
}

func (c *outcome) remove(key string) {
	if old, ok := c.values[key]; ok {
		c.size -= len(key) + len(old)
		delete(c.values, key)
	}
}

func (c *outcome) put(key, value string) {
	c.remove(key)
	c.values[key] = value
	c.size += len(key) + len(value)
}

// add adds n to a JSON integer. The text must be the one that adding writes,
// as Redis' HINCRBY wants it too: "1.0", "1e3" and "-0" are other types.
func (c *outcome) add(key string, n int64) error {
	var old int64
	if text, ok := c.values[key]; ok {
		var err error
		old, err = strconv.ParseInt(text, 10, 64)
		if err != nil || strconv.FormatInt(old, 10) != text {
			return fmt.Errorf("%w: add to %.40q", ErrType, key)
		}
	}
	if n > 0 && old > math.MaxInt64-n || n < 0 && old < math.MinInt64-n {
		return fmt.Errorf("%w: add to %.40q overflows", ErrLimit, key)
	}
	c.put(key, strconv.FormatInt(old+n, 10))
	return nil
}

func (c *outcome) swap(key string, s Swap) error {
	old, ok := c.values[key]
	if ok != (s.Old != nil) || ok && old != *s.Old {
		return fmt.Errorf("%w: %.40q", ErrConflict, key)
	}
	if s.New == nil {
		c.remove(key)
	} else {
		c.put(key, *s.New)
	}
	return nil
}

// check holds the outcome against the limits. Only what d wrote can be a
// value that is too long.
func (c *outcome) check(d Delta) error {
	for k, v := range d.Set {
		if len(v) > MaxValueBytes {
			return tooLong(k)
		}
	}
	for k, s := range d.Swap {
		if s.New != nil && len(*s.New) > MaxValueBytes {
			return tooLong(k)
		}
	}
	switch {
	case len(c.values) > MaxValues:
		return fmt.Errorf("%w: %d values of %d", ErrLimit, len(c.values), MaxValues)
	case c.size > MaxBytes:
		return fmt.Errorf("%w: %d bytes of %d", ErrLimit, c.size, MaxBytes)
	}
	return nil
}

func tooLong(key string) error {
	return fmt.Errorf("%w: value of %.40q is over %d bytes", ErrLimit, key, MaxValueBytes)
}

// has reports whether a namespace is of the family.
func (f *Family) has(name string) bool {
	for _, s := range f.Spaces {
		if s.Name == name {
			return true
		}
	}
	return false
}

// unknown is the error for a namespace that is not of the family: a mistake of
// the program, not of its user.
func (f *Family) unknown(name string) error {
	return fmt.Errorf("session: namespace %q is not in the family of %q", name, f.Root().Name)
}
