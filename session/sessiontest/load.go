package sessiontest

import (
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sessionhub/sessionhub/session"
)

func loadRules() []rule {
	return []rule{
		{"Unknown", "an unknown id is ErrNotFound, and no record comes of it", func(v *visitor) {
			for range 2 {
				_, err := v.load(session.Load{Hash: v.secret, Slide: session.SlideAlways})
				v.wantErr("Load", err, session.ErrNotFound)
			}
			if _, err := v.create(session.Create{}); err != nil {
				v.Errorf("Create after Load = %v", err)
			}
		}},
		{"Current", "the current secret opens", func(v *visitor) {
			v.begin(session.Create{})
			v.wantMatch(v.secret, session.MatchCurrent)
		}},
		{"Trusted", "without a hash the caller is trusted, and the record opens as with the current one", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("main", set("a", `1`))})
			rec := v.mustLoad(session.Load{})
			if rec.Match != session.MatchCurrent {
				v.Errorf("match = %d, want MatchCurrent", rec.Match)
			}
			v.wantValues("main", "a", `1`)
		}},
		{"WrongSecret", "a secret that fits nothing gets its match and nothing else", func(v *visitor) {
			v.begin(session.Create{User: v.user, Deltas: deltas("main", set("a", `1`))})
			v.wantMatch(newHash(), session.MatchNone)
		}},
		{"PartOfSecret", "a part of the hash, or more than it, does not fit", func(v *visitor) {
			v.begin(session.Create{})
			v.wantMatch(v.secret[:len(v.secret)-1], session.MatchNone)
			v.wantMatch(v.secret+"0", session.MatchNone)
		}},
		{"Shared", "what was loaded does not change when somebody writes", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("main", set("a", `1`))})
			loaded := v.look().In("main")
			v.mustSave(deltas("main", set("a", `2`, "b", `3`)))
			if diff := diffValues(set("a", `1`).Set, loaded); diff != "" {
				v.Errorf("loaded before (-want +got):\n%s", diff)
			}
		}},
		{"AnyText", "keys and values come back byte for byte", func(v *visitor) {
			pairs := []string{"ä:{}*\x00\n", `"\u0000 ü 'x'"`, "", `""`, "generation", `[1,{"a":null}]`}
			v.begin(session.Create{Deltas: deltas("main", set(pairs...))})
			v.wantValues("main", pairs...)
		}},
	}
}

// wantMatch fails when a hash does not fit so, or opens what it must not, or
// does not open what it must.
func (v *visitor) wantMatch(h session.Hash, want session.Match) {
	v.Helper()
	rec, err := v.load(session.Load{Hash: h})
	if err != nil {
		v.Fatalf("Load = %v", err)
	}
	if rec.Match != want {
		v.Errorf("match = %d, want %d", rec.Match, want)
	}
	opens := want == session.MatchCurrent || want == session.MatchRenewed
	if opens {
		if rec.ID != v.id {
			v.Errorf("Load has the id %q, want %q", rec.ID, v.id)
		}
		return
	}
	if diff := cmp.Diff(session.Record{Match: want}, rec, cmpopts.EquateEmpty()); diff != "" {
		v.Errorf("a secret that opens nothing gets (-want +got):\n%s", diff)
	}
}

func checkRules() []rule {
	return []rule{
		{"Alive", "the answer has the state of each id in its place, nil for one that does not live", func(v *visitor) {
			a, b := v.begin(session.Create{User: v.user}), v.stranger().begin(session.Create{})
			a.mustLogin(a.elevation())
			b.mustSave(deltas("chat", set("a", `1`)))
			states, err := v.Store.Check(v.Context(), v.family, []string{b.id, newID(), a.id})
			if err != nil || len(states) != 3 {
				v.Fatalf("Check = %d states, %v", len(states), err)
			}
			if states[1] != nil {
				v.Errorf("an unknown id has %+v, want nil", states[1])
			}
			for i, w := range map[int]*visitor{0: b, 2: a} {
				want := w.mustLoad(session.Load{}).State
				if diff := cmp.Diff(&want, states[i], cmpopts.EquateApproxTime(slack), approxDuration()); diff != "" {
					v.Errorf("state (-want +got):\n%s", diff)
				}
			}
		}},
		{"Many", "thousands of ids are answered in one call", func(v *visitor) {
			v.begin(session.Create{})
			ids := make([]string, 3000)
			for i := range ids {
				ids[i] = newID()
			}
			ids[1234] = v.id
			states, err := v.Store.Check(v.Context(), v.family, ids)
			if err != nil || len(states) != len(ids) {
				v.Fatalf("Check = %d states, %v", len(states), err)
			}
			for i, st := range states {
				if (st != nil) != (i == 1234) {
					v.Errorf("state %d = %v", i, st)
				}
			}
		}},
		{"None", "no ids are no states", func(v *visitor) {
			if states, err := v.Store.Check(v.Context(), v.family, nil); err != nil || len(states) != 0 {
				v.Errorf("Check = %v, %v", states, err)
			}
		}},
		{"NoActivity", "a check slides nothing", func(v *visitor) {
			v.begin(session.Create{})
			v.Advance(mainIdle / 2)
			v.near("Left", v.check().Left, mainIdle/2)
			v.Advance(mainIdle / 2)
			v.wantGone()
		}},
		{"Generations", "generations and versions are those of now, also of a namespace whose deadline has just passed", func(v *visitor) {
			v.begin(session.Create{Deltas: map[string]session.Delta{"chat": set("a", `1`), "cart": set("a", `1`)}})
			v.mustSave(deltas("cart", set("a", `2`)))
			v.Advance(chatIdle)
			st := v.check()
			if got, want := st.Space("chat"), (session.SpaceState{Generation: 1}); got != want {
				v.Errorf("chat = %+v, want %+v", got, want)
			}
			if got := st.Space("cart"); got.Generation != 0 || got.Version != 2 {
				v.Errorf("cart = %+v, want generation 0, version 2", got)
			}
		}},
	}
}

// approxDuration compares durations as [visitor.near] does.
func approxDuration() cmp.Option {
	return cmp.Comparer(func(a, b time.Duration) bool { return (a - b).Abs() <= slack })
}
