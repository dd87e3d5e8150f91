package memstore

import (
	"encoding/binary"
	"iter"
)

// pack is texts in a row, each after its length, in one piece of memory: a
// [Store] keeps millions of short ones. What is taken out of it shares
// that memory.
type pack string

// appendText appends a text to the bytes of a pack.
func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// packed returns the pack of texts.
func packed(texts ...string) pack {
	var buf [256]byte
	b := buf[:0]
	for _, text := range texts {
		b = appendText(b, text)
	}
	return pack(b)
}

// cut returns the first text and the rest.
func (p pack) cut() (text string, rest pack) {
	n, i := int(p[0]), 1
	if n >= 0x80 { // as [binary.Uvarint], which wants bytes
		n &= 0x7f
		for shift := 7; ; shift += 7 {
			c := p[i]
			i++
			n |= int(c&0x7f) << shift
			if c < 0x80 {
				break
			}
		}
	}
	return string(p[i : i+n]), p[i+n:]
}

// at returns the text number i.
func (p pack) at(i int) string {
	for ; ; i-- {
		text, rest := p.cut()
		if i == 0 {
			return text
		}
		p = rest
	}
}

// pairs yields keys and values, which stand in turn.
func (p pack) pairs() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for len(p) > 0 {
			var k, v string
			k, p = p.cut()
			v, p = p.cut()
			if !yield(k, v) {
				return
			}
		}
	}
}

// get returns the value of a key. It looks at all keys before it.
func (p pack) get(key string) (value string, ok bool) {
	for k, v := range p.pairs() {
		if k == key {
			return v, true
		}
	}
	return "", false
}

// unpack returns the pairs as a map.
func (p pack) unpack() map[string]string {
	n := 0
	for range p.pairs() {
		n++
	}
	m := make(map[string]string, n)
	for k, v := range p.pairs() {
		m[k] = v
	}
	return m
}
