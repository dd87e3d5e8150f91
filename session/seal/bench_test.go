package seal_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/sessionhub/sessionhub/session/seal"
)

// document returns JSON text of about n bytes, as sessions have it.
func document(b *testing.B, n int) string {
	type item struct {
		Name         string
		Count, Price int
	}
	var items []item
	for {
		text, err := json.Marshal(items)
		if err != nil {
			b.Fatal(err)
		}
		if len(text) >= n {
			return string(text)
		}
		items = append(items, item{fmt.Sprint("product ", len(items)), len(items) % 7, 100 * len(items)})
	}
}

func BenchmarkCodec(b *testing.B) {
	key := [][]byte{testKey('a')}
	for _, v := range []struct {
		name string
		opts seal.Options
	}{
		{"encrypt", seal.Options{Keys: key}},
		{"compress", seal.Options{CompressAbove: 1}},
		{"both", seal.Options{Keys: key, CompressAbove: 1}},
	} {
		for _, n := range []int{20, 1 << 10, 8 << 10} {
			c, text := newCodec(b, v.opts), document(b, n)
			stored := encode(b, c, text)
			b.Run(fmt.Sprintf("%s/encode/%d", v.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := c.Encode(place, text); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(stored))/float64(len(text)), "stored/text")
			})
			b.Run(fmt.Sprintf("%s/decode/%d", v.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := c.Decode(place, stored); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
