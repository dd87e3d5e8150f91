package sessiontest

import (
	"crypto/rand"

	"github.com/sessionhub/sessionhub/session"
)

func saveRules() []rule {
	return []rule{
		{"Applied", "what was set is there, what was deleted is gone, the rest stays", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("main", set("a", `1`, "b", `2`, "c", `3`))})
			d := set("a", `10`, "d", `4`)
			d.Delete = []string{"b", "never there"}
			v.mustSave(deltas("main", d))
			v.wantValues("main", "a", `10`, "c", `3`, "d", `4`)
		}},
		{"Namespaces", "one save changes several namespaces, and each is counted", func(v *visitor) {
			v.begin(session.Create{})
			rec := v.mustSave(map[string]session.Delta{"main": set("a", `1`), "chat": set("a", `2`)})
			if rec.Space("main").Version != 1 || rec.Space("chat").Version != 1 || rec.Space("cart").Version != 0 {
				v.Errorf("versions = %+v, want 1, 1, 0", rec.Spaces)
			}
			v.wantValues("main", "a", `1`)
			v.wantValues("chat", "a", `2`)
		}},
		{"Clear", "clear removes everything, other writers' values too, and comes before the rest of its delta", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("main", set("a", `1`, "n", `5`))})
			v.another().mustSave(deltas("main", set("b", `2`)))
			absent := session.Swap{New: new(`"new"`)}
			d := session.Delta{Clear: true, Set: set("c", `3`).Set, Add: map[string]int64{"n": 1}, Swap: map[string]session.Swap{"a": absent}}
			v.mustSave(deltas("main", d))
			v.wantValues("main", "c", `3`, "n", `1`, "a", `"new"`)
		}},
		{"ClearKeepsGeneration", "clear does not end the namespace", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("chat", set("a", `1`))})
			rec := v.mustSave(deltas("chat", session.Delta{Clear: true}))
			if got := rec.Space("chat"); got.Generation != 0 || got.Version != 2 {
				v.Errorf("chat = %+v, want generation 0, version 2", got)
			}
			v.wantValues("chat")
			v.mustSave(deltas("chat", set("b", `2`)))
			v.wantValues("chat", "b", `2`)
		}},
		{"Ended", "a deleted session is never brought back", func(v *visitor) {
			v.begin(session.Create{})
			v.mustEnd(v.end())
			_, err := v.save(v.change(deltas("main", set("a", `1`))))
			v.wantErr("Save", err, session.ErrEnded)
			v.wantGone()
		}},
		{"NeverThere", "a save never creates a record", func(v *visitor) {
			_, err := v.save(session.Save{Op: rand.Text(), Deltas: deltas("main", set("a", `1`))})
			v.wantErr("Save", err, session.ErrEnded)
			v.wantGone()
		}},
		{"Renewed", "a save from before a login is refused, and keeps nothing", func(v *visitor) {
			v.begin(session.Create{})
			w := v.another()
			w.mustLogin(w.elevation())
			_, err := v.save(v.change(deltas("main", set("a", `1`))))
			v.wantErr("Save", err, session.ErrRenewed)
			v.wantValues("main")
		}},
		{"NamespaceEnded", "a save from before a namespace's end is refused, and keeps nothing in the others either", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("chat", set("a", `1`))})
			v.another().mustEnd(v.endOf("chat"))
			_, err := v.save(v.change(map[string]session.Delta{"main": set("a", `1`), "chat": set("b", `2`)}))
			v.wantErr("Save", err, session.ErrNamespaceEnded)
			v.wantValues("main")
			v.wantValues("chat")
		}},
		{"OtherNamespaces", "the end of one namespace does not refuse a save to another", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("chat", set("a", `1`))})
			v.another().mustEnd(v.endOf("chat"))
			v.mustSave(deltas("main", set("a", `1`)))
			v.wantValues("main", "a", `1`)
		}},
		{"Unknown", "a namespace that is not in the family is an error, and nothing is kept", func(v *visitor) {
			v.begin(session.Create{})
			_, err := v.save(v.change(map[string]session.Delta{"main": set("a", `1`), "nowhere": set("a", `1`)}))
			if err == nil {
				v.Error("Save = nil, want an error")
			}
			v.wantValues("main")
		}},
		{"Retry", "a save that was carried out applies nothing again, and answers with what is there now", func(v *visitor) {
			v.begin(session.Create{})
			s := v.change(deltas("main", session.Delta{Add: map[string]int64{"n": 1}}))
			v.mustDo(s)
			v.mustSave(deltas("main", set("a", `1`)))
			rec := v.mustDo(s)
			if got := rec.Space("main").Version; got != 2 {
				v.Errorf("version after the retry = %d, want 2", got)
			}
			if diff := diffValues(set("n", `1`, "a", `1`).Set, rec.In("main")); diff != "" {
				v.Errorf("answer of the retry (-want +got):\n%s", diff)
			}
			v.wantValues("main", "n", `1`, "a", `1`)
		}},
		{"RetryOfDelete", "the retry of a delete does not remove what was written after it", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("main", set("a", `1`))})
			s := v.change(deltas("main", session.Delta{Clear: true}))
			v.mustDo(s)
			v.mustSave(deltas("main", set("a", `2`)))
			v.mustDo(s)
			v.wantValues("main", "a", `2`)
		}},
		{"RetryAfterLogin", "a save that was carried out before a login is a retry after it, and not refused", func(v *visitor) {
			v.begin(session.Create{})
			s := v.change(deltas("main", set("a", `1`)))
			v.mustDo(s)
			v.mustLogin(v.elevation())
			v.mustDo(s)
		}},
		{"RetryAfterEnd", "the retry of a save does not bring a deleted session back", func(v *visitor) {
			v.begin(session.Create{})
			s := v.change(deltas("main", set("a", `1`)))
			v.mustDo(s)
			v.mustEnd(v.end())
			_, err := v.save(s)
			v.wantErr("Save again", err, session.ErrEnded)
			v.wantGone()
		}},
		{"RefusedIsNotRemembered", "a save that was refused is not taken for one that was carried out", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("main", set("n", `"x"`))})
			s := v.change(deltas("main", session.Delta{Add: map[string]int64{"n": 1}}))
			_, err := v.save(s)
			v.wantErr("Save", err, session.ErrType)
			v.mustSave(deltas("main", set("n", `4`)))
			v.mustDo(s)
			v.wantValues("main", "n", `5`)
		}},
	}
}

func otherWriterRules() []rule {
	return []rule{
		{"DifferentKeys", "two writers of different keys both succeed, and both keys are there", func(v *visitor) {
			v.begin(session.Create{})
			w := v.another()
			v.mustSave(deltas("main", set("a", `1`)))
			w.mustSave(deltas("main", set("b", `2`)))
			v.wantValues("main", "a", `1`, "b", `2`)
		}},
		{"SameKey", "of two writers of the same key the later one is there", func(v *visitor) {
			v.begin(session.Create{})
			w := v.another()
			v.mustSave(deltas("main", set("a", `1`)))
			w.mustSave(deltas("main", set("a", `2`)))
			v.wantValues("main", "a", `2`)
		}},
		{"Returned", "a writer gets what others wrote in between", func(v *visitor) {
			v.begin(session.Create{})
			w := v.another()
			v.mustSave(map[string]session.Delta{"main": set("a", `1`), "cart": set("c", `3`)})
			rec := w.mustSave(map[string]session.Delta{"main": set("b", `2`), "chat": set("d", `4`)})
			if diff := diffValues(set("a", `1`, "b", `2`).Set, rec.In("main")); diff != "" {
				v.Errorf("main (-want +got):\n%s", diff)
			}
			if rec.In("chat").Known() {
				v.Errorf("chat, where nobody else wrote, is in the answer: %v", rec.Values)
			}
			if rec.In("cart").Known() {
				v.Errorf("cart, which was not changed, is in the answer: %v", rec.Values)
			}
		}},
		{"NotReturned", "a writer that is alone gets no values back", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("main", set("a", `1`))})
			for range 3 {
				if rec := v.mustSave(deltas("main", set("b", `2`))); len(rec.Values) > 0 {
					v.Errorf("values = %v, want none", rec.Values)
				}
			}
		}},
	}
}

func swapRules() []rule {
	swap := func(key string, from, to *string) map[string]session.Delta {
		return deltas("main", session.Delta{Swap: map[string]session.Swap{key: {Old: from, New: to}}})
	}
	return []rule{
		{"Swapped", "a value that is as loaded is replaced", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("main", set("a", `1`))})
			v.mustSave(swap("a", new(`1`), new(`2`)))
			v.wantValues("main", "a", `2`)
		}},
		{"FromAbsent", "a nil old value means absent", func(v *visitor) {
			v.begin(session.Create{})
			v.mustSave(swap("a", nil, new(`1`)))
			v.wantValues("main", "a", `1`)
			_, err := v.save(v.change(swap("a", nil, new(`2`))))
			v.wantErr("Save to a value that is there", err, session.ErrConflict)
		}},
		{"ToAbsent", "a nil new value removes", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("main", set("a", `1`))})
			v.mustSave(swap("a", new(`1`), nil))
			v.wantValues("main")
			_, err := v.save(v.change(swap("a", new(`1`), nil)))
			v.wantErr("Save to a value that is absent", err, session.ErrConflict)
		}},
		{"Empty", "an empty text is not absent", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("main", set("a", ``))})
			_, err := v.save(v.change(swap("a", nil, new(`1`))))
			v.wantErr("Save", err, session.ErrConflict)
			v.mustSave(swap("a", new(``), new(`1`)))
		}},
		{"Conflict", "a value that is not as loaded refuses the whole save, and the answer has what is there", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("main", set("a", `1`))})
			v.another().mustSave(map[string]session.Delta{"main": set("a", `2`), "cart": set("c", `3`)})
			v.Advance(mainIdle / 10)
			s := v.change(swap("a", new(`1`), new(`9`)))
			s.Deltas["chat"] = set("b", `2`)
			s.Slide = session.SlideAlways
			s.Renew.Old, s.Renew.New = v.secret, newHash()
			rec, err := v.save(s)
			v.wantErr("Save", err, session.ErrConflict)
			if rec.ID != v.id || rec.Space("main").Version != 2 {
				v.Errorf("state = %+v, want the present one", rec.State)
			}
			if diff := diffValues(set("a", `2`).Set, rec.In("main")); diff != "" {
				v.Errorf("main (-want +got):\n%s", diff)
			}
			if chat := rec.In("chat"); !chat.Known() || chat.Len() > 0 {
				v.Errorf("chat = %v, %t, want it to be there, empty", chat.Map(), chat.Known())
			}
			if rec.In("cart").Known() {
				v.Error("cart, which was not to be changed, is in the answer")
			}
			v.wantValues("main", "a", `2`)
			v.wantValues("chat")
			v.wantLeft(mainIdle - mainIdle/10)
			v.wantMatch(v.secret, session.MatchCurrent)
		}},
		{"Retry", "the retry of a swap does not take its own write for a conflict", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("main", set("a", `1`))})
			s := v.change(swap("a", new(`1`), new(`2`)))
			v.mustDo(s)
			rec := v.mustDo(s)
			if diff := diffValues(set("a", `2`).Set, rec.In("main")); diff != "" {
				v.Errorf("answer of the retry (-want +got):\n%s", diff)
			}
		}},
	}
}
