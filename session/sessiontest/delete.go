package sessiontest

import (
	"slices"

	"github.com/sessionhub/sessionhub/session"
)

func deleteRules() []rule {
	return []rule{
		{"Session", "the end of a session removes it with all its namespaces", func(v *visitor) {
			v.begin(session.Create{Deltas: map[string]session.Delta{"main": set("a", `1`), "chat": set("b", `2`)}})
			v.mustEnd(v.end())
			v.wantGone()
			v.begin(session.Create{})
			v.wantValues("main")
			v.wantValues("chat")
		}},
		{"Replaced", "a session that a login replaced is recognised for ElevateGrace, by any secret, and is gone", func(v *visitor) {
			v.begin(session.Create{User: v.user, Deltas: deltas("chat", set("b", `2`))})
			e := v.end()
			e.User, e.Replaced = v.user, true
			v.mustEnd(e, e) // the second is a retry
			v.wantGone()
			v.wantMatch(v.secret, session.MatchElevated)
			v.wantMatch(newHash(), session.MatchElevated)
			_, err := v.save(v.change(deltas("chat", set("c", `3`))))
			v.wantErr("Save", err, session.ErrEnded)
			if got := v.listed(); len(got) > 0 {
				v.Errorf("Listed = %q, want none", got)
			}
			v.Advance(session.ElevateGrace)
			_, err = v.Store.Load(v.Context(), v.family, v.id, session.Load{Hash: v.secret})
			v.wantErr("Load", err, session.ErrNotFound)
		}},
		{"Notice", "each end delivers its notice, in order, also when nothing was left to end", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("chat", set("b", `2`))})
			ends := []session.End{v.endOf("chat"), v.endOf("chat"), v.end(), v.end(), v.endOf("chat")}
			v.mustEnd(ends...)
			var want []string
			for _, e := range ends {
				want = append(want, e.Notice)
			}
			v.wantDelivered(want...)
			v.mustEnd(ends[2])
			v.wantDelivered(ends[2].Notice)
			v.wantGone()
		}},
		{"Several", "one call ends several sessions, and no other", func(v *visitor) {
			a, b, c := v.begin(session.Create{}), v.stranger().begin(session.Create{}), v.stranger().begin(session.Create{})
			v.mustEnd(a.end(), c.end())
			a.wantGone()
			c.wantGone()
			b.look()
		}},
		{"None", "no ends are no error", func(v *visitor) { v.mustEnd() }},
		{"Namespace", "the end of a namespace empties it and raises its generation; the others stay", func(v *visitor) {
			v.begin(session.Create{Deltas: map[string]session.Delta{"main": set("a", `1`), "chat": set("b", `2`)}})
			v.mustEnd(v.endOf("chat"))
			if got, want := v.look().Space("chat"), (session.SpaceState{Generation: 1}); got != want {
				v.Errorf("chat = %+v, want %+v", got, want)
			}
			v.wantValues("chat")
			v.wantValues("main", "a", `1`)
		}},
		{"NamespaceAnew", "a namespace that was ended begins anew, empty, for who knows of the end", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("chat", set("b", `2`))})
			v.mustEnd(v.endOf("chat"))
			v.look()
			rec := v.mustSave(deltas("chat", set("c", `3`)))
			if got := rec.Space("chat"); got.Generation != 1 || got.Version != 1 {
				v.Errorf("chat = %+v, want generation 1, version 1", got)
			}
			v.near("Left of chat", spaceLeft(rec, "chat"), chatIdle)
			v.wantValues("chat", "c", `3`)
		}},
		{"NamespaceRetry", "the retry of a namespace's end leaves what began after it", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("chat", set("b", `2`))})
			e := v.endOf("chat")
			v.mustEnd(e)
			v.look()
			v.mustSave(deltas("chat", set("c", `3`)))
			v.mustEnd(e)
			v.wantValues("chat", "c", `3`)
			if got := v.look().Space("chat").Generation; got != 1 {
				v.Errorf("generation = %d, want 1", got)
			}
		}},
		{"NamespaceAtLeast", "the generation becomes at least one above the given one", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("chat", set("b", `2`))})
			e := v.endOf("chat")
			e.Generation = 6
			v.mustEnd(e)
			if got := v.look().Space("chat").Generation; got != 7 {
				v.Errorf("generation = %d, want 7", got)
			}
		}},
		{"UnbegunNamespace", "a namespace that has not begun can be ended too", func(v *visitor) {
			v.begin(session.Create{})
			v.another().mustEnd(v.endOf("chat"))
			_, err := v.save(v.change(deltas("chat", set("b", `2`))))
			v.wantErr("Save", err, session.ErrNamespaceEnded)
		}},
		{"NamespaceOfNone", "the end of a namespace creates no record", func(v *visitor) {
			v.mustEnd(v.endOf("chat"))
			v.wantGone()
		}},
		{"Owner", "an end with the user who owns the session ends it, and takes it out of the index", func(v *visitor) {
			v.begin(session.Create{User: v.user})
			e := v.end()
			e.User = v.user
			v.mustEnd(e)
			v.wantGone()
			if got := v.listed(); len(got) > 0 {
				v.Errorf("Listed = %q, want none", got)
			}
			v.wantDelivered(e.Notice)
		}},
		{"NotOwner", "an end with another user does and delivers nothing", func(v *visitor) {
			v.begin(session.Create{User: v.user, Deltas: deltas("chat", set("b", `2`))})
			w := v.stranger().begin(session.Create{})
			for _, e := range []session.End{v.end(), v.endOf("chat"), w.end()} {
				e.User = "user-nobody"
				v.mustEnd(e)
			}
			v.wantValues("chat", "b", `2`)
			w.look()
			if got := v.listed(); !slices.Equal(got, []string{v.id}) {
				v.Errorf("Listed = %q, want %q", got, v.id)
			}
			v.wantDelivered()
		}},
		{"FormerOwner", "an end with a user whom a login replaced does nothing", func(v *visitor) {
			v.begin(session.Create{User: v.user})
			l := v.elevation()
			l.User = v.stranger().user
			v.mustLogin(l)
			v.Notices()
			e := v.end()
			e.User = v.user
			v.mustEnd(e)
			v.look()
			v.wantDelivered()
		}},
	}
}
