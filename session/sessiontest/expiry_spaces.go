package sessiontest

import (
	"time"

	"github.com/sessionhub/sessionhub/session"
)

func namespaceExpiryRules() []rule {
	// cart has no timeouts of its own, chat and code have.
	all := func() map[string]session.Delta {
		return map[string]session.Delta{"cart": set("a", `1`), "chat": set("b", `2`), "code": set("c", `3`)}
	}
	return []rule{
		{"AsTheRoot", "a namespace without timeouts follows the expiry of the session; one that has some keeps them", func(v *visitor) {
			for _, e := range []expiry{afterIdle(20 * time.Minute), afterIdle(2 * time.Hour), endIn(5 * time.Hour)} {
				for way, w := range v.expiring(session.Create{Deltas: all()}, e) {
					for name, want := range map[string]time.Duration{"cart": max(e.Idle, e.until), "chat": chatIdle, "code": codeIdle} {
						w.near("Left of "+name+" in the answer of "+way, spaceLeft(w.seen, name), want)
						w.near("Left of "+name+" after "+way, spaceLeft(w.look(), name), want)
					}
				}
			}
		}},
		{"Slide", "activity slides each namespace by what it follows", func(v *visitor) {
			for way, w := range v.expiring(session.Create{Deltas: all()}, afterIdle(2*time.Hour)) {
				w.Advance(codeIdle / 2)
				rec := w.mustLoad(session.Load{Slide: session.SlideAlways})
				for name, want := range map[string]time.Duration{"cart": 2 * time.Hour, "chat": chatIdle, "code": codeIdle} {
					w.near("Left of "+name+" after "+way, spaceLeft(rec, name), want)
				}
			}
		}},
		{"NotBeyondRoot", "a namespace cannot outlive the expiry of the session", func(v *visitor) {
			for _, e := range []expiry{afterIdle(4 * time.Minute), endIn(4 * time.Minute)} {
				for way, w := range v.expiring(session.Create{Deltas: all()}, e) {
					for name, want := range map[string]time.Duration{"cart": 4 * time.Minute, "chat": 4 * time.Minute, "code": codeIdle} {
						w.near("Left of "+name+" after "+way, spaceLeft(w.look(), name), want)
					}
					w.Advance(4 * time.Minute)
					w.wantGone()
				}
			}
		}},
		{"Alone", "a namespace with a shorter idle timeout ends alone, and the others live on", func(v *visitor) {
			for _, e := range []expiry{afterIdle(2 * time.Hour), endIn(5 * time.Hour)} {
				for way, w := range v.expiring(session.Create{Deltas: all()}, e) {
					w.Advance(mainIdle)
					rec := w.look()
					for _, name := range []string{"chat", "code"} {
						if got, want := rec.Space(name), (session.SpaceState{Generation: 1}); got != want {
							w.Errorf("%s after %s = %+v, want %+v", name, way, got, want)
						}
					}
					w.wantValues("cart", "a", `1`)
					w.near("Left of cart after "+way, spaceLeft(rec, "cart"), rec.Left)
				}
			}
		}},
		{"Lives", "an expiry leaves the lifetimes of the namespaces as they are", func(v *visitor) {
			for way, w := range v.expiring(session.Create{Deltas: deltas("chat", set("b", `2`))}, endIn(5*time.Hour)) {
				for range chatLife/(5*time.Minute) - 1 {
					w.Advance(5 * time.Minute)
					w.mustLoad(session.Load{Slide: session.SlideAlways})
				}
				w.near("Left of chat after "+way, spaceLeft(w.look(), "chat"), 5*time.Minute)
				w.expire(afterIdle(2 * time.Hour))
				w.near("Left of chat after another save", spaceLeft(w.look(), "chat"), 5*time.Minute)
			}
		}},
		{"Begin", "a namespace that begins with an expiry, or after it, follows it", func(v *visitor) {
			for _, e := range []expiry{afterIdle(4 * time.Minute), afterIdle(2 * time.Hour), endIn(5 * time.Hour)} {
				w := v.stranger().begin(session.Create{})
				s := w.change(deltas("cart", set("a", `1`)))
				s.Expiry = new(w.dated(e))
				w.near("Left of cart in the answer", spaceLeft(w.mustDo(s), "cart"), max(e.Idle, e.until))
				w.near("Left of cart", spaceLeft(w.look(), "cart"), max(e.Idle, e.until))

				w = v.stranger().begin(session.Create{})
				w.expire(e)
				rec := w.mustSave(map[string]session.Delta{"cart": set("a", `1`), "chat": set("b", `2`)})
				w.near("Left of cart, begun later", spaceLeft(rec, "cart"), max(e.Idle, e.until))
				w.near("Left of chat, begun later", spaceLeft(rec, "chat"), min(chatIdle, max(e.Idle, e.until)))
			}
		}},
		{"Back", "the zero expiry gives the namespaces back their deadlines, with the terms", func(v *visitor) {
			for _, e := range []expiry{afterIdle(4 * time.Minute), afterIdle(2 * time.Hour), endIn(4 * time.Minute)} {
				for way, w := range v.expiring(session.Create{Terms: session.Terms{Idle: time.Hour}, Deltas: all()}, e) {
					rec := w.expire(expiry{})
					for name, want := range map[string]time.Duration{"cart": time.Hour, "chat": chatIdle, "code": codeIdle} {
						w.near("Left of "+name+", set by "+way, spaceLeft(rec, name), want)
					}
				}
			}
		}},
		{"Ended", "the end of a namespace leaves the expiry of the session", func(v *visitor) {
			for _, e := range []expiry{afterIdle(2 * time.Hour), endIn(5 * time.Hour)} {
				for way, w := range v.expiring(session.Create{Deltas: all()}, e) {
					w.mustEnd(w.endOf("cart"))
					w.wantExpiry("Load after "+way, w.look().State, e)
					rec := w.mustSave(deltas("cart", set("d", `4`)))
					w.near("Left of cart after "+way, spaceLeft(rec, "cart"), max(e.Idle, e.until))
				}
			}
		}},
	}
}
