package cases_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"time"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
	"github.com/sessionhub/sessionhub/session/redisstore"
)

// lifeCases are about the beginning, the changes and the end of sessions.
func lifeCases() []behaviour {
	return []behaviour{
		{"A15_aSaveLeavesARecord", "after the save the session exists", func(w *world) {
			b := w.browser()
			b.set("k", 1)
			same(w, "exists", w.exists(b.id()), true)
			same(w, "sessions", w.records(), 1)
		}},
		{"A16_anEndLeavesNothing", "after an end by its id the session does not exist", func(w *world) {
			b := w.known()
			id := b.id()
			w.end(id)
			same(w, "exists", w.exists(id), false)
			same(w, "sessions", w.records(), 0)
			b.nobody()
		}},
		{"A17_flushDropsTheOldKey", "a logout acts at once: the key is gone and no new one comes. Django's flush leaves the flags up; here nothing is left to save, so they are down", func(w *world) {
			b := w.known()
			b.login("alice")
			old, id := w.showing(b.key()), b.id()
			b.visits(func(p *page) {
				s := p.open("main")
				must(p, s.Set("k", 2))
				_, err := session.Logout(p.req.Context(), session.This)
				must(p, err)
				same(p, "exists", p.exists(id), false)
				same(p, "flags", flags(s), "untouched")
				same(p, "id", s.ID(), "")
				same(p, "values", s.Len(), 0)
			})
			same(w, "key", b.key(), "")
			old.nobody()
			same(w, "sessions", w.records(), 0)
		}},
		{"A18_cycleChangesTheKeyAndKeepsTheItems", "the old key is gone, the id, the user, the values and the expiry are the same", func(w *world) {
			b := w.known()
			b.login("alice")
			b.visits(func(p *page) { must(p, session.SetExpiry(p.req.Context(), session.After(time.Hour))) })
			key, id := b.key(), b.id()
			before := w.record(id)
			b.visits(func(p *page) {
				s := p.open("main")
				must(p, s.Set("w", "x"))
				must(p, session.Cycle(p.req.Context()))
			})
			if b.key() == key {
				w.Error("the key is the same")
			}
			same(w, "id", b.id(), id)
			after := w.record(id)
			same(w, "expiry", after.Expiry, before.Expiry)
			same(w, "time of the login", after.Authenticated, before.Authenticated)
			b.visits(func(p *page) {
				user, err := session.User(p.req.Context())
				must(p, err)
				same(p, "user", user, "alice")
				same(p, "values", texts(p.open("main").Values()), []string{"1", `"x"`})
			})
			w.showing(key).nobody()
		}},
		{"A19_cycleOfAnUnreadSessionLosesNothing", "a request that changes the key without having read a value loses none", func(w *world) {
			b := w.known()
			key := b.key()
			b.visits(func(p *page) { must(p, session.Cycle(p.req.Context())) })
			same(w, "store calls", w.watch.take(), "Load Login")
			if b.key() == key {
				w.Error("the key is the same")
			}
			same(w, "value", b.get("k"), "1")
			w.showing(key).nobody()
		}},
		{"A37_aSaveDoesNotResurrect", "what was ended elsewhere meanwhile stays so: the save is an error, and a later request finds nothing", func(w *world) {
			for _, c := range []struct {
				name string
				end  func(b *browser)
				want error
			}{
				{"ended", func(b *browser) { w.end(b.id()) }, session.ErrEnded},
				{"logged in anew", func(b *browser) { w.showing(b.key()).login("alice") }, session.ErrRenewed},
				{"namespace ended", func(b *browser) {
					b.visits(func(p *page) {
						_, err := session.Logout(p.req.Context(), session.Namespace("chat"))
						must(p, err)
					})
				}, session.ErrNamespaceEnded},
			} {
				b := w.known()
				b.visits(func(p *page) { must(p, p.open("chat").Set("k", 1)) })
				id := b.id()
				resp := b.visits(func(p *page) {
					must(p, p.open("chat").Set("k", 2))
					c.end(b)
					if err := p.scope().Save(p.req.Context()); !errors.Is(err, c.want) {
						w.Errorf("%s: Save = %v, want %v", c.name, err, c.want)
					}
				})
				if resp.StatusCode < 400 {
					w.Errorf("%s: status %d", c.name, resp.StatusCode)
				}
				if c.want == session.ErrEnded {
					same(w, "exists", w.exists(id), false)
					b.nobody()
					continue
				}
				if raw := w.record(id).In("chat").Map()["k"]; raw == "2" {
					w.Errorf("%s: the value was saved", c.name)
				}
			}
		}},
		{"A44_theUserIndexFollowsTheLogin", "Django lets a store add a column that is computed from the values; here the user of a session is known to the store, and gone from its list with the session", func(w *world) {
			listed := func(user string) (ids []string) {
				w.Helper()
				list, err := w.m.Sessions(w.Context(), "", user)
				must(w, err)
				for _, i := range list {
					ids = append(ids, i.ID)
				}
				return ids
			}
			b := w.known()
			same(w, "before the login", listed("alice"), nil)
			b.login("alice")
			same(w, "after it", listed("alice"), []string{b.id()})
			b.login("bob")
			same(w, "alice after bob's", listed("alice"), nil)
			same(w, "bob after his", listed("bob"), []string{b.id()})
			b.visits(func(p *page) {
				_, err := session.Logout(p.req.Context(), session.This)
				must(p, err)
			})
			same(w, "after the logout", listed("bob"), nil)
		}},
		{"A59_createAndThenSaveLeavesARecord", "a session that is created in the midst of a request and changed after it has both values", func(w *world) {
			b := w.browser()
			b.visits(func(p *page) {
				s := p.open("main")
				must(p, s.Set("k", 1))
				must(p, p.scope().Save(p.req.Context()))
				same(p, "exists", p.exists(s.ID()), true)
				must(p, s.Set("w", "x"))
			})
			same(w, "store calls", w.watch.take(), "Create Check Save")
			same(w, "values", b.get("k")+b.get("w"), `1"x"`)
		}},
		{"Au8_aChangeOfTheKeyHasNoWindow", "Django creates the new record with the values before it deletes the old; here one operation does both, so at each moment one of the two keys is good", func(w *world) {
			b := w.known()
			old := w.showing(b.key())
			cycle := func(p *page) {
				must(p, p.open("main").Set("w", "x"))
				must(p, session.Cycle(p.req.Context()))
			}
			w.watch.fail("Login", fmt.Errorf("%w: down", session.ErrUnavailable))
			same(w, "status while the store is down", b.visits(cycle).StatusCode, http.StatusServiceUnavailable)
			w.watch.fail("Login", nil)
			same(w, "key", b.key(), old.key())
			same(w, "values", b.get("k")+b.get("w"), "1")
			w.watch.take()
			b.visits(cycle)
			same(w, "store calls", w.watch.take(), "Load Login")
			same(w, "values", b.get("k")+b.get("w"), `1"x"`)
			old.nobody()
		}},
	}
}

// storeCases are about what lies in the store.
func storeCases() []behaviour {
	return []behaviour{
		{"A39_aRecordHoldsWhatWasSaved", "the store has the JSON text of each value under its namespace and key", func(w *world) {
			b := w.browser()
			b.visits(func(p *page) {
				must(p, p.open("main").Set("k", map[string]any{"a": []int{1, 2}}))
				must(p, p.open("chat").Set("w", "é"))
			})
			rec := w.record(b.id())
			same(w, "values", map[string]map[string]string{"main": rec.In("main").Map(), "chat": rec.In("chat").Map()}, map[string]map[string]string{
				"main": {"k": `{"a":[1,2]}`}, "chat": {"w": `"é"`},
			})
		}},
		{"A40_aSessionLoadsWhatTheStoreWasGiven", "values and expiry that another program saved through the store are those of the session", func(w *world) {
			b := w.known()
			e := session.After(w.soon * 200)
			w.write(b.id(), map[string]string{"k": ` [ 1, 2 ] `, "w": `"x"`}, &e)
			b.visits(func(p *page) {
				v, err := session.Field[[]int]("k").Get(p.open("main"))
				must(p, err)
				same(p, "value", v, []int{1, 2})
				same(p, "idle", p.expires().Idle, w.soon*200)
			})
		}},
		{"A46_anOpenConnectionReadsWithoutATrip", "Django asks the cache whether a session exists; here what lies before the store is the snapshot of open connections", func(w *world) {
			b := w.known()
			r := httptest.NewRequest("GET", b.url, nil)
			r.Header.Set("Cookie", "__Host-id="+b.key())
			cred, _, err := w.m.Identify(r, "", false)
			must(w, err)
			hold, err := w.m.Hold(w.Context(), cred)
			must(w, err)
			defer hold.Release()
			w.watch.take()
			for range 3 {
				s, err := hold.Scope(session.HoldOptions{}).Session(w.Context(), "main")
				must(w, err)
				same(w, "Has", s.Has("k"), true)
			}
			same(w, "store calls", w.watch.take(), "")
		}},
		{"A48_aStoreThatCannotBeMadeSaysSo", "what is not a store, or has no settings that it needs, is an error at once and not at the first request", func(w *world) {
			if w.name == "memory" {
				w.Skip("there is nothing to set up in the memory store: its zero value works")
			}
			for _, url := range []string{"", "localhost:6379", "http://localhost", "redis://localhost/none", "redis://localhost?no=1"} {
				if s, err := redisstore.Open(url, redisstore.Options{}); err == nil {
					must(w, s.Close())
					w.Errorf("Open(%q) made a store", url)
				}
			}
			if s, err := redisstore.Open("redis://localhost", redisstore.Options{Prefix: "a{b}"}); err == nil {
				must(w, s.Close())
				w.Error("Open took a prefix that moves keys to another slot")
			}
		}},
		{"A57_keysBeginWithTheName", "a namespace without a prefix of its own saves under its name", func(w *world) {
			b := w.known()
			same(w, "prefix", w.watch.family().Root().Prefix, "main")
			w.lies("main:{"+b.id()+"}", "main:{"+b.id()+"}:main")
		}},
		{"A58_keysBeginWithThePrefixAlone", "a namespace with a prefix saves there, and nowhere else", func(w *world) {
			w.use(prefixes.Namespace{Name: "main", Prefix: "m2"}, prefixes.Namespace{Name: "chat", Parent: "main", Prefix: "c2"})
			b := w.known()
			b.visits(func(p *page) { must(p, p.open("chat").Set("k", 1)) })
			same(w, "prefix", w.watch.family().Root().Prefix, "m2")
			w.lies("m2:{"+b.id()+"}", "m2:{"+b.id()+"}:m2", "m2:{"+b.id()+"}:c2")
		}},
		{"A75_aStoreHasEveryMethod", "Django's base class refuses what a backend leaves out when it is called; here the compiler does", func(w *world) {
			var _ session.Store = (*memstore.Store)(nil)
			var _ session.Store = (*redisstore.Store)(nil)
			of := reflect.TypeOf(w.store)
			for m := range reflect.TypeFor[session.Store]().Methods() {
				if _, ok := of.MethodByName(m.Name); !ok {
					w.Errorf("%v has no %s", of, m.Name)
				}
			}
			if reflect.TypeFor[struct{ loader }]().Implements(reflect.TypeFor[session.Store]()) {
				w.Error("half a store passes for one")
			}
		}},
	}
}

// loader is a store that can only load.
type loader interface {
	Load(context.Context, *session.Family, string, session.Load) (session.Record, error)
}

// lies checks which keys Redis has besides those of operations.
func (w *world) lies(want ...string) {
	w.Helper()
	if w.keys == nil {
		return // the memory store has no keys of this kind
	}
	found := make(map[string]bool)
	for _, key := range w.keys() {
		if !strings.Contains(key, ":op:") {
			found[key] = true
		}
	}
	for _, key := range want {
		if !found[key] {
			w.Errorf("there is no key %q", key)
		}
		delete(found, key)
	}
	same(w, "other keys", found, map[string]bool{})
}
