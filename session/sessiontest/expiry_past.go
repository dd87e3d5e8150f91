package sessiontest

import (
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// wantOver fails when the answer of what has anything left of the session's time,
// or when the session lives for any operation.
func (v *visitor) wantOver(what string) {
	v.Helper()
	if v.seen.ID != v.id || v.seen.Left > 0 {
		v.Errorf("%s = id %q with %v left, want the session with nothing left", what, v.seen.ID, v.seen.Left)
	}
	v.wantGone()
	_, err := v.load(session.Load{Hash: v.secret, Slide: session.SlideAlways})
	v.wantErr("Load after "+what, err, session.ErrNotFound)
	_, err = v.save(v.change(deltas("main", set("a", `9`))))
	v.wantErr("Save after "+what, err, session.ErrEnded)
	_, err = v.login(v.elevation())
	v.wantErr("Login after "+what, err, session.ErrEnded)
	states, err := v.Store.Check(v.Context(), v.family, v.listed())
	if err != nil {
		v.Fatalf("Check after %s = %v", what, err)
	}
	for _, st := range states {
		if st != nil {
			v.Errorf("after %s %q is listed and lives", what, st.ID)
		}
	}
}

func pastExpiryRules() []rule {
	past := []expiry{
		afterIdle(-1), afterIdle(-time.Hour), {session.Expiry{Idle: -1}, 5 * time.Hour}, // one below 0 beside an end
		endIn(-time.Second), endIn(-10 * mainLife),
	}
	return []rule{
		{"Over", "an expiry that has passed is no error, and the session is gone for everything after it", func(v *visitor) {
			for _, e := range past {
				for way, w := range v.expiring(session.Create{Deltas: deltas("main", set("a", `1`))}, e) {
					w.wantOver(way)
				}
			}
		}},
		{"Epoch", "an end however long ago is an end, and not none", func(v *visitor) {
			for _, at := range []time.Time{time.UnixMilli(0), time.UnixMilli(-1), time.Unix(1, 0)} {
				v.stranger().begin(session.Create{Expiry: session.Expiry{End: at}}).wantOver("Create")
				w := v.stranger().begin(session.Create{})
				s := w.change(nil)
				s.Expiry = &session.Expiry{End: at}
				w.mustDo(s)
				w.wantOver("Save")
			}
		}},
		{"Moment", "an idle timeout of less than a millisecond is one, and not none", func(v *visitor) {
			for _, w := range v.expiring(session.Create{}, afterIdle(1)) {
				w.Advance(time.Second)
				w.wantGone()
			}
		}},
		{"WithChanges", "the save that ends the session so is carried out, also with changes and a renewal", func(v *visitor) {
			for _, e := range past {
				w := v.stranger().begin(session.Create{Deltas: map[string]session.Delta{"main": set("a", `1`), "chat": set("b", `2`)}})
				s := w.change(map[string]session.Delta{"main": set("a", `2`), "cart": set("c", `3`)})
				s.Expiry = new(w.dated(e))
				s.Slide = session.SlideAlways
				s.Renew.Old, s.Renew.New = w.secret, newHash()
				w.mustDo(s)
				w.wantOver("Save")
			}
		}},
		{"Notice", "a login with an expiry that has passed delivers its notice", func(v *visitor) {
			for _, e := range past {
				w := v.stranger().begin(session.Create{})
				l := w.elevation()
				l.Expiry = w.dated(e)
				w.mustLogin(l)
				w.wantDelivered(l.Notice)
			}
		}},
		{"Quiet", "a save whose expiry has passed delivers nothing: it is no end by somebody", func(v *visitor) {
			for _, e := range past {
				w := v.stranger().begin(session.Create{})
				w.expire(e)
				w.wantDelivered()
			}
		}},
		{"Anew", "its id is free, and nothing of the old session is left", func(v *visitor) {
			for _, e := range past {
				for way, w := range v.expiring(session.Create{Deltas: deltas("chat", set("a", `1`))}, e) {
					w.begin(session.Create{})
					if rec := w.look(); rec.User != "" || rec.Space("chat") != (session.SpaceState{}) || rec.In("chat").Len() > 0 {
						w.Errorf("after %s the new record = %+v, want nothing of the old one", way, rec)
					}
					w.wantExpiry("Load after "+way, w.seen.State, expiry{})
					w.near("Left after "+way, w.seen.Left, mainIdle)
				}
			}
		}},
	}
}
