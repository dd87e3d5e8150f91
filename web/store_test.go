package web_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
)

// spyStore notes the calls of a store, and fails them when told to.
type spyStore struct {
	session.Store

	mu    sync.Mutex // guards the following fields
	calls []string
	fails map[string]error // by method, "" for all
}

func (s *spyStore) call(method string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, method)
	if err := s.fails[method]; err != nil {
		return err
	}
	return s.fails[""]
}

// fail makes a method ("": all) return err from now on, nil for no error.
func (s *spyStore) fail(method string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = maps.Clone(s.fails)
	if s.fails == nil {
		s.fails = make(map[string]error)
	}
	s.fails[method] = err
}

// drain returns the calls since the last time, as in "Load Save".
func (s *spyStore) drain() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := strings.Join(s.calls, " ")
	s.calls = slices.Delete(s.calls, 0, len(s.calls))
	return all
}

func (s *spyStore) Create(ctx context.Context, f *session.Family, c session.Create) (session.Record, error) {
	if err := s.call("Create"); err != nil {
		return session.Record{}, err
	}
	return s.Store.Create(ctx, f, c)
}

func (s *spyStore) Load(ctx context.Context, f *session.Family, id string, l session.Load) (session.Record, error) {
	if err := s.call("Load"); err != nil {
		return session.Record{}, err
	}
	return s.Store.Load(ctx, f, id, l)
}

func (s *spyStore) Save(ctx context.Context, f *session.Family, id string, v session.Save) (session.Record, error) {
	if err := s.call("Save"); err != nil {
		return session.Record{}, err
	}
	return s.Store.Save(ctx, f, id, v)
}

func (s *spyStore) Login(ctx context.Context, f *session.Family, id string, l session.Elevation) (session.Record, error) {
	if err := s.call("Login"); err != nil {
		return session.Record{}, err
	}
	return s.Store.Login(ctx, f, id, l)
}

func (s *spyStore) Delete(ctx context.Context, f *session.Family, ends ...session.End) error {
	if err := s.call("Delete"); err != nil {
		return err
	}
	return s.Store.Delete(ctx, f, ends...)
}

func (s *spyStore) Check(ctx context.Context, f *session.Family, ids []string) ([]*session.State, error) {
	if err := s.call("Check"); err != nil {
		return nil, err
	}
	return s.Store.Check(ctx, f, ids)
}

func (s *spyStore) Raise(ctx context.Context, f *session.Family, user string) ([]session.Listing, error) {
	if err := s.call("Raise"); err != nil {
		return nil, err
	}
	return s.Store.Raise(ctx, f, user)
}

// mainAndChat is a family of a root and a child.
func mainAndChat() []prefixes.Namespace {
	return []prefixes.Namespace{prefixes.Parse("main"), prefixes.Parse("main/chat")}
}

// newManager returns a manager of the namespaces and the spy on its store.
func newManager(t testing.TB, ns ...prefixes.Namespace) (*session.Manager, *spyStore) {
	t.Helper()
	reg, err := prefixes.NewRegistry(ns...)
	if err != nil {
		t.Fatal(err)
	}
	store := &spyStore{Store: new(memstore.Store)}
	return session.New(reg, store, session.Options{}), store
}
