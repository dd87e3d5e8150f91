package cases_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/sessionhub/sessionhub/session"
)

// visSpy notes what a store is asked, and fails on command.
type visSpy struct {
	session.Store

	mu    sync.Mutex // guards the following fields
	calls []string
	asked bytes.Buffer          // all arguments, as text
	fails func(op string) error // nil: nothing fails
}

// drain returns the calls since the last time, as in "Load Save".
func (s *visSpy) drain() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := strings.Join(s.calls, " ")
	s.calls = nil
	return all
}

// arguments returns all that the store was given so far.
func (s *visSpy) arguments() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked.String()
}

// fail lets operations fail for which fn returns an error.
func (s *visSpy) fail(fn func(op string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = fn
}

// visDo carries out one operation.
func visDo[T any](s *visSpy, op string, run func() (T, error), args ...any) (v T, err error) {
	s.mu.Lock()
	s.calls = append(s.calls, op)
	fmt.Fprintf(&s.asked, "%s %+v\n", op, args)
	fails := s.fails
	s.mu.Unlock()
	if fails != nil {
		if err := fails(op); err != nil {
			return v, err
		}
	}
	return run()
}

func (s *visSpy) Create(ctx context.Context, f *session.Family, c session.Create) (session.Record, error) {
	return visDo(s, "Create", func() (session.Record, error) { return s.Store.Create(ctx, f, c) }, c)
}

func (s *visSpy) Load(ctx context.Context, f *session.Family, id string, l session.Load) (session.Record, error) {
	return visDo(s, "Load", func() (session.Record, error) { return s.Store.Load(ctx, f, id, l) }, id, l)
}

func (s *visSpy) Save(ctx context.Context, f *session.Family, id string, v session.Save) (session.Record, error) {
	return visDo(s, "Save", func() (session.Record, error) { return s.Store.Save(ctx, f, id, v) }, id, v)
}

func (s *visSpy) Login(ctx context.Context, f *session.Family, id string, l session.Elevation) (session.Record, error) {
	return visDo(s, "Login", func() (session.Record, error) { return s.Store.Login(ctx, f, id, l) }, id, l)
}

func (s *visSpy) Delete(ctx context.Context, f *session.Family, ends ...session.End) error {
	_, err := visDo(s, "Delete", func() (any, error) { return nil, s.Store.Delete(ctx, f, ends...) }, ends)
	return err
}

func (s *visSpy) Check(ctx context.Context, f *session.Family, ids []string) ([]*session.State, error) {
	return visDo(s, "Check", func() ([]*session.State, error) { return s.Store.Check(ctx, f, ids) }, ids)
}
