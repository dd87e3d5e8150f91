package signed_test

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sessionhub/sessionhub/session/signed"
)

// randomText returns n characters that do not compress to less than 3/4.
func randomText(t testing.TB, n int) string {
	t.Helper()
	b := make([]byte, n)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)[:n]
}

// FuzzUnsign holds two laws for any text and separator: what was not signed is
// bad, and what was comes back, and only from the pair that signed it.
func FuzzUnsign(f *testing.F) {
	for _, sep := range []string{":", "", "*sep*", "a:a", "-", "\xff"} {
		for _, text := range []string{"", "hello", "a:b:c", ":::", ".:1:x", strings.Repeat("\u2019", 50), "\x00\xff"} {
			f.Add(text, sep)
		}
	}
	good := newSigner(f, signed.Options{})
	f.Add(good.Sign("hello"), ":")
	f.Add(encode(f, good, "hello"), ":")
	f.Add(encode(f, good, strings.Repeat("hello", 30)), ":")

	f.Fuzz(func(t *testing.T, text, sep string) {
		// A key of its own each time: no text of the corpus can be signed with it.
		s, err := signed.New(signed.Options{
			Keys: [][]byte{[]byte(rand.Text())}, Salt: "tests", Separator: sep, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			if sep == "" || strings.ContainsAny(sep, ":*,./") {
				t.Errorf("New with the separator %q = %v", sep, err)
			}
			return
		}
		var v any
		if got, err := s.Unsign(text, 0); got != "" || !errors.Is(err, signed.ErrBad) {
			t.Errorf("Unsign(%q) = %q, %v", text, got, err)
		}
		if err := s.Decode(text, 0, &v); v != nil || !errors.Is(err, signed.ErrBad) {
			t.Errorf("Decode(%q) = %v, %v", text, v, err)
		}
		if got := s.Values(text); got == nil || len(got) != 0 {
			t.Errorf("Values(%q) = %v", text, got)
		}

		if got, err := s.Unsign(s.Sign(text), time.Hour); got != text || err != nil {
			t.Errorf("Unsign(Sign(%q)) = %q, %v", text, got, err)
		}
		if err := s.Decode(s.Sign(text), 0, &v); !errors.Is(err, signed.ErrBad) {
			t.Errorf("Decode(Sign(%q)) = %v", text, err)
		}
		if utf8.ValidString(text) { // JSON has no other text
			var got string
			if err := s.Decode(encode(t, s, text), time.Hour, &got); got != text || err != nil {
				t.Errorf("Decode(Encode(%q)) = %q, %v", text, got, err)
			}
		}
	})
}

// FuzzDecode has what is inside a good signature be anything: of another
// program with the same key, or of another version.
func FuzzDecode(f *testing.F) {
	for _, payload := range []string{"", ".", "..", "e30", ".e30", "bnVsbA", "e30=", "e3", "\x00", "eyJrIjoxfQ", strings.Repeat("A", 99)} {
		f.Add(payload)
	}
	s := newSigner(f, signed.Options{MaxBytes: 64, Logger: slog.New(slog.DiscardHandler)})
	f.Add(strings.Split(encode(f, newSigner(f, signed.Options{}), strings.Repeat("0", 4<<10)), ":")[0])
	f.Add(strings.Split(encode(f, s, map[string]string{"k": strings.Repeat("v", 40)}), ":")[0])

	f.Fuzz(func(t *testing.T, payload string) {
		body := payload + ":0"
		token := body + ":" + signature(t, "value", body)
		var v any
		_ = s.Decode(token, 0, &v)
		values := s.Values(token)
		if values == nil {
			t.Error("Values = nil")
		}
		again, err := s.Encode(values)
		if err != nil {
			return // escaped, it is over the limit
		}
		if got := s.Values(again); len(got) != len(values) {
			t.Errorf("Values(Encode(%v)) = %v", values, got)
		}
	})
}
