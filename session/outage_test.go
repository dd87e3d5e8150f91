package session_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
)

// outage is a store of which methods can be made to fail.
type outage struct {
	session.Store

	mu    sync.Mutex      // guards the following fields
	fails map[string]bool // by method, "" for all
	calls map[string]int
	err   error
	once  func() // in the next Load, after the store has answered
}

// set makes methods fail from now on, none for none; "" stands for all.
func (s *outage) set(methods ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = make(map[string]bool)
	for _, m := range methods {
		s.fails[m] = true
	}
}

func (s *outage) call(method string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[method]++
	if s.fails[method] || s.fails[""] {
		return s.err
	}
	return nil
}

func (s *outage) count(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

func (s *outage) Create(ctx context.Context, f *session.Family, c session.Create) (session.Record, error) {
	if err := s.call("Create"); err != nil {
		return session.Record{}, err
	}
	return s.Store.Create(ctx, f, c)
}

func (s *outage) Load(ctx context.Context, f *session.Family, id string, l session.Load) (session.Record, error) {
	if err := s.call("Load"); err != nil {
		return session.Record{}, err
	}
	rec, err := s.Store.Load(ctx, f, id, l)
	s.mu.Lock()
	once := s.once
	s.once = nil
	s.mu.Unlock()
	if once != nil {
		once()
	}
	return rec, err
}

func (s *outage) Login(ctx context.Context, f *session.Family, id string, l session.Elevation) (session.Record, error) {
	if err := s.call("Login"); err != nil {
		return session.Record{}, err
	}
	return s.Store.Login(ctx, f, id, l)
}

func (s *outage) Delete(ctx context.Context, f *session.Family, ends ...session.End) error {
	if err := s.call("Delete"); err != nil {
		return err
	}
	return s.Store.Delete(ctx, f, ends...)
}

func (s *outage) Check(ctx context.Context, f *session.Family, ids []string) ([]*session.State, error) {
	if err := s.call("Check"); err != nil {
		return nil, err
	}
	return s.Store.Check(ctx, f, ids)
}

func (s *outage) Raise(ctx context.Context, f *session.Family, user string) ([]session.Listing, error) {
	if err := s.call("Raise"); err != nil {
		return nil, err
	}
	return s.Store.Raise(ctx, f, user)
}

// userEnder also notes the ends of users.
type userEnder struct {
	*ender
	mu    sync.Mutex // guards the following field
	users []string   // "user but id"
}

func (e *userEnder) EndUser(_, user, except string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	said := user + " but " + except
	if slices.Contains(e.users, said) {
		return 0 // its connections are closed
	}
	e.users = append(e.users, said)
	return 7
}

// site is two nodes with one store, which the first may not reach.
type site struct {
	*browser // at the first node
	out      *outage
	audit    *audit
	closed   *userEnder
	there    *browser // the same browser at the second node
	logs     *bytes.Buffer
	ctx      context.Context
}

// newSite runs a test in a bubble, with Run of the first node.
func newSite(t *testing.T, test func(s *site), ns ...prefixes.Namespace) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{browser: newBrowser(t, ns...), audit: new(audit), logs: new(bytes.Buffer)}
		s.out = &outage{Store: s.store.Store, calls: make(map[string]int), err: fmt.Errorf("dial: %w", session.ErrUnavailable)}
		s.closed = &userEnder{ender: s.ends}
		there := *s.browser
		there.m = session.New(s.m.Registry(), s.store.Store, session.Options{})
		s.there = &there
		log := slog.New(slog.NewTextHandler(s.logs, nil))
		s.m = session.New(s.m.Registry(), s.out, session.Options{Ends: s.closed, Events: s.audit, Logger: log})
		ctx, cancel := context.WithCancel(t.Context())
		s.ctx = ctx
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := s.m.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
		defer wg.Wait()
		defer cancel()
		synctest.Wait() // it has looked once, and found nothing
		test(s)
	})
}

// at is a browser with a copy of the cookies, at the first node.
func (s *site) copy() *browser {
	c := s.browser.another()
	for name, value := range s.cookies {
		c.cookies[name] = value
	}
	return c
}

// elsewhere is a browser of its own at the second node.
func (s *site) elsewhere() *browser { return s.there.another() }

func (s *site) exists(id string) bool {
	s.t.Helper()
	ok, err := s.there.m.Exists(s.t.Context(), "", id)
	if err != nil {
		s.t.Fatal(err)
	}
	return ok
}

// logout logs out without the store, and returns the result.
func (s *site) logout(b *browser, target session.Target) session.Result {
	s.t.Helper()
	sc := b.scope()
	r, err := sc.Logout(s.t.Context(), target)
	s.wantOwed(r, err)
	b.mustCommit(sc)
	return r
}

// wantOwed checks the answer to an end that the store did not take.
func (s *site) wantOwed(r session.Result, err error) {
	s.t.Helper()
	if !errorsAre(err, session.ErrUnavailable, session.ErrOwed) || r.StoreOK || r.NodesExpected != 3 {
		s.t.Errorf("%+v, %v; want ErrOwed", r, err)
	}
}

// back brings the store back, and waits until all is paid.
func (s *site) back() {
	s.t.Helper()
	s.out.set()
	time.Sleep(3 * time.Second) // the longest pause
	synctest.Wait()
	if n := s.m.Stats().Owed; n != 0 {
		s.t.Errorf("%d ends are still owed", n)
	}
}

// ended returns whose ends were told since the last time, as in "logout ann".
func (s *site) ended() (all []string) {
	for _, e := range s.audit.drain() {
		if e.Kind == session.EventEnded {
			all = append(all, strings.TrimSpace(string(e.Why)+" "+e.User+" "+e.Namespace))
		}
	}
	return all
}

func textLogger(w *strings.Builder) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
