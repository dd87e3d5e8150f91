package session

import (
	"encoding/json"
	"slices"
)

// Flash is the key of values that are shown once, as in
//
//	var Notices = session.Flash[string]("notices")
//
// One request adds "Your order was sent" and redirects, and the next one takes
// it and shows it. What was taken in a request or message whose save fails, or
// that is a server error, was shown to nobody, and is still there.
//
// Values that several scopes add at the same time all stay, and Take removes
// just those that it returned. The save asks the store again for that, as for
// [Session.Update]. Two scopes that take at the same moment may both get the
// same values: better twice than never.
//
// They stand as one JSON array under the key, so all of them together, with an
// id of some 30 bytes each, may have [MaxValueBytes].
type Flash[T any] string

// flash is one such value. Its id tells it from another one of the same text
// that is added later.
type flash struct {
	ID    string          `json:"id"`
	Value json.RawMessage `json:"value"`
}

// Add adds a value behind those that are there. Its errors, and what becomes
// of the save then, are those of [Session.Set]; also [ErrType] when the key has
// a value that no Flash wrote.
func (f Flash[T]) Add(s *Session, v T) error {
	defer s.lock().Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	raw, err := s.encode(string(f), v)
	if err != nil {
		return err
	}
	entry := flash{ID: random(8), Value: json.RawMessage(raw)}
	return s.update(string(f), func(old json.RawMessage) (any, error) {
		list, err := f.list(s, "add to", old)
		if err != nil {
			return nil, err
		}
		return append(list, entry), nil
	})
}

// Peek returns the values, oldest first, and leaves them there: nil for none.
// Errors: [ErrType] when one of them is not a T.
func (f Flash[T]) Peek(s *Session) ([]T, error) {
	defer s.lock().Unlock()
	_, values, err := f.read(s, "peek at")
	return values, err
}

// Take returns the values, oldest first, and removes them: nil for none, which
// changes nothing. Errors: [ErrType] when one of them is not a T, which removes
// none; [ErrNamespaceEnded].
func (f Flash[T]) Take(s *Session) ([]T, error) {
	defer s.lock().Unlock()
	list, values, err := f.read(s, "take")
	if err != nil || len(list) == 0 {
		return nil, err
	}
	taken := make(map[string]bool, len(list))
	for _, entry := range list {
		taken[entry.ID] = true
	}
	err = s.update(string(f), func(old json.RawMessage) (any, error) {
		list, err := f.list(s, "take", old)
		rest := slices.DeleteFunc(list, func(entry flash) bool { return taken[entry.ID] })
		switch {
		case old == nil || err == nil && len(rest) == 0:
			return nil, nil
		case err != nil || len(rest) == len(list):
			return old, nil // another value by now, or others' additions: none of those taken
		}
		return rest, nil
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}

// read returns what this scope sees.
func (f Flash[T]) read(s *Session, verb string) ([]flash, []T, error) {
	raw, ok := s.look(string(f))
	if !ok {
		return nil, nil, nil
	}
	list, err := f.list(s, verb, json.RawMessage(raw))
	if err != nil || len(list) == 0 {
		return nil, nil, err
	}
	values := make([]T, len(list))
	for i, entry := range list {
		if values[i], err = decode[T](s, verb, string(f), entry.Value); err != nil {
			return nil, nil, err
		}
	}
	return list, values, nil
}

// list parses the array; nil is an empty one.
func (f Flash[T]) list(s *Session, verb string, raw json.RawMessage) ([]flash, error) {
	if raw == nil {
		return nil, nil
	}
	var list []flash
	err := json.Unmarshal(raw, &list)
	if err != nil || slices.ContainsFunc(list, func(entry flash) bool { return entry.Value == nil }) {
		return nil, mismatch[Flash[T]](s, verb, string(f), raw)
	}
	return list, nil
}
