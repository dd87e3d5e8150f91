package sessiontest

import (
	"slices"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

func loginRules() []rule {
	return []rule{
		{"Elevated", "a login gives a user and a new secret, raises the epoch by one, and keeps id, creation and values", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("main", set("a", `1`))})
			v.Advance(time.Minute)
			before := v.look()
			l := v.elevation()
			l.Device, l.Terms, l.Deltas = "a phone", session.Terms{Life: time.Hour, Persistent: true}, v.known(deltas("main", set("b", `2`)))
			rec := v.mustLogin(l)
			if rec.ID != v.id || rec.Epoch != before.Epoch+1 || rec.User != v.user || rec.Hash != l.Hash || rec.Device != l.Device || rec.Terms != l.Terms {
				v.Errorf("state = %+v", rec.State)
			}
			v.near("Renewed - Created", rec.Renewed.Sub(rec.Created), time.Minute)
			v.wantValues("main", "a", `1`, "b", `2`)
			v.wantMatch(l.Hash, session.MatchCurrent)
		}},
		{"LifeAnew", "the lifetime starts anew, by the terms of the login", func(v *visitor) {
			v.begin(session.Create{Terms: session.Terms{Life: 2 * time.Hour}})
			v.Advance(20 * time.Minute)
			rec := v.mustLogin(v.elevation())
			v.near("Life", rec.Life, mainLife)
			v.near("Left", rec.Left, mainIdle)
		}},
		{"Grace", "the previous secret is recognised for ElevateGrace, and opens nothing", func(v *visitor) {
			v.begin(session.Create{}).mustLogin(v.elevation())
			v.Advance(session.ElevateGrace - 10*time.Second)
			v.wantMatch(v.secret, session.MatchElevated)
			v.Advance(10 * time.Second)
			v.wantMatch(v.secret, session.MatchNone)
		}},
		{"ElevatedSlidesNothing", "a secret that a login replaced is no activity", func(v *visitor) {
			v.begin(session.Create{}).mustLogin(v.elevation())
			v.Advance(30 * time.Second)
			if rec, err := v.load(session.Load{Hash: v.secret, Slide: session.SlideAlways}); err != nil || rec.Match != session.MatchElevated {
				v.Errorf("Load = %d, %v, want MatchElevated", rec.Match, err)
			}
			v.wantLeft(mainIdle - 30*time.Second)
		}},
		{"OlderForgotten", "a login forgets the secrets before the previous one, even in their grace", func(v *visitor) {
			second := newHash()
			v.begin(session.Create{}).mustDo(v.renewal(v.secret, second))
			v.mustLogin(v.elevation())
			v.wantMatch(v.secret, session.MatchNone)
			v.wantMatch(second, session.MatchElevated)
		}},
		{"Again", "a second login forgets the secret before the first", func(v *visitor) {
			v.begin(session.Create{})
			first := v.elevation()
			v.mustLogin(first)
			v.mustLogin(v.elevation())
			v.wantMatch(v.secret, session.MatchNone)
			v.wantMatch(first.Hash, session.MatchElevated)
		}},
		{"Notice", "a login delivers its notice, once", func(v *visitor) {
			v.begin(session.Create{})
			v.wantDelivered()
			l := v.elevation()
			v.mustLogin(l)
			v.wantDelivered(l.Notice)
		}},
		{"Retry", "a record that has the epoch and the secret of the login already is the answer to a retry", func(v *visitor) {
			v.begin(session.Create{})
			l := v.elevation()
			l.Deltas = v.known(deltas("main", session.Delta{Add: map[string]int64{"n": 1}}))
			first := v.mustLogin(l)
			v.mustSave(deltas("main", set("a", `1`)))
			rec := v.mustLogin(l)
			if rec.Epoch != first.Epoch || rec.Hash != l.Hash {
				v.Errorf("state = %+v", rec.State)
			}
			if diff := diffValues(set("n", `1`, "a", `1`).Set, rec.In("main")); diff != "" {
				v.Errorf("answer of the retry (-want +got):\n%s", diff)
			}
			v.wantValues("main", "n", `1`, "a", `1`)
			v.wantMatch(v.secret, session.MatchElevated)
		}},
		{"Refused", "a login that is refused changes and delivers nothing", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("main", set("a", `1`, "n", `"x"`))})
			w := v.another()
			w.mustEnd(w.endOf("chat"))
			v.Notices()
			for want, d := range map[error]map[string]session.Delta{
				session.ErrNamespaceEnded: deltas("chat", set("a", `1`)),
				session.ErrConflict:       deltas("main", session.Delta{Swap: map[string]session.Swap{"a": {Old: new(`0`)}}}),
				session.ErrType:           deltas("main", session.Delta{Add: map[string]int64{"n": 1}}),
				session.ErrLimit:          deltas("main", set("b", text(session.MaxValueBytes+1))),
			} {
				l := v.elevation()
				l.Deltas = v.known(d)
				_, err := v.login(l)
				v.wantErr("Login", err, want)
				v.wantMatch(l.Hash, session.MatchNone)
			}
			if got := v.look(); got.Epoch != w.seen.Epoch || got.User != "" {
				v.Errorf("state = %+v, want it unchanged", got.State)
			}
			v.wantMatch(v.secret, session.MatchCurrent)
			v.wantDelivered()
		}},
		{"Renewed", "of two logins from the same epoch one is refused", func(v *visitor) {
			w := v.begin(session.Create{}).another()
			v.mustLogin(v.elevation())
			v.Notices()
			_, err := w.login(w.elevation())
			w.wantErr("Login", err, session.ErrRenewed)
			w.wantDelivered()
		}},
		{"Ended", "a login never creates a record", func(v *visitor) {
			v.begin(session.Create{})
			v.mustEnd(v.end())
			v.Notices()
			_, err := v.login(v.elevation())
			v.wantErr("Login", err, session.ErrEnded)
			v.wantGone()
			v.wantDelivered()
		}},
		{"Unknown", "a namespace that is not in the family is an error, and there is no login", func(v *visitor) {
			v.begin(session.Create{})
			l := v.elevation()
			l.Deltas = deltas("nowhere", set("a", `1`))
			if _, err := v.login(l); err == nil {
				v.Error("Login = nil, want an error")
			}
			v.wantMatch(v.secret, session.MatchCurrent)
		}},
		{"Listed", "a login puts the session into the user's index", func(v *visitor) {
			v.begin(session.Create{})
			if got := v.listed(); len(got) > 0 {
				v.Errorf("Listed before the login = %q", got)
			}
			v.mustLogin(v.elevation())
			if got := v.listed(); !slices.Equal(got, []string{v.id}) {
				v.Errorf("Listed = %q, want %q", got, v.id)
			}
		}},
		{"NamespacesAnew", "a login begins the lifetime of every namespace that has begun anew, and nothing else of it", func(v *visitor) {
			v.begin(session.Create{
				Terms:  session.Terms{Life: chatLife},
				Deltas: map[string]session.Delta{"chat": set("a", `1`), "cart": set("b", `2`)},
			})
			use := func() {
				for range chatLife/(5*time.Minute) - 1 {
					v.Advance(5 * time.Minute)
					v.mustLoad(session.Load{Slide: session.SlideAlways})
				}
			}
			use()
			v.near("Left of chat", spaceLeft(v.look(), "chat"), 5*time.Minute)
			rec := v.mustLogin(v.elevation())
			v.near("Left of chat", spaceLeft(rec, "chat"), chatIdle)
			if got, want := rec.Space("code"), (session.SpaceState{}); got != want {
				v.Errorf("code = %+v, want %+v: it had not begun", got, want)
			}
			use()
			v.wantValues("chat", "a", `1`)
			v.wantValues("cart", "b", `2`)
			v.near("Left of chat", spaceLeft(v.look(), "chat"), 5*time.Minute)
			v.Advance(5 * time.Minute)
			if got := v.look().Space("chat").Generation; got != 1 {
				v.Errorf("generation of chat = %d, want 1", got)
			}
			v.wantValues("cart", "b", `2`)
		}},
	}
}
