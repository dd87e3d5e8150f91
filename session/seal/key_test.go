package seal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/sessionhub/sessionhub/session/seal"
)

func TestKey_readsEachSpelling(t *testing.T) {
	want := bytes.Repeat([]byte{0xfb, 0xef, 0xff, 0x01}, 8)
	for name, text := range map[string]string{
		"base64":              base64.StdEncoding.EncodeToString(want),
		"base64, not padded":  base64.RawStdEncoding.EncodeToString(want),
		"base64url":           base64.URLEncoding.EncodeToString(want),
		"base64url, raw":      base64.RawURLEncoding.EncodeToString(want),
		"hexadecimal":         hex.EncodeToString(want),
		"upper case":          strings.ToUpper(hex.EncodeToString(want)),
		"a line of some file": " " + hex.EncodeToString(want) + "\r\n",
	} {
		if got, err := seal.Key(text); !bytes.Equal(got, want) || err != nil {
			t.Errorf("%s: Key(%q) = %x, %v", name, text, got, err)
		}
	}
}

func TestKey_refusesAnythingElse(t *testing.T) {
	good := strings.Repeat("c0ffee00", 8)
	for name, text := range map[string]string{
		"empty":           "",
		"short hex":       good[:62],
		"long hex":        good + "00",
		"no hex digit":    good[:63] + "x",
		"short base64":    base64.StdEncoding.EncodeToString(make([]byte, 31)),
		"long base64":     base64.StdEncoding.EncodeToString(make([]byte, 33)),
		"padded too much": base64.StdEncoding.EncodeToString(make([]byte, 32)) + "=",
		"second spelling": strings.Repeat("A", 42) + "B",
		"a password":      "correct horse battery staple c0ffee",
	} {
		key, err := seal.Key(text)
		if key != nil || err == nil {
			t.Errorf("%s: Key = %x, %v, want an error", name, key, err)
		} else if strings.Contains(err.Error(), "c0ffee") {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}

func TestNewKey_isAKeyAndNeverTheSame(t *testing.T) {
	one, two := seal.NewKey(), seal.NewKey()
	if one == two {
		t.Errorf("twice %q", one)
	}
	key, err := seal.Key(one)
	if len(key) != 32 || err != nil {
		t.Errorf("Key(NewKey()) = %d bytes, %v", len(key), err)
	}
}
