package cases_test

import (
	"strings"
	"time"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/seal"
)

// codec returns one that encrypts with keys of its own.
func (w *world) codec() *seal.Codec {
	w.Helper()
	key, err := seal.Key(seal.NewKey())
	must(w, err)
	c, err := seal.New(seal.Options{Keys: [][]byte{key}, CompressAbove: 100})
	must(w, err)
	return c
}

// encoded begins anew with another codec, nil for none.
func (w *world) encoded(c session.Codec) {
	w.Helper()
	w.options.Codec = c
	w.use()
}

// corrupt checks that the session of b is empty, once with a warning that shows
// nothing of its values, and that it can be used again.
func (b *browser) corrupt(name string) {
	b.Helper()
	b.warned()
	key := b.key()
	b.in(func(s *session.Session) {
		same(b, name+": values", texts(s.Values()), []string{})
		if raw, ok := s.Value("k"); ok {
			b.Errorf("%s: Value = %s", name, raw)
		}
	})
	lines := b.warned()
	if len(lines) != 1 {
		b.Fatalf("%s: log %v", name, lines)
	}
	line := lines[0]
	if line["level"] != "WARN" || line["msg"] != "session data corrupted" || line["security"] != true || line["id"] != session.Short(b.id()) {
		b.Errorf("%s: log %v", name, line)
	}
	for field, v := range line {
		if text, ok := v.(string); ok && strings.Contains(text, "hunter2") {
			b.Errorf("%s: the log shows the value in %s", name, field)
		}
	}
	b.set("k", "anew")
	same(b, name+": value", b.get("k"), `"anew"`)
	same(b, name+": key", b.key(), key)
}

// signingCases are about the form in which values are kept. A80 to A88 are in
// session/signed, which has A32 to A34 for signed values too.
func signingCases() []behaviour {
	return []behaviour{
		{"A32_whatIsSavedComesBack", "values of every kind are the same after the store, in plain text and encrypted", func(w *world) {
			for name, c := range map[string]session.Codec{"plain": nil, "sealed": w.codec()} {
				w.encoded(c)
				b := w.browser()
				comesBack(b, map[string]any{"a": []any{1.5, "x", nil, true}, "": map[string]any{}})
				comesBack(b, int64(1)<<62+1)
				comesBack(b, -0.25)
				comesBack(b, "\u2028 <&> \x00 \U0001f40d é e\u0301")
				comesBack(b, strings.Repeat("long ", 1000))
				comesBack(b, []byte{0, 255})
				comesBack(b, false)
				comesBack(b, time.Date(2026, 7, 1, 12, 0, 0, 1, time.UTC))
				comesBack(b, struct{ A, B *int }{A: new(int)})
				b.set("k", "hunter2")
				if kept := w.record(b.id()).In("main").Map()["k"]; strings.Contains(kept, "hunter2") != (c == nil) {
					w.Errorf("%s: the store keeps %q", name, kept)
				}
			}
		}},
		{"A33_garbageIsEmptyAndLogged", "what cannot be decoded, or was sealed with another key or for another place, is no value, and a warning on the security log", func(w *world) {
			for name, text := range map[string]string{
				"empty": "", "cut": `{"hunter2":`, "two": "1 2", "bare": "hunter2", "binary": "\x01\x11\x00\xff", "pickle": "\x80\x04\x95hunter2.",
			} {
				b := w.known()
				w.write(b.id(), map[string]string{"k": text}, nil)
				b.corrupt(name)
			}
			w.encoded(w.codec())
			one, other := w.browser(), w.browser()
			one.set("k", "hunter2")
			other.set("k", "hunter2")
			own := w.record(one.id()).In("main").Map()["k"]
			stolen := w.record(other.id()).In("main").Map()["k"]
			w.write(one.id(), map[string]string{"k": stolen}, nil)
			one.corrupt("of another session")
			w.write(one.id(), map[string]string{"k": own[:len(own)-1] + string([]byte{own[len(own)-1] ^ 1})}, nil)
			one.corrupt("tampered")
			w.encoded(w.codec())
			other.corrupt("of another key")
		}},
		{"A34_whatOpensAndIsNoValueIsEmpty", "a text that its codec vouches for, and that is no JSON, is no value either", func(w *world) {
			b := w.browser()
			b.set("k", "hunter2")
			w.encoded(nonsense{})
			b.corrupt("nonsense")
		}},
		{"A72_garbageStartsAnewQuietly", "the visitor notices nothing but that the value is gone: no error page, and the key stays", func(w *world) {
			b := w.known()
			b.visits(func(p *page) { must(p, p.open("chat").Set("k", 2)) })
			key := b.key()
			w.write(b.id(), map[string]string{"k": "\x80hunter2"}, nil)
			resp := b.visits(func(p *page) {
				v, err := number.Or(p.open("main"), 7)
				must(p, err)
				same(p, "fallback", v, 7)
				n, err := number.Get(p.open("chat"))
				must(p, err)
				same(p, "value of the other namespace", n, 2)
			})
			same(w, "status", resp.StatusCode, 200)
			same(w, "key", b.key(), key)
		}},
	}
}

// comesBack checks that a value is the same in the next request.
func comesBack[T any](b *browser, want T) {
	b.Helper()
	f := session.Field[T]("k")
	b.in(func(s *session.Session) { must(b, f.Set(s, want)) })
	b.in(func(s *session.Session) {
		got, err := f.Get(s)
		must(b, err)
		same(b, "value", got, want)
	})
}

// nonsense is a codec that opens what was there before it as text that is no
// JSON, and keeps the rest as it is.
type nonsense struct{}

func (nonsense) Encode(_, text string) (string, error) { return " " + text, nil }
func (nonsense) Overhead() int                         { return 1 }

func (nonsense) Decode(_, stored string) (string, error) {
	if text, ok := strings.CutPrefix(stored, " "); ok {
		return text, nil
	}
	return "{hunter2", nil
}
