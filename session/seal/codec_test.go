package seal_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sessionhub/sessionhub/session/seal"
)

const place = "main|1rPqhVw3vq0ZAHM2mDA2gg|chat|draft"

// testKey returns a key that is all the same byte: tests compare across runs.
func testKey(b byte) []byte { return []byte(strings.Repeat(string(rune(b)), 32)) }

func newCodec(t testing.TB, opts seal.Options) *seal.Codec {
	t.Helper()
	c, err := seal.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func keyed(t testing.TB, keys ...byte) *seal.Codec {
	t.Helper()
	var opts seal.Options
	for _, k := range keys {
		opts.Keys = append(opts.Keys, testKey(k))
	}
	return newCodec(t, opts)
}

func encode(t testing.TB, c *seal.Codec, text string) string {
	t.Helper()
	stored, err := c.Encode(place, text)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// refuses checks that stored is not decoded, and that the error shows nothing
// of it.
func refuses(t *testing.T, c *seal.Codec, place, stored, reason string) {
	t.Helper()
	text, err := c.Decode(place, stored)
	if text != "" || !errors.Is(err, seal.ErrUndecodable) || !strings.Contains(err.Error(), reason) {
		t.Errorf("Decode = %.20q, %v, want ErrUndecodable because %q", text, err, reason)
	}
}

var repeating = `{"cart":[` + strings.Repeat(`{"item":"tea","count":1},`, 50) + `{}]}`

func TestCodec_givesBackWhatItTook(t *testing.T) {
	for name, opts := range map[string]seal.Options{
		"zero":                     {},
		"compressed":               {CompressAbove: 1},
		"encrypted":                {Keys: [][]byte{testKey('a')}},
		"compressed and encrypted": {Keys: [][]byte{testKey('a')}, CompressAbove: 1},
		"plain accepted":           {Keys: [][]byte{testKey('a')}, AcceptPlain: true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCodec(t, opts)
			for _, text := range []string{"", "0", "null", `"é"`, "\"\x00\xff\"", repeating, strings.Repeat(" ", 16<<10)} {
				stored := encode(t, c, text)
				if got, err := c.Decode(place, stored); got != text || err != nil {
					t.Errorf("Decode(Encode(%.20q)) = %.20q, %v", text, got, err)
				}
				if over := len(stored) - len(text); over > c.Overhead() {
					t.Errorf("%.20q is stored in %d bytes more, Overhead is %d", text, over, c.Overhead())
				}
			}
		})
	}
}

func TestCodec_withKeysShowsNothingAndNeverRepeats(t *testing.T) {
	c := keyed(t, 'a')
	one, two := encode(t, c, `"ada@example.org"`), encode(t, c, `"ada@example.org"`)
	if strings.Contains(one, "ada") {
		t.Errorf("stored in the clear: %q", one)
	}
	if one[6:18] == two[6:18] || one[18:30] == two[18:30] || one[30:] == two[30:] {
		t.Error("a salt, a nonce or a ciphertext was used twice")
	}
}

func TestCodec_withoutOptionsStoresTheTextItself(t *testing.T) {
	if got := encode(t, newCodec(t, seal.Options{}), repeating); got != repeating {
		t.Errorf("stored %q", got)
	}
}

// What is in a store outlives the release that wrote it.
func TestCodec_readsTheFormatOfTheFirstVersion(t *testing.T) {
	c := newCodec(t, seal.Options{Keys: [][]byte{testKey('a')}, AcceptPlain: true})
	for _, stored := range []string{
		"0111a808f8aac12dec5be33bfa55d44fb6c034021861485d754fa23c3305742f0c563d753657fdfc773f41a4c6cff9e49dfc9da19b57760d8d2a0687c204b96ea617c910901ece8716705d2c13722d1e41b3b9227ca3",
		"01122804c0c11000000002309799f5c820ff6bd6b08635ac610d6b58c31a0f0000ffff",
		"0113a808f8aa7c5658c67493df0123250864abe43765eeac9c6db215439f9b5a1638bfe34090c3f098ae3321d515ff04814e9e8b156145c2d3f911c27aa711f7e6ceecbad98311cfae38e750a1e5bb",
	} {
		raw, err := hex.DecodeString(stored)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Decode(place, string(raw)); got != strings.Repeat(`"tea"`, 8) || err != nil {
			t.Errorf("Decode(%s) = %q, %v", stored, got, err)
		}
	}
}

func TestCodec_compressesOnlyWhatGetsShorter(t *testing.T) {
	c := newCodec(t, seal.Options{CompressAbove: 100})
	for _, v := range []struct {
		name, text string
		shorter    bool
	}{
		{"repeating", repeating, true},
		{"at the limit", strings.Repeat("1", 100), false},
		{"above it", strings.Repeat("1", 101), true},
		{"random", `"` + seal.NewKey() + seal.NewKey() + seal.NewKey() + `"`, false},
	} {
		stored := encode(t, c, v.text)
		if shorter := len(stored) < len(v.text); shorter != v.shorter || !shorter && stored != v.text {
			t.Errorf("%s: %d bytes stored in %d", v.name, len(v.text), len(stored))
		}
	}
	both := newCodec(t, seal.Options{Keys: [][]byte{testKey('a')}, CompressAbove: 100})
	if got := len(encode(t, both, repeating)); got > len(repeating)/4 {
		t.Errorf("%d bytes encrypted in %d: compressed after the encryption?", len(repeating), got)
	}
}

func TestCodec_rotatesKeys(t *testing.T) {
	stored := encode(t, keyed(t, '1'), "42")
	both := keyed(t, '2', '1')
	if got, err := both.Decode(place, stored); got != "42" || err != nil {
		t.Fatalf("read with the second key: %q, %v", got, err)
	}
	again := encode(t, both, "42")
	onlyNew, onlyOld := keyed(t, '2'), keyed(t, '1')
	if got, err := onlyNew.Decode(place, again); got != "42" || err != nil {
		t.Errorf("written again, read without the old key: %q, %v", got, err)
	}
	refuses(t, onlyOld, place, again, "unknown key")
	refuses(t, onlyNew, place, stored, "unknown key")
	refuses(t, newCodec(t, seal.Options{}), place, stored, "unknown key")
}

func TestCodec_refusesAnyChangedByte(t *testing.T) {
	c := keyed(t, 'a', 'b')
	for _, text := range []string{"42", repeating[:200]} {
		stored := encode(t, c, text)
		for i := range len(stored) {
			for _, flip := range []byte{1, 2, 0x80, 0xff} {
				b := []byte(stored)
				b[i] ^= flip
				refuses(t, c, place, string(b), "")
			}
			refuses(t, c, place, stored[:i], "")
			refuses(t, c, place, stored[i+1:], "")
		}
		refuses(t, c, place, stored+"\x00", "tampered")
	}
}

func TestCodec_refusesAValueFromAnotherPlace(t *testing.T) {
	c := keyed(t, 'a')
	stored := encode(t, c, "42")
	for _, other := range []string{"", place + "2", place[1:], strings.Replace(place, "chat", "main", 1)} {
		refuses(t, c, other, stored, "another place")
	}
}

func TestCodec_readsPlainTextOnlyWhereItMay(t *testing.T) {
	compressed := encode(t, newCodec(t, seal.Options{CompressAbove: 1}), repeating)
	strict := keyed(t, 'a')
	lenient := newCodec(t, seal.Options{Keys: [][]byte{testKey('a')}, AcceptPlain: true})
	for _, stored := range []string{"", "42", repeating, compressed} {
		_, err := strict.Decode(place, stored)
		if !errors.Is(err, seal.ErrPlain) || !errors.Is(err, seal.ErrUndecodable) {
			t.Errorf("Decode(%.10q) = %v, want ErrPlain", stored, err)
		}
		want := stored
		if stored == compressed {
			want = repeating
		}
		if got, err := lenient.Decode(place, stored); got != want || err != nil {
			t.Errorf("Decode(%.10q) with AcceptPlain = %.10q, %v", stored, got, err)
		}
	}
	if stored := encode(t, lenient, "42"); !strings.HasPrefix(stored, "\x01\x11") {
		t.Errorf("AcceptPlain writes %q", stored)
	}
}

func TestCodec_refusesOtherVersions(t *testing.T) {
	for _, c := range []*seal.Codec{newCodec(t, seal.Options{}), keyed(t, 'a')} {
		refuses(t, c, place, "\x01\x21"+strings.Repeat("x", 60), "unknown version")
		refuses(t, c, place, "\x01\x15"+strings.Repeat("x", 60), "unknown version")
	}
	refuses(t, newCodec(t, seal.Options{}), place, "\x01\x10"+"42", "unknown version")
	refuses(t, newCodec(t, seal.Options{}), place, "\x01", "truncated")
}

func TestCodec_holdsItsLimit(t *testing.T) {
	for name, keys := range map[string][][]byte{"plain": nil, "encrypted": {testKey('a')}} {
		t.Run(name, func(t *testing.T) {
			small := newCodec(t, seal.Options{Keys: keys, MaxBytes: 100})
			large := newCodec(t, seal.Options{Keys: keys, MaxBytes: 1000})
			largeFlate := newCodec(t, seal.Options{Keys: keys, MaxBytes: 1000, CompressAbove: 1})
			fits, over := strings.Repeat("7", 100), strings.Repeat("7", 101)

			if _, err := small.Encode(place, over); !errors.Is(err, seal.ErrUnencodable) || strings.Contains(err.Error(), "777") {
				t.Errorf("Encode of 101 bytes = %v, want ErrUnencodable", err)
			}
			for _, c := range []*seal.Codec{large, largeFlate} {
				if got, err := small.Decode(place, encode(t, c, fits)); got != fits || err != nil {
					t.Errorf("Decode of 100 bytes = %q, %v", got, err)
				}
				refuses(t, small, place, encode(t, c, over), "over the limit")
			}
		})
	}
}

func TestEncode_refusesWhatDecodeWouldTakeForItsOwn(t *testing.T) {
	for _, c := range []*seal.Codec{newCodec(t, seal.Options{}), keyed(t, 'a')} {
		if _, err := c.Encode(place, "\x01\x1142"); !errors.Is(err, seal.ErrUnencodable) {
			t.Errorf("Encode of what begins with 0x01 = %v, want ErrUnencodable", err)
		}
	}
}

func TestNew_saysWhichOptionIsWrong(t *testing.T) {
	good, long := testKey('a'), []byte(strings.Repeat("secret", 10))
	for _, c := range []struct {
		name string
		opts seal.Options
		want string
	}{
		{"short key", seal.Options{Keys: [][]byte{good, long[:31]}}, "key 2 has 31 bytes"},
		{"long key", seal.Options{Keys: [][]byte{long}}, "key 1 has 60 bytes"},
		{"empty key", seal.Options{Keys: [][]byte{good, testKey('b'), nil}}, "key 3 has 0 bytes"},
		{"twice", seal.Options{Keys: [][]byte{testKey('b'), good, good}}, "key 3 has the id of key 2"},
		{"compress", seal.Options{CompressAbove: -1}, "CompressAbove"},
		{"limit", seal.Options{MaxBytes: -1}, "MaxBytes"},
	} {
		_, err := seal.New(c.opts)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: New = %v, want %q", c.name, err, c.want)
		}
	}
}

func TestNew_keepsNothingOfTheKeysMemory(t *testing.T) {
	key := testKey('a')
	c := newCodec(t, seal.Options{Keys: [][]byte{key}})
	stored := encode(t, c, "42")
	clear(key)
	if got, err := c.Decode(place, stored); got != "42" || err != nil {
		t.Errorf("Decode after the caller wiped its key = %q, %v", got, err)
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	opts := seal.Options{Keys: [][]byte{testKey('k')}}
	c := newCodec(t, opts)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for _, v := range []any{opts, &opts, opts.LogValue(), c} {
			out := fmt.Sprintf(verb, v)
			if strings.Contains(out, "kkk") || strings.Contains(out, "6b6b") || strings.Contains(out, "107 107") {
				t.Errorf("Sprintf(%q, %T) = %s", verb, v, out)
			}
		}
	}
}

func TestCodec_isUsedByManyAtOnce(t *testing.T) {
	c := newCodec(t, seal.Options{Keys: [][]byte{testKey('a')}, CompressAbove: 10})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				where := fmt.Sprint(place, g, i)
				text := fmt.Sprintf("[%d,%s]", g, strings.Repeat(fmt.Sprint(i), 100))
				stored, err := c.Encode(where, text)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := c.Decode(where, stored); got != text || err != nil {
					t.Errorf("Decode = %q, %v, want %q", got, err, text)
				}
			}
		})
	}
	wg.Wait()
}
