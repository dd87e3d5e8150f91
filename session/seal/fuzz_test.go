package seal_test

import (
	"errors"
	"testing"

	"github.com/sessionhub/sessionhub/session/seal"
)

// FuzzDecode holds two laws for any input: what Decode takes is a value that
// Encode takes and Decode gives back; and what Encode takes comes back at its
// place, and with keys at no other.
func FuzzDecode(f *testing.F) {
	plain := newCodec(f, seal.Options{CompressAbove: 8})
	strict := newCodec(f, seal.Options{Keys: [][]byte{testKey('a'), testKey('b')}, CompressAbove: 8})
	lenient := newCodec(f, seal.Options{Keys: [][]byte{testKey('b')}, AcceptPlain: true, MaxBytes: 100})

	for _, text := range []string{"", "0", "null", `"é"`, "\x01", "\x01\x10", "\x01\x11", "\x01\x13abcd", repeating,
		declared(1<<20, stream(1)), declared(10, stream(1)), declared(3, []byte("\x00\x03\x00\xfc\xff\x01\x11x"))} {
		f.Add(place, text)
	}
	for _, c := range []*seal.Codec{plain, strict, lenient} {
		f.Add(place, encode(f, c, "42"))
		f.Add("", encode(f, c, repeating[:90]))
	}

	f.Fuzz(func(t *testing.T, place, in string) {
		for _, c := range []*seal.Codec{plain, strict, lenient} {
			text, err := c.Decode(place, in)
			switch {
			case err == nil:
				comesBack(t, c, place, text)
			case text != "" || !errors.Is(err, seal.ErrUndecodable):
				t.Errorf("Decode(%q) = %q, %v", in, text, err)
			}
			if _, err := c.Encode(place, in); err == nil {
				comesBack(t, c, place, in)
			} else if !errors.Is(err, seal.ErrUnencodable) {
				t.Errorf("Encode(%q) = %v", in, err)
			}
		}
	})
}

func comesBack(t *testing.T, c *seal.Codec, place, text string) {
	t.Helper()
	stored, err := c.Encode(place, text)
	if err != nil {
		t.Fatalf("Encode(%q) = %v", text, err)
	}
	if len(stored) > len(text)+c.Overhead() {
		t.Errorf("%d bytes stored in %d", len(text), len(stored))
	}
	if got, err := c.Decode(place, stored); got != text || err != nil {
		t.Errorf("Decode(Encode(%q)) = %q, %v", text, got, err)
	}
	if c.Overhead() == 0 {
		return
	}
	if _, err := c.Decode(place+"x", stored); !errors.Is(err, seal.ErrUndecodable) {
		t.Errorf("Decode of %q at another place = %v", text, err)
	}
}
