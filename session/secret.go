package session

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"log/slog"
)

const (
	idBytes     = 16
	secretBytes = 32
	idChars     = 22 // of unpadded base64
	secretChars = 43
)

// encoding refuses a second spelling of the same bytes.
var encoding = base64.RawURLEncoding.Strict()

// secret is the part of a cookie that proves the right to a session, as text.
// It shows itself in no log and no error.
type secret string

func (secret) String() string       { return "[secret]" }
func (secret) GoString() string     { return "[secret]" }
func (secret) LogValue() slog.Value { return slog.StringValue("[secret]") }

// hash returns what a store keeps. The secret has 256 random bits, so that a
// plain SHA-256 is enough: there is nothing to guess (ASVS 5.0, 11.4.2).
func (s secret) hash() Hash {
	var in [secretChars]byte // spares a copy on the heap
	sum := sha256.Sum256(in[:copy(in[:], s)])
	var out [secretChars]byte
	encoding.Encode(out[:], sum[:])
	return Hash(out[:])
}

// equal compares in constant time.
func (s secret) equal(other secret) bool {
	return subtle.ConstantTimeCompare([]byte(s), []byte(other)) == 1
}

// equal compares in constant time.
func (h Hash) equal(other Hash) bool {
	return subtle.ConstantTimeCompare([]byte(h), []byte(other)) == 1
}

// Credential is what a visitor showed, or was given: an id and a secret. It
// prints without the secret.
type Credential struct {
	Root string // the root namespace that it is for
	ID   string

	secret secret
	fresh  bool // made just now: its cookie has to be sent
	token  bool // the visitor keeps it in a token, not in a cookie
}

// Format prints the root and the id shortened, whatever the verb. Without it
// fmt would print the secret, because it asks no methods of unexported fields.
func (c Credential) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "%s %s", c.Root, Short(c.ID)) }

// LogValue shows the id shortened, and no secret.
func (c Credential) LogValue() slog.Value {
	return slog.GroupValue(slog.String("root", c.Root), slog.String("id", Short(c.ID)))
}

// value is the cookie's value.
func (c Credential) value() string { return c.ID + "." + string(c.secret) }

// Short returns the beginning of an id, enough to find it in a log.
func Short(id string) string { return id[:min(len(id), 8)] }

func newID() string { return random(idBytes) }

func newSecret() secret { return secret(random(secretBytes)) }

// newOp returns a name for one save, unique among those of [OpMemory].
func newOp() string { return random(12) }

func random(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails: crypto/rand ends the program instead
	return encoding.EncodeToString(b)
}

// isID reports whether an id is of the form of those that we made.
func isID(id string) bool {
	var buf [idBytes]byte
	if len(id) != idChars {
		return false
	}
	n, err := encoding.Decode(buf[:], []byte(id))
	return n == idBytes && err == nil
}

// parseCredential reads a cookie's value: exact length, exact alphabet, so
// that nothing else ever reaches a store.
func parseCredential(root, value string) (Credential, bool) {
	if len(value) != idChars+1+secretChars || value[idChars] != '.' {
		return Credential{}, false
	}
	var buf [secretBytes]byte
	id, sec := value[:idChars], value[idChars+1:]
	if !isID(id) {
		return Credential{}, false
	}
	if _, err := encoding.Decode(buf[:], []byte(sec)); err != nil {
		return Credential{}, false
	}
	return Credential{Root: root, ID: id, secret: secret(sec)}, true
}
