package redisstore

import (
	"errors"

	"github.com/redis/go-redis/v9"
)

// answer returns the reply of a script: a list, or a text that holds its values.
func answer(cmd *redis.Cmd) ([]any, error) {
	if text, ok := cmd.Val().(string); ok && cmd.Err() == nil {
		return unpack(text)
	}
	return cmd.Slice()
}

// unpack decodes values in MessagePack, one after another, as far as scripts use
// it: lists, texts, integers, nil and booleans (nil here). The texts share the
// memory of packed.
func unpack(packed string) ([]any, error) {
	values := make([]any, 0, 5) // of a script's answer
	for p := (packet{rest: packed}); p.rest != ""; {
		values = append(values, p.value(0))
		if p.bad {
			return nil, errPacked
		}
	}
	return values, nil
}

var errPacked = errors.New("text that is no MessagePack")

// packet is what is left to decode.
type packet struct {
	rest string
	bad  bool
}

// maxDepth is more than any reply nests.
const maxDepth = 8

// kind is that of an item.
type kind uint8

const (
	nothing kind = iota // nil, a boolean, or what is no MessagePack
	integer
	text
	list // its values follow
)

// item takes an integer (n), a text, or the head of a list of n values.
func (p *packet) item() (kind kind, t string, n int64) {
	switch c := p.byte(); {
	case c <= 0x7f:
		return integer, "", int64(c)
	case c >= 0xe0:
		return integer, "", int64(int8(c))
	case c&0xf0 == 0x90:
		return p.list(int64(c & 0x0f))
	case c&0xe0 == 0xa0:
		return text, p.text(int(c & 0x1f)), 0
	default:
		switch c {
		case 0xc0, 0xc2, 0xc3:
			return nothing, "", 0
		case 0xcc, 0xcd, 0xce, 0xcf:
			return integer, "", int64(p.uint(1 << (c - 0xcc)))
		case 0xd0:
			return integer, "", int64(int8(p.uint(1)))
		case 0xd1:
			return integer, "", int64(int16(p.uint(2)))
		case 0xd2:
			return integer, "", int64(int32(p.uint(4)))
		case 0xd3:
			return integer, "", int64(p.uint(8))
		case 0xd9, 0xda, 0xdb:
			return text, p.text(int(p.uint(1 << (c - 0xd9)))), 0
		case 0xdc, 0xdd:
			return p.list(int64(p.uint(2 << (c - 0xdc))))
		}
	}
	p.bad = true
	return nothing, "", 0
}

// list is the head of a list of n values, if so many can follow.
func (p *packet) list(n int64) (kind, string, int64) {
	if n > int64(len(p.rest)) {
		p.bad = true
		return nothing, "", 0
	}
	return list, "", n
}

// value takes a whole value.
func (p *packet) value(depth int) any {
	switch kind, t, n := p.item(); kind {
	case integer:
		return n
	case text:
		return t
	case list:
		if depth == maxDepth {
			p.bad = true
			return nil
		}
		list := make([]any, n)
		for i := range list {
			list[i] = p.value(depth + 1)
		}
		return list
	}
	return nil
}

// text takes so many bytes.
func (p *packet) text(n int) string {
	if n > len(p.rest) {
		p.bad, p.rest = true, ""
		return ""
	}
	t := p.rest[:n]
	p.rest = p.rest[n:]
	return t
}

func (p *packet) byte() byte {
	if p.rest == "" {
		p.bad = true
		return 0
	}
	c := p.rest[0]
	p.rest = p.rest[1:]
	return c
}

// uint takes an unsigned integer of so many bytes.
func (p *packet) uint(n int) (u uint64) {
	for _, c := range []byte(p.text(n)) {
		u = u<<8 | uint64(c)
	}
	return u
}
