package session_test

import (
	"context"
	"errors"
	"testing"

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
