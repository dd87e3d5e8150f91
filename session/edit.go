package session

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// edit is what a scope does to one key. The zero value deletes it.
type edit struct {
	raw string       // the value as this scope sees it
	add int64        // what to add
	fns []updateFunc // of a compare-and-set, applied to old in order
	old *string      // what they were applied to; nil: absent

	set, adds, swaps bool // there is a raw, an add, a compare-and-set
}

type updateFunc func(old json.RawMessage) (any, error)

// encode turns a value into JSON text.
func (s *Session) encode(key string, value any) (string, error) {
	b, err := json.Marshal(value)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrUnstorable, err)
	} else if len(b) > MaxValueBytes {
		err = fmt.Errorf("%w: %d bytes, and one value may have %d", ErrLimit, len(b), MaxValueBytes)
	}
	if err != nil {
		err = fmt.Errorf("set %q of %q: %w", key, s.name, err)
		if s.bad == nil {
			s.bad = err
		}
		return "", err
	}
	return string(b), nil
}

// apply runs update functions one after the other.
func (s *Session) apply(key string, fns []updateFunc, old *string) (*string, error) {
	for _, fn := range fns {
		var in json.RawMessage
		if old != nil {
			in = json.RawMessage(*old)
		}
		v, err := fn(in)
		if err != nil {
			return nil, err
		}
		if v == nil {
			old = nil
			continue
		}
		raw, err := s.encode(key, v)
		if err != nil {
			return nil, err
		}
		old = &raw
	}
	return old, nil
}

// adder is Counter.Add as a part of an update.
func (s *Session) adder(key string, n int64) updateFunc {
	return func(old json.RawMessage) (any, error) {
		raw, err := s.sum(key, pointer(string(old), old != nil), n)
		return json.RawMessage(raw), err
	}
}

// sum returns a value with n added to it, in the same way as the stores do.
func (s *Session) sum(key string, old *string, n int64) (string, error) {
	now := int64(0)
	if old != nil {
		if err := json.Unmarshal([]byte(*old), &now); err != nil {
			return "", fmt.Errorf("add to %q of %q: %w: %w", key, s.name, ErrType, err)
		}
	}
	now, err := plus(now, n)
	if err != nil {
		return "", fmt.Errorf("add to %q of %q: %w", key, s.name, err)
	}
	return strconv.FormatInt(now, 10), nil
}

func plus(a, b int64) (int64, error) {
	if sum := a + b; (sum > a) == (b > 0) || b == 0 {
		return sum, nil
	}
	return 0, fmt.Errorf("%w: it would overflow", ErrLimit)
}

// delta returns the changes in the form of the store, and false for none.
func (s *Session) delta() (Delta, bool) {
	d := Delta{Generation: s.generation, Version: s.version, Clear: s.cleared}
	if !s.modified {
		return d, false
	}
	for k, c := range s.changes {
		switch {
		case c.swaps:
			if d.Swap == nil {
				d.Swap = make(map[string]Swap)
			}
			d.Swap[k] = Swap{Old: c.old, New: pointer(c.raw, c.set)}
		case c.adds:
			if d.Add == nil {
				d.Add = make(map[string]int64)
			}
			d.Add[k] = c.add
		case c.set:
			if d.Set == nil {
				d.Set = make(map[string]string)
			}
			d.Set[k] = c.raw
		case !s.cleared:
			d.Delete = append(d.Delete, k)
		}
	}
	return d, true
}

// rebase repeats sums and updates on the values that a conflicting save found.
func (s *Session) rebase(values map[string]string) error {
	s.base = values
	for k, c := range s.changes {
		old, had := values[k]
		var err error
		switch {
		case c.adds:
			c.raw, err = s.sum(k, pointer(old, had), c.add)
		case c.swaps:
			c.old = pointer(old, had)
			var after *string
			after, err = s.apply(k, c.fns, c.old)
			c.set, c.raw = after != nil, deref(after)
		}
		if err != nil {
			return err
		}
		s.changes[k] = c
	}
	return nil
}

// saved takes over what a save of the changes left in the store.
func (s *Session) saved(rec *Record) {
	if present, ok := rec.Values[s.name]; ok {
		s.base = present
	} else {
		s.base = s.view()
	}
	sp := rec.Spaces[s.name]
	s.generation, s.version = sp.Generation, sp.Version
	s.drop()
}

// drop forgets the changes.
func (s *Session) drop() {
	s.changes, s.cleared, s.modified, s.bad = nil, false, false, nil
}

// reset makes s a session that nobody has begun yet.
func (s *Session) reset() {
	s.drop()
	s.base, s.generation, s.version = nil, 0, 0
}

func pointer(s string, ok bool) *string {
	if !ok {
		return nil
	}
	return &s
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
