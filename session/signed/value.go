package signed

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// ErrLimit is returned by [Signer.Encode] for a value above
// [Options.MaxBytes].
var ErrLimit = errors.New("signed: over the limit")

// encoding refuses a second spelling of the same bytes.
var encoding = base64.RawURLEncoding.Strict()

// compressed begins a value that is. It is under the signature, so that nobody
// else has anything inflated (Django does the same).
const compressed = "."

// Encode returns the JSON of v, compressed where that makes it shorter, with the
// time and a signature. Errors: [ErrLimit], and those of [json.Marshal].
func (s *Signer) Encode(v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("signed: encode: %w", err)
	}
	if len(text) > s.max {
		return "", fmt.Errorf("%w: %d bytes of JSON, more than %d", ErrLimit, len(text), s.max)
	}
	payload := encoding.EncodeToString(text)
	if small := compressed + encoding.EncodeToString(s.flate.Deflate(text)); len(small) < len(payload) {
		payload = small
	}
	return s.sign(s.values, payload), nil
}

// Decode reads into v what [Signer.Encode] got, if it was signed not longer than
// maxAge ago; see [Signer.Unsign]. Nothing is inflated before its signature was
// verified, and nothing above [Options.MaxBytes]. Errors: [ErrBad] and
// [ErrExpired]; those of [json.Unmarshal] when the signature is good and v is of
// another shape, which the visitor is not to blame for.
func (s *Signer) Decode(text string, maxAge time.Duration, v any) error {
	raw, err := s.open(text, maxAge)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("signed: decode: %w", err)
	}
	return nil
}

// open is Decode as far as the JSON text.
func (s *Signer) open(text string, maxAge time.Duration) ([]byte, error) {
	payload, err := s.unsign(s.values, text, maxAge)
	if err != nil {
		return nil, err
	}
	payload, small := strings.CutPrefix(payload, compressed)
	// What was signed here is of this form. It may have been signed with the
	// same key and a higher limit, though, or by another program.
	if encoding.DecodedLen(len(payload)) > s.max {
		return nil, fmt.Errorf("%w: over the limit", ErrBad)
	}
	raw, err := encoding.DecodeString(payload)
	if err != nil {
		return nil, fmt.Errorf("%w: not base64url", ErrBad)
	}
	if small {
		if raw, err = s.flate.Inflate(raw, s.max); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBad, err)
		}
	}
	return raw, nil
}

// Values returns the JSON object that [Signer.Encode] got, of any age, as the
// values of a session that lives in a cookie. What is garbage, tampered with,
// badly signed or no object gives an empty map: the visitor begins anew. That may
// be an attack, so [Options.Logger] then gets one line, without the text:
//
//	level=WARN msg="session data corrupted" security=true salt=<purpose> reason=<fixed words>
//
// Lines for a security log are those with the attribute "security"; this is
// the one such line of the package. Values never returns nil.
func (s *Signer) Values(text string) map[string]json.RawMessage {
	raw, err := s.open(text, 0)
	values := map[string]json.RawMessage{}
	if err == nil && json.Unmarshal(raw, &values) != nil {
		// The error of package json could show some of the text.
		err = errors.New("signed: not a JSON object")
	}
	if err != nil {
		s.log.LogAttrs(context.Background(), slog.LevelWarn, "session data corrupted",
			slog.Bool("security", true), slog.String("salt", s.salt), slog.String("reason", err.Error()))
		return map[string]json.RawMessage{}
	}
	if values == nil { // null: the nil map that Encode got
		return map[string]json.RawMessage{}
	}
	return values
}
