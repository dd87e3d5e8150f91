package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Session is one visitor's values in one namespace, as one scope sees them:
// the values that were loaded, and what the scope changed since. Values are
// JSON text. A value read is a copy: changing it changes nothing until it is
// set again.
type Session struct {
	p    *part
	name string

	// The scope's lock guards the following fields.

	generation, version uint64
	base                map[string]string // as loaded; shared, never changed
	changes             map[string]edit   // since then
	cleared             bool              // base is to be forgotten
	over                bool              // ended within this scope
	bad                 error             // the first value that could not be set; the save refuses with it
	accessed, modified  bool
}

// ErrUnstorable is returned by [Session.Set] for a value that JSON cannot hold.
var ErrUnstorable = errors.New("session: value cannot be stored as JSON")

// ErrAbsent is returned by [Field.Get] for a key that has no value.
var ErrAbsent = errors.New("session: no such value")

// ID returns the session's id, and "" for one that is not in the store yet. It
// finds the session and does not open it, so it may be logged and shown.
func (s *Session) ID() string {
	defer s.lock().Unlock()
	return s.p.cred.ID
}

// Namespace returns the name of the namespace.
func (s *Session) Namespace() string { return s.name }

// Format prints the namespace and no values, whatever the verb.
func (s *Session) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "session %q", s.name) }

// New reports whether the namespace holds nothing that was saved before: it
// was not there, or it began anew after an end.
func (s *Session) New() bool {
	defer s.lock().Unlock()
	return s.version == 0
}

// Accessed reports whether a value, or the absence of one, was looked at.
func (s *Session) Accessed() bool {
	defer s.lock().Unlock()
	return s.accessed
}

// Modified reports whether there are changes that were not saved yet.
func (s *Session) Modified() bool {
	defer s.lock().Unlock()
	return s.modified
}

// Value returns the JSON text of a key's value, and false when it has none.
func (s *Session) Value(key string) (json.RawMessage, bool) {
	defer s.lock().Unlock()
	raw, ok := s.look(key)
	if !ok {
		return nil, false
	}
	return json.RawMessage(raw), true
}

// Has reports whether a key has a value.
func (s *Session) Has(key string) bool {
	defer s.lock().Unlock()
	_, ok := s.look(key)
	return ok
}

// Keys returns the keys that have values, sorted.
func (s *Session) Keys() []string {
	defer s.lock().Unlock()
	s.accessed = true
	return slices.Sorted(maps.Keys(s.view()))
}

// Values returns a copy of all values: JSON text by key.
func (s *Session) Values() map[string]json.RawMessage {
	defer s.lock().Unlock()
	s.accessed = true
	all := make(map[string]json.RawMessage, len(s.base))
	for k, raw := range s.view() {
		all[k] = json.RawMessage(raw)
	}
	return all
}

// Set gives a key a value that encoding/json can hold. Of two scopes that set
// the same key, the later save stays.
//
// A value that JSON cannot hold ([ErrUnstorable]), or one over [MaxValueBytes]
// ([ErrLimit]), is not set, and the scope's save returns the same error and
// keeps nothing: a handler that overlooks the error loses its message, never
// half of it. Other errors: [ErrCommitted], [ErrNamespaceEnded].
func (s *Session) Set(key string, value any) error {
	defer s.lock().Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	raw, err := s.encode(key, value)
	if err != nil {
		return err
	}
	s.accessed = true
	s.change(key, edit{set: true, raw: raw})
	return nil
}

// Delete removes a key's value. Removing what is not there is no change.
func (s *Session) Delete(key string) error {
	defer s.lock().Unlock()
	if _, ok := s.look(key); !ok {
		return nil
	}
	if err := s.writable(); err != nil {
		return err
	}
	s.change(key, edit{})
	return nil
}

// Clear removes all values, those too that other writers set before the save.
func (s *Session) Clear() error {
	defer s.lock().Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	s.accessed, s.modified, s.cleared = true, true, true
	s.changes = nil
	return nil
}

// Update sets a key to what fn makes of its value; old is nil when it has none,
// and a nil result removes it. The save keeps it only if the value is then
// still what fn was given; else fn is asked again with the present one, so it
// must depend on nothing else, and may not use the session or its scope, which
// wait for it. The save gives up with [ErrConflict] after
// eight rounds. Errors of fn are returned as they are, by Update or the save.
func (s *Session) Update(key string, fn func(old json.RawMessage) (any, error)) error {
	defer s.lock().Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	c := edit{swaps: true}
	switch before, changed := s.changes[key]; {
	case changed && before.swaps:
		c.fns, c.old = slices.Clone(before.fns), before.old
	case changed && before.adds:
		// A sum rests on what was loaded, so both do now.
		old, had := s.base[key]
		c.fns, c.old = []updateFunc{s.adder(key, before.add)}, pointer(old, had)
	case changed || s.cleared:
		// What fn sees is this scope's own doing: there is nothing to compare.
		old, had := s.look(key)
		after, err := s.apply(key, []updateFunc{fn}, pointer(old, had))
		if err != nil {
			return err
		}
		s.change(key, edit{set: after != nil, raw: deref(after)})
		return nil
	default:
		old, had := s.base[key]
		c.old = pointer(old, had)
	}
	c.fns = append(c.fns, fn)
	after, err := s.apply(key, c.fns, c.old)
	if err != nil {
		return err
	}
	s.accessed = true
	c.set, c.raw = after != nil, deref(after)
	s.change(key, c)
	return nil
}

// add is [Counter.Add].
func (s *Session) add(key string, n int64) error {
	defer s.lock().Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	old, had := s.look(key)
	raw, err := s.sum(key, pointer(old, had), n)
	if err != nil {
		return err
	}
	c, changed := s.changes[key]
	switch {
	case changed && c.adds:
		if c.add, err = plus(c.add, n); err != nil {
			return fmt.Errorf("add to %q of %q: %w", key, s.name, err)
		}
	case changed && c.swaps:
		// The sum belongs to what the update made, so it is part of it.
		c.fns = append(slices.Clone(c.fns), s.adder(key, n))
	case changed || s.cleared:
		c = edit{}
	default:
		c = edit{adds: true, add: n}
	}
	c.set, c.raw = true, raw
	s.change(key, c)
	return nil
}

// lock takes the scope's lock, as in defer s.lock().Unlock().
func (s *Session) lock() *sync.Mutex {
	s.p.sc.mu.Lock()
	return &s.p.sc.mu
}

// writable reports why nothing can be changed any more.
func (s *Session) writable() error {
	if s.over {
		return fmt.Errorf("%q: %w", s.name, ErrNamespaceEnded)
	}
	if s.p.cred.ID == "" && s.p.login == nil && s.p.sc.committed {
		return fmt.Errorf("%q: a new session needs a cookie: %w", s.name, ErrCommitted)
	}
	return nil
}

// look returns a value as this scope sees it.
func (s *Session) look(key string) (string, bool) {
	s.accessed = true
	if c, ok := s.changes[key]; ok {
		return c.raw, c.set
	}
	if s.cleared {
		return "", false
	}
	raw, ok := s.base[key]
	return raw, ok
}

// view returns all values as this scope sees them.
func (s *Session) view() map[string]string {
	if len(s.changes) == 0 && !s.cleared {
		return s.base
	}
	all := make(map[string]string, len(s.base)+len(s.changes))
	if !s.cleared {
		maps.Copy(all, s.base)
	}
	for k, c := range s.changes {
		if c.set {
			all[k] = c.raw
		} else {
			delete(all, k)
		}
	}
	return all
}

func (s *Session) change(key string, c edit) {
	if s.changes == nil {
		s.changes = make(map[string]edit)
	}
	s.changes[key] = c
	s.modified = true
}
