package sessiontest

import (
	"errors"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sessionhub/sessionhub/session"
)

// keeping is a change of the secret of the session as the visitor has seen it. It
// has all that it may not change.
func (v *visitor) keeping() session.Elevation {
	l := v.elevation()
	l.Keep = true
	l.User = v.seen.User
	l.Device, l.Address = "another device", "another network"
	l.Terms = session.Terms{Idle: time.Minute, Life: time.Minute, Persistent: true}
	l.Expiry = session.Expiry{Idle: -1}
	return l
}

func keepRules() []rule {
	whole := func(v *visitor) session.Create {
		return session.Create{
			User: v.user, Device: "a phone", Address: "192.0.2.0/24",
			Terms:  session.Terms{Idle: time.Hour, Life: 6 * time.Hour},
			Expiry: session.Expiry{Idle: 2 * time.Hour, Cookie: session.PersistNever},
			Deltas: map[string]session.Delta{"main": set("a", `1`), "cart": set("b", `2`), "chat": set("c", `3`)},
		}
	}
	return []rule{
		{"Kept", "with Keep a login changes the secret and the epoch, and nothing else", func(v *visitor) {
			v.begin(whole(v))
			v.Advance(5 * time.Minute)
			before := v.look()
			l := v.keeping()
			rec := v.mustLogin(l)
			if len(rec.Values) > 0 {
				v.Errorf("the answer has the values %v, want none: nothing was written", rec.Values)
			}
			want := before
			want.Epoch, want.Hash = before.Epoch+1, l.Hash
			want.Seen, want.Renewed, want.Left = before.Now, before.Now, 2*time.Hour
			want.Spaces = nil
			for what, got := range map[string]session.State{"Login": rec.State, "Load": v.look().State, "Check": *v.check()} {
				got.Spaces = nil
				if diff := cmp.Diff(want.State, got, cmpopts.EquateApproxTime(slack), approxDuration()); diff != "" {
					v.Errorf("%s (-want +got):\n%s", what, diff)
				}
			}
			for i, st := range v.look().Spaces {
				if was := before.Spaces[i]; st.Generation != was.Generation || st.Version != was.Version {
					v.Errorf("%s = %+v, was %+v", v.family.Spaces[i].Name, st, was)
				}
			}
			if diff := cmp.Diff(before.Values, v.look().Values); diff != "" {
				v.Errorf("values (-want +got):\n%s", diff)
			}
		}},
		{"Slides", "it is activity, and starts no lifetime anew", func(v *visitor) {
			v.begin(session.Create{Deltas: map[string]session.Delta{"main": set("a", `1`), "cart": set("b", `2`), "chat": set("c", `3`)}})
			for range chatLife/(5*time.Minute) - 1 {
				v.Advance(5 * time.Minute)
				v.mustLoad(session.Load{Slide: session.SlideAlways})
			}
			v.Advance(time.Minute)
			rec := v.mustLogin(v.keeping())
			v.wantSeen("Login", rec, 0)
			v.near("Left", rec.Left, mainIdle)
			v.near("Life", rec.Life, mainLife-chatLife+4*time.Minute)
			v.near("Left of cart", spaceLeft(rec, "cart"), mainIdle)
			v.near("Left of chat", spaceLeft(rec, "chat"), 4*time.Minute)
			if got, want := rec.Space("code"), (session.SpaceState{}); got != want {
				v.Errorf("code = %+v, want %+v: it had not begun", got, want)
			}
		}},
		{"End", "the end of the session's expiry stays", func(v *visitor) {
			v.begin(session.Create{Expiry: v.dated(endIn(2 * time.Hour))})
			v.Advance(time.Hour)
			rec := v.mustLogin(v.keeping())
			v.wantExpiry("Login", rec.State, endIn(time.Hour))
			v.near("Left", rec.Left, time.Hour)
			v.near("Life", rec.Life, time.Hour)
		}},
		{"Grace", "the previous secret is recognised for ElevateGrace, and opens nothing; others are forgotten", func(v *visitor) {
			second := newHash()
			v.begin(whole(v)).mustDo(v.renewal(v.secret, second))
			l := v.keeping()
			v.mustLogin(l)
			v.wantMatch(l.Hash, session.MatchCurrent)
			v.wantMatch(v.secret, session.MatchNone)
			v.Advance(session.ElevateGrace - 10*time.Second)
			v.wantMatch(second, session.MatchElevated)
			v.Advance(10 * time.Second)
			v.wantMatch(second, session.MatchNone)
			v.wantMatch(l.Hash, session.MatchCurrent)
		}},
		{"Deltas", "the deltas are applied", func(v *visitor) {
			v.begin(whole(v))
			v.another().mustSave(deltas("cart", set("d", `4`)))
			l := v.keeping()
			l.Deltas = v.known(map[string]session.Delta{"main": set("a", `5`), "cart": add(1)})
			rec := v.mustLogin(l)
			if diff := diffValues(set("b", `2`, "d", `4`, "n", `1`).Set, rec.In("cart")); diff != "" {
				v.Errorf("cart, where somebody else wrote, in the answer (-want +got):\n%s", diff)
			}
			v.wantValues("main", "a", `5`)
			v.wantValues("cart", "b", `2`, "d", `4`, "n", `1`)
			v.wantValues("chat", "c", `3`)
		}},
		{"Begin", "a namespace that it begins follows the expiry that the session keeps", func(v *visitor) {
			v.begin(session.Create{Expiry: session.Expiry{Idle: 2 * time.Hour}})
			l := v.keeping()
			l.Deltas = v.known(deltas("cart", set("b", `2`)))
			v.near("Left of cart", spaceLeft(v.mustLogin(l), "cart"), 2*time.Hour)
		}},
		{"Notice", "its notice is delivered, once", func(v *visitor) {
			v.begin(whole(v))
			l := v.keeping()
			v.mustLogin(l)
			v.wantDelivered(l.Notice)
		}},
		{"Retry", "a record that has the epoch and the secret already is the answer to a retry", func(v *visitor) {
			v.begin(whole(v))
			l := v.keeping()
			l.Deltas = v.known(deltas("main", add(1)))
			first := v.mustLogin(l)
			v.mustSave(deltas("main", set("a", `7`)))
			rec := v.mustLogin(l)
			if rec.Epoch != first.Epoch || rec.Hash != l.Hash || rec.User != v.user {
				v.Errorf("state = %+v", rec.State)
			}
			v.wantValues("main", "n", `1`, "a", `7`)
			v.wantMatch(v.secret, session.MatchElevated)
		}},
		{"Late", "a save from before it is refused", func(v *visitor) {
			w := v.begin(whole(v)).another()
			v.mustLogin(v.keeping())
			_, err := w.save(w.change(deltas("main", set("a", `2`))))
			w.wantErr("Save", err, session.ErrRenewed)
			_, err = w.login(w.keeping())
			w.wantErr("Login", err, session.ErrRenewed)
			w.wantValues("main", "a", `1`)
		}},
		{"Refused", "when it is refused nothing changes, slides or is delivered", func(v *visitor) {
			v.begin(session.Create{User: v.user, Deltas: deltas("main", set("a", `1`))})
			v.Advance(time.Minute)
			l := v.keeping()
			l.Deltas = v.known(deltas("main", session.Delta{Swap: map[string]session.Swap{"a": {Old: new(`0`)}}}))
			_, err := v.login(l)
			v.wantErr("Login", err, session.ErrConflict)
			v.wantMatch(l.Hash, session.MatchNone)
			v.wantMatch(v.secret, session.MatchCurrent)
			v.wantLeft(mainIdle - time.Minute)
			v.wantDelivered()
			v.mustEnd(v.end())
			v.Notices()
			_, err = v.login(v.keeping())
			v.wantErr("Login", err, session.ErrEnded)
			v.wantGone()
			v.wantDelivered()
		}},
		{"Anonymous", "a session without a user stays without one", func(v *visitor) {
			v.begin(session.Create{})
			l := v.keeping()
			rec := v.mustLogin(l)
			if rec.User != "" || !rec.Authenticated.IsZero() || rec.Epoch != 2 {
				v.Errorf("state = %+v, want nobody at epoch 2", rec.State)
			}
			v.wantMatch(l.Hash, session.MatchCurrent)
			v.wantDelivered(l.Notice)
			if got := v.listed(); len(got) > 0 {
				v.Errorf("Listed = %q, want none", got)
			}
		}},
		{"Listed", "the session is listed as before, as long as it lives", func(v *visitor) {
			v.begin(session.Create{User: v.user, Terms: session.Terms{Idle: 10 * mainLife, Life: 10 * mainLife}})
			l := v.keeping()
			l.Terms = session.Terms{}
			v.mustLogin(l)
			if got := v.listed(); !slices.Equal(got, []string{v.id}) {
				v.Errorf("Listed = %q, want %q", got, v.id)
			}
			for range 3 {
				v.Advance(mainLife)
				v.stranger().begin(session.Create{User: v.user})
			}
			if got := v.listed(); !slices.Contains(got, v.id) {
				v.Errorf("Listed = %q, want %q among them", got, v.id)
			}
		}},
		{"RaiseRacesKeep", "it does not save a session from the end of all of its user's", func(v *visitor) {
			race(v, func(w *visitor) { w.begin(session.Create{User: w.user}) }, func(w *visitor) error {
				_, err := w.login(w.keeping())
				if errors.Is(err, session.ErrEnded) {
					return session.ErrUserEnded // the end of all came first
				}
				return err
			})
		}},
		{"ThenLogin", "a login without Keep, after it, sets all anew", func(v *visitor) {
			v.begin(whole(v))
			v.mustLogin(v.keeping())
			v.Advance(time.Minute)
			rec := v.mustLogin(v.elevation())
			if rec.Device != "" || rec.Address != "" || rec.Terms != (session.Terms{}) || rec.Expiry != (session.Expiry{}) {
				v.Errorf("state = %+v", rec.State)
			}
			v.near("Life", rec.Life, mainLife)
			v.near("Now - Authenticated", rec.Now.Sub(rec.Authenticated), 0)
		}},
	}
}
