package sessiontest

import (
	"time"

	"github.com/sessionhub/sessionhub/session"
)

func deadlineRules() []rule {
	return []rule{
		{"SlideNever", "SlideNever slides nothing", func(v *visitor) {
			v.begin(session.Create{})
			v.Advance(5 * time.Minute)
			v.mustLoad(session.Load{Hash: v.secret})
			v.wantLeft(mainIdle - 5*time.Minute)
		}},
		{"SlideEarly", "SlideDue slides nothing before a tenth of the root's idle timeout has passed, where nothing shorter has begun", func(v *visitor) {
			v.begin(session.Create{})
			v.Advance(mainIdle/10 - time.Minute)
			v.mustLoad(session.Load{Hash: v.secret, Slide: session.SlideDue})
			v.wantLeft(mainIdle - mainIdle/10 + time.Minute)
		}},
		{"SlideDue", "SlideDue slides when a tenth of the root's idle timeout has passed", func(v *visitor) {
			v.begin(session.Create{})
			v.Advance(mainIdle / 10)
			rec := v.mustLoad(session.Load{Hash: v.secret, Slide: session.SlideDue})
			v.near("Left", rec.Left, mainIdle)
			v.near("Now - Seen", rec.Now.Sub(rec.Seen), 0)
			v.near("Seen - Created", rec.Seen.Sub(rec.Created), mainIdle/10)
		}},
		{"SlideDueAgain", "a tenth is counted from the last slide", func(v *visitor) {
			v.begin(session.Create{})
			v.Advance(mainIdle / 10)
			v.mustLoad(session.Load{Slide: session.SlideDue})
			v.Advance(time.Minute)
			v.near("Left", v.mustLoad(session.Load{Slide: session.SlideDue}).Left, mainIdle-time.Minute)
		}},
		{"SlideAlways", "SlideAlways slides now", func(v *visitor) {
			v.begin(session.Create{})
			v.Advance(time.Minute)
			v.near("Left", v.mustLoad(session.Load{Hash: v.secret, Slide: session.SlideAlways}).Left, mainIdle)
		}},
		{"WrongSecret", "a secret that does not fit slides nothing", func(v *visitor) {
			v.begin(session.Create{})
			v.Advance(mainIdle / 2)
			if _, err := v.load(session.Load{Hash: newHash(), Slide: session.SlideAlways}); err != nil {
				v.Errorf("Load = %v", err)
			}
			v.wantLeft(mainIdle / 2)
		}},
		{"SaveSlides", "a save slides as it says, also without deltas", func(v *visitor) {
			v.begin(session.Create{})
			v.Advance(time.Minute)
			v.near("Left after SlideNever", v.mustDo(v.change(deltas("main", set("a", `1`)))).Left, mainIdle-time.Minute)
			v.near("Left after SlideDue", v.mustDo(session.Save{Epoch: v.seen.Epoch, Slide: session.SlideDue}).Left, mainIdle-time.Minute)
			v.near("Left after SlideAlways", v.mustDo(session.Save{Epoch: v.seen.Epoch, Slide: session.SlideAlways}).Left, mainIdle)
		}},
		{"Idle", "without activity the record is gone when the idle timeout has passed", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("chat", set("a", `1`))})
			v.Advance(mainIdle - time.Minute)
			v.wantLeft(time.Minute)
			v.Advance(time.Minute)
			v.wantGone()
		}},
		{"Life", "activity does not carry a record beyond its lifetime", func(v *visitor) {
			v.begin(session.Create{})
			for range mainLife/(20*time.Minute) - 1 {
				v.Advance(20 * time.Minute)
				v.mustLoad(session.Load{Slide: session.SlideAlways})
			}
			rec := v.mustLoad(session.Load{})
			v.near("Left", rec.Left, 20*time.Minute)
			v.near("Life", rec.Life, 20*time.Minute)
			v.Advance(20 * time.Minute)
			v.wantGone()
		}},
		{"Expired", "a record whose deadline has passed is gone for every operation", func(v *visitor) {
			v.begin(session.Create{})
			v.Advance(mainIdle)
			_, err := v.load(session.Load{Hash: v.secret, Slide: session.SlideAlways})
			v.wantErr("Load", err, session.ErrNotFound)
			_, err = v.save(v.change(deltas("main", set("a", `1`))))
			v.wantErr("Save", err, session.ErrEnded)
			_, err = v.login(v.elevation())
			v.wantErr("Login", err, session.ErrEnded)
			v.wantGone()
		}},
		{"Terms", "terms replace the root's timeouts, and slide as these do", func(v *visitor) {
			v.begin(session.Create{Terms: session.Terms{Idle: 20 * time.Hour, Life: 40 * time.Hour}})
			v.Advance(15 * time.Hour)
			rec := v.mustLoad(session.Load{Slide: session.SlideAlways})
			v.near("Left", rec.Left, 20*time.Hour)
			v.near("Life", rec.Life, 25*time.Hour)
			v.Advance(20 * time.Hour)
			v.wantGone()
		}},
		{"ShorterTerms", "terms may be shorter than the root's timeouts", func(v *visitor) {
			v.begin(session.Create{Terms: session.Terms{Idle: 4 * time.Minute, Life: 10 * time.Minute}})
			v.wantLeft(4 * time.Minute)
			for range 3 {
				v.Advance(3 * time.Minute)
				v.mustLoad(session.Load{Slide: session.SlideAlways})
			}
			v.wantLeft(time.Minute)
		}},
		{"HalfTerms", "a zero duration in the terms means the root's own", func(v *visitor) {
			v.begin(session.Create{Terms: session.Terms{Life: time.Hour}})
			v.near("Left", v.seen.Left, mainIdle)
			v.near("Life", v.seen.Life, time.Hour)
			w := v.stranger().begin(session.Create{Terms: session.Terms{Idle: time.Hour}})
			w.near("Left", w.seen.Left, time.Hour)
			w.near("Life", w.seen.Life, mainLife)
		}},
	}
}

func namespaceDeadlineRules() []rule {
	both := func() map[string]session.Delta {
		return map[string]session.Delta{"main": set("a", `1`), "chat": set("b", `2`)}
	}
	return []rule{
		{"Idle", "a namespace with a shorter idle timeout ends alone: one generation higher, and empty", func(v *visitor) {
			v.begin(session.Create{Deltas: both()})
			v.near("Left of chat", spaceLeft(v.seen, "chat"), chatIdle)
			v.Advance(chatIdle)
			if got, want := v.look().Space("chat"), (session.SpaceState{Generation: 1}); got != want {
				v.Errorf("chat = %+v, want %+v", got, want)
			}
			v.wantValues("chat")
			v.wantValues("main", "a", `1`)
		}},
		{"SlideTogether", "activity anywhere slides all namespaces that have begun", func(v *visitor) {
			v.begin(session.Create{Deltas: both()})
			for range 3 {
				v.Advance(chatIdle - time.Minute)
				v.look()
				v.mustDo(session.Save{Epoch: v.seen.Epoch, Slide: session.SlideAlways})
			}
			v.near("Left of chat", spaceLeft(v.look(), "chat"), chatIdle)
			v.wantValues("chat", "b", `2`)
		}},
		{"InUse", "activity in each third of a namespace's idle timeout keeps it, however short beside the root's", func(v *visitor) {
			for name, active := range map[string]func(w *visitor){
				"Load": func(w *visitor) { w.mustLoad(session.Load{Hash: w.secret, Slide: session.SlideDue}) },
				"Save": func(w *visitor) { w.mustDo(session.Save{Epoch: w.seen.Epoch, Slide: session.SlideDue}) },
			} {
				w := v.stranger().begin(session.Create{Deltas: deltas("code", set("a", `1`))})
				for range 12 * codeIdle / (codeIdle / 3) {
					w.Advance(codeIdle / 3)
					active(w)
				}
				w.near("Left of code after "+name, spaceLeft(w.look(), "code"), codeIdle)
				w.wantValues("code", "a", `1`)
			}
		}},
		{"SlideDue", "SlideDue slides when a tenth of the shortest idle timeout that has begun has passed", func(v *visitor) {
			v.begin(session.Create{Deltas: both()})
			v.Advance(chatIdle / 20)
			v.near("Left", v.mustLoad(session.Load{Slide: session.SlideDue}).Left, mainIdle-chatIdle/20)
			v.Advance(chatIdle / 20)
			v.near("Left", v.mustLoad(session.Load{Slide: session.SlideDue}).Left, mainIdle)
		}},
		{"SlideDueByTerms", "the root counts for SlideDue, by its terms", func(v *visitor) {
			v.begin(session.Create{Terms: session.Terms{Idle: 8 * time.Minute}, Deltas: both()})
			v.Advance(48 * time.Second)
			v.near("Left", v.mustLoad(session.Load{Slide: session.SlideDue}).Left, 8*time.Minute)
		}},
		{"SlideDueAfterEnd", "a namespace that has ended does not count for SlideDue", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("code", set("a", `1`))})
			v.Advance(codeIdle)
			v.near("Left", v.mustLoad(session.Load{Slide: session.SlideDue}).Left, mainIdle-codeIdle)
		}},
		{"SlideDueFromNext", "a namespace that a save begins counts for SlideDue from the next operation on", func(v *visitor) {
			v.begin(session.Create{})
			v.Advance(codeIdle)
			s := v.change(deltas("code", set("a", `1`)))
			s.Slide = session.SlideDue
			rec := v.mustDo(s)
			v.near("Left", rec.Left, mainIdle-codeIdle)
			v.near("Left of code", spaceLeft(rec, "code"), codeIdle)
			v.near("Left", v.mustLoad(session.Load{Slide: session.SlideDue}).Left, mainIdle)
		}},
		{"TooLate", "activity after a namespace's deadline ends it first", func(v *visitor) {
			v.begin(session.Create{Deltas: both()})
			v.Advance(chatIdle)
			rec := v.mustLoad(session.Load{Slide: session.SlideAlways})
			if got, want := rec.Space("chat"), (session.SpaceState{Generation: 1}); got != want || rec.In("chat").Len() > 0 {
				v.Errorf("chat = %+v with %v, want %+v, empty", got, rec.In("chat").Map(), want)
			}
		}},
		{"SaveTooLate", "a save that knows the generation before the deadline is refused, and begins nothing", func(v *visitor) {
			v.begin(session.Create{Deltas: both()})
			v.Advance(chatIdle)
			_, err := v.save(v.change(both()))
			v.wantErr("Save", err, session.ErrNamespaceEnded)
			v.wantValues("chat")
			if got, want := v.look().Space("chat"), (session.SpaceState{Generation: 1}); got != want {
				v.Errorf("chat = %+v, want %+v", got, want)
			}
		}},
		{"EndsOnce", "a namespace that has not begun again does not end again", func(v *visitor) {
			v.begin(session.Create{Deltas: both()})
			v.Advance(chatIdle)
			v.look()
			v.Advance(chatIdle)
			if got := v.look().Space("chat").Generation; got != 1 {
				v.Errorf("generation = %d, want 1", got)
			}
		}},
		{"Life", "a namespace ends when its lifetime has passed since it began, whatever the activity", func(v *visitor) {
			v.begin(session.Create{})
			v.Advance(5 * time.Minute)
			v.mustSave(deltas("chat", set("b", `2`)))
			for range chatLife/(5*time.Minute) - 1 {
				v.Advance(5 * time.Minute)
				v.mustLoad(session.Load{Slide: session.SlideAlways})
			}
			v.near("Left of chat", spaceLeft(v.look(), "chat"), 5*time.Minute)
			v.Advance(5 * time.Minute)
			if got := v.look().Space("chat").Generation; got != 1 {
				v.Errorf("generation = %d, want 1", got)
			}
		}},
		{"Begin", "a save that begins a namespace gives it its deadline, also without sliding", func(v *visitor) {
			v.begin(session.Create{})
			v.Advance(5 * time.Minute)
			rec := v.mustSave(deltas("chat", set("b", `2`)))
			v.near("Left of chat", spaceLeft(rec, "chat"), chatIdle)
			v.near("Left", rec.Left, mainIdle-5*time.Minute)
		}},
		{"WriteIsNoActivity", "a save that does not slide leaves the deadline of a namespace that has begun", func(v *visitor) {
			v.begin(session.Create{Deltas: both()})
			v.Advance(5 * time.Minute)
			v.near("Left of chat", spaceLeft(v.mustSave(deltas("chat", set("b", `3`))), "chat"), chatIdle-5*time.Minute)
		}},
		{"NotBeyondRoot", "a namespace cannot outlive its root", func(v *visitor) {
			v.begin(session.Create{Terms: session.Terms{Idle: 4 * time.Minute}, Deltas: both()})
			v.near("Left of chat", spaceLeft(v.seen, "chat"), 4*time.Minute)
			v.Advance(4 * time.Minute)
			v.wantGone()
		}},
		{"AsTheRoot", "a namespace without timeouts has the root's, with the terms", func(v *visitor) {
			v.begin(session.Create{Terms: session.Terms{Idle: time.Hour}, Deltas: deltas("cart", set("a", `1`))})
			v.near("Left of cart", spaceLeft(v.seen, "cart"), time.Hour)
			v.Advance(time.Hour - time.Minute)
			v.wantValues("cart", "a", `1`)
		}},
		{"Anew", "a namespace that ended by its deadline begins anew, empty, with a deadline of its own", func(v *visitor) {
			v.begin(session.Create{Deltas: both()})
			v.Advance(chatIdle)
			v.look()
			rec := v.mustSave(deltas("chat", set("c", `3`)))
			if got := rec.Space("chat"); got.Generation != 1 || got.Version != 1 {
				v.Errorf("chat = %+v, want generation 1, version 1", got)
			}
			v.near("Left of chat", spaceLeft(rec, "chat"), chatIdle)
			v.wantValues("chat", "c", `3`)
		}},
	}
}
