package cases_test

import (
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"

	"github.com/sessionhub/sessionhub/session"
)

// forged is a key of the right form, of a session that does not exist.
var forged = strings.Repeat("A", 22) + "." + strings.Repeat("A", 43)

// refuses checks that keys are taken for none, before the store is asked, and
// never kept: a visitor who gets a session gets another key.
func (w *world) refuses(keys ...string) {
	w.Helper()
	for _, key := range keys {
		b := w.showing(key)
		w.watch.take()
		b.nobody()
		same(w, fmt.Sprintf("store calls for %.80q", key), w.watch.take(), "")
		b = w.showing(key)
		b.in(func(s *session.Session) {
			same(w, "values", s.Len(), 0)
			must(w, s.Set("k", 1))
		})
		if got := b.key(); len(got) != len(forged) || got == key {
			w.Errorf("after %.80q the key is %q", key, got)
		}
		same(w, "store calls of the new session", w.watch.take(), "Create")
		w.end(b.id())
		w.watch.take()
	}
}

// keyCases are about what the browser shows.
func keyCases() []behaviour {
	return []behaviour{
		{"A21_aMadeUpKeyIsReplaced", "a key that nobody gave opens nothing, and a session gets a new one", func(w *world) { w.refuses("1") }},
		{"A22_anEmptyKeyIsNone", "the empty string is no key", func(w *world) { w.refuses("") }},
		{"A23_aShortKeyIsNone", "Django wants 8 characters; here a key has exactly 66, and one less is none", func(w *world) {
			w.refuses("1234567", "12345678", forged[:22], forged[:65])
		}},
		{"A24_aKeyOfTheRightFormIsAsked", "it is looked up, and opens a session that there is", func(w *world) {
			b := w.showing(w.known().key())
			w.watch.take()
			same(w, "value", b.get("k"), "1")
			same(w, "store calls", w.watch.take(), "Load")
			w.showing(forged).nobody()
			same(w, "store calls of one that nobody gave", w.watch.take(), "Load")
		}},
		{"A25_theKeyIsReadOnly", "nothing sets the key or the id, and a handler that changes the request's cookie changes no session", func(w *world) {
			of := reflect.TypeFor[*session.Session]()
			for m := range of.Methods() {
				if m.Name != "ID" && (strings.Contains(m.Name, "ID") || strings.Contains(m.Name, "Key") && m.Name != "Keys") {
					w.Errorf("Session has a method %s", m.Name)
				}
			}
			for f := range of.Elem().Fields() {
				if f.IsExported() {
					w.Errorf("Session has a field %s", f.Name)
				}
			}
			b, other := w.known(), w.known()
			key, id := b.key(), b.id()
			b.visits(func(p *page) {
				s := p.open("main")
				p.req.Header.Set("Cookie", "__Host-id="+other.key())
				must(p, s.Set("w", "mine"))
				same(p, "id", p.open("chat").ID(), id)
			})
			same(w, "key", b.key(), key)
			same(w, "values", b.get("w")+other.get("w"), `"mine"`)
		}},
		{"A36_loadingCreatesNothing", "an unknown key makes no record, is nobody's, and is never adopted", func(w *world) {
			b := w.showing(forged)
			b.nobody()
			same(w, "sessions", w.records(), 0)
			same(w, "unknown ids", w.m.Stats().Unknown, uint64(1))
			b = w.showing(forged)
			b.set("k", 1)
			if key := b.key(); key == forged || strings.HasPrefix(key, forged[:22]) {
				w.Errorf("the key is %q", key)
			}
			same(w, "sessions", w.records(), 1)
			w.showing(forged).nobody()
		}},
		{"A38_theTextFormShowsNoSecretAndNoValue", "Django's record prints as its key; here that opens the session, so what is printed is the namespace, and the beginning of the id", func(w *world) {
			b := w.browser()
			b.set("k", "hunter2")
			r := httptest.NewRequest("GET", b.url, nil)
			r.Header.Set("Cookie", "__Host-id="+b.key())
			cred, ok, err := w.m.Identify(r, "", false)
			must(w, err)
			same(w, "identified", ok, true)
			_, secret, _ := strings.Cut(b.key(), ".")
			b.in(func(s *session.Session) {
				for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
					same(w, "session", fmt.Sprintf(verb, s), `session "main"`)
					same(w, "credential", fmt.Sprintf(verb, cred), "main "+session.Short(b.id()))
				}
				if out := fmt.Sprintf("%+v", []any{s, cred, map[string]any{"s": s}}); strings.Contains(out, "hunter2") || strings.Contains(out, secret) {
					w.Errorf("printed %s", out)
				}
			})
		}},
		{"A47_anOverlongKeyLoadsAsEmpty", "it is no error, and asks the store nothing", func(w *world) { w.refuses(strings.Repeat("x", 100_000)) }},
		{"A52_aKeyWithBackslashesIsNone", "whatever a store makes of a key, no such one gets there", func(w *world) {
			w.refuses(`a\b\c`, `..\`+forged[3:], forged[:65]+`\`)
		}},
		{"A53_aKeyWithSlashesIsNone", "the same for slashes", func(w *world) {
			w.refuses("a/b/c", "../"+forged[3:], forged[:65]+"/")
		}},
		{"A56_aKeyWithMoreBehindItLoadsAsEmpty", "a good key with something appended is no good key", func(w *world) {
			good := w.known().key()
			w.refuses(good+"A", good+strings.Repeat("x", 250), good+".", "A"+good)
		}},
	}
}
