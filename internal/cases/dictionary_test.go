package cases_test

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/sessionhub/sessionhub/session"
)

// number and word are values of most cases.
const (
	number = session.Field[int]("k")
	word   = session.Field[string]("w")
)

// dictionaryCases are about the values of one scope. Each step stands in a
// request of its own, so that its flags are no other step's.
func dictionaryCases() []behaviour {
	return []behaviour{
		{"A1_aFreshSessionIsUntouched", "opening a session neither accesses nor modifies it, and creates nothing", func(w *world) {
			left := w.browser().in(func(s *session.Session) {
				same(w, "flags", flags(s), "untouched")
				same(w, "id", s.ID(), "")
				same(w, "new", s.New(), true)
			})
			same(w, "flags", left, "untouched")
			same(w, "store calls", w.watch.take(), "")
			same(w, "flags of one that is there", w.known().in(func(*session.Session) {}), "untouched")
		}},
		{"A2_anAbsentKeyHasNoValue", "reading a key that has no value is access and no change", func(w *world) {
			for _, b := range []*browser{w.browser(), w.known()} {
				same(w, "flags", b.in(func(s *session.Session) {
					if raw, ok := s.Value("some key"); raw != nil || ok {
						w.Errorf("Value = %s, %v", raw, ok)
					}
				}), "accessed")
				same(w, "flags", b.in(func(s *session.Session) {
					if v, err := word.Get(s); v != "" || !errors.Is(err, session.ErrAbsent) {
						w.Errorf("Get = %q, %v, want ErrAbsent", v, err)
					}
				}), "accessed")
			}
		}},
		{"A3_setModifiesAndPopGivesTheValue", "a value that is set is a change, and there for the same request", func(w *world) {
			b := w.browser()
			same(w, "flags", b.in(func(s *session.Session) {
				must(w, word.Set(s, "1"))
				same(w, "flags", flags(s), "accessed, modified")
				v, err := word.Pop(s)
				must(w, err)
				same(w, "popped", v, "1")
			}), "accessed, modified")
		}},
		{"A4_popTakesAValue", "popping returns the value, which is gone, and is access and change", func(w *world) {
			b := w.known()
			same(w, "flags", b.in(func(s *session.Session) {
				same(w, "flags before", flags(s), "untouched")
				raw, err := s.Pop("k")
				must(w, err)
				same(w, "popped", string(raw), "1")
			}), "accessed, modified")
			same(w, "store calls", w.watch.take(), "Load Save")
			same(w, "value in the next request", b.get("k"), "")
			b.set("k", 2)
			same(w, "flags of a typed pop", b.in(func(s *session.Session) {
				v, err := number.Pop(s)
				must(w, err)
				same(w, "popped", v, 2)
				same(w, "still there", s.Has("k"), false)
			}), "accessed, modified")
		}},
		{"A5_popOfAnAbsentKeyGivesTheFallback", "popping what is not there is access and no change", func(w *world) {
			for _, b := range []*browser{w.browser(), w.known()} {
				same(w, "flags", b.in(func(s *session.Session) {
					v, err := word.PopOr(s, "fallback")
					must(w, err)
					same(w, "popped", v, "fallback")
				}), "accessed")
			}
			same(w, "store calls", w.watch.take(), "Load")
		}},
		{"A6_aZeroFallbackIsOneToo", "a fallback that is the type's zero value is not taken for none", func(w *world) {
			same(w, "flags", w.known().in(func(s *session.Session) {
				v, err := word.PopOr(s, "")
				must(w, err)
				same(w, "popped", v, "")
				list, err := session.Field[[]string]("list").PopOr(s, nil)
				must(w, err)
				same(w, "popped", list, nil)
			}), "accessed")
		}},
		{"A7_popOfAnAbsentKeyIsErrAbsent", "without a fallback it is an error that names the key, and no change", func(w *world) {
			b := w.known()
			for name, pop := range map[string]func(*session.Session) error{
				"Session.Pop": func(s *session.Session) error { _, err := s.Pop("some key"); return err },
				"Field.Pop":   func(s *session.Session) error { _, err := session.Field[bool]("some key").Pop(s); return err },
			} {
				same(w, "flags after "+name, b.in(func(s *session.Session) {
					if err := pop(s); !errors.Is(err, session.ErrAbsent) || !strings.Contains(err.Error(), `"some key"`) {
						w.Errorf("%s = %v, want ErrAbsent that names the key", name, err)
					}
				}), "accessed")
			}
			same(w, "store calls", w.watch.take(), "Load Load")
		}},
		{"A8_setDefaultKeepsTheFirstValue", "the first value stays, of one request and of several; setting it is a change, finding it is none", func(w *world) {
			b := w.browser()
			first := func(s *session.Session, v string) {
				got, err := word.SetDefault(s, v)
				must(w, err)
				same(w, "value", got, "bar")
			}
			same(w, "flags of the first", b.in(func(s *session.Session) { first(s, "bar") }), "accessed, modified")
			w.watch.take()
			same(w, "flags of the second", b.in(func(s *session.Session) { first(s, "baz") }), "accessed")
			same(w, "store calls of the second", w.watch.take(), "Load")

			b = w.known()
			b.visits(func(p *page) {
				s := p.open("main")
				if v, err := word.SetDefault(s, "late"); v != "late" || err != nil {
					w.Errorf("SetDefault = %q, %v", v, err)
				}
				b.set("w", "early") // another tab
				must(w, p.scope().Save(p.req.Context()))
				if v, err := word.Get(s); v != "early" || err != nil {
					w.Errorf("after the save %q, %v", v, err)
				}
			})
			same(w, "value in the store", b.get("w"), `"early"`)
		}},
		{"A9_setAllMergesAMap", "all values are set, or none, and the others stay", func(w *world) {
			b := w.known()
			same(w, "flags", b.in(func(s *session.Session) {
				must(w, s.SetAll(map[string]any{"w": "x", "n": nil}))
			}), "accessed, modified")
			same(w, "values", []string{b.get("k"), b.get("w"), b.get("n")}, []string{"1", `"x"`, "null"})
			b.visits(func(p *page) {
				s := p.open("main")
				err := s.SetAll(map[string]any{"a": 1, "k": func() {}})
				if !errors.Is(err, session.ErrUnstorable) || s.Has("a") {
					w.Errorf("SetAll of a function = %v, and set the other: %v", err, s.Has("a"))
				}
				same(w, "flag modified", s.Modified(), false)
				p.scope().Discard() // else the save refuses too
			})
			same(w, "value", b.get("k"), "1")
		}},
		{"A10_hasIsAccessAlone", "asking whether a key has a value is access and no change", func(w *world) {
			for b, want := range map[*browser]bool{w.browser(): false, w.known(): true} {
				same(w, "flags", b.in(func(s *session.Session) {
					same(w, "Has", s.Has("k"), want)
				}), "accessed")
			}
		}},
		{"A11_valuesIsAccessAlone", "all values can be listed; none of an empty session, which is access too", func(w *world) {
			for b, want := range map[*browser][]string{w.browser(): {}, w.known(): {"1"}} {
				same(w, "flags", b.in(func(s *session.Session) {
					same(w, "Values", texts(s.Values()), want)
				}), "accessed")
			}
			w.browser().in(func(s *session.Session) {
				must(w, s.SetAll(map[string]any{"b": 2, "a": 1}))
				same(w, "Values of a changed session", texts(s.Values()), []string{"1", "2"})
			})
		}},
		{"A12_keysIsAccessAlone", "all keys can be listed, in one order", func(w *world) {
			for b, want := range map[*browser][]string{w.browser(): {}, w.known(): {"k"}} {
				same(w, "flags", b.in(func(s *session.Session) {
					same(w, "Keys", s.Keys(), want)
				}), "accessed")
			}
		}},
		{"A13_itemsIsAccessAlone", "keys and values can be ranged over, also while the session changes", func(w *world) {
			b := w.browser()
			same(w, "flags of an empty one", b.in(func(s *session.Session) {
				for key := range s.Items() {
					w.Errorf("an item %q", key)
				}
			}), "accessed")
			b.in(func(s *session.Session) { must(w, s.SetAll(map[string]any{"b": 2, "a": 1})) })
			var seen []string
			same(w, "flags", b.in(func(s *session.Session) {
				for key, raw := range s.Items() {
					seen = append(seen, key+string(raw))
				}
			}), "accessed")
			same(w, "items", seen, []string{"a1", "b2"})
			same(w, "flags of a loop that changes", b.in(func(s *session.Session) {
				for key := range s.Items() {
					must(w, s.Delete(key))
				}
			}), "accessed, modified")
			same(w, "value", b.get("a")+b.get("b"), "")
		}},
		{"A14_clearEmptiesTheNamespace", "all values go, those too that somebody else sets before the save, and the session stays", func(w *world) {
			b := w.known()
			key := b.key()
			same(w, "flags", b.in(func(s *session.Session) {
				must(w, s.Clear())
				same(w, "values left", s.Len(), 0)
				b.set("other", 2)
			}), "accessed, modified")
			same(w, "values left", b.get("k")+b.get("other"), "")
			same(w, "key", b.key(), key)
			same(w, "exists", w.exists(b.id()), true)
			same(w, "flags of clearing nothing", w.browser().in(func(s *session.Session) { must(w, s.Clear()) }), "accessed, modified")
		}},
		{"A20_aSaveKeepsTheValuesHere", "after a save the request still has its values, both flags are down, and another save writes nothing", func(w *world) {
			b := w.known()
			b.visits(func(p *page) {
				s := p.open("main")
				must(w, s.Set("w", "x"))
				must(w, p.scope().Save(p.req.Context()))
				same(w, "flags", flags(s), "untouched")
				same(w, "keys", s.Keys(), []string{"k", "w"})
				must(w, p.scope().Save(p.req.Context()))
			})
			same(w, "store calls", w.watch.take(), "Load Save")
		}},
		{"A76_theTestCookieComesAndGoes", "absent, set, worked, deleted, absent", func(w *world) {
			b := w.browser()
			worked := func(want bool) {
				w.Helper()
				same(w, "flags", b.in(func(s *session.Session) { same(w, "worked", s.TestCookieWorked(), want) }), "accessed")
			}
			worked(false)
			same(w, "flags", b.in(func(s *session.Session) { must(w, s.SetTestCookie()) }), "accessed, modified")
			worked(true)
			same(w, "flags", b.in(func(s *session.Session) { must(w, s.DeleteTestCookie()) }), "accessed, modified")
			worked(false)
		}},
		{"A77_neitherKeyNorValuesIsEmpty", "asking whether there is anything is no access", func(w *world) {
			same(w, "flags", w.browser().in(func(s *session.Session) {
				same(w, "Empty", s.Empty(), true)
			}), "untouched")
		}},
		{"A78_keyOrValuesIsNotEmpty", "a session is empty exactly when it has neither", func(w *world) {
			b := w.browser()
			b.in(func(s *session.Session) {
				must(w, s.Set("k", 1))
				same(w, "Empty with a value that is not saved", s.Empty(), false)
			})
			b.in(func(s *session.Session) {
				same(w, "Empty with a key and a value", s.Empty(), false)
				must(w, s.Clear())
				same(w, "Empty with a key", s.Empty(), false)
			})
			b.in(func(s *session.Session) { same(w, "Empty with a key, later", s.Empty(), false) })
			b.visits(func(p *page) {
				_, err := session.Logout(p.req.Context(), session.This)
				must(p, err)
				same(w, "Empty after a logout", p.open("main").Empty(), true)
			})
		}},
		{"Au7_emptyNeverLoads", "asking costs nothing beyond opening the session", func(w *world) {
			b := w.known()
			b.in(func(s *session.Session) {
				w.watch.take()
				for range 2 {
					s.Empty()
				}
				same(w, "store calls", w.watch.take(), "")
				same(w, "flags", flags(s), "untouched")
			})
		}},
	}
}

// texts returns JSON texts as text.
func texts(raws []json.RawMessage) []string {
	all := make([]string, len(raws))
	for i, raw := range raws {
		all[i] = string(raw)
	}
	return all
}
