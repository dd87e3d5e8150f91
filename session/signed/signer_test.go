package signed_test

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionhub/sessionhub/session/signed"
)

// key returns a key that tests can tell from others.
func key(name string) []byte { return []byte(fmt.Sprintf("%-32s", "key "+name)) }

// newSigner fills in a key and a purpose.
func newSigner(t testing.TB, opts signed.Options) *signed.Signer {
	t.Helper()
	if opts.Keys == nil {
		opts.Keys = [][]byte{key("one")}
	}
	if opts.Salt == "" {
		opts.Salt = "tests"
	}
	s, err := signed.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func encode(t testing.TB, s *signed.Signer, v any) string {
	t.Helper()
	text, err := s.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestNew_saysWhichOptionIsWrong(t *testing.T) {
	good := key("one")
	for _, c := range []struct {
		name string
		opts signed.Options
		want string
	}{
		{"zero", signed.Options{}, "Salt is empty"},
		{"no purpose", signed.Options{Keys: [][]byte{good}}, "Salt is empty"},
		{"no key", signed.Options{Salt: "tests"}, "Keys is empty"},
		{"short key", signed.Options{Salt: "tests", Keys: [][]byte{good, good[:15]}}, "key 2 has 15 bytes"},
		{"empty key", signed.Options{Salt: "tests", Keys: [][]byte{nil}}, "key 1 has 0 bytes"},
		{"limit", signed.Options{Salt: "tests", Keys: [][]byte{good}, MaxBytes: -1}, "MaxBytes"},
	} {
		_, err := signed.New(c.opts)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "key one") {
			t.Errorf("%s: New = %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := signed.New(signed.Options{Salt: "tests", Keys: [][]byte{good[:signed.MinKeyBytes]}}); err != nil {
		t.Errorf("New with the shortest key = %v", err)
	}
}

func TestNew_keepsNothingOfTheKeysMemory(t *testing.T) {
	k := key("one")
	s := newSigner(t, signed.Options{Keys: [][]byte{k}})
	text := s.Sign("abc")
	clear(k)
	if got, err := s.Unsign(text, 0); got != "abc" || err != nil {
		t.Errorf("Unsign after the caller wiped its key = %q, %v", got, err)
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	opts := signed.Options{Keys: [][]byte{[]byte(strings.Repeat("k", 32))}, Salt: "tests"}
	s := newSigner(t, opts)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for _, v := range []any{opts, &opts, opts.LogValue(), s} {
			out := fmt.Sprintf(verb, v)
			if strings.Contains(out, "kkk") || strings.Contains(out, "6b6b") || strings.Contains(out, "107 107") {
				t.Errorf("Sprintf(%q, %T) = %s", verb, v, out)
			}
		}
	}
}

// What was sent outlives the release that signed it.
func TestSigner_readsTheFormatOfTheFirstVersion(t *testing.T) {
	s := newSigner(t, signed.Options{})
	text := "ada@example.org:mwsg8eed:roY23nkioQ1ip6K_i6C3-HqDX0jcSF98TTfA2KUTEFI"
	if got, err := s.Unsign(text, 0); got != "ada@example.org" || err != nil {
		t.Errorf("Unsign(%q) = %q, %v", text, got, err)
	}
	for value, want := range map[string]any{
		"eyJuIjo3fQ:mwsg8eed:6wqMyt6Tr9a0aQYVP0mzAlviywc07RZEdN_476UJ3Ho":                                                       map[string]any{"n": 7.0},
		".UgTAMQ0AAAyEQCufOmPAAf7Tu2TJkiVLlixZsmTJkiVLlixZsmTJkiW7DwAA__8:mwsgjkdc:l_nzEU6wf4FxEJB9Tn17UaFDvLX6OSzFQrTE_FV_KO8": strings.Repeat("tea ", 20),
	} {
		var got any
		if err := s.Decode(value, 0, &got); err != nil {
			t.Errorf("Decode(%q) = %v", value, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestTextsAndValuesAreTwoForms(t *testing.T) {
	s := newSigner(t, signed.Options{})
	if _, err := s.Unsign(encode(t, s, "abc"), 0); !errors.Is(err, signed.ErrBad) {
		t.Errorf("Unsign of a value = %v, want ErrBad", err)
	}
	var got any
	if err := s.Decode(s.Sign("ImFiYyI"), 0, &got); got != nil || !errors.Is(err, signed.ErrBad) {
		t.Errorf("Decode of a text = %v, %v, want ErrBad", got, err)
	}
}

func TestEncode_needsNoEscaping(t *testing.T) {
	s := newSigner(t, signed.Options{})
	for _, v := range []any{"\u2019<>&;,\" \x00", strings.Repeat("long ", 100)} {
		text := encode(t, s, v)
		if u, err := url.Parse("https://chat.example/reset/" + text); err != nil || u.EscapedPath() != "/reset/"+text {
			t.Errorf("in a URL: %v, %v", u, err)
		}
		ck, err := http.ParseSetCookie((&http.Cookie{Name: "c", Value: text}).String())
		if err != nil || ck.Value != text || ck.Quoted {
			t.Errorf("in a cookie: %v, %v", ck, err)
		}
	}
}

func TestEncode_saysWhyNot(t *testing.T) {
	s := newSigner(t, signed.Options{MaxBytes: 10})
	if _, err := s.Encode(math.Inf(1)); err == nil || errors.Is(err, signed.ErrLimit) {
		t.Errorf("Encode of what JSON has not = %v", err)
	}
	if _, err := s.Encode("topsecret"); !errors.Is(err, signed.ErrLimit) || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("Encode of 11 bytes = %v, want ErrLimit", err)
	}
	comesBack(t, s, "just fit")
}

func TestDecode_ofAnotherShapeIsNotTheVisitorsFault(t *testing.T) {
	s := newSigner(t, signed.Options{})
	var n int
	if err := s.Decode(encode(t, s, "seven"), 0, &n); err == nil || errors.Is(err, signed.ErrBad) {
		t.Errorf("Decode of a string into an int = %v", err)
	}
}

func TestDecode_inflatesNothingAboveTheLimit(t *testing.T) {
	wide := newSigner(t, signed.Options{MaxBytes: 64 << 20})
	narrow := newSigner(t, signed.Options{})
	other := newSigner(t, signed.Options{MaxBytes: 64 << 20, Keys: [][]byte{key("other")}})
	large := strings.Repeat("0", 4<<20)
	for _, c := range []struct {
		name   string
		to     *signed.Signer
		text   string
		reason string
	}{
		{"signed with a higher limit", narrow, encode(t, wide, large), "over the limit"},
		{"signed by somebody else", other, encode(t, wide, large), "bad signature"},
		{"not compressed", narrow, encode(t, wide, randomText(t, 80<<10)), "over the limit"},
	} {
		var (
			before, after runtime.MemStats
			got           any
		)
		runtime.ReadMemStats(&before)
		err := c.to.Decode(c.text, 0, &got)
		runtime.ReadMemStats(&after)
		if got != nil || !errors.Is(err, signed.ErrBad) || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: Decode = %v, want ErrBad because %q", c.name, err, c.reason)
		}
		if took, most := after.TotalAlloc-before.TotalAlloc, uint64(1<<20); took > most {
			t.Errorf("%s: allocated %d bytes, want at most %d", c.name, took, most)
		}
	}
}

func TestSigner_isUsedByManyAtOnce(t *testing.T) {
	s := newSigner(t, signed.Options{})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				comesBack(t, s, strings.Repeat(fmt.Sprint(g, i), i))
				if got, err := s.Unsign(s.Sign(fmt.Sprint(g, i)), 0); got != fmt.Sprint(g, i) || err != nil {
					t.Errorf("Unsign = %q, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}
