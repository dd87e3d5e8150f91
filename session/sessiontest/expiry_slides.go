package sessiontest

import (
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// wantSeen fails when the deadlines did not slide that long ago.
func (v *visitor) wantSeen(what string, rec session.Record, ago time.Duration) {
	v.Helper()
	v.near(what+": Now - Seen", rec.Now.Sub(rec.Seen), ago)
}

func expirySlideRules() []rule {
	due := session.Load{Slide: session.SlideDue}
	return []rule{
		{"Set", "a save that sets an expiry is activity, also the zero one, whatever else it says", func(v *visitor) {
			for _, e := range []expiry{afterIdle(2 * time.Hour), endIn(5 * time.Hour), {Expiry: session.Expiry{Cookie: session.PersistAlways}}, {}} {
				w := v.stranger().begin(session.Create{Deltas: deltas("chat", set("a", `1`))})
				w.Advance(time.Minute)
				rec := w.expire(e)
				w.wantSeen("Save", rec, 0)
				w.wantSeen("Load", w.look(), 0)
				w.near("Left of chat", spaceLeft(w.look(), "chat"), chatIdle)
			}
		}},
		{"Never", "SlideNever slides nothing", func(v *visitor) {
			for _, w := range v.expiring(session.Create{}, afterIdle(2*time.Hour)) {
				w.Advance(time.Hour)
				w.mustLoad(session.Load{Hash: w.secret})
				w.mustSave(deltas("main", set("a", `1`)))
				w.wantLeft(time.Hour)
			}
		}},
		{"Always", "activity slides by the idle timeout of the session", func(v *visitor) {
			for _, idle := range []time.Duration{5 * time.Minute, 2 * time.Hour} {
				for way, w := range v.expiring(session.Create{}, afterIdle(idle)) {
					w.Advance(idle - time.Minute)
					w.near("Left after "+way+" and Load", w.mustLoad(session.Load{Slide: session.SlideAlways}).Left, idle)
					w.Advance(idle - time.Minute)
					s := w.change(deltas("main", set("a", `1`)))
					s.Slide = session.SlideAlways
					w.near("Left after "+way+" and Save", w.mustDo(s).Left, idle)
				}
			}
		}},
		{"Due", "SlideDue goes by a tenth of the idle timeout of the session", func(v *visitor) {
			for _, idle := range []time.Duration{5 * time.Minute, 2 * time.Hour} {
				for way, w := range v.expiring(session.Create{Terms: session.Terms{Idle: time.Hour}}, afterIdle(idle)) {
					w.Advance(idle / 20)
					w.near("Left early after "+way, w.mustLoad(due).Left, idle-idle/20)
					w.Advance(idle / 20)
					w.near("Left after "+way, w.mustLoad(due).Left, idle)
				}
			}
		}},
		{"DueByLife", "for SlideDue the root of a session with an end alone has its lifetime for an idle timeout", func(v *visitor) {
			for terms, life := range map[session.Terms]time.Duration{
				{}: mainLife, {Idle: 5 * time.Minute}: mainLife, {Life: 20 * time.Hour}: 20 * time.Hour,
			} {
				for way, w := range v.expiring(session.Create{Terms: terms, Deltas: deltas("cart", set("a", `1`))}, endIn(5*time.Hour)) {
					w.Advance(life/10 - 5*time.Minute)
					w.wantSeen("early after "+way, w.mustLoad(due), life/10-5*time.Minute)
					w.Advance(5 * time.Minute)
					w.wantSeen("after "+way, w.mustLoad(due), 0)
				}
			}
		}},
		{"DueByChild", "for SlideDue the idle timeouts of the namespaces that have begun count as ever", func(v *visitor) {
			for _, e := range []expiry{afterIdle(2 * time.Hour), endIn(5 * time.Hour)} {
				for way, w := range v.expiring(session.Create{Deltas: deltas("chat", set("a", `1`))}, e) {
					w.Advance(chatIdle / 20)
					w.wantSeen("early after "+way, w.mustLoad(due), chatIdle/20)
					w.Advance(chatIdle / 20)
					w.wantSeen("after "+way, w.mustLoad(due), 0)
					w.near("Left of chat", spaceLeft(w.look(), "chat"), chatIdle)
				}
			}
		}},
		{"SaveDue", "a save slides when it is due, by the expiry that the session has", func(v *visitor) {
			for _, w := range v.expiring(session.Create{}, afterIdle(2*time.Hour)) {
				for passed, want := range map[time.Duration]time.Duration{mainIdle / 10: mainIdle / 10, 12 * time.Minute: 0} {
					w.expire(afterIdle(2 * time.Hour))
					w.Advance(passed)
					s := w.change(deltas("main", set("a", `1`)))
					s.Slide = session.SlideDue
					w.wantSeen("Save", w.mustDo(s), want)
				}
			}
		}},
	}
}
