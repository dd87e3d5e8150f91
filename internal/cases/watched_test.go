package cases_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
	"github.com/sessionhub/sessionhub/session/redisstore"
)

// kind is a kind of store, and how to test it.
type kind struct {
	name string
	soon time.Duration // a timeout that a case may wait for
	open func(t *testing.T) (_ session.Store, records func() int, keys func() []string)
	run  func(t *testing.T, f func(*testing.T))
}

// On Redis time is real, so cases that wait do it by asking again and again.
var kinds = []kind{
	{"memory", 10 * time.Second, openMemory, inBubble},
	{"redis", 300 * time.Millisecond, openRedis, func(t *testing.T, f func(*testing.T)) { f(t) }},
}

// inBubble is [synctest.Test] for cases that may be skipped, which it does not
// tell.
func inBubble(t *testing.T, f func(*testing.T)) {
	skipped := false
	synctest.Test(t, func(t *testing.T) {
		defer func() { skipped = t.Skipped() }()
		f(t)
	})
	if skipped {
		t.SkipNow()
	}
}

func openMemory(*testing.T) (session.Store, func() int, func() []string) {
	s := new(memstore.Store)
	return s, func() int { return s.Stats().Sessions }, nil
}

func openRedis(t *testing.T) (session.Store, func() int, func() []string) {
	server, prefix := redistest.Shared(t), redistest.Prefix(t)
	s, err := redisstore.Open(server.URL+"?dial_timeout=2s&read_timeout=2s&write_timeout=2s", redisstore.Options{Prefix: prefix})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	c := server.Client(t)
	keys := func() (names []string) {
		t.Helper()
		all := c.Scan(t.Context(), 0, prefix+":*", 1000).Iterator()
		for all.Next(t.Context()) {
			names = append(names, strings.TrimPrefix(all.Val(), prefix+":"))
		}
		must(t, all.Err())
		return names
	}
	records := func() (n int) {
		t.Helper()
		for _, key := range keys() {
			if strings.HasSuffix(key, "}") { // <root>:{<id>}
				n++
			}
		}
		return n
	}
	return s, records, keys
}

// watched notes the calls of a store, and fails them when told to.
type watched struct {
	session.Store

	mu    sync.Mutex // guards the following fields
	calls []string
	of    *session.Family
	fails map[string]error // by method
}

func (s *watched) call(method string, f *session.Family) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of = f
	s.calls = append(s.calls, method)
	return s.fails[method]
}

// take returns the calls since the last time, as in "Load Save". Each is one
// round trip unless its documentation says otherwise.
func (s *watched) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := strings.Join(s.calls, " ")
	s.calls = slices.Delete(s.calls, 0, len(s.calls))
	return all
}

// fail makes a method return err, nil for no error.
func (s *watched) fail(method string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = maps.Clone(s.fails)
	if s.fails == nil {
		s.fails = make(map[string]error)
	}
	s.fails[method] = err
}

// family is that of the last call.
func (s *watched) family() *session.Family {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of
}

func (s *watched) Create(ctx context.Context, f *session.Family, c session.Create) (session.Record, error) {
	if err := s.call("Create", f); err != nil {
		return session.Record{}, err
	}
	return s.Store.Create(ctx, f, c)
}

func (s *watched) Load(ctx context.Context, f *session.Family, id string, l session.Load) (session.Record, error) {
	if err := s.call("Load", f); err != nil {
		return session.Record{}, err
	}
	return s.Store.Load(ctx, f, id, l)
}

func (s *watched) Save(ctx context.Context, f *session.Family, id string, v session.Save) (session.Record, error) {
	if err := s.call("Save", f); err != nil {
		return session.Record{}, err
	}
	return s.Store.Save(ctx, f, id, v)
}

func (s *watched) Login(ctx context.Context, f *session.Family, id string, l session.Elevation) (session.Record, error) {
	if err := s.call("Login", f); err != nil {
		return session.Record{}, err
	}
	return s.Store.Login(ctx, f, id, l)
}

func (s *watched) Delete(ctx context.Context, f *session.Family, ends ...session.End) error {
	if err := s.call("Delete", f); err != nil {
		return err
	}
	return s.Store.Delete(ctx, f, ends...)
}

func (s *watched) Check(ctx context.Context, f *session.Family, ids []string) ([]*session.State, error) {
	if err := s.call("Check", f); err != nil {
		return nil, err
	}
	return s.Store.Check(ctx, f, ids)
}
