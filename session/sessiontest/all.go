package sessiontest

import (
	"errors"
	"slices"

	"github.com/sessionhub/sessionhub/session"
)

// all returns the ids that All visits.
func (v *visitor) all() []string {
	v.Helper()
	var ids []string
	err := v.Store.All(v.Context(), v.family, func(some []string) error {
		if len(some) == 0 {
			v.Error("All visits nothing")
		}
		ids = append(ids, some...)
		return nil
	})
	if err != nil {
		v.Fatalf("All = %v", err)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func allRules() []rule {
	return []rule{
		{"Every", "all visits every session of the family, of users and of nobody", func(v *visitor) {
			var want []string
			for i := range 300 {
				w := v.stranger()
				c := session.Create{Deltas: deltas("main", set("a", `1`))}
				if i%2 == 0 {
					c.User = w.user
				}
				want = append(want, w.begin(c).id)
			}
			got := v.all()
			for _, id := range want {
				if !slices.Contains(got, id) {
					v.Fatalf("%q is not among %d ids", id, len(got))
				}
			}
		}},
		{"OwnRoot", "all visits no session of another root", func(v *visitor) {
			v.begin(session.Create{})
			w := v.another()
			w.family = &session.Family{Spaces: []session.Space{{Name: "other", Prefix: "other", Idle: mainIdle, Life: mainLife}}}
			w.id = newID()
			w.begin(session.Create{})
			if got := v.all(); slices.Contains(got, w.id) || !slices.Contains(got, v.id) {
				v.Errorf("All of main visits %q; its own is %q, of the other %q", got, v.id, w.id)
			}
			if got := w.all(); slices.Contains(got, v.id) || !slices.Contains(got, w.id) {
				v.Errorf("All of other visits %q; its own is %q, of main %q", got, w.id, v.id)
			}
		}},
		{"Deleted", "all does not visit what was deleted", func(v *visitor) {
			v.begin(session.Create{User: v.user})
			if err := v.Store.Delete(v.Context(), v.family, session.End{ID: v.id, User: v.user}); err != nil {
				v.Fatal(err)
			}
			if got := v.all(); slices.Contains(got, v.id) {
				v.Errorf("All visits %q", got)
			}
		}},
		{"Refused", "the error of visit ends it", func(v *visitor) {
			v.begin(session.Create{})
			v.stranger().begin(session.Create{})
			enough, calls := errors.New("enough"), 0
			err := v.Store.All(v.Context(), v.family, func([]string) error {
				calls++
				return enough
			})
			if !errors.Is(err, enough) || calls != 1 {
				v.Errorf("All = %v after %d visits", err, calls)
			}
		}},
		{"Ends", "visit may end what it is told", func(v *visitor) {
			for range 50 {
				v.stranger().begin(session.Create{})
			}
			err := v.Store.All(v.Context(), v.family, func(ids []string) error {
				var ends []session.End
				for _, id := range ids {
					ends = append(ends, session.End{ID: id})
				}
				return v.Store.Delete(v.Context(), v.family, ends...)
			})
			if got := v.all(); err != nil || len(got) != 0 {
				v.Errorf("%d ids are left, %v", len(got), err)
			}
		}},
	}
}
