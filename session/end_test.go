package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionhub/sessionhub/session"
)

func TestEndAll_endsEverybodyBelowOneRoot(t *testing.T) {
	b, a := newAudited(t)
	b.login("ann")
	anonymous := b.another()
	anonymous.set("main", "a", 1)
	a.drain()
	r, err := b.m.EndAll(t.Context(), "", "root")
	if want := (session.Result{ClosedHere: 2, NodesAcked: 2, NodesExpected: 3, StoreOK: true}); r != want || err != nil {
		t.Errorf("EndAll = %+v, %v, want %+v", r, err, want)
	}
	if b.user() != "" || anonymous.get("main", "a") != "" || b.living("ann") != 0 {
		t.Error("a session is left")
	}
	want := map[string]session.Event{}
	for id, user := range map[string]string{b.id(): "ann", anonymous.id(): ""} {
		want[id] = session.Event{Kind: session.EventEnded, Root: "main", ID: id, User: user, Why: session.WhyAdministrator, By: "root"}
	}
	got := map[string]session.Event{}
	for _, e := range a.drain() {
		if e.Kind == session.EventEnded {
			got[e.ID] = e
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if r, err := b.m.EndAll(t.Context(), "", "root"); r.ClosedHere != 0 || err != nil {
		t.Errorf("again: %+v, %v", r, err)
	}
	if _, err := b.m.EndAll(t.Context(), "chat", "root"); err == nil {
		t.Error("a namespace that is no root was accepted")
	}
}

// batches is a store that shows its sessions in given batches.
type batches struct {
	session.Store
	ids [][]string
}

func (s *batches) All(_ context.Context, _ *session.Family, visit func([]string) error) error {
	for _, some := range s.ids {
		if err := visit(some); err != nil {
			return err
		}
	}
	return nil
}

// counted is an [session.Ender] of which each question has its own answer.
type counted struct {
	*ender
	acks [][2]int
}

func (e *counted) Acks(_ context.Context, notices ...string) (acked, expected int) {
	if len(notices) == 0 {
		return 1, 4
	}
	next := e.acks[0]
	e.acks = e.acks[1:]
	return next[0], next[1]
}

func TestEndAll_reportsTheWorstOfItsBatches(t *testing.T) {
	for _, c := range []struct {
		name string
		acks [][2]int // of each session, which is a batch
		dead bool     // the last batch is of a session that ended before
		want [2]int
	}{
		{"the first", [][2]int{{1, 3}, {3, 3}}, false, [2]int{1, 3}},
		{"the last", [][2]int{{3, 3}, {2, 3}}, false, [2]int{2, 3}},
		{"one in between", [][2]int{{3, 3}, {2, 4}, {2, 3}}, false, [2]int{2, 4}},
		{"before one that is dead", [][2]int{{1, 3}}, true, [2]int{1, 3}},
		{"all, before one that is dead", [][2]int{{3, 3}}, true, [2]int{3, 3}},
		{"none lives", nil, true, [2]int{1, 4}},
		{"none", nil, false, [2]int{1, 4}},
	} {
		b := newBrowser(t)
		s := &batches{Store: b.store.Store}
		b.m = session.New(b.m.Registry(), s, session.Options{Ends: &counted{b.ends, c.acks}})
		for range c.acks {
			one := b.another()
			one.set("main", "a", 1)
			s.ids = append(s.ids, []string{one.id()})
		}
		if c.dead {
			s.ids = append(s.ids, []string{"dead"})
		}
		r, err := b.m.EndAll(t.Context(), "", "root")
		if got := [2]int{r.NodesAcked, r.NodesExpected}; got != c.want || !r.StoreOK || err != nil {
			t.Errorf("%s: EndAll = %+v, %v, want %v", c.name, r, err, c.want)
		}
	}
}

// attentive is a store that does nothing for a context that is over, and lets the
// client of a request leave at one of its operations.
type attentive struct {
	session.Store
	leaves string
	leave  func()
}

func (s *attentive) heeds(ctx context.Context, operation string) error {
	if s.leaves == operation && s.leave != nil {
		s.leave()
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w: %w", operation, session.ErrUnavailable, err)
	}
	return nil
}

func (s *attentive) Load(ctx context.Context, f *session.Family, id string, l session.Load) (session.Record, error) {
	if err := s.heeds(ctx, "Load"); err != nil {
		return session.Record{}, err
	}
	return s.Store.Load(ctx, f, id, l)
}

func (s *attentive) Raise(ctx context.Context, f *session.Family, user string) ([]session.Listing, error) {
	if err := s.heeds(ctx, "Raise"); err != nil {
		return nil, err
	}
	return s.Store.Raise(ctx, f, user)
}

func (s *attentive) Check(ctx context.Context, f *session.Family, ids []string) ([]*session.State, error) {
	if err := s.heeds(ctx, "Check"); err != nil {
		return nil, err
	}
	return s.Store.Check(ctx, f, ids)
}

func (s *attentive) Delete(ctx context.Context, f *session.Family, ends ...session.End) error {
	if err := s.heeds(ctx, "Delete"); err != nil {
		return err
	}
	return s.Store.Delete(ctx, f, ends...)
}

// A logout is carried out whole when its client leaves, at whichever of its steps.
func TestW24_aLogoutWhoseClientLeavesIsWhole(t *testing.T) {
	for _, c := range []struct {
		target session.Target
		steps  []string
	}{
		{session.This, []string{"Load", "Delete"}},
		{session.Namespace("chat"), []string{"Load", "Delete"}},
		{session.All, []string{"Load", "Raise", "Check", "Delete"}},
		{session.Others, []string{"Load", "Raise", "Check", "Delete"}},
		{session.One("the other"), []string{"Load", "Check", "Delete"}},
	} {
		for _, step := range c.steps {
			b := newBrowser(t)
			s := &attentive{Store: b.store.Store, leaves: step}
			b.m = session.New(b.m.Registry(), s, session.Options{Ends: b.ends, Logger: textLogger(new(strings.Builder))})
			b.login("ann")
			b.set("chat", "a", 1)
			other := b.another()
			other.login("ann")
			target := c.target
			if target == session.One("the other") {
				target = session.One(other.id())
			}
			ctx, leave := context.WithTimeout(t.Context(), time.Minute)
			s.leave = leave
			r, err := b.scope().Logout(ctx, target)
			leave()
			if !r.StoreOK || err != nil {
				t.Errorf("%s, the client leaves at %s: %+v, %v", c.target, step, r, err)
			}
			here := target != session.This && target != session.All
			there := target == session.This || target == session.Namespace("chat")
			chat := target == session.Others || target == session.One(other.id())
			if got := b.user() == "ann"; got != here || (other.user() == "ann") != there || (b.get("chat", "a") != "") != chat {
				t.Errorf("%s, the client leaves at %s: this session lives %v, the other is %q's, chat has %q",
					c.target, step, got, other.user(), b.get("chat", "a"))
			}
		}
	}
}

func TestEndAll_stopsWithItsContextAndTheStore(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := b.m.EndAll(ctx, "", "root"); !errors.Is(err, context.Canceled) || r.StoreOK {
		t.Errorf("EndAll = %+v, %v", r, err)
	}
	b.store.down = true
	if r, err := b.m.EndAll(t.Context(), "", "root"); !errors.Is(err, session.ErrUnavailable) || r.StoreOK {
		t.Errorf("EndAll = %+v, %v", r, err)
	}
	b.store.down = false
	if b.user() != "ann" {
		t.Error("the session is gone")
	}
}
