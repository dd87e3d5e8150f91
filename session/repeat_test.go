package session_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// served is a store with a server that can be replaced by one which lacks what came
// last.
type served struct {
	session.Store

	mu      sync.Mutex // guards the following fields
	name    string
	err     error
	lacking bool // deletions are taken and not kept
	deletes [][]session.End
	hook    func() // in the next Delete
}

func (s *served) Server(context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.name, s.err
}

func (s *served) Delete(ctx context.Context, f *session.Family, ends ...session.End) error {
	s.mu.Lock()
	s.deletes = append(s.deletes, ends)
	lacking, hook, err := s.lacking, s.hook, s.err
	s.hook = nil
	s.mu.Unlock()
	if hook != nil {
		hook()
	}
	if lacking || err != nil {
		return err
	}
	return s.Store.Delete(ctx, f, ends...)
}

// Create loses the ends that come with it, as Delete does.
func (s *served) Create(ctx context.Context, f *session.Family, c session.Create) (session.Record, error) {
	if s.lacking {
		c.Ends = nil
	}
	return s.Store.Create(ctx, f, c)
}

// tries returns how often Delete was called since the last time.
func (s *served) tries() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.deletes)
	s.deletes = nil
	return n
}

func newServed(t *testing.T) (*browser, *served) {
	b := newBrowser(t)
	s := &served{Store: b.store.Store, name: "one"}
	b.m = session.New(b.m.Registry(), s, session.Options{Ends: b.ends, Logger: textLogger(new(strings.Builder))})
	return b, s
}

func (b *browser) recover(gap bool) {
	b.t.Helper()
	if err := b.m.Recover(b.t.Context(), gap); err != nil {
		b.t.Errorf("Recover: %v", err)
	}
}

func TestRecover_repeatsWhatANewServerLacks(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(b *browser) error
		has  string // of ann's session afterwards
	}{
		{"logout", func(b *browser) error { _, err := b.scope().Logout(b.t.Context(), session.This); return err }, ""},
		{"all", func(b *browser) error { _, err := b.scope().Logout(b.t.Context(), session.All); return err }, ""},
		{"one", func(b *browser) error { _, err := b.scope().Logout(b.t.Context(), session.One(b.id())); return err }, ""},
		{"namespace", func(b *browser) error {
			_, err := b.scope().Logout(b.t.Context(), session.Namespace("chat"))
			return err
		}, "main"},
		{"administrator", func(b *browser) error { _, err := b.m.EndSession(b.t.Context(), "", b.id(), "root"); return err }, ""},
		{"everybody", func(b *browser) error { _, err := b.m.EndAll(b.t.Context(), "", "root"); return err }, ""},
		{"login as somebody else", func(b *browser) error { return b.another().with(b.cookies[cookieName]).tryLogin("bob") }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, s := newServed(t)
			b.login("ann")
			b.set("main", "a", "main")
			b.set("chat", "b", "chat")
			b.recover(true)
			s.lacking = true
			if err := c.end(b); err != nil {
				t.Fatal(err)
			}
			s.lacking = false
			if b.get("chat", "b") == "" {
				t.Fatal("the new server does not lack it")
			}
			b.recover(false) // the same server
			if b.get("chat", "b") == "" {
				t.Fatal("repeated without a reason")
			}
			s.name = "two"
			b.recover(false)
			if got := strings.Trim(b.get("main", "a")+b.get("chat", "b"), `"`); got != c.has {
				t.Errorf("the session has %q, want %q", got, c.has)
			}
			if n := b.m.Stats().Repeated; n == 0 {
				t.Error("nothing is counted")
			}
			s.tries()
			b.recover(true)
			if n := s.tries(); n != 0 {
				t.Errorf("repeated %d times more", n)
			}
		})
	}
}

// Its login may be lacking too.
func TestRecover_endsASessionWhoseLoginIsLackingToo(t *testing.T) {
	b, s := newServed(t)
	b.set("main", "a", 1)
	b.recover(true)
	b.login("ann")
	s.lacking = true
	if _, err := b.scope().Logout(t.Context(), session.This); err != nil {
		t.Fatal(err)
	}
	s.lacking = false
	s.name = "two"
	s.tries()
	b.recover(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.deletes) != 1 || len(s.deletes[0]) != 2 || s.deletes[0][0].User != "ann" || s.deletes[0][1].User != "" {
		t.Errorf("repeated %+v, want for ann and for whoever", s.deletes)
	}
}

func TestRecover_aServerThatMayNotBeAskedRepeatsAfterEachGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newServed(t)
		s.name = ""
		b.recover(true)
		b.login("ann")
		if _, err := b.scope().Logout(t.Context(), session.This); err != nil {
			t.Fatal(err)
		}
		s.tries()
		for _, c := range []struct {
			wait time.Duration
			gap  bool
			want int
		}{{0, false, 0}, {0, true, 1}, {time.Minute, false, 0}, {2 * time.Minute, true, 1}, {time.Second, true, 1}, {0, true, 0}} {
			time.Sleep(c.wait)
			b.recover(c.gap)
			if got := s.tries(); got != c.want {
				t.Errorf("after %v, gap %v: %d deletions, want %d", c.wait, c.gap, got, c.want)
			}
		}
	})
}

// What was done before an outage is not forgotten in it, however long it lasts.
func TestRecover_anErrorLeavesItToTheNextTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newServed(t)
		b.login("ann")
		b.recover(true)
		if _, err := b.scope().Logout(t.Context(), session.This); err != nil {
			t.Fatal(err)
		}
		s.err = session.ErrUnavailable
		if err := b.m.Recover(t.Context(), true); !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("Recover = %v", err)
		}
		time.Sleep(time.Hour)
		s.err, s.name = nil, "two"
		s.tries()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.m.Recover(ctx, true); !errors.Is(err, context.Canceled) {
			t.Errorf("Recover = %v", err)
		}
		b.recover(false)
		b.recover(true)
		if n := s.tries(); n != 1 {
			t.Errorf("%d deletions, want 1", n)
		}
	})
}

// An end that is on its way to the old server while ends are repeated goes to the
// new one as well.
func TestRecover_anEndOnItsWayIsNotMissed(t *testing.T) {
	b, s := newServed(t)
	b.login("ann")
	b.recover(true)
	s.lacking = true
	s.hook = func() {
		s.mu.Lock()
		s.name, s.lacking = "two", false // of the others
		s.mu.Unlock()
		b.recover(true)
	}
	if _, err := b.scope().Logout(t.Context(), session.This); err != nil {
		t.Fatal(err)
	}
	if b.user() != "" {
		t.Error("the session lives")
	}
}

// blank is a store without sessions.
type blank struct {
	session.Store
	name string
	took time.Duration // by a deletion
	err  error         // of a deletion
}

func (s *blank) Instant() {}

func (s *blank) Server(context.Context) (string, error) { return s.name, nil }

func (s *blank) Check(_ context.Context, _ *session.Family, ids []string) ([]*session.State, error) {
	return make([]*session.State, len(ids)), nil
}

func (s *blank) Delete(context.Context, *session.Family, ...session.End) error {
	time.Sleep(s.took)
	return s.err
}

func TestRecover_isBounded(t *testing.T) {
	b := newBrowser(t)
	s := &blank{name: "one"}
	b.m = session.New(b.m.Registry(), s, session.Options{Logger: textLogger(new(strings.Builder))})
	b.recover(true)
	for range 1<<16 + 10 {
		if _, err := b.m.EndSession(t.Context(), "", "x", "root"); err != nil {
			t.Fatal(err)
		}
	}
	s.name = "two"
	b.recover(true)
	if st := b.m.Stats(); st.Repeated != 1<<16 || st.Forgotten != 10 {
		t.Errorf("%d repeated, %d forgotten", st.Repeated, st.Forgotten)
	}
}

// crowd is how many ends a slow store cannot be told of in ten seconds.
const crowd = 7_000

// newSlow runs a test in a bubble, with a crowd of ends done, and a store that takes
// 400 ms for each deletion from then on.
func newSlow(t *testing.T, name string, test func(b *browser, s *blank)) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t)
		s := &blank{name: name}
		b.m = session.New(b.m.Registry(), s, session.Options{Logger: textLogger(new(strings.Builder))})
		b.recover(true)
		for range crowd {
			if _, err := b.m.EndSession(t.Context(), "", "x", "root"); err != nil {
				t.Fatal(err)
			}
		}
		s.took = 400 * time.Millisecond
		test(b, s)
	})
}

// recoverFor calls Recover as a hub does, which gives it up.
func (b *browser) recoverFor(limit time.Duration, gap bool) error {
	ctx, cancel := context.WithTimeout(b.t.Context(), limit)
	defer cancel()
	return b.m.Recover(ctx, gap)
}

func TestRecover_goesOnWhereItWasGivenUp(t *testing.T) {
	for _, name := range []string{"one", ""} {
		newSlow(t, name, func(b *browser, s *blank) {
			if name != "" {
				s.name = "two"
			}
			if err := b.recoverFor(10*time.Second, true); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("server %q: the first time = %v, want %v", name, err, context.DeadlineExceeded)
			}
			first := b.m.Stats().Repeated
			if err := b.recoverFor(10*time.Second, true); err != nil {
				t.Errorf("server %q: the second time = %v", name, err)
			}
			if n := b.m.Stats().Repeated; first == 0 || n != crowd {
				t.Errorf("server %q: %d ends repeated, then %d, want %d together", name, first, n, crowd)
			}
			if err := b.recoverFor(10*time.Second, false); err != nil || b.m.Stats().Repeated != crowd {
				t.Errorf("server %q: the third time = %v, %d ends repeated", name, err, b.m.Stats().Repeated)
			}
		})
	}
}

// However long it takes: nothing is forgotten before it was told, and what one server
// was told another one is told again.
func TestRecover_beginsAnewForAnotherServer(t *testing.T) {
	newSlow(t, "one", func(b *browser, s *blank) {
		s.name = "two"
		if err := b.recoverFor(10*time.Second, true); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Recover = %v, want %v", err, context.DeadlineExceeded)
		}
		first := b.m.Stats().Repeated
		time.Sleep(time.Hour)
		s.name = "three"
		b.recover(true)
		if n := b.m.Stats().Repeated - first; n != crowd {
			t.Errorf("the third server was told %d ends, want %d", n, crowd)
		}
	})
}

// Where the server has no name, a failure may have been its last.
func TestRecover_beginsAnewAfterAFailureOfANamelessServer(t *testing.T) {
	newSlow(t, "", func(b *browser, s *blank) {
		if err := b.recoverFor(5*time.Second, true); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Recover = %v, want %v", err, context.DeadlineExceeded)
		}
		s.err = session.ErrUnavailable
		if err := b.m.Recover(t.Context(), true); !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("Recover = %v, want %v", err, session.ErrUnavailable)
		}
		first := b.m.Stats().Repeated
		s.err = nil
		b.recover(true)
		if n := b.m.Stats().Repeated - first; n != crowd {
			t.Errorf("after the failure %d ends were repeated, want %d", n, crowd)
		}
	})
}

func TestRecover_withoutAServer(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	if _, err := b.scope().Logout(t.Context(), session.This); err != nil {
		t.Fatal(err)
	}
	calls := b.count()
	b.recover(true)
	if got := calls.drain(); got != "" {
		t.Errorf("trips %q", got)
	}
}
