package signed_test

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionhub/sessionhub/session/signed"
)

// The names of these tests begin with the number of a case of Django: 32 to 34
// are of its sessions' tests, 80 to 88 of tests/signing. Case 87 has the base 62
// of Django's times; ours are in base 36, which the standard library writes and
// reads, and so take 8 characters for milliseconds where base 62 takes 7.

func TestA32_decodeGivesBackWhatEncodeGot(t *testing.T) {
	s := newSigner(t, signed.Options{})
	want := map[string]json.RawMessage{"user": json.RawMessage(`"ada"`), "n": json.RawMessage("7")}
	if diff := cmp.Diff(want, s.Values(encode(t, s, want))); diff != "" {
		t.Error(diff)
	}
	for _, empty := range []map[string]json.RawMessage{nil, {}} {
		if got := s.Values(encode(t, s, empty)); got == nil || len(got) != 0 {
			t.Errorf("Values of an empty map = %#v", got)
		}
	}
}

// corrupted checks that Values starts anew, and says so once and without the
// text.
func corrupted(t *testing.T, opts signed.Options, text string) {
	t.Helper()
	var out bytes.Buffer
	opts.Logger = slog.New(slog.NewJSONHandler(&out, nil))
	if got := newSigner(t, opts).Values(text); got == nil || len(got) != 0 {
		t.Errorf("Values(%.40q) = %v, want an empty map", text, got)
	}
	var line struct {
		Level, Msg, Salt, Reason string
		Security                 bool
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil { // of two lines, too
		t.Fatalf("log of %.40q: %v: %s", text, err, out.Bytes())
	}
	if line.Level != "WARN" || line.Msg != "session data corrupted" || !line.Security ||
		line.Salt != "tests" || !strings.HasPrefix(line.Reason, "signed: ") {
		t.Errorf("log of %.40q: %s", text, out.Bytes())
	}
	if strings.Contains(out.String(), "topsecret") || text != "" && strings.Contains(out.String(), text) {
		t.Errorf("the log shows the text: %s", out.Bytes())
	}
}

func TestA33_garbageIsAnEmptyMapAndAWarning(t *testing.T) {
	s := newSigner(t, signed.Options{})
	good := encode(t, s, map[string]string{"k": "topsecret"})
	for name, text := range map[string]string{
		"empty":            "",
		"garbage":          "topsecret garbage\x00\xff",
		"separators":       ":::",
		"tampered":         good[:4] + "x" + good[5:],
		"cut off":          good[:len(good)-1],
		"no signature":     good[:len(good)-44],
		"another key":      encode(t, newSigner(t, signed.Options{Keys: [][]byte{key("other")}}), map[string]string{"k": "topsecret"}),
		"another salt":     encode(t, newSigner(t, signed.Options{Salt: "else"}), map[string]string{"k": "topsecret"}),
		"signed as a text": s.Sign(base64.RawURLEncoding.EncodeToString([]byte(`{"k":"topsecret"}`))),
	} {
		t.Run(name, func(t *testing.T) { corrupted(t, signed.Options{}, text) })
	}
}

func TestA34_whatIsSignedAndNoMapIsAnEmptyMap(t *testing.T) {
	s := newSigner(t, signed.Options{})
	for _, v := range []any{"topsecret", 7, true, []string{"topsecret"}} {
		corrupted(t, signed.Options{}, encode(t, s, v))
	}
	large := encode(t, s, map[string]string{"k": strings.Repeat("topsecret", 100)})
	corrupted(t, signed.Options{MaxBytes: 100}, large)
}

// signature signs as the package's notes say, for newSigner's key and purpose.
func signature(t *testing.T, form, body string) string {
	t.Helper()
	derived, err := hkdf.Key(sha256.New, key("one"), nil, "session/signed 1 "+form+" tests", 32)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, derived)
	mac.Write([]byte(body))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func TestA80_theSignatureIsAnHMACOfThePurpose(t *testing.T) {
	for _, text := range []string{"hello", "3098247:529:087:", "\u2019"} {
		one := newSigner(t, signed.Options{}).Sign(text)
		body, sig := one[:len(one)-44], one[len(one)-43:]
		if want := signature(t, "text", body); sig != want {
			t.Errorf("signature of %q = %s, want %s", body, sig, want)
		}
		for name, opts := range map[string]signed.Options{
			"another key":  {Keys: [][]byte{key("two")}},
			"another salt": {Salt: "tests2"},
		} {
			if _, err := newSigner(t, opts).Unsign(one, 0); !errors.Is(err, signed.ErrBad) {
				t.Errorf("Unsign with %s = %v, want ErrBad", name, err)
			}
		}
	}
}

func TestA81_unsignGivesBackWhatSignGot(t *testing.T) {
	s := newSigner(t, signed.Options{})
	for _, text := range []string{
		"", ":", "q;wjmbk;wkmb", "3098247529087", "3098247:529:087:", "jkw osanteuh ,rcuh nthu aou oauh ,ud du",
		"\u2019", "\x00\xff\n", s.Sign("signed twice"),
	} {
		signed := s.Sign(text)
		if signed == text {
			t.Errorf("Sign(%q) is the text", text)
		}
		if got, err := s.Unsign(signed, 0); got != text || err != nil {
			t.Errorf("Unsign(Sign(%q)) = %q, %v", text, got, err)
		}
	}
	// What is no text has Encode.
	comesBack(t, s, 123)
	comesBack(t, s, 1.23)
	comesBack(t, s, true)
	comesBack(t, s, time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC))
}

func comesBack[T any](t *testing.T, s *signed.Signer, want T) {
	t.Helper()
	var got T
	if err := s.Decode(encode(t, s, want), 0, &got); err != nil {
		t.Errorf("Decode(Encode(%v)) = %v", want, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestA82_tamperingIsFound(t *testing.T) {
	s := newSigner(t, signed.Options{})
	text, value := s.Sign("Another string"), encode(t, s, map[string]any{"foo": "bar", "baz": 1})
	for name, change := range map[string]func(string) string{
		"upper case":         strings.ToUpper,
		"something appended": func(s string) string { return s + "a" },
		"another first byte": func(s string) string { return "a" + s[1:] },
		"no separators":      func(s string) string { return strings.ReplaceAll(s, ":", "") },
		"another time": func(s string) string {
			i := strings.LastIndex(s, ":")
			other := "0"
			if s[i-1] == '0' {
				other = "1"
			}
			return s[:i-1] + other + s[i:]
		},
		"signature in another spelling": func(s string) string {
			// The last character carries 4 bits of 6; a lax decoder drops 2.
			return s[:len(s)-1] + string(alphabet[strings.IndexByte(alphabet, s[len(s)-1])|1])
		},
		"signature padded": func(s string) string { return s + "=" },
		"no signature":     func(s string) string { return s[:len(s)-43] },
		"no time":          func(s string) string { return s[:len(s)-53] + s[len(s)-44:] },
	} {
		if change(text) == text || change(value) == value {
			t.Errorf("%s: nothing is changed", name)
		}
		if got, err := s.Unsign(change(text), 0); got != "" || !errors.Is(err, signed.ErrBad) || errors.Is(err, signed.ErrExpired) {
			t.Errorf("%s: Unsign = %q, %v, want ErrBad", name, got, err)
		}
		var v any
		if err := s.Decode(change(value), 0, &v); v != nil || !errors.Is(err, signed.ErrBad) || errors.Is(err, signed.ErrExpired) {
			t.Errorf("%s: Decode = %v, %v, want ErrBad", name, v, err)
		}
	}
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func TestA83_objectsComeBackCompressedOrNot(t *testing.T) {
	s := newSigner(t, signed.Options{})
	comesBack(t, s, []string{"a", "list"})
	comesBack(t, s, "a string \u2019")
	comesBack(t, s, map[string]string{"a": "dictionary"})
	comesBack(t, s, map[string]string{"precomposed": "h\u00e9llo", "combining": "he\u0301llo", "emoji": "🐍", "zh": "你好"})

	long := strings.Split(strings.Repeat("list ", 100), " ")
	comesBack(t, s, long)
	if got := encode(t, s, long); !strings.HasPrefix(got, ".") || len(got) > 150 {
		t.Errorf("a list of 100 equal words is not compressed: %s", got)
	}
	if got := encode(t, s, []string{"a", "list"}); !strings.HasPrefix(got, "WyJhIiwibGlzdCJd:") {
		t.Errorf("a short list is not plain base64url: %s", got)
	}
}

// The empty separator is not refused as Django does: it means the default.
func TestA84_aSeparatorIsNothingThatASignatureHas(t *testing.T) {
	for _, sep := range []string{"-", "abc", "_", "=", "A-z0=", "7"} {
		if _, err := signed.New(signed.Options{Keys: [][]byte{key("one")}, Salt: "tests", Separator: sep}); err == nil ||
			!strings.Contains(err.Error(), "Separator") {
			t.Errorf("New with the separator %q = %v, want an error", sep, err)
		}
	}
	for _, sep := range []string{"/", "*sep*", ",", ".", "a:a", "::", "\u2019"} {
		s := newSigner(t, signed.Options{Separator: sep})
		text := s.Sign("foo" + sep)
		if got := len(strings.Split(text, sep)); got != 4 {
			t.Errorf("%q has %d parts between %q", text, got, sep)
		}
		if got, err := s.Unsign(text, 0); got != "foo"+sep || err != nil {
			t.Errorf("Unsign(%q) = %q, %v", text, got, err)
		}
		comesBack(t, s, strings.Repeat("compressed ", 20))
	}
	if text := newSigner(t, signed.Options{}).Sign("foo"); strings.Count(text, ":") != 2 {
		t.Errorf("the default separator: %q", text)
	}
}

func TestA85_everyKeyVerifiesAndTheFirstSigns(t *testing.T) {
	old := newSigner(t, signed.Options{Keys: [][]byte{key("old")}})
	both := newSigner(t, signed.Options{Keys: [][]byte{key("new"), key("other"), key("old")}})
	fresh := newSigner(t, signed.Options{Keys: [][]byte{key("new")}})

	for _, c := range []struct {
		name        string
		from, to    *signed.Signer
		understands bool
	}{
		{"a fallback key verifies", old, both, true},
		{"the first key verifies", both, both, true},
		{"the first key signs", both, fresh, true},
		{"a fallback key does not sign", both, old, false},
		{"a key that was dropped does not verify", old, fresh, false},
	} {
		if got, err := c.to.Unsign(c.from.Sign("abc"), 0); (err == nil) != c.understands || (got == "abc") != c.understands {
			t.Errorf("%s: Unsign = %q, %v", c.name, got, err)
		}
		var got string
		if err := c.to.Decode(encode(t, c.from, "abc"), 0, &got); (err == nil) != c.understands || (got == "abc") != c.understands {
			t.Errorf("%s: Decode = %q, %v", c.name, got, err)
		}
	}
}

func TestA86_whatIsTooOldIsExpiredAndBad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t, signed.Options{})
		time.Sleep(123456789 * time.Microsecond) // some time between two milliseconds
		text, value := s.Sign("hello"), encode(t, s, "hello")
		time.Sleep(11 * time.Second)
		for _, c := range []struct {
			name   string
			maxAge time.Duration
			want   error
		}{
			{"any age", 0, nil},
			{"younger", 12 * time.Second, nil},
			{"just so, but for a part of a millisecond", 11*time.Second + time.Millisecond, nil},
			{"older", 11*time.Second - time.Millisecond, signed.ErrExpired},
			{"much older", time.Nanosecond, signed.ErrExpired},
			{"never", -time.Second, signed.ErrExpired},
		} {
			want := "hello"
			if c.want != nil {
				want = ""
			}
			var decoded string
			got, err := s.Unsign(text, c.maxAge)
			if got != want || !errors.Is(err, c.want) || errors.Is(err, signed.ErrBad) != (c.want != nil) {
				t.Errorf("%s: Unsign = %q, %v, want %v", c.name, got, err, c.want)
			}
			err = s.Decode(value, c.maxAge, &decoded)
			if decoded != want || !errors.Is(err, c.want) || errors.Is(err, signed.ErrBad) != (c.want != nil) {
				t.Errorf("%s: Decode = %q, %v, want %v", c.name, decoded, err, c.want)
			}
		}
	})
}

func TestA86_aForgedTimeIsBadAndNotExpired(t *testing.T) {
	s := newSigner(t, signed.Options{})
	text := s.Sign("hello")
	parts := strings.Split(text, ":")
	parts[1] = "1"
	if _, err := s.Unsign(strings.Join(parts, ":"), time.Hour); !errors.Is(err, signed.ErrBad) || errors.Is(err, signed.ErrExpired) {
		t.Errorf("Unsign = %v, want ErrBad", err)
	}
}

func TestA86_aClockThatIsAheadDoesNotExpireAnything(t *testing.T) {
	var ahead string
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Minute)
		ahead = newSigner(t, signed.Options{}).Sign("hello")
	})
	synctest.Test(t, func(t *testing.T) { // a minute earlier
		s := newSigner(t, signed.Options{})
		if got, err := s.Unsign(ahead, time.Second); got != "hello" || err != nil {
			t.Errorf("Unsign = %q, %v", got, err)
		}
		if _, err := s.Unsign(ahead, -time.Second); !errors.Is(err, signed.ErrExpired) {
			t.Errorf("Unsign with a deadline that has passed = %v, want ErrExpired", err)
		}
	})
}

func TestA87_theTimeIsInMillisecondsInBase36(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t, signed.Options{})
		for _, sleep := range []time.Duration{0, time.Millisecond, time.Hour, 26 * 365 * 24 * time.Hour, 100 * 365 * 24 * time.Hour} {
			time.Sleep(sleep)
			at := strings.Split(s.Sign("foo"), ":")[1]
			if got, err := strconv.ParseInt(at, 36, 64); got != time.Now().UnixMilli() || err != nil {
				t.Errorf("time of %v = %q, %v", time.Now(), at, err)
			}
		}
	})
}

func TestA88_keysNeedNotBeText(t *testing.T) {
	s := newSigner(t, signed.Options{Keys: [][]byte{bytes.Repeat([]byte{0xe7}, 16)}})
	if got, err := s.Unsign(s.Sign("foo"), 0); got != "foo" || err != nil {
		t.Errorf("Unsign = %q, %v", got, err)
	}
	comesBack(t, s, "foo")
}
