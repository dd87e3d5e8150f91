package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// unconfirmed is a store that carries ends out and does not say so while it is short,
// as when replicas lag or the reply is lost.
type unconfirmed struct {
	*outage
	name  string
	short atomic.Bool
	few   error        // what an end fails with while it is short
	takes atomic.Int64 // nanoseconds, a deletion
}

func (s *unconfirmed) Server(context.Context) (string, error) { return s.name, nil }

func (s *unconfirmed) Delete(ctx context.Context, f *session.Family, ends ...session.End) error {
	time.Sleep(time.Duration(s.takes.Load()))
	err := s.outage.Delete(ctx, f, ends...)
	if err == nil && s.short.Load() {
		err = s.few
	}
	return err
}

// Create may carry ends out too.
func (s *unconfirmed) Create(ctx context.Context, f *session.Family, c session.Create) (session.Record, error) {
	rec, err := s.outage.Create(ctx, f, c)
	if err == nil && s.short.Load() && len(c.Ends) > 0 {
		err = s.few
	}
	return rec, err
}

// newUnconfirmed runs a test in a bubble, with a store that is not short yet.
func newUnconfirmed(t *testing.T, test func(b *browser, s *unconfirmed)) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t)
		s := &unconfirmed{name: "one", few: session.ErrUnavailable, outage: &outage{
			Store: b.store.Store, calls: make(map[string]int), err: session.ErrUnavailable,
		}}
		b.m = session.New(b.m.Registry(), s, session.Options{Ends: b.ends, Logger: textLogger(new(strings.Builder))})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ran := make(chan error, 1)
		go func() { ran <- b.m.Run(ctx) }()
		b.recover(true)
		synctest.Wait() // Run has looked once, and found nothing
		test(b, s)
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// The store lists no session any more whose end it carried out. It has to be asked
// for that end all the same until it confirms it, and again if another server comes.
func TestOwed_whatTheStoreTookWithoutSayingSoStaysOwed(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(b *browser, s *unconfirmed) error
	}{
		{"this", func(b *browser, _ *unconfirmed) error {
			_, err := b.scope().Logout(b.t.Context(), session.This)
			return err
		}},
		{"all", func(b *browser, _ *unconfirmed) error {
			_, err := b.scope().Logout(b.t.Context(), session.All)
			return err
		}},
		{"a user, by an administrator", func(b *browser, _ *unconfirmed) error {
			_, err := b.m.EndUser(b.t.Context(), "", "ann", "", "root")
			return err
		}},
		{"a user, owed before it was tried", func(b *browser, s *unconfirmed) error {
			s.set("Raise")
			_, err := b.m.EndUser(b.t.Context(), "", "ann", "", "root")
			s.set()
			return err
		}},
		{"a user, owed and asked for again", func(b *browser, s *unconfirmed) error {
			s.set("Raise")
			_, first := b.m.EndUser(b.t.Context(), "", "ann", "", "root")
			s.set()
			_, err := b.m.EndUser(b.t.Context(), "", "ann", "", "root")
			if !errors.Is(first, session.ErrOwed) {
				return first
			}
			return err
		}},
		{"another session of the user", func(b *browser, s *unconfirmed) error {
			another := b.another()
			another.login("ann")
			h := another.hold()
			s.set("Check")
			_, err := h.Scope(session.HoldOptions{}).Logout(b.t.Context(), session.One(b.id()))
			s.set()
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			newUnconfirmed(t, func(b *browser, s *unconfirmed) {
				b.login("ann")
				id := b.id()
				s.short.Store(true)
				if err := c.end(b, s); !errors.Is(err, session.ErrOwed) {
					t.Fatalf("the end = %v, want ErrOwed", err)
				}
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if owed, tries := b.m.Stats().Owed, s.count("Delete"); owed != 1 || tries < 5 {
					t.Errorf("%d owed after %d deletions that nobody confirmed", owed, tries)
				}
				s.short.Store(false)
				time.Sleep(3 * time.Second)
				synctest.Wait()
				if lives, err := b.m.Exists(t.Context(), "", id); b.m.Stats().Owed != 0 || lives || err != nil {
					t.Errorf("%d owed when it was confirmed, lives %v, %v", b.m.Stats().Owed, lives, err)
				}
				s.name = "two"
				b.recover(true)
				if n := b.m.Stats().Repeated; n != 1 {
					t.Errorf("another server was told %d ends, want 1", n)
				}
			})
		})
	}
}

func TestOwed_whatWasTriedSparesALaterLogin(t *testing.T) {
	newUnconfirmed(t, func(b *browser, s *unconfirmed) {
		b.login("ann")
		other := b.another()
		other.login("ann")
		s.set("Delete") // nothing ends
		r, err := b.m.EndUser(t.Context(), "", "ann", "", "root")
		if !errors.Is(err, session.ErrOwed) || r.StoreOK {
			t.Errorf("EndUser = %+v, %v", r, err)
		}
		later := b.another()
		later.login("ann")
		s.set()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if b.user()+other.user() != "" || later.user() != "ann" {
			t.Errorf("users %q, %q, later %q", b.user(), other.user(), later.user())
		}
	})
}

// What is not owed is remembered too: whoever asks again finds nothing left.
func TestRecover_repeatsWhatNobodyConfirmed(t *testing.T) {
	for name, end := range map[string]func(b *browser, s *unconfirmed) error{
		"everybody": func(b *browser, _ *unconfirmed) error {
			_, err := b.m.EndAll(b.t.Context(), "", "root")
			return err
		},
		"too many are owed": func(b *browser, s *unconfirmed) error {
			s.set("Raise")
			for i := range 10_000 {
				if _, err := b.m.EndUser(b.t.Context(), "", fmt.Sprint(i), "", "root"); !errors.Is(err, session.ErrOwed) {
					return err
				}
			}
			s.set()
			_, err := b.m.EndUser(b.t.Context(), "", "ann", "", "root")
			return err
		},
		"a login as somebody else": func(b *browser, _ *unconfirmed) error {
			return b.another().with(b.cookies[cookieName]).tryLogin("bob")
		},
		"a login as somebody else, after its first save": func(b *browser, _ *unconfirmed) error {
			other := b.another().with(b.cookies[cookieName])
			sc := other.scope()
			if err := errors.Join(
				sc.Login(b.t.Context(), "bob", session.LoginOptions{}),
				b.open(sc, "main").Set("a", 1),
				sc.Save(b.t.Context()),
			); err != nil {
				return err
			}
			return other.commit(sc)
		},
		"a login as somebody else whose sessions were ended during it": func(b *browser, s *unconfirmed) error {
			s.few = session.ErrUserEnded
			err := b.another().with(b.cookies[cookieName]).tryLogin("bob")
			if !errors.Is(err, session.ErrUserEnded) {
				return err
			}
			return session.ErrUnavailable
		},
	} {
		t.Run(name, func(t *testing.T) {
			newUnconfirmed(t, func(b *browser, s *unconfirmed) {
				b.login("ann")
				s.short.Store(true)
				if err := end(b, s); !errors.Is(err, session.ErrUnavailable) || errors.Is(err, session.ErrOwed) {
					t.Fatalf("the end = %v, want ErrUnavailable and not ErrOwed", err)
				}
				s.short.Store(false)
				if _, err := b.m.EndUser(t.Context(), "", "ann", "", "root"); err != nil {
					t.Errorf("again: %v", err)
				}
				s.name = "two"
				b.recover(true)
				if n := b.m.Stats().Repeated; n != 1 {
					t.Errorf("another server was told %d ends, want 1", n)
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

// A failover may leave fewer replicas than an end waits for. The new server has the
// ends all the same once it was told, and what it says can be relied on.
func TestRecover_tooFewReplicasDoNotHoldItUp(t *testing.T) {
	newUnconfirmed(t, func(b *browser, s *unconfirmed) {
		b.login("ann")
		if _, err := b.scope().Logout(t.Context(), session.This); err != nil {
			t.Fatal(err)
		}
		s.few = fmt.Errorf("taken by 0 replicas of 1: %w: %w", session.ErrUnavailable, session.ErrUnconfirmed)
		s.short.Store(true)
		s.name = "two"
		b.recover(true)
		if st := b.m.Stats(); st.Repeated != 1 || st.Owed != 1 {
			t.Errorf("%d ends repeated, %d owed, want both 1", st.Repeated, st.Owed)
		}
		tries := s.count("Delete")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if st := b.m.Stats(); st.Owed != 1 || s.count("Delete") < tries+3 {
			t.Errorf("%d owed after %d more deletions that no replica has", st.Owed, s.count("Delete")-tries)
		}
		b.recover(true)
		s.short.Store(false)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if st := b.m.Stats(); st.Repeated != 1 || st.Owed != 0 || st.Ended != 1 {
			t.Errorf("%+v, want one end, repeated once, and none owed", st)
		}
	})
}

// The store lists no session any more whose end it carried out, confirmed or not: that
// nothing is left to end does not say that it is done.
func TestOwed_askingAgainSaysDoneWhenItIsConfirmed(t *testing.T) {
	for _, c := range []struct {
		name       string
		first, end func(b *browser) (session.Result, error)
		acked      int  // of 3 nodes: 1 where nothing was left to end
		unowed     bool // the first is not owed, as everybody's end never is
	}{
		{"others", nil, func(b *browser) (session.Result, error) {
			return b.scope().Logout(b.t.Context(), session.Others)
		}, 1, false},
		{"others, on a socket", nil, func(b *browser) (session.Result, error) {
			h := b.hold()
			defer h.Release()
			return h.Scope(session.HoldOptions{}).Logout(b.t.Context(), session.Others)
		}, 1, false},
		{"a user, by an administrator", nil, func(b *browser) (session.Result, error) {
			return b.m.EndUser(b.t.Context(), "", "ann", b.id(), "root")
		}, 1, false},
		{"a user, after the end of one session", func(b *browser) (session.Result, error) {
			return b.m.EndSession(b.t.Context(), "", b.id(), "root")
		}, func(b *browser) (session.Result, error) {
			return b.m.EndUser(b.t.Context(), "", "ann", "", "root")
		}, 1, false},
		{"everybody", nil, func(b *browser) (session.Result, error) {
			return b.m.EndAll(b.t.Context(), "", "root")
		}, 2, true},
		{"everybody, after the end of a user", func(b *browser) (session.Result, error) {
			return b.m.EndUser(b.t.Context(), "", "ann", "", "root")
		}, func(b *browser) (session.Result, error) {
			return b.m.EndAll(b.t.Context(), "", "root")
		}, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			newUnconfirmed(t, func(b *browser, s *unconfirmed) {
				b.login("ann")
				other := b.another()
				other.login("ann")
				s.short.Store(true)
				first := c.first
				if first == nil {
					first = c.end
				}
				_, err := first(b)
				for range 3 {
					if !errors.Is(err, session.ErrUnavailable) || errors.Is(err, session.ErrOwed) == c.unowed {
						t.Fatalf("not confirmed: %v", err)
					}
					time.Sleep(5 * time.Second)
					var r session.Result
					if r, err = c.end(b); r.StoreOK {
						t.Errorf("not confirmed, again: %+v, %v", r, err)
					}
				}
				s.short.Store(false)
				r, err := c.end(b)
				r.ClosedHere = 0 // how many were tried before depends on the store's order
				if want := (session.Result{NodesAcked: c.acked, NodesExpected: 3, StoreOK: true}); r != want || err != nil {
					t.Errorf("confirmed: %+v, %v, want %+v", r, err, want)
				}
				if n := b.m.Stats().Owed; n != 0 {
					t.Errorf("%d owed", n)
				}
				r, err = c.end(b)
				if !r.StoreOK || r.NodesAcked != 1 || err != nil {
					t.Errorf("nothing is left: %+v, %v", r, err)
				}
			})
		})
	}
}

// The store has no session any more for the cookie that a client kept.
func TestOwed_askingAgainWithTheSameCookie(t *testing.T) {
	newUnconfirmed(t, func(b *browser, s *unconfirmed) {
		b.login("ann")
		s.short.Store(true)
		for range 3 {
			for _, target := range []session.Target{session.All, session.This, session.Others} {
				if r, err := b.scope().Logout(t.Context(), target); !errors.Is(err, session.ErrOwed) || r.StoreOK {
					t.Errorf("%s, not confirmed: %+v, %v", target, r, err)
				}
			}
			time.Sleep(5 * time.Second)
		}
		s.short.Store(false)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if r, err := b.scope().Logout(t.Context(), session.All); !r.StoreOK || err != nil {
			t.Errorf("confirmed: %+v, %v", r, err)
		}
	})
}

// Several may ask for what is owed at once, while it is repeated.
func TestOwed_isCarriedOutOnceForAllWhoAsk(t *testing.T) {
	newUnconfirmed(t, func(b *browser, s *unconfirmed) {
		b.login("ann")
		s.short.Store(true)
		if _, err := b.m.EndSession(t.Context(), "", b.id(), "root"); !errors.Is(err, session.ErrOwed) {
			t.Fatalf("EndSession = %v", err)
		}
		s.short.Store(false)
		s.takes.Store(int64(time.Second)) // longer than Run's pause
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if r, err := b.m.EndUser(t.Context(), "", "ann", "", "root"); !r.StoreOK || err != nil {
					t.Errorf("EndUser = %+v, %v", r, err)
				}
			})
		}
		all.Wait()
		if st := b.m.Stats(); st.Ended != 1 || st.OwedDone != 1 || st.Owed != 0 {
			t.Errorf("%d ended, %d later than asked for, %d owed", st.Ended, st.OwedDone, st.Owed)
		}
	})
}
