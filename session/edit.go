package session

import (
	"encoding/json"
	"fmt"
)

// edit is what a scope does to one key. The zero value deletes it.
type edit struct {
	raw string       // the value as this scope sees it
	put string       // the same as the store gets it, once there was a delta
	add int64        // what to add
	fns []updateFunc // of a compare-and-set, applied to old in order
	old *string      // what they were applied to; nil: absent

	set, adds, swaps bool // there is a raw, an add, a compare-and-set
}

type updateFunc func(old json.RawMessage) (any, error)

// update is [Session.Update], and for those who hold the lock.
func (s *Session) update(key string, fn updateFunc) error {
	if err := s.writable(); err != nil {
		return err
	}
	old, had := s.look(key)
	after, err := s.apply(key, []updateFunc{fn}, pointer(old, had))
	if err != nil {
		return err
	}
	c := edit{set: after != nil, raw: deref(after)}
	switch before, changed := s.changes[key]; {
	case changed && before.swaps:
		c.swaps, c.old, c.fns = true, before.old, append(before.fns, fn)
	case changed && before.adds:
		// A sum rests on what was loaded, so both do now.
		c.swaps, c.old, c.fns = true, s.loaded(key), []updateFunc{s.adder(key, before.add), fn}
	case changed || s.cleared:
		// What fn was given is this scope's own doing: there is nothing to compare.
	default:
		c.swaps, c.old, c.fns = true, s.loaded(key), []updateFunc{fn}
	}
	s.change(key, c)
	return nil
}

// encode turns a value into JSON text.
func (s *Session) encode(key string, value any) (string, error) {
	b, err := json.Marshal(value)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrUnstorable, err)
	} else if most := s.p.sc.m.maxText(); len(b) > most {
		err = fmt.Errorf("%w: %d bytes, and one value may have %d", ErrLimit, len(b), most)
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
		if same, ok := v.(json.RawMessage); ok && old != nil && string(same) == *old {
			continue // what another program wrote stays as it wrote it
		}
		raw, err := s.encode(key, v)
		if err != nil {
			return nil, err
		}
		old = &raw
	}
	return old, nil
}

// delta returns the changes in the form of the store, and false for none.
func (s *Session) delta() (Delta, bool, error) {
	d := Delta{Generation: s.generation, Version: s.version, Clear: s.cleared}
	if !s.modified {
		return d, false, nil
	}
	for k, c := range s.changes {
		if err := s.seal(k, &c); err != nil {
			return d, false, err
		}
		switch {
		case c.swaps:
			if d.Swap == nil {
				d.Swap = make(map[string]Swap)
			}
			d.Swap[k] = Swap{Old: c.old, New: pointer(c.put, c.set)}
		case c.adds:
			if d.Add == nil {
				d.Add = make(map[string]int64)
			}
			d.Add[k] = c.add
		case c.set:
			if d.Set == nil {
				d.Set = make(map[string]string)
			}
			d.Set[k] = c.put
		case !s.cleared:
			d.Delete = append(d.Delete, k)
		}
	}
	return d, true, nil
}

// rebase repeats sums and updates on the values that a conflicting save found.
func (s *Session) rebase(values Values) error {
	s.base, s.plain = values, Values{}
	texts := s.texts()
	for k, c := range s.changes {
		old, had := texts.Get(k)
		var err error
		switch {
		case c.adds:
			c.raw, err = s.sum(k, pointer(old, had), c.add)
		case c.swaps:
			c.old, c.swaps = s.loaded(k), !s.cleared
			var after *string
			after, err = s.apply(k, c.fns, pointer(old, had && s.valid(old)))
			c.set, c.raw = after != nil, deref(after)
		}
		if err != nil {
			return err
		}
		s.changes[k] = c
	}
	return nil
}

// saved takes over what a save of the changes left in the store. i is the
// namespace's place in the family.
func (s *Session) saved(rec *Record, i int) {
	if i < len(rec.Values) && rec.Values[i].Known() {
		s.base = rec.Values[i]
	} else {
		s.base = s.merged()
	}
	sp := rec.Spaces[i]
	s.generation, s.version = sp.Generation, sp.Version
	s.drop()
}

// merged returns what was loaded with the changes applied.
func (s *Session) merged() Values {
	if len(s.changes) == 0 && !s.cleared {
		return s.base
	}
	var room [512]byte // most namespaces fit
	all := Pack(room[:0])
	if !s.cleared {
		all = all.AppendAll(s.base, func(key string) bool {
			_, changed := s.changes[key]
			return changed
		})
	}
	for k, c := range s.changes {
		if c.set {
			all = all.Append(k, c.put)
		}
	}
	return all.Values()
}

// loaded returns what the store had for a key, JSON or not; nil: nothing.
func (s *Session) loaded(key string) *string {
	raw, ok := s.base.Get(key)
	return pointer(raw, ok)
}

// drop forgets the changes, and that there were any.
func (s *Session) drop() {
	s.changes, s.cleared, s.plain, s.bad = nil, false, Values{}, nil
	s.accessed, s.modified = false, false
}

// reset makes s a session that nobody has begun yet.
func (s *Session) reset() {
	s.drop()
	s.base, s.generation, s.version = Values{}, 0, 0
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
