package redisstore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
)

// The last ops stand in the book and those before in two hashes in turn. All of
// OpMemory are known, whichever came since, and then none is.
func TestOps_areKnownForOpMemoryHoweverManyThereAre(t *testing.T) {
	s, prefix := shared(t)
	c := redistest.Shared(t).Client(t)
	ctx := t.Context()
	rec := create(t, s, "")
	id, n := rec.ID, 0
	counting := func(saves int) (made []session.Save) {
		t.Helper()
		for range saves {
			v := saving(rec, "chat", session.Delta{Add: map[string]int64{"n": 1}})
			var err error
			if rec, err = s.Save(ctx, family, id, v); err != nil {
				t.Fatal(err)
			}
			made = append(made, v)
			n++
		}
		return made
	}
	again := func(saves []session.Save) {
		t.Helper()
		for i, v := range saves {
			got, err := s.Save(ctx, family, id, v)
			if err != nil || got.In("chat").Map()["n"] != fmt.Sprint(n) {
				t.Fatalf("save %d of %d again: n = %q, %v, want %d", i, len(saves), got.In("chat").Map()["n"], err, n)
			}
		}
	}

	first := counting(100)
	again(first)
	advance(t, c, prefix, session.OpMemory/2)
	second := counting(100)
	again(first)
	again(second)
	advance(t, c, prefix, session.OpMemory/2+time.Second)
	again(second)
	advance(t, c, prefix, session.OpMemory)
	for _, key := range keys(t, c, prefix) {
		if strings.Contains(key, ":op:") {
			t.Errorf("%s is left", key)
		}
	}
	if _, err := s.Save(ctx, family, id, second[0]); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Load(ctx, family, id, session.Load{}); err != nil || got.In("chat").Map()["n"] != fmt.Sprint(n+1) {
		t.Errorf("an op that is forgotten: n = %q, %v, want %d", got.In("chat").Map()["n"], err, n+1)
	}
}

// Of others' saves none is taken for a retry, at whatever version it was loaded.
func TestOps_lateWritersAreNoRetries(t *testing.T) {
	s, _ := shared(t)
	loaded := create(t, s, "")
	for range 60 {
		v := saving(loaded, "chat", session.Delta{Add: map[string]int64{"n": 1}})
		if _, err := s.Save(t.Context(), family, loaded.ID, v); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Load(t.Context(), family, loaded.ID, session.Load{}); err != nil || got.In("chat").Map()["n"] != "60" {
		t.Errorf("n = %q, %v, want 60", got.In("chat").Map()["n"], err)
	}
}

// What a namespace holds is counted when that matters: values that are replaced
// do not add up, and those that are there do.
func TestStore_limitsCountWhatIsThere(t *testing.T) {
	s, _ := shared(t)
	ctx := t.Context()
	rec := create(t, s, "")
	save := func(d session.Delta) error {
		next, err := s.Save(ctx, family, rec.ID, saving(rec, "main", d))
		if err == nil {
			rec = next
		}
		return err
	}
	large := strings.Repeat("x", session.MaxValueBytes-10)
	for i := range 40 {
		if err := save(set(fmt.Sprint("k", i%4), large)); err != nil {
			t.Fatalf("value %d: %v", i, err)
		}
	}
	if err := save(set("k4", large)); !errors.Is(err, session.ErrLimit) {
		t.Errorf("a fifth large value: %v, want %v", err, session.ErrLimit)
	}
	if err := save(session.Delta{Delete: []string{"k0", "none"}}); err != nil {
		t.Fatal(err)
	}
	if err := save(set("k4", large)); err != nil {
		t.Errorf("in the place of another: %v", err)
	}

	if err := save(session.Delta{Clear: true}); err != nil {
		t.Fatal(err)
	}
	for i := range session.MaxValues {
		d := set(fmt.Sprint(i), "1")
		if i%2 == 0 {
			d = session.Delta{Add: map[string]int64{fmt.Sprint(i): int64(i % 4)}}
		}
		if err := save(d); err != nil {
			t.Fatalf("value %d: %v", i, err)
		}
	}
	for _, d := range []session.Delta{set("0", "2"), {Add: map[string]int64{"0": 1}}} {
		if err := save(d); err != nil {
			t.Errorf("a value that is there: %v", err)
		}
	}
	for _, d := range []session.Delta{set("new", "2"), {Add: map[string]int64{"new": 1}}} {
		if err := save(d); !errors.Is(err, session.ErrLimit) {
			t.Errorf("one more: %v, want %v", err, session.ErrLimit)
		}
	}
	if err := save(session.Delta{Delete: []string{"0"}, Set: map[string]string{"new": "1"}}); err != nil {
		t.Errorf("one for another: %v", err)
	}
}
