package session

import (
	"encoding/binary"
	"iter"
	"maps"
	"slices"
)

// Values are the values of one namespace: JSON text by key. They are one piece
// of memory that never changes, so a store hands out what it keeps, and to copy
// them is to copy two words.
//
// The zero value is for values that are not known, see [Record]. It has none.
type Values struct {
	text string // how many, in four bytes, then keys and values in turn, each after its length
}

// none is the text of no values.
const none = "\x00\x00\x00\x00"

// NewValues returns the values of a map; without any, for nil too.
func NewValues(m map[string]string) Values {
	if len(m) == 0 {
		return Values{none}
	}
	var p Pack
	for _, k := range slices.Sorted(maps.Keys(m)) {
		p = p.Append(k, m[k])
	}
	return p.Values()
}

// Known reports whether v says what values there are, if only that there are
// none.
func (v Values) Known() bool { return v.text != "" }

// Len returns how many values there are.
func (v Values) Len() int {
	if v.text == "" {
		return 0
	}
	t := v.text[:len(none)]
	return int(t[0])<<24 | int(t[1])<<16 | int(t[2])<<8 | int(t[3])
}

// Get returns the value of a key, and false when it has none. It passes over
// the values before it, some nanoseconds each, and copies nothing.
func (v Values) Get(key string) (string, bool) {
	if v.text == "" {
		return "", false
	}
	for rest := v.text[len(none):]; rest != ""; {
		var k, value string
		k, rest = cut(rest)
		value, rest = cut(rest)
		if k == key {
			return value, true
		}
	}
	return "", false
}

// All yields keys and values, in the order in which they were packed.
func (v Values) All() iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		if v.text == "" {
			return
		}
		for rest := v.text[len(none):]; rest != ""; {
			var k, value string
			k, rest = cut(rest)
			value, rest = cut(rest)
			if !yield(k, value) {
				return
			}
		}
	}
}

// Map returns the values in a map of the caller's own.
func (v Values) Map() map[string]string { return maps.Collect(v.All()) }

// Equal reports whether both are known and have the same values, in whatever
// order, or neither is known.
func (v Values) Equal(o Values) bool {
	if v.text == o.text {
		return true
	}
	if v.Known() != o.Known() || v.Len() != o.Len() {
		return false
	}
	for k, value := range v.All() {
		if other, ok := o.Get(k); !ok || other != value {
			return false
		}
	}
	return true
}

// cut returns the first text and what comes after it.
func cut(s string) (text, rest string) {
	n, i := int(s[0]), 1
	if n >= 0x80 {
		n, i = length(s)
	}
	return s[i : i+n], s[i+n:]
}

// length is [binary.Uvarint], which wants bytes.
func length(s string) (n, size int) {
	for shift := 0; ; shift += 7 {
		c := s[size]
		size++
		n |= int(c&0x7f) << shift
		if c < 0x80 {
			return n, size
		}
	}
}

// Pack is [Values] that are being put together, in the way of append:
//
//	var room [512]byte // most namespaces fit
//	p := session.Pack(room[:0])
//	p = p.Append("name", `"ada"`)
//	values := p.Values()
//
// The nil Pack works. The bytes that a Pack is made of must be none.
type Pack []byte

// Append adds a value. Its key must not be in the pack yet.
func (p Pack) Append(key, value string) Pack {
	if len(p) == 0 {
		p = append(p, none...)
	}
	binary.BigEndian.PutUint32(p, binary.BigEndian.Uint32(p)+1)
	p = append(binary.AppendUvarint(p, uint64(len(key))), key...)
	return append(binary.AppendUvarint(p, uint64(len(value))), value...)
}

// AppendAll adds the values of v, without those of the keys for which except is
// true. The other keys must not be in the pack yet. What lies between two
// exceptions is copied in one piece.
func (p Pack) AppendAll(v Values, except func(key string) bool) Pack {
	if v.Len() == 0 {
		return p
	}
	if len(p) == 0 {
		p = append(p, none...)
	}
	n := v.Len()
	rest := v.text[len(none):]
	kept := rest // from the first value that is not copied yet
	for rest != "" {
		at := len(kept) - len(rest)
		key, value := cut(rest)
		if _, rest = cut(value); except(key) {
			p, kept = append(p, kept[:at]...), rest
			n--
		}
	}
	binary.BigEndian.PutUint32(p, binary.BigEndian.Uint32(p)+uint32(n))
	return append(p, kept...)
}

// Values returns a copy of the pack, in one allocation, without any when there
// are no values.
func (p Pack) Values() Values {
	if len(p) <= len(none) {
		return Values{none}
	}
	return Values{string(p)}
}
