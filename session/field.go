package session

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Field is the key of a value of type T, as in
//
//	var UserID = session.Field[int64]("user_id")
type Field[T any] string

// Get returns the value. It returns [ErrAbsent] when there is none, and an
// error that wraps [ErrType] when the value is not a T.
func (f Field[T]) Get(s *Session) (T, error) {
	var v T
	raw, ok := s.Value(string(f))
	if !ok {
		return v, fmt.Errorf("get %q of %q: %w", string(f), s.name, ErrAbsent)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		var zero T
		return zero, fmt.Errorf("get %q of %q: %w: %w", string(f), s.name, ErrType, err)
	}
	return v, nil
}

// Or returns the value, or fallback when there is none. Errors: [ErrType].
func (f Field[T]) Or(s *Session, fallback T) (T, error) {
	v, err := f.Get(s)
	if errors.Is(err, ErrAbsent) {
		return fallback, nil
	}
	return v, err
}

// Set is [Session.Set].
func (f Field[T]) Set(s *Session, v T) error { return s.Set(string(f), v) }

// Delete is [Session.Delete].
func (f Field[T]) Delete(s *Session) error { return s.Delete(string(f)) }

// Update is [Session.Update] with a value of T: the zero value when there is
// none. fn may not use the session or its scope.
func (f Field[T]) Update(s *Session, fn func(old T) (T, error)) error {
	return s.Update(string(f), func(raw json.RawMessage) (any, error) {
		var old T
		if raw != nil {
			if err := json.Unmarshal(raw, &old); err != nil {
				return nil, fmt.Errorf("update %q of %q: %w: %w", string(f), s.name, ErrType, err)
			}
		}
		return fn(old)
	})
}

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
