package memstore_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
)

func TestStore_aLoadAllocatesNothing(t *testing.T) {
	f := newFamily()
	s := filled(t, f, 100)
	load := func() {
		if _, err := s.Load(t.Context(), f, "7", session.Load{Slide: session.SlideDue}); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(100, load); n != 0 {
		t.Errorf("a load allocates %v times", n)
	}
}

func TestStore_aSaveAllocatesWhatItKeeps(t *testing.T) {
	f := newFamily()
	s := filled(t, f, 100)
	deltas := map[string]session.Delta{"chat": {Set: map[string]string{"text": "1"}}}
	ops := make([]string, 102) // to begin, to warm up, and to count
	for i := range ops {
		ops[i] = fmt.Sprint(i)
	}
	version := uint64(0)
	save := func() {
		deltas["chat"] = session.Delta{Version: version, Set: deltas["chat"].Set}
		if _, err := s.Save(t.Context(), f, "7", session.Save{Op: ops[version], Epoch: 1, Deltas: deltas}); err != nil {
			t.Fatal(err)
		}
		version++
	}
	save() // begins the namespace
	if n := testing.AllocsPerRun(100, save); n > 2 {
		t.Errorf("a save allocates %v times, want the namespaces and the values", n)
	}
}

// What was answered stays as it was, and what is answered is what is there.
func TestStore_answersAreNeverChanged(t *testing.T) {
	const sessions = 1000
	f := newFamily()
	s := filled(t, f, sessions)
	for round := range uint64(3) {
		for i := range sessions {
			id := fmt.Sprint(i)
			was, err := s.Load(t.Context(), f, id, session.Load{})
			if err != nil {
				t.Fatal(err)
			}
			spaces, values := slices.Clone(was.Spaces), slices.Clone(was.Values)
			save := session.Save{Op: fmt.Sprint(round), Epoch: 1, Slide: session.SlideAlways, Deltas: map[string]session.Delta{
				"chat": {Version: round, Set: map[string]string{"text": fmt.Sprint(i, round)}},
			}}
			rec, err := s.Save(t.Context(), f, id, save)
			if err != nil || len(rec.Values) > 0 {
				t.Fatalf("Save = %v, %v", rec.Values, err)
			}
			if diff := cmp.Diff(spaces, was.Spaces); diff != "" {
				t.Fatalf("Spaces of an earlier answer (-was +is):\n%s", diff)
			}
			if diff := cmp.Diff(values, was.Values); diff != "" {
				t.Fatalf("Values of an earlier answer (-was +is):\n%s", diff)
			}
			now, err := s.Load(t.Context(), f, id, session.Load{})
			if err != nil || now.In("chat").Map()["text"] != fmt.Sprint(i, round) || now.Space("chat") != rec.Space("chat") {
				t.Fatalf("Load = %v, %v, %v", now.Spaces, now.Values, err)
			}
		}
	}
}

// Programs of several versions may share a store: each family gets the namespaces
// that it asks for, in its order, whichever came first.
func TestStore_answersByFamily(t *testing.T) {
	both, alone, again, more := newFamily(), newFamily(), newFamily(), newFamily()
	alone.Spaces = alone.Spaces[:1]
	more.Spaces = []session.Space{more.Spaces[0], {Name: "notes", Idle: 20 * time.Minute}, more.Spaces[1]}
	families := []*session.Family{both, alone, again, more}
	for first := range families {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := new(memstore.Store)
				order := append(slices.Clone(families[first:]), families[:first]...)
				c := session.Create{ID: "a", Nonce: "n", Deltas: map[string]session.Delta{"main": {Set: map[string]string{"in": "main"}}}}
				if _, err := s.Create(t.Context(), order[0], c); err != nil {
					t.Fatal(err)
				}
				for _, f := range order {
					if _, err := s.Load(t.Context(), f, "a", session.Load{}); err != nil {
						t.Fatal(err)
					}
				}
				for _, name := range []string{"chat", "notes"} {
					save := session.Save{Op: name, Epoch: 1, Deltas: map[string]session.Delta{name: {Set: map[string]string{"in": name}}}}
					if _, err := s.Save(t.Context(), more, "a", save); err != nil {
						t.Fatal(err)
					}
				}
				want := func(version uint64, in ...string) {
					t.Helper()
					for _, f := range order {
						rec, err := s.Load(t.Context(), f, "a", session.Load{})
						if err != nil || len(rec.Spaces) != len(f.Spaces) || len(rec.Values) != len(f.Spaces) {
							t.Fatalf("Load = %v, %v, %v, want %d namespaces", rec.Spaces, rec.Values, err, len(f.Spaces))
						}
						for _, space := range f.Spaces {
							got, _ := rec.In(space.Name).Get("in")
							if st := rec.Space(space.Name); slices.Contains(in, space.Name) != (got == space.Name && st.Version == 1) {
								t.Errorf("%s has %q, %+v, want values in %q", space.Name, got, st, in)
							}
						}
					}
				}
				want(1, "main", "chat", "notes")
				time.Sleep(10 * time.Minute)
				want(1, "main", "notes")
				if err := s.Delete(t.Context(), more, session.End{ID: "a", Namespace: "notes"}); err != nil {
					t.Fatal(err)
				}
				want(1, "main")
				time.Sleep(time.Hour)
				clearExpired(t, s, 1)
				wantStats(t, s, memstore.Stats{})
			})
		})
	}
}
