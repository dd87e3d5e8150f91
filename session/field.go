package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// Field is the key of a value of type T, as in
//
//	var UserID = session.Field[int64]("user_id")
//
// Its errors name the key, the namespace, T and what kind of JSON was found,
// and never show the value.
type Field[T any] string

// Get returns the value. Errors: [ErrAbsent] when there is none, [ErrType] when
// it is not a T.
func (f Field[T]) Get(s *Session) (T, error) {
	raw, ok := s.Value(string(f))
	if !ok {
		var zero T
		return zero, absent[T](s, "get", string(f))
	}
	return decode[T](s, "get", string(f), raw)
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

// SetDefault is [Session.SetDefault]: it returns the value that there is, or
// else sets and returns v. Errors: also [ErrType] when there is a value and it
// is not a T.
func (f Field[T]) SetDefault(s *Session, v T) (T, error) {
	raw, err := s.SetDefault(string(f), v)
	if err != nil {
		var zero T
		return zero, err
	}
	return decode[T](s, "get", string(f), raw)
}

// Delete is [Session.Delete].
func (f Field[T]) Delete(s *Session) error { return s.Delete(string(f)) }

// Pop is [Session.Pop]. Errors: also [ErrType] when the value is not a T, which
// removes nothing.
func (f Field[T]) Pop(s *Session) (T, error) {
	var v T
	err := s.pop(string(f), func(raw json.RawMessage) (err error) {
		v, err = decode[T](s, "pop", string(f), raw)
		return err
	})
	if errors.Is(err, ErrAbsent) {
		return v, absent[T](s, "pop", string(f))
	}
	return v, err
}

// PopOr is Pop with fallback for a value that is not there.
func (f Field[T]) PopOr(s *Session, fallback T) (T, error) {
	v, err := f.Pop(s)
	if errors.Is(err, ErrAbsent) {
		return fallback, nil
	}
	return v, err
}

// Update is [Session.Update] with a value of T: the zero value when there is
// none. fn may not use the session or its scope. Errors: also [ErrType].
func (f Field[T]) Update(s *Session, fn func(old T) (T, error)) error {
	return s.Update(string(f), func(raw json.RawMessage) (any, error) {
		var old T
		if raw != nil {
			var err error
			if old, err = decode[T](s, "update", string(f), raw); err != nil {
				return nil, err
			}
		}
		return fn(old)
	})
}

// decode turns the JSON text of a key's value into a T. It does not wrap the
// errors of encoding/json and of T's methods: many of them quote the value.
func decode[T any](s *Session, verb, key string, raw json.RawMessage) (T, error) {
	var v T
	err := json.Unmarshal(raw, &v)
	if err != nil || bytes.TrimLeft(raw, " \t\r\n")[0] == 'n' && !nullable[T]() {
		var zero T
		return zero, mismatch[T](s, verb, key, raw)
	}
	return v, nil
}

// nullable reports whether null is a T. For all other types encoding/json takes
// it for no value at all, and says nothing.
func nullable[T any]() bool {
	switch reflect.TypeFor[T]().Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		return true
	}
	_, decides := any(new(T)).(json.Unmarshaler)
	return decides
}

// mismatch is the error for a value that is not a T.
func mismatch[T any](s *Session, verb, key string, raw json.RawMessage) error {
	return fmt.Errorf("%s %q of %q: want %s, found %s: %w", verb, key, s.name, reflect.TypeFor[T](), kind(raw), ErrType)
}

// absent is the error for a T that is not there.
func absent[T any](s *Session, verb, key string) error {
	return fmt.Errorf("%s %q of %q: want %s: %w", verb, key, s.name, reflect.TypeFor[T](), ErrAbsent)
}

// kind says what kind of JSON a text is.
func kind(raw json.RawMessage) string {
	if !json.Valid(raw) {
		return "no JSON"
	}
	switch bytes.TrimLeft(raw, " \t\r\n")[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}
