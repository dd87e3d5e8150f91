package transport

import (
	"encoding/binary"
	"math"
	"sync"
)

// Bits and opcodes of a frame (RFC 6455, section 5.2).
const (
	finBit   = 0x80
	maskBit  = 0x80
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
)

// frames are buffers for whole frames.
var frames = sync.Pool{New: func() any { return new([]byte) }}

// maxPooled is how large a buffer is kept.
const maxPooled = 64 << 10

// appendFrame appends an unmasked frame that is a whole message.
func appendFrame(b []byte, op byte, data []byte) []byte {
	b = append(b, finBit|op)
	switch n := len(data); {
	case n < 126:
		b = append(b, byte(n))
	case n <= math.MaxUint16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, data...)
}

// isClose reports whether b is a close frame of a client, and nothing else. A part of a
// message may look like one if its sender wants it to.
func isClose(b []byte) bool {
	const head = 2 + 4 // with the mask
	return len(b) >= head && b[0] == finBit|opClose && b[1]&maskBit != 0 && len(b) == head+int(b[1]&^maskBit)
}
