package deflate_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionhub/sessionhub/internal/deflate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPool_manyAtOnceGetTheirOwnTextBack(t *testing.T) {
	var p deflate.Pool
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 200 {
				text := bytes.Repeat([]byte{byte('a' + i)}, n)
				if got, err := p.Inflate(p.Deflate(text), n); err != nil || !bytes.Equal(got, text) {
					t.Errorf("%d times %c came back as %d bytes, %v", n, text, len(got), err)
				}
			}
		})
	}
	wg.Wait()
}

func TestPool_refusesWhatIsOverTheLimit(t *testing.T) {
	var p deflate.Pool
	small := p.Deflate([]byte(strings.Repeat("x", 100)))
	if _, err := p.Inflate(small, 99); err == nil {
		t.Error("100 bytes were inflated with a limit of 99")
	}
}

func FuzzInflate(f *testing.F) {
	var p deflate.Pool
	f.Add([]byte{}, 10)
	f.Add(p.Deflate([]byte("hello hello hello")), 100)
	f.Fuzz(func(t *testing.T, body []byte, limit int) {
		limit &= 1<<16 - 1
		text, err := p.Inflate(body, limit)
		if err == nil && len(text) > limit {
			t.Errorf("%d bytes with a limit of %d", len(text), limit)
		}
	})
}
