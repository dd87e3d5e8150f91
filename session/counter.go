package session

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Counter is the key of a whole number that many writers add to.
type Counter string

// Add adds n when the scope is saved. All writers' numbers count, and each
// counts once, even when the store's reply was lost and the save was sent
// again. Errors: [ErrType] when the value is not a whole number, [ErrLimit]
// when it would overflow, [ErrCommitted], [ErrNamespaceEnded].
func (c Counter) Add(s *Session, n int64) error { return s.add(string(c), n) }

// Get returns the number as this scope sees it: 0 when there is none, without
// what others added since it was loaded. Errors: [ErrType].
func (c Counter) Get(s *Session) (int64, error) { return Field[int64](c).Or(s, 0) }

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
	c := edit{set: true, raw: raw}
	switch before, changed := s.changes[key]; {
	case changed && before.adds:
		c.adds = true
		if c.add, err = plus(before.add, n); err != nil {
			return fmt.Errorf("add to %q of %q: %w", key, s.name, err)
		}
	case changed && before.swaps:
		// The sum belongs to what the update made, so it is part of it.
		return s.update(key, s.adder(key, n))
	case changed || s.cleared:
		// The sum is this scope's own doing.
	case s.loaded(key) != nil && (!had || !number(*s.loaded(key))):
		// A store adds to no text that is not a number, but it can replace it.
		return s.update(key, s.adder(key, n))
	default:
		c.adds, c.add = true, n
	}
	s.change(key, c)
	return nil
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
		var err error
		if now, err = decode[int64](s, "add to", key, json.RawMessage(*old)); err != nil {
			return "", err
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
