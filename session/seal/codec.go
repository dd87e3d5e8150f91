package seal

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/sessionhub/sessionhub/internal/deflate"
)

// Options configures a [Codec]. The zero value neither encrypts nor
// compresses. It prints without the keys.
type Options struct {
	// Keys are the encryption keys, of 32 random bytes each, as [NewKey] makes
	// and [Key] reads them. The first one writes, all of them read.
	//
	// Defaults to none: no encryption.
	Keys [][]byte

	// AcceptPlain lets [Codec.Decode] read what is not encrypted, though there
	// are keys. It is for the time after encryption was switched on; see the
	// package's notes. Without keys plain text is always read.
	AcceptPlain bool

	// CompressAbove is the length of JSON text, in bytes, above which a value is
	// compressed, if that makes it shorter. The package's notes say when not
	// to.
	//
	// Defaults to 0: never. What is compressed is read in any case.
	CompressAbove int

	// MaxBytes is the longest JSON text, in bytes. Longer ones are neither
	// written nor read. It is checked before anything is inflated.
	//
	// Defaults to 16 KiB.
	MaxBytes int
}

// Format prints how many keys there are instead of the keys, whatever the verb.
func (o Options) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "{%d keys AcceptPlain:%t CompressAbove:%d MaxBytes:%d}",
		len(o.Keys), o.AcceptPlain, o.CompressAbove, o.MaxBytes)
}

// LogValue is what Format prints.
func (o Options) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(o)) }

// Codec turns values into what a store keeps, and back. It prints without its
// keys.
type Codec struct {
	keys     []masterKey
	plain    bool // without encryption is fine
	compress int
	max      int
	flate    deflate.Pool
}

// New returns a Codec. It keeps nothing of opts.Keys' memory. The error names
// what is wrong with opts, keys by their number from 1.
func New(opts Options) (*Codec, error) {
	if opts.CompressAbove < 0 {
		return nil, errors.New("seal: Options.CompressAbove is below 0")
	}
	if opts.MaxBytes < 0 {
		return nil, errors.New("seal: Options.MaxBytes is below 0")
	}
	if opts.MaxBytes == 0 {
		opts.MaxBytes = 16 << 10
	}
	keys, err := newMasterKeys(opts.Keys)
	if err != nil {
		return nil, err
	}
	return &Codec{
		keys:     keys,
		plain:    opts.AcceptPlain || len(keys) == 0,
		compress: opts.CompressAbove,
		max:      opts.MaxBytes,
	}, nil
}

// Format prints how many keys there are, whatever the verb.
func (c *Codec) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "seal.Codec{%d keys}", len(c.keys)) }

// Overhead returns by how many bytes a stored value is longer than its text, at
// most: 46 with keys, 0 without.
func (c *Codec) Overhead() int {
	if len(c.keys) == 0 {
		return 0
	}
	return headBytes + saltBytes + nonceBytes + tagBytes
}

// What a stored value that is not plain begins with.
const (
	mark = 0x01

	version  = 1 << 4 // of the format, in the second byte
	sealed   = 1 << 0 // flags, beside it
	deflated = 1 << 1
)

// ErrUnencodable is returned by [Codec.Encode] for text that is over
// [Options.MaxBytes], or begins with the byte 0x01 and so is not JSON. The error
// says which, without the text.
var ErrUnencodable = errors.New("seal: value cannot be stored")

// Encode returns what to store for the text of one value. place names where it
// will stand, without ambiguity; Decode has to be given the same. Two calls
// never return the same ciphertext, so a store that compares values has to
// compare what it keeps, not what Encode returns anew. It costs about 5 µs with
// keys, and 20 µs more where it compresses 1 KiB. Errors: [ErrUnencodable].
func (c *Codec) Encode(place, text string) (stored string, err error) {
	if err := c.check(text); err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnencodable, err)
	}
	form, body := byte(version), []byte(text)
	if c.compress > 0 && len(text) > c.compress {
		// Two bytes of mark and form are what compression costs a value that
		// would otherwise be stored as it is.
		if small := c.flate.Deflate(body); len(small)+2 < len(text) {
			form, body = form|deflated, small
		}
	}
	if len(c.keys) > 0 {
		out, err := c.keys[0].seal(form|sealed, place, body)
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrUnencodable, err)
		}
		return string(out), nil
	}
	if form == version {
		return text, nil
	}
	return string(append([]byte{mark, form}, body...)), nil
}

// check returns why text is no value, or nil.
func (c *Codec) check(text string) error {
	if len(text) > c.max {
		return fmt.Errorf("%d bytes, over the limit of %d", len(text), c.max)
	}
	if text != "" && text[0] == mark {
		return errors.New("not JSON")
	}
	return nil
}

// ErrUndecodable is returned by [Codec.Decode] for what it cannot read: written
// with a key that is not among [Options.Keys], at another place, by another
// version, over [Options.MaxBytes], cut off or tampered with. The error says
// which as far as it can be known, and has nothing of the value.
var ErrUndecodable = errors.New("seal: stored value cannot be read")

// ErrPlain is returned by [Codec.Decode] for what is not encrypted, where it has
// to be. It is an [ErrUndecodable] too.
var ErrPlain = fmt.Errorf("%w: not encrypted", ErrUndecodable)

// Decode returns the text that was stored at place. Plain text comes back as it
// is, if that is allowed; whether it is JSON is not looked at. No input makes
// it allocate more than a few times [Options.MaxBytes]. It costs what Encode
// costs, or less. Errors: [ErrUndecodable], [ErrPlain].
func (c *Codec) Decode(place, stored string) (text string, err error) {
	isPlain := stored == "" || stored[0] != mark
	isSealed := len(stored) > 1 && !isPlain && stored[1]&sealed != 0
	if !isSealed && !c.plain {
		return "", ErrPlain
	}
	text = stored
	if !isPlain {
		text, err = c.open(place, stored)
	}
	if err == nil {
		err = c.check(text)
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUndecodable, err)
	}
	return text, nil
}

// open is Decode for what begins with the mark.
func (c *Codec) open(place, stored string) (string, error) {
	if len(stored) > c.max+c.Overhead() {
		return "", fmt.Errorf("%d bytes stored, over the limit", len(stored))
	}
	if len(stored) < 2 {
		return "", errTruncated
	}
	form := stored[1]
	if form == version || form&^(sealed|deflated) != version {
		return "", errors.New("unknown version")
	}
	raw := []byte(stored)
	body := raw[2:]
	if form&sealed != 0 {
		var err error
		if body, err = open(c.keys, place, raw); err != nil {
			return "", err
		}
	}
	if form&deflated == 0 {
		return string(body), nil
	}
	text, err := c.flate.Inflate(body, c.max)
	return string(text), err
}

var errTruncated = errors.New("truncated")
