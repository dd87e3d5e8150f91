package redisstore

import (
	"encoding/binary"
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

func (p *packet) value(depth int) any {
	switch c := p.byte(); {
	case c <= 0x7f:
		return int64(c)
	case c >= 0xe0:
		return int64(int8(c))
	case c&0xf0 == 0x90:
		return p.list(int(c&0x0f), depth)
	case c&0xe0 == 0xa0:
		return p.text(int(c & 0x1f))
	default:
		switch c {
		case 0xc0, 0xc2, 0xc3:
			return nil
		case 0xcc, 0xcd, 0xce, 0xcf:
			return int64(p.uint(1 << (c - 0xcc)))
		case 0xd0:
			return int64(int8(p.uint(1)))
		case 0xd1:
			return int64(int16(p.uint(2)))
		case 0xd2:
			return int64(int32(p.uint(4)))
		case 0xd3:
			return int64(p.uint(8))
		case 0xd9, 0xda, 0xdb:
			return p.text(int(p.uint(1 << (c - 0xd9))))
		case 0xdc, 0xdd:
			return p.list(int(p.uint(2<<(c-0xdc))), depth)
		}
	}
	p.bad = true
	return nil
}

func (p *packet) list(n, depth int) any {
	if n > len(p.rest) || depth == maxDepth {
		p.bad = true
		return nil
	}
	list := make([]any, n)
	for i := range list {
		list[i] = p.value(depth + 1)
	}
	return list
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

func (p *packet) byte() byte { return byte(p.uint(1)) }

// uint takes an unsigned integer of so many bytes.
func (p *packet) uint(n int) uint64 {
	var b [8]byte
	copy(b[8-n:], p.text(n))
	return binary.BigEndian.Uint64(b[:])
}
