package seal_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/sessionhub/sessionhub/session/seal"
)

// stream returns what compressed chunks of zeros look like, 1 MiB each. A
// stream that was flushed goes on at a byte, so the second chunk is the first
// one again.
func stream(mib int) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	w.Write(make([]byte, 1<<20))
	w.Flush()
	all := bytes.Repeat(b.Bytes(), mib)
	b.Reset()
	w.Close()
	return append(all, b.Bytes()...)
}

// declared returns a compressed value that says it inflates to size bytes.
func declared(size uint64, deflated []byte) string {
	return string(append(binary.AppendUvarint([]byte{1, 0x12}, size), deflated...))
}

func TestDecode_refusesABombBeforeItInflates(t *testing.T) {
	gib, mib := stream(1024), stream(1)
	t.Logf("1 GiB of zeros in %d bytes", len(gib))
	wide := seal.Options{MaxBytes: 2 << 20} // lets the whole of gib in
	for _, c := range []struct {
		name   string
		opts   seal.Options
		stored string
		reason string
	}{
		{"longer than any value", seal.Options{}, declared(1<<30, gib), "bytes stored, over the limit"},
		{"honest", wide, declared(1<<30, gib), "over the limit"},
		{"honest and short", seal.Options{}, declared(1<<20, mib), "over the limit"},
		{"declares little", wide, declared(10, gib), "more than it declares"},
		{"declares the limit", wide, declared(2<<20, gib), "more than it declares"},
		{"declares nothing", wide, declared(0, gib), "more than it declares"},
		{"declares the highest number", seal.Options{}, declared(math.MaxUint64, mib), "over the limit"},
		{"read beside encryption", seal.Options{Keys: [][]byte{testKey('a')}, AcceptPlain: true}, declared(16<<10, mib), "more than it declares"},
	} {
		t.Run(c.name, func(t *testing.T) {
			codec := newCodec(t, c.opts)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			refuses(t, codec, place, c.stored, c.reason)
			runtime.ReadMemStats(&after)
			// A copy of the stored value, room for a value, and the reader.
			if took, most := after.TotalAlloc-before.TotalAlloc, uint64(8<<20); took > most {
				t.Errorf("allocated %d bytes, want at most %d", took, most)
			}
		})
	}
}

func TestDecode_refusesABrokenStream(t *testing.T) {
	c := newCodec(t, seal.Options{CompressAbove: 1})
	stored := encode(t, c, repeating)
	head := len(declared(uint64(len(repeating)), nil))
	for name, bad := range map[string]string{
		"no size":           stored[:2],
		"half a size":       stored[:head-1],
		"size too long":     stored[:2] + strings.Repeat("\xff", 11),
		"no stream":         stored[:head],
		"half a stream":     stored[:len(stored)/2],
		"no end":            stored[:len(stored)-1],
		"something after":   stored + "x",
		"another stream":    stored + stored[head:],
		"declares too much": declared(uint64(len(repeating))+1, []byte(stored[head:])),
		"declares too few":  declared(uint64(len(repeating))-1, []byte(stored[head:])),
		"no stream at all":  stored[:head] + repeating,
	} {
		t.Run(name, func(t *testing.T) { refuses(t, c, place, bad, "") })
	}
	if got, err := c.Decode(place, stored); got != repeating || err != nil {
		t.Errorf("a good one after the broken ones = %.20q, %v", got, err)
	}
}
