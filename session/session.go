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
// JSON text.
//
// A value read is a copy, and a value set is turned into text at once. So
// nothing changes by changing a map, a slice or a struct in place, what was
// read or what was set: it changes when it is set again, and never without
// [Session.Modified] showing it.
//
// A stored text that is no JSON, which only another program can have written,
// counts as absent, and is logged once in each scope that comes upon it. It
// stays in the store until its key is given a value, or [Session.Clear]. With a
// [Codec] one value that does not decode makes the whole namespace empty: values
// that belong together must not come apart. They stay in the store until the
// next change, which replaces them all.
//
// Values are encoded, and some decoded, while the scope's lock is held: methods
// such as MarshalJSON may use neither the session nor its scope.
type Session struct {
	p    *part
	name string

	// The scope's lock guards the following fields.

	generation, version uint64
	base                Values          // as loaded and stored
	plain               Values          // with a codec: base decoded, once somebody looked
	changes             map[string]edit // since then
	cleared             bool            // base is to be forgotten
	over                bool            // ended within this scope
	corrupt             bool            // base has what cannot be decoded, and that was logged
	bad                 error           // the first value that could not be set; the save refuses with it
	accessed, modified  bool
}

// ErrUnstorable is returned by [Session.Set] for a value that JSON cannot hold.
var ErrUnstorable = errors.New("session: value cannot be stored as JSON")

// ErrAbsent is returned by [Field.Get] and [Session.Pop] for a key that has no
// value.
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

// Accessed reports whether a value, or the absence of one, was looked at, or
// one was set, since the session was opened or its changes were saved last.
func (s *Session) Accessed() bool {
	defer s.lock().Unlock()
	return s.accessed
}

// Modified reports whether there are changes that were not saved yet. Every
// change counts, one to what is there already too; reading does not. After a
// save there are none, and the next one writes nothing.
func (s *Session) Modified() bool {
	defer s.lock().Unlock()
	return s.modified
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

// SetAll sets all values or, when one of them cannot be set, none. Its errors
// are those of [Session.Set], for the first such key in the order of keys.
func (s *Session) SetAll(values map[string]any) error {
	defer s.lock().Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	raws := make(map[string]string, len(values))
	for _, key := range slices.Sorted(maps.Keys(values)) {
		raw, err := s.encode(key, values[key])
		if err != nil {
			return err
		}
		raws[key] = raw
	}
	s.accessed = true
	for key, raw := range raws {
		s.change(key, edit{set: true, raw: raw})
	}
	return nil
}

// SetDefault returns a key's value, and gives it this one first when it has
// none. If another scope gives it a value before this one's save, that one
// stays, and is what this scope reads after the save. Errors: those of
// [Session.Set], when there was no value.
func (s *Session) SetDefault(key string, value any) (json.RawMessage, error) {
	defer s.lock().Unlock()
	if raw, ok := s.look(key); ok {
		return json.RawMessage(raw), nil
	}
	if err := s.writable(); err != nil {
		return nil, err
	}
	raw, err := s.encode(key, value)
	if err != nil {
		return nil, err
	}
	err = s.update(key, func(old json.RawMessage) (any, error) {
		if old != nil {
			return old, nil
		}
		return json.RawMessage(raw), nil
	})
	if err != nil {
		return nil, err
	}
	return json.RawMessage(raw), nil
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

// Pop removes a key's value and returns it. It returns [ErrAbsent], which
// changes nothing, for a key that has none; other errors are those of
// [Session.Set].
//
// Of two scopes that pop the same value at the same time, both may get it, and
// both may be saved: the value is as gone as each of them wants. Where only one
// may, take it in [Session.Update]: the save is then refused, and the function
// asked again, where another was first. [Flash] does so for lists.
func (s *Session) Pop(key string) (json.RawMessage, error) {
	var value json.RawMessage
	err := s.pop(key, func(raw json.RawMessage) error {
		value = raw
		return nil
	})
	return value, err
}

// pop removes a value if read can read it.
func (s *Session) pop(key string, read func(json.RawMessage) error) error {
	defer s.lock().Unlock()
	raw, ok := s.look(key)
	if !ok {
		return fmt.Errorf("pop %q of %q: %w", key, s.name, ErrAbsent)
	}
	if err := s.writable(); err != nil {
		return err
	}
	if err := read(json.RawMessage(raw)); err != nil {
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
	s.p.edits++
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
	return s.update(key, fn)
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
	if s.p.sc.closed {
		return fmt.Errorf("%q: the connection was taken over: %w", s.name, ErrCommitted)
	}
	if s.p.cred.ID == "" && s.p.login == nil && s.p.sc.committed {
		return fmt.Errorf("%q: a new session needs a cookie: %w", s.name, ErrCommitted)
	}
	s.texts() // what cannot be decoded is replaced, so it has to be known
	return nil
}

func (s *Session) change(key string, c edit) {
	if s.changes == nil {
		s.changes = make(map[string]edit)
	}
	s.changes[key] = c
	s.modified = true
	s.p.edits++
}
