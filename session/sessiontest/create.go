package sessiontest

import (
	"crypto/rand"
	"slices"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

func createRules() []rule {
	return []rule{
		{"Ends", "what a new session takes the place of ends first, also when the new one is refused", func(v *visitor) {
			v.begin(session.Create{User: v.user, Deltas: deltas("chat", set("b", `2`))})
			end := v.end()
			end.User, end.Replaced = v.user, true
			w := v.stranger()
			w.begin(session.Create{User: w.user, Ends: []session.End{end}})
			v.wantGone()
			v.wantMatch(v.secret, session.MatchElevated)
			v.wantDelivered(end.Notice)
			if got := v.listed(); len(got) > 0 {
				v.Errorf("Listed = %q, want none", got)
			}
			w.look()
			if got := w.listed(); !slices.Equal(got, []string{w.id}) {
				v.Errorf("Listed = %q, want %q", got, w.id)
			}

			x := v.stranger().begin(session.Create{})
			_, err := w.create(session.Create{User: w.user, Nonce: "another", Ends: []session.End{x.end()}})
			v.wantErr("Create", err, session.ErrExists)
			x.wantGone()
			w.look()
		}},
		{"New", "a created record is there for the next load, with all that it was created with", func(v *visitor) {
			terms := session.Terms{Idle: time.Hour, Life: 24 * time.Hour, Persistent: true}
			v.begin(session.Create{User: v.user, Device: "a phone", Terms: terms, Deltas: deltas("main", set("a", `1`))})
			for what, rec := range map[string]session.Record{"Create": v.seen, "Load": v.mustLoad(session.Load{})} {
				if rec.ID != v.id || rec.User != v.user || rec.Device != "a phone" || rec.Terms != terms || rec.Hash != v.secret {
					v.Errorf("%s = %+v", what, rec.State)
				}
				if diff := diffValues(set("a", `1`).Set, rec.In("main")); diff != "" {
					v.Errorf("%s has values (-want +got):\n%s", what, diff)
				}
			}
		}},
		{"Times", "a new record was created, seen and given its secret now", func(v *visitor) {
			v.begin(session.Create{})
			for what, at := range map[string]time.Time{"Created": v.seen.Created, "Seen": v.seen.Seen, "Renewed": v.seen.Renewed} {
				v.near("Now - "+what, v.seen.Now.Sub(at), 0)
			}
			v.near("Left", v.seen.Left, mainIdle)
			v.near("Life", v.seen.Life, mainLife)
		}},
		{"AllNamespaces", "every namespace of the family is in the answer, the unwritten ones without values and deadline", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("main", set("a", `1`))})
			for what, rec := range map[string]session.Record{"Create": v.seen, "Load": v.mustLoad(session.Load{})} {
				if rec.Family != v.family || len(rec.Spaces) != len(v.family.Spaces) {
					v.Errorf("%s has %d namespaces of %p, want those of the family", what, len(rec.Spaces), rec.Family)
				}
				for _, s := range v.family.Spaces {
					values, st := rec.In(s.Name), rec.Space(s.Name)
					if !values.Known() {
						v.Errorf("%s has no %s", what, s.Name)
					}
					if s.Name != "main" && (values.Len() > 0 || st != session.SpaceState{}) {
						v.Errorf("%s has %v and %+v for %s, want nothing", what, values.Map(), st, s.Name)
					}
				}
			}
		}},
		{"InsertOnly", "an id that exists is ErrExists, and its record stays as it was", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("main", set("a", `1`))})
			_, err := v.create(session.Create{Hash: newHash(), Deltas: deltas("main", set("a", `2`))})
			v.wantErr("Create", err, session.ErrExists)
			v.wantValues("main", "a", `1`)
			if got := v.look().Hash; got != v.secret {
				v.Errorf("hash = %s, want that of the first", got)
			}
		}},
		{"Retry", "a second create with the same nonce is a retry: the present record is the answer", func(v *visitor) {
			c := session.Create{Nonce: rand.Text(), Deltas: deltas("main", set("a", `1`))}
			v.begin(c).mustSave(deltas("main", set("b", `2`)))
			rec, err := v.create(c)
			if err != nil {
				v.Fatalf("Create again = %v", err)
			}
			if diff := diffValues(set("a", `1`, "b", `2`).Set, rec.In("main")); diff != "" {
				v.Errorf("values (-want +got):\n%s", diff)
			}
		}},
		{"Refused", "a create over a limit keeps nothing", func(v *visitor) {
			_, err := v.create(session.Create{User: v.user, Deltas: deltas("main", set("a", text(session.MaxValueBytes+1)))})
			v.wantErr("Create", err, session.ErrLimit)
			v.wantGone()
		}},
		{"AfterExpiry", "a record whose deadline has passed is no obstacle, and leaves nothing behind", func(v *visitor) {
			v.begin(session.Create{User: v.user, Deltas: deltas("chat", set("a", `1`))})
			v.Advance(mainIdle)
			v.begin(session.Create{})
			if got := v.look(); got.User != "" || got.Space("chat") != (session.SpaceState{}) || got.In("chat").Len() > 0 {
				v.Errorf("the new record = %+v, want nothing of the old one", got)
			}
		}},
		{"Families", "an id of one family is unknown in another", func(v *visitor) {
			v.begin(session.Create{})
			w := v.another()
			w.family = &session.Family{Spaces: []session.Space{{Name: "shop", Prefix: "shop", Idle: mainIdle, Life: mainLife}}}
			w.wantGone()
			if _, err := w.create(session.Create{}); err != nil {
				w.Errorf("Create in the other family = %v", err)
			}
		}},
		{"Listed", "a session created with a user is in the user's index", func(v *visitor) {
			v.begin(session.Create{User: v.user})
			if got := v.listed(); !slices.Equal(got, []string{v.id}) {
				v.Errorf("Listed = %q, want %q", got, v.id)
			}
		}},
		{"Unknown", "a delta for a namespace that is not in the family is an error, and keeps nothing", func(v *visitor) {
			if _, err := v.create(session.Create{Deltas: deltas("nowhere", set("a", `1`))}); err == nil {
				v.Error("Create = nil, want an error")
			}
			v.wantGone()
		}},
	}
}
