package memstore_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
)

func TestStore_anAnswerThatIsReadyAllocatesNothing(t *testing.T) {
	f := newFamily()
	s := filled(t, f, 100)
	load := func() {
		if _, err := s.Load(t.Context(), f, "7", session.Load{Slide: session.SlideDue}); err != nil {
			t.Fatal(err)
		}
	}
	load()
	if n := testing.AllocsPerRun(100, load); n != 0 {
		t.Errorf("a load allocates %v times", n)
	}
}

// What was answered stays as it was, and what is answered is what is there,
// with fewer answers kept than there are sessions, and with one for each.
func TestStore_answersAreNeverChanged(t *testing.T) {
	for _, ready := range []int{0, 64, 128} {
		t.Run(fmt.Sprint("Ready=", ready), func(t *testing.T) {
			const sessions = 1000
			f := newFamily()
			s := &memstore.Store{Ready: ready}
			fill(t, s, f, sessions)
			for round := range uint64(3) {
				for i := range sessions {
					id := fmt.Sprint(i)
					was, err := s.Load(t.Context(), f, id, session.Load{})
					if err != nil {
						t.Fatal(err)
					}
					spaces, values := maps.Clone(was.Spaces), maps.Clone(was.Values)
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
					if err != nil || now.Values["chat"]["text"] != fmt.Sprint(i, round) || now.Spaces["chat"] != rec.Spaces["chat"] {
						t.Fatalf("Load = %v, %v, %v", now.Spaces, now.Values, err)
					}
				}
			}
		})
	}
}

// Each family gets the namespaces that it asks for.
func TestStore_answersByFamily(t *testing.T) {
	both, alone := newFamily(), newFamily()
	alone.Spaces = alone.Spaces[:1]
	s := filled(t, both, 1)
	for range 2 {
		for _, f := range []*session.Family{both, alone} {
			rec, err := s.Load(t.Context(), f, "0", session.Load{})
			if err != nil || len(rec.Spaces) != len(f.Spaces) || len(rec.Values) != len(f.Spaces) {
				t.Errorf("Load = %v, %v, %v, want %d namespaces", rec.Spaces, rec.Values, err, len(f.Spaces))
			}
		}
	}
}
