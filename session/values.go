package session

import (
	"cmp"
	"encoding/json"
	"errors"
	"iter"
	"slices"
)

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

// Len returns how many keys have values.
func (s *Session) Len() int {
	defer s.lock().Unlock()
	s.accessed = true
	n := 0
	for range s.all() {
		n++
	}
	return n
}

// Empty reports whether there is nothing: neither an id nor a value. It does
// not count as access. A session that was saved has an id, with or without
// values.
func (s *Session) Empty() bool {
	defer s.lock().Unlock()
	if s.p.cred.ID != "" {
		return false
	}
	for range s.all() {
		return false
	}
	return true
}

// Keys returns the keys that have values, sorted.
func (s *Session) Keys() []string {
	items := s.items()
	keys := make([]string, len(items))
	for i, it := range items {
		keys[i] = it.key
	}
	return keys
}

// Values returns the JSON texts of all values, in the order of [Session.Keys].
func (s *Session) Values() []json.RawMessage {
	items := s.items()
	values := make([]json.RawMessage, len(items))
	for i, it := range items {
		values[i] = json.RawMessage(it.raw)
	}
	return values
}

// Items returns all keys with the JSON texts of their values, in the order of
// [Session.Keys]: those that there are now, whatever changes while they are
// ranged over, so the loop may change the session.
func (s *Session) Items() iter.Seq2[string, json.RawMessage] {
	items := s.items()
	return func(yield func(string, json.RawMessage) bool) {
		for _, it := range items {
			if !yield(it.key, json.RawMessage(it.raw)) {
				return
			}
		}
	}
}

// item is a key and its value.
type item struct{ key, raw string }

// items returns all values as this scope sees them, by key.
func (s *Session) items() []item {
	defer s.lock().Unlock()
	s.accessed = true
	items := make([]item, 0, s.base.Len()+len(s.changes))
	for key, raw := range s.all() {
		items = append(items, item{key, raw})
	}
	slices.SortFunc(items, func(a, b item) int { return cmp.Compare(a.key, b.key) })
	return items
}

// all yields all values as this scope sees them, in no order.
func (s *Session) all() iter.Seq2[string, string] {
	return func(yield func(key, raw string) bool) {
		if texts := s.texts(); !s.cleared {
			for k, raw := range texts.All() {
				if _, changed := s.changes[k]; !changed && s.valid(raw) && !yield(k, raw) {
					return
				}
			}
		}
		for k, c := range s.changes {
			if c.set && !yield(k, c.raw) {
				return
			}
		}
	}
}

// look returns a value as this scope sees it.
func (s *Session) look(key string) (string, bool) {
	s.accessed = true
	if c, ok := s.changes[key]; ok {
		return c.raw, c.set
	}
	texts := s.texts() // may find that there is nothing to be read
	if s.cleared {
		return "", false
	}
	raw, ok := texts.Get(key)
	if !ok || !s.valid(raw) {
		return "", false
	}
	return raw, true
}

// valid reports whether a loaded text is JSON. What is none must not fail every
// request for as long as it lies there, so it counts as absent.
func (s *Session) valid(raw string) bool {
	if json.Valid([]byte(raw)) {
		return true
	}
	s.ruined(errNotJSON)
	return false
}

var errNotJSON = errors.New("no JSON")

// ruined logs, once, that something that was loaded cannot be decoded.
func (s *Session) ruined(why error) {
	if !s.corrupt {
		s.corrupt = true
		s.p.sc.m.undecodable(s.p.cred.ID, s.name, why)
	}
}
