package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const keyBytes = 32

// NewKey returns a new random key as text, for [Key].
func NewKey() string {
	b := make([]byte, keyBytes)
	rand.Read(b) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// Key reads a key of 32 bytes from base64, of either alphabet, padded or not, or
// from hexadecimal digits. White space around it is left out. The error has
// nothing of the text but its length.
func Key(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	var (
		key []byte
		err error
	)
	if len(text) == hex.EncodedLen(keyBytes) {
		key, err = hex.DecodeString(text)
	} else {
		std := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimSuffix(text, "="))
		key, err = base64.RawStdEncoding.Strict().DecodeString(std)
	}
	if err != nil || len(key) != keyBytes {
		return nil, fmt.Errorf("seal: no key of %d bytes in base64 or hexadecimal, but %d characters", keyBytes, len(text))
	}
	return key, nil
}

// Lengths of the parts of an encrypted value, in bytes.
const (
	idBytes    = 4
	headBytes  = 2 + idBytes // mark, form and key id: with the place, the additional data
	saltBytes  = 12
	nonceBytes = 12
	tagBytes   = 16
)

// masterKey is one of [Options.Keys]. It encrypts nothing itself.
type masterKey struct {
	id   [idBytes]byte // finds it again; says nothing of it
	root []byte        // what the keys of values are derived from
}

// newMasterKeys refuses a set in which an id would not tell which key wrote.
func newMasterKeys(keys [][]byte) ([]masterKey, error) {
	masters := make([]masterKey, 0, len(keys))
	for i, key := range keys {
		if len(key) != keyBytes {
			return nil, fmt.Errorf("seal: key %d has %d bytes, not %d", i+1, len(key), keyBytes)
		}
		m, err := newMasterKey(key)
		if err != nil {
			return nil, fmt.Errorf("seal: key %d: %w", i+1, err)
		}
		if twin := slices.IndexFunc(masters, func(o masterKey) bool { return o.id == m.id }); twin >= 0 {
			return nil, fmt.Errorf("seal: key %d has the id of key %d", i+1, twin+1)
		}
		masters = append(masters, m)
	}
	return masters, nil
}

func newMasterKey(key []byte) (masterKey, error) {
	root, err := hkdf.Extract(sha256.New, key, []byte("session/seal 1"))
	if err != nil {
		return masterKey{}, err
	}
	id, err := hkdf.Expand(sha256.New, root, "key id", idBytes)
	if err != nil {
		return masterKey{}, err
	}
	return masterKey{id: [idBytes]byte(id), root: root}, nil
}

// aead returns the cipher of the values with this salt. It makes the nonce
// itself and puts it in front.
func (m masterKey) aead(salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Expand(sha256.New, m.root, "value "+string(salt), keyBytes)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// seal returns the stored form of body.
func (m masterKey) seal(form byte, place string, body []byte) ([]byte, error) {
	out := make([]byte, headBytes+saltBytes, headBytes+saltBytes+nonceBytes+len(body)+tagBytes)
	out[0], out[1] = mark, form
	copy(out[2:], m.id[:])
	salt := out[headBytes:]
	rand.Read(salt)
	aead, err := m.aead(salt)
	if err != nil {
		return nil, err
	}
	return aead.Seal(out, nil, body, additional(out, place)), nil
}

// open is the inverse of seal with the key that wrote.
func open(keys []masterKey, place string, stored []byte) ([]byte, error) {
	if len(stored) < headBytes+saltBytes+nonceBytes+tagBytes {
		return nil, errTruncated
	}
	i := slices.IndexFunc(keys, func(m masterKey) bool { return bytes.Equal(m.id[:], stored[2:headBytes]) })
	if i < 0 {
		return nil, errors.New("unknown key")
	}
	salt, box := stored[headBytes:headBytes+saltBytes], stored[headBytes+saltBytes:]
	aead, err := keys[i].aead(salt)
	if err != nil {
		return nil, err
	}
	body, err := aead.Open(nil, nil, box, additional(stored, place))
	if err != nil {
		return nil, errors.New("tampered with, or from another place")
	}
	return body, nil
}

// additional returns what is authenticated and not encrypted. The head has a
// fixed length, so the place needs no separator.
func additional(stored []byte, place string) []byte {
	return append(slices.Clone(stored[:headBytes]), place...)
}
