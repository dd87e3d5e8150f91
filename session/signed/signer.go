package signed

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/sessionhub/sessionhub/internal/deflate"
)

// MinKeyBytes is the shortest key. RFC 2104, section 3, discourages keys
// shorter than the hash, 32 bytes; below 16 they can be guessed.
const MinKeyBytes = 16

// Options configures a [Signer]. Keys and Salt have to be set. It prints
// without the keys.
type Options struct {
	// Keys are secrets of at least [MinKeyBytes] random bytes each, best of
	// 32; any bytes will do. The first one signs, all of them verify.
	Keys [][]byte

	// Salt names the purpose, as in "password reset". It is not secret.
	Salt string

	// Separator stands before the time and before the signature. It has to
	// contain a character other than A to Z, a to z, 0 to 9, "-", "_" and "=",
	// which occur in both.
	//
	// Defaults to ":".
	Separator string

	// MaxBytes is the longest JSON text of [Signer.Encode] and
	// [Signer.Decode], in bytes, before compression.
	//
	// Defaults to 64 KiB. (A cookie has room for 4 KiB, signature included.)
	MaxBytes int

	// Logger gets the line of [Signer.Values].
	//
	// Defaults to [slog.Default].
	Logger *slog.Logger
}

// Format prints how many keys there are instead of the keys, whatever the verb.
func (o Options) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "{%d keys Salt:%q Separator:%q MaxBytes:%d}", len(o.Keys), o.Salt, o.Separator, o.MaxBytes)
}

// LogValue is what Format prints.
func (o Options) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(o)) }

// Signer signs and verifies for one purpose. It prints without its keys.
type Signer struct {
	texts, values [][]byte // keys for this purpose: of Sign, of Encode
	salt          string
	sep           string
	max           int
	log           *slog.Logger
	flate         deflate.Pool
}

// New returns a Signer. It keeps nothing of opts.Keys' memory. The error names
// what is wrong with opts, keys by their number from 1.
func New(opts Options) (*Signer, error) {
	if opts.Separator == "" {
		opts.Separator = ":"
	}
	if opts.MaxBytes == 0 {
		opts.MaxBytes = 64 << 10
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	switch {
	case opts.Salt == "":
		return nil, errors.New("signed: Options.Salt is empty")
	case strings.Trim(opts.Separator, "=-_"+digits+letters) == "":
		return nil, fmt.Errorf("signed: Options.Separator %q can occur in a signature", opts.Separator)
	case opts.MaxBytes < 0:
		return nil, errors.New("signed: Options.MaxBytes is below 0")
	case len(opts.Keys) == 0:
		return nil, errors.New("signed: Options.Keys is empty")
	}
	s := &Signer{salt: opts.Salt, sep: opts.Separator, max: opts.MaxBytes, log: opts.Logger}
	for i, key := range opts.Keys {
		if len(key) < MinKeyBytes {
			return nil, fmt.Errorf("signed: key %d has %d bytes, not %d or more", i+1, len(key), MinKeyBytes)
		}
		text, err := derive(key, "text", opts.Salt)
		if err != nil {
			return nil, fmt.Errorf("signed: key %d: %w", i+1, err)
		}
		value, err := derive(key, "value", opts.Salt)
		if err != nil {
			return nil, fmt.Errorf("signed: key %d: %w", i+1, err)
		}
		s.texts, s.values = append(s.texts, text), append(s.values, value)
	}
	return s, nil
}

const (
	digits  = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// derive returns the key of one form of one purpose.
func derive(key []byte, form, salt string) ([]byte, error) {
	return hkdf.Key(sha256.New, key, nil, "session/signed 1 "+form+" "+salt, sha256.Size)
}

// Format prints the purpose and how many keys there are, whatever the verb.
func (s *Signer) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "signed.Signer{%q, %d keys}", s.salt, len(s.texts))
}

// Sign returns text with the time, in milliseconds, and a signature: 53 bytes
// more with the default separator. The text may be any, also with separators;
// what has to be escaped in it still has to be.
func (s *Signer) Sign(text string) string { return s.sign(s.texts, text) }

// Errors of [Signer.Unsign] and [Signer.Decode]. They show nothing of the text.
var (
	// ErrBad is returned for what was not signed with one of the keys for this
	// purpose, or not in this form.
	ErrBad = errors.New("signed: bad signature")

	// ErrExpired is returned for what was signed too long ago. It is an
	// ErrBad too: who does not tell them apart refuses both.
	ErrExpired = fmt.Errorf("%w: expired", ErrBad)
)

// Unsign returns the text that [Signer.Sign] got, if it was signed not longer
// than maxAge ago. 0 means any age; a negative maxAge, as of a deadline that has
// passed, lets nothing in. The clocks of the nodes have to agree: a time that has
// not come yet counts as now. Errors: [ErrBad], [ErrExpired].
func (s *Signer) Unsign(text string, maxAge time.Duration) (string, error) {
	return s.unsign(s.texts, text, maxAge)
}

// timeBase writes times short, 8 characters until the year 2059, with digits
// that no separator is made of.
const timeBase = 36

func (s *Signer) sign(keys [][]byte, text string) string {
	text += s.sep + strconv.FormatInt(time.Now().UnixMilli(), timeBase)
	return text + s.sep + signature(keys[0], text)
}

func (s *Signer) unsign(keys [][]byte, text string, maxAge time.Duration) (string, error) {
	text, sig, ok := cutLast(text, s.sep)
	if !ok || !verify(keys, text, sig) {
		return "", ErrBad
	}
	text, at, ok := cutLast(text, s.sep)
	if !ok {
		return "", ErrBad
	}
	ms, err := strconv.ParseInt(at, timeBase, 64)
	if err != nil {
		return "", ErrBad
	}
	if maxAge != 0 && max(0, time.Since(time.UnixMilli(ms))) > maxAge {
		return "", ErrExpired
	}
	return text, nil
}

func signature(key []byte, text string) string {
	mac := hmac.New(sha256.New, key)
	io.WriteString(mac, text) // a hash takes everything
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// verify compares the signatures as text, so that a second spelling of the same
// bytes is not good.
func verify(keys [][]byte, text, sig string) bool {
	for _, key := range keys {
		if hmac.Equal([]byte(sig), []byte(signature(key, text))) {
			return true
		}
	}
	return false
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
