package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// While the ids of one trip are visited, the next trip is under way: they come in
// order all the same, those that do not live among them.
func TestStore_CheckEach_visitsAllInOrder(t *testing.T) {
	s, _ := shared(t)
	var want, got []string
	living := make(map[string]bool)
	for i := range 901 {
		id := fmt.Sprint("none", i)
		if i%100 == 0 {
			id = create(t, s, "").ID
			living[id] = true
		}
		want = append(want, id)
	}
	if err := s.CheckEach(t.Context(), family, want, func(id string, state *session.State) {
		if (state != nil) != living[id] || state != nil && (state.ID != id || state.Left <= 0) {
			t.Errorf("%s: %+v", id, state)
		}
		got = append(got, id)
	}); err != nil || !slices.Equal(got, want) {
		t.Errorf("visited %d of %d in order, %v", len(got), len(want), err)
	}
}

// States of Check are the caller's, those of CheckEach are not.
func TestStore_Check_keepsStatesApart(t *testing.T) {
	s, _ := shared(t)
	a, b := create(t, s, ""), create(t, s, "")
	if err := s.Delete(t.Context(), family, session.End{ID: a.ID, Namespace: "chat"}); err != nil {
		t.Fatal(err)
	}
	states, err := s.Check(t.Context(), family, []string{a.ID, b.ID})
	if err != nil {
		t.Fatal(err)
	}
	if states[0].ID != a.ID || states[0].Space("chat").Generation != 1 || states[1].ID != b.ID || states[1].Space("chat").Generation != 0 {
		t.Errorf("Check = %+v, %+v", *states[0], *states[1])
	}
}

func TestStore_CheckEach_endsWithItsContext(t *testing.T) {
	s, _ := shared(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n := 0
	err := s.CheckEach(ctx, family, make([]string, 5000), func(string, *session.State) {
		n++
		cancel()
	})
	if !errors.Is(err, session.ErrUnavailable) || n == 0 || n == 5000 {
		t.Errorf("after %d ids %v, want %v on the way", n, err, session.ErrUnavailable)
	}
}
