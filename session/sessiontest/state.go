package sessiontest

import (
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionhub/sessionhub/session"
)

func stateRules() []rule {
	all := func() map[string]session.Delta {
		return map[string]session.Delta{"main": set("a", `1`), "cart": set("b", `2`), "chat": set("c", `3`)}
	}
	return []rule{
		{"SameDeadlines", "as long as nothing slides, every answer has exactly the same deadlines", func(v *visitor) {
			v.begin(session.Create{User: v.user, Deltas: all()})
			want := map[string]time.Time{}
			for i, st := range v.look().Spaces {
				want[v.family.Spaces[i].Name] = st.Deadline
			}
			same := func(what string, st session.State) {
				v.Helper()
				got := map[string]time.Time{}
				for i, s := range st.Spaces {
					got[v.family.Spaces[i].Name] = s.Deadline
				}
				if diff := cmp.Diff(want, got); diff != "" {
					v.Errorf("deadlines of %s (-want +got):\n%s", what, diff)
				}
			}
			same("Load", v.mustLoad(session.Load{Hash: v.secret}).State)
			same("Load when it is early", v.mustLoad(session.Load{Slide: session.SlideDue}).State)
			same("Check", *v.check())
			s := v.change(deltas("cart", set("b", `3`)))
			same("Save", v.mustDo(s).State)
			same("Save again", v.mustDo(s).State)
			refused, err := v.save(v.change(deltas("main", session.Delta{Swap: map[string]session.Swap{"a": {Old: new(`0`)}}})))
			v.wantErr("Save", err, session.ErrConflict)
			same("a refused Save", refused.State)
			same("a renewal", v.mustDo(v.renewal(v.secret, newHash())).State)
			same("Load at the end", v.look().State)
		}},
		{"Deadline", "a namespace without timeouts has the deadline of the session, which is Left from Now", func(v *visitor) {
			v.begin(session.Create{Deltas: all()})
			for range 3 {
				rec := v.look()
				for _, name := range []string{"main", "cart"} {
					v.near("Deadline of "+name+" - Now", rec.Space(name).Deadline.Sub(rec.Now), rec.Left)
				}
				v.Advance(3 * time.Minute)
			}
		}},
		{"Shared", "the namespaces of an answer do not change when the session does", func(v *visitor) {
			v.begin(session.Create{User: v.user, Deltas: all()})
			shared, before := map[string][]session.SpaceState{}, map[string][]session.SpaceState{}
			keep := func(what string, st session.State) {
				shared[what], before[what] = st.Spaces, slices.Clone(st.Spaces)
			}
			keep("Create", v.seen.State)
			keep("Load", v.look().State)
			keep("Check", *v.check())
			v.Advance(time.Minute)
			keep("Save", v.mustSave(map[string]session.Delta{"main": set("a", `2`), "code": set("d", `4`)}).State)
			keep("Load with a slide", v.mustLoad(session.Load{Slide: session.SlideAlways}).State)
			keep("Save of an expiry", v.expire(afterIdle(time.Hour)).State)
			keep("Login", v.mustLogin(v.elevation()).State)
			v.mustEnd(v.endOf("chat"))
			v.Advance(codeIdle)
			keep("Load of what has ended", v.look().State)
			v.mustSave(all())
			v.mustEnd(v.end())
			for what := range shared {
				if diff := cmp.Diff(before[what], shared[what]); diff != "" {
					v.Errorf("namespaces in the answer of %s (-then +now):\n%s", what, diff)
				}
			}
		}},
	}
}
