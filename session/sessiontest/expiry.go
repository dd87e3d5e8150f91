package sessiontest

import (
	"crypto/rand"
	"iter"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// expiry is a [session.Expiry] whose end, if it has one, lies so far ahead of
// the store's time when it is set.
type expiry struct {
	session.Expiry               // without End
	until          time.Duration // 0: no end
}

// afterIdle is an idle timeout.
func afterIdle(d time.Duration) expiry { return expiry{Expiry: session.Expiry{Idle: d}} }

// endIn is an end after d.
func endIn(d time.Duration) expiry { return expiry{until: d} }

// dated returns e as it is set now.
func (v *visitor) dated(e expiry) session.Expiry {
	if e.until != 0 {
		e.End = v.now().Add(e.until)
	}
	return e.Expiry
}

// expire gives the session an expiry by a save that changes and slides nothing
// else.
func (v *visitor) expire(e expiry) session.Record {
	v.Helper()
	return v.mustDo(session.Save{Op: rand.Text(), Epoch: v.seen.Epoch, Expiry: new(v.dated(e))})
}

// expiring gives a session an expiry in each of the ways that there are, each
// time as a stranger who has seen the answer. The session is his, and begins
// with the terms and the deltas of c.
func (v *visitor) expiring(c session.Create, e expiry) iter.Seq2[string, *visitor] {
	begin := func(e expiry) *visitor {
		w := v.stranger()
		c.User, c.Expiry = w.user, w.dated(e)
		return w.begin(c)
	}
	return func(yield func(string, *visitor) bool) {
		if !yield("create", begin(e)) {
			return
		}
		w := begin(expiry{})
		w.expire(e)
		if !yield("save", w) {
			return
		}
		w = begin(expiry{})
		l := w.elevation()
		l.Terms, l.Expiry = c.Terms, w.dated(e)
		w.secret = l.Hash
		w.mustLogin(l)
		yield("login", w)
	}
}

// wantExpiry fails when the expiry in a state is not e.
func (v *visitor) wantExpiry(what string, st session.State, e expiry) {
	v.Helper()
	if st.Expiry.Idle != e.Idle || st.Expiry.Cookie != e.Cookie || st.Expiry.End.IsZero() != (e.until == 0) {
		v.Errorf("%s has the expiry %+v, want %+v", what, st.Expiry, e)
	}
	if e.until != 0 {
		v.near(what+": End - Now", st.Expiry.End.Sub(st.Now), e.until)
	}
}

func expiryRules() []rule {
	// The forms of an expiry. The first two are shorter and longer than the
	// root's idle timeout.
	forms := []expiry{afterIdle(5 * time.Minute), afterIdle(2 * time.Hour), endIn(5 * time.Hour)}
	return []rule{
		{"Idle", "an idle timeout of the session replaces the root's, shorter or longer, and leaves the lifetime", func(v *visitor) {
			for _, idle := range []time.Duration{5 * time.Minute, 2 * time.Hour} {
				for way, w := range v.expiring(session.Create{}, afterIdle(idle)) {
					w.near("Left after "+way, w.seen.Left, idle)
					w.near("Life after "+way, w.seen.Life, mainLife)
					w.Advance(idle - time.Minute)
					w.wantLeft(time.Minute)
					w.Advance(time.Minute)
					w.wantGone()
				}
			}
		}},
		{"End", "an end is the end of the session, and without activity it lives until then", func(v *visitor) {
			for way, w := range v.expiring(session.Create{}, endIn(5*time.Hour)) {
				w.near("Left after "+way, w.seen.Left, 5*time.Hour)
				w.near("Life after "+way, w.seen.Life, 5*time.Hour)
				w.Advance(5*time.Hour - time.Minute)
				w.wantLeft(time.Minute)
				w.near("Life", w.look().Life, time.Minute)
				w.Advance(time.Minute)
				w.wantGone()
			}
		}},
		{"IdleUntilEnd", "an idle timeout counts beside an end when the expiry has both", func(v *visitor) {
			e := expiry{session.Expiry{Idle: 20 * time.Minute}, 50 * time.Minute}
			for way, w := range v.expiring(session.Create{Deltas: deltas("cart", set("a", `1`))}, e) {
				w.wantExpiry("Load after "+way, w.look().State, e)
				w.near("Left after "+way, w.seen.Left, e.Idle)
				w.near("Life after "+way, w.seen.Life, e.until)
				w.near("Left of cart after "+way, spaceLeft(w.seen, "cart"), e.Idle)
				w.Advance(e.Idle - time.Minute)
				w.near("Left", w.mustLoad(session.Load{Slide: session.SlideDue}).Left, e.Idle)
				w.Advance(e.Idle - time.Minute)
				w.near("Left", w.mustLoad(session.Load{Slide: session.SlideAlways}).Left, 12*time.Minute)

				_, x := first(v.expiring(session.Create{}, e))
				x.Advance(e.Idle)
				x.wantGone()
			}
		}},
		{"ActiveUntilEnd", "activity does not carry a session beyond its end", func(v *visitor) {
			for _, w := range v.expiring(session.Create{}, endIn(40*time.Minute)) {
				for range 3 {
					w.Advance(10 * time.Minute)
					w.mustLoad(session.Load{Slide: session.SlideAlways})
				}
				w.wantLeft(10 * time.Minute)
				w.Advance(10 * time.Minute)
				w.wantGone()
			}
		}},
		{"NotBeyondLife", "no expiry lengthens the lifetime", func(v *visitor) {
			for _, e := range []expiry{afterIdle(2 * mainLife), endIn(2 * mainLife)} {
				for way, w := range v.expiring(session.Create{}, e) {
					w.near("Left after "+way, w.seen.Left, mainLife)
					w.near("Life after "+way, w.seen.Life, mainLife)
					w.Advance(mainLife - time.Minute)
					w.near("Left", w.mustLoad(session.Load{Slide: session.SlideAlways}).Left, time.Minute)
					w.Advance(time.Minute)
					w.wantGone()
				}
			}
		}},
		{"Terms", "an idle timeout of the session comes before that of its terms, which keep the lifetime", func(v *visitor) {
			c := session.Create{Terms: session.Terms{Idle: time.Hour, Life: 4 * time.Hour}}
			for _, e := range []expiry{afterIdle(5 * time.Minute), afterIdle(2 * time.Hour)} {
				for way, w := range v.expiring(c, e) {
					w.near("Left after "+way, w.seen.Left, e.Idle)
					w.near("Life after "+way, w.seen.Life, c.Terms.Life)
				}
			}
			for e, want := range map[expiry]time.Duration{endIn(3 * time.Hour): 3 * time.Hour, endIn(6 * time.Hour): c.Terms.Life} {
				for way, w := range v.expiring(c, e) {
					w.near("Left after "+way, w.seen.Left, want)
					w.near("Life after "+way, w.seen.Life, want)
				}
			}
		}},
		{"Back", "the zero expiry goes back to the timeouts of the root", func(v *visitor) {
			for _, e := range forms {
				for way, w := range v.expiring(session.Create{}, e) {
					w.Advance(time.Minute)
					rec := w.expire(expiry{})
					w.near("Left, set by "+way, rec.Left, mainIdle)
					w.near("Life, set by "+way, rec.Life, mainLife-time.Minute)
					w.wantExpiry("Load", w.look().State, expiry{})
				}
			}
		}},
		{"BackToTerms", "the zero expiry goes back to the terms, where the session has some", func(v *visitor) {
			for _, e := range forms {
				for way, w := range v.expiring(session.Create{Terms: session.Terms{Idle: time.Hour, Life: 6 * time.Hour}}, e) {
					rec := w.expire(expiry{})
					w.near("Left, set by "+way, rec.Left, time.Hour)
					w.near("Life, set by "+way, rec.Life, 6*time.Hour)
				}
			}
		}},
		{"Changed", "another expiry replaces the whole of the one before", func(v *visitor) {
			for _, from := range forms {
				for _, to := range forms {
					_, w := first(v.expiring(session.Create{}, from))
					w.wantExpiry("Save", w.expire(to).State, to)
					w.near("Left", w.look().Left, max(to.Idle, to.until))
				}
			}
		}},
		{"Login", "a login ends the expiry, unless it gives one", func(v *visitor) {
			for _, e := range forms {
				for way, w := range v.expiring(session.Create{}, e) {
					rec := w.mustLogin(w.elevation())
					w.near("Left, set by "+way, rec.Left, mainIdle)
					w.near("Life, set by "+way, rec.Life, mainLife)
					w.wantExpiry("Login", rec.State, expiry{})
					w.wantExpiry("Load", w.look().State, expiry{})
				}
			}
		}},
		{"Leaves", "a save without an expiry leaves it, as does a renewal of the secret", func(v *visitor) {
			for _, e := range forms {
				for way, w := range v.expiring(session.Create{}, e) {
					w.Advance(time.Minute)
					w.mustSave(deltas("main", set("a", `1`)))
					w.mustDo(w.renewal(w.secret, newHash()))
					left := max(e.Idle, e.until) - time.Minute
					w.wantLeft(left)
					want := e
					want.until = min(e.until, left)
					w.wantExpiry("Load after "+way, w.look().State, want)
				}
			}
		}},
		{"Known", "every answer tells the expiry", func(v *visitor) {
			for _, e := range forms {
				e.Cookie = session.PersistNever
				for way, w := range v.expiring(session.Create{}, e) {
					w.wantExpiry(way, w.seen.State, e)
					w.wantExpiry("Load after "+way, w.mustLoad(session.Load{Hash: w.secret}).State, e)
					w.wantExpiry("Check after "+way, *w.check(), e)
					w.wantExpiry("Save after "+way, w.mustSave(deltas("main", set("a", `1`))).State, e)
				}
			}
		}},
		{"Milliseconds", "an end is kept to the millisecond", func(v *visitor) {
			at := v.now().Add(time.Hour).Truncate(time.Second).Add(123456789 * time.Nanosecond)
			v.begin(session.Create{Expiry: session.Expiry{End: at}})
			for what, rec := range map[string]session.Record{"Create": v.seen, "Load": v.mustLoad(session.Load{})} {
				if got, want := rec.Expiry.End, time.UnixMilli(at.UnixMilli()); !got.Equal(want) {
					v.Errorf("%s has the end %v, want %v", what, got, want)
				}
			}
		}},
		{"Cookie", "what an expiry says of the cookie is kept, and changes no deadline", func(v *visitor) {
			for _, p := range []session.Persistence{session.PersistAlways, session.PersistNever, session.PersistDefault} {
				e := expiry{Expiry: session.Expiry{Cookie: p}}
				for way, w := range v.expiring(session.Create{}, e) {
					w.near("Left after "+way, w.seen.Left, mainIdle)
					w.near("Life after "+way, w.seen.Life, mainLife)
					w.wantExpiry("Load after "+way, w.look().State, e)
				}
			}
		}},
		{"Retry", "a save that was carried out does not set its expiry anew", func(v *visitor) {
			v.begin(session.Create{})
			s := v.change(deltas("main", set("a", `1`)))
			s.Expiry = &session.Expiry{Idle: time.Hour}
			v.mustDo(s)
			v.expire(afterIdle(2 * time.Hour))
			v.Advance(session.OpMemory / 2)
			v.near("Left", v.mustDo(s).Left, 2*time.Hour-session.OpMemory/2)
			v.wantExpiry("Load", v.look().State, afterIdle(2*time.Hour))
			v.wantLeft(2*time.Hour - session.OpMemory/2)
		}},
		{"Refused", "a save or a login that is refused sets no expiry, and is no activity", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("main", set("a", `1`, "n", `"x"`))})
			stale := v.another()
			stale.seen.Epoch++
			w := v.another()
			w.mustEnd(w.endOf("chat"))
			v.Advance(time.Minute)
			saves := map[error]session.Save{
				session.ErrRenewed:        stale.change(nil),
				session.ErrNamespaceEnded: v.change(deltas("chat", set("a", `1`))),
				session.ErrConflict:       v.change(deltas("main", session.Delta{Swap: map[string]session.Swap{"a": {Old: new(`0`)}}})),
				session.ErrType:           v.change(deltas("main", add(1))),
				session.ErrLimit:          v.change(deltas("main", set("b", text(session.MaxValueBytes+1)))),
			}
			for _, e := range append(forms, afterIdle(-1), endIn(-time.Hour)) {
				for want, s := range saves {
					s.Expiry = new(v.dated(e))
					_, err := v.save(s)
					v.wantErr("Save", err, want)
					l := v.elevation()
					l.Epoch, l.Deltas, l.Expiry = s.Epoch, s.Deltas, *s.Expiry
					_, err = v.login(l)
					v.wantErr("Login", err, want)
				}
			}
			v.wantLeft(mainIdle - time.Minute)
			v.wantExpiry("Load", v.look().State, expiry{})
		}},
	}
}

// first returns the first pair of seq.
func first[K, V any](seq iter.Seq2[K, V]) (k K, v V) {
	for k, v = range seq {
		break
	}
	return k, v
}
