package transport_test

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/sessionhub/sessionhub/session"
)

// spy is a store that counts its operations, and fails or waits on command.
type spy struct {
	session.Store
	trips  atomic.Int64
	down   atomic.Bool
	before atomic.Pointer[func(op string)]
	after  atomic.Pointer[func(op string)]
}

// do carries out one operation.
func do[T any](s *spy, op string, run func() (T, error)) (T, error) {
	s.trips.Add(1)
	if f := s.before.Load(); f != nil {
		(*f)(op)
	}
	if s.down.Load() {
		var none T
		return none, fmt.Errorf("spy: %w", session.ErrUnavailable)
	}
	v, err := run()
	if f := s.after.Load(); f != nil {
		(*f)(op)
	}
	return v, err
}

func (s *spy) Create(ctx context.Context, f *session.Family, c session.Create) (session.Record, error) {
	return do(s, "create", func() (session.Record, error) { return s.Store.Create(ctx, f, c) })
}

func (s *spy) Load(ctx context.Context, f *session.Family, id string, l session.Load) (session.Record, error) {
	return do(s, "load", func() (session.Record, error) { return s.Store.Load(ctx, f, id, l) })
}

func (s *spy) Save(ctx context.Context, f *session.Family, id string, v session.Save) (session.Record, error) {
	return do(s, "save", func() (session.Record, error) { return s.Store.Save(ctx, f, id, v) })
}

func (s *spy) Login(ctx context.Context, f *session.Family, id string, l session.Elevation) (session.Record, error) {
	return do(s, "login", func() (session.Record, error) { return s.Store.Login(ctx, f, id, l) })
}

func (s *spy) Delete(ctx context.Context, f *session.Family, ends ...session.End) error {
	_, err := do(s, "delete", func() (struct{}, error) { return struct{}{}, s.Store.Delete(ctx, f, ends...) })
	return err
}

// during has fn called once, after the next operation of this name, while its
// caller waits.
func (s *spy) during(op string, fn func()) {
	hook := func(got string) {
		if got == op {
			s.after.Store(nil)
			fn()
		}
	}
	s.after.Store(&hook)
}
