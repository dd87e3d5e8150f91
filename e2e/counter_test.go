package e2e_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func testCounter(t *testing.T, p *pair) {
	v := enter(t, p.b, "/login", p.cheap(t, "counter"))
	tabs := p.tabs(t, v, 2, "counting")
	for i, tb := range tabs {
		tb.greets(t, "counting", fmt.Sprint("hello ", i)) // in the room from now on
	}
	// All frames of a socket fit its burst of 40.
	const accepted, refused = 24, 10
	var wg sync.WaitGroup
	for i, tb := range tabs {
		wg.Go(func() {
			for j := range accepted {
				frames := []string{fmt.Sprintf(`{"room":"counting","text":"%d/%d"}`, i, j)}
				switch {
				case j < refused && j%2 == 0:
					frames = append(frames, `{"room":"counting","text":"`+strings.Repeat("x", 2001)+`"}`)
				case j < refused:
					frames = append(frames, `{"room":"NOT A ROOM","text":"x"}`)
				case j%5 == 0:
					frames = append(frames, `{"room":"counting"}`)
				}
				for _, f := range frames {
					if err := tb.write(f); err != nil {
						t.Errorf("socket %d: %v (%s)", i, err, tb.end())
						return
					}
				}
			}
		})
	}
	// One more socket is over the limit of messages. What it sent until then
	// counts, what came too much does not: the others hear just what counts.
	flood := v.open(t, p.a)
	wg.Go(func() {
		for i := 0; flood.write(fmt.Sprintf(`{"room":"counting","text":"flood %d"}`, i)) == nil; i++ {
		}
	})
	wg.Wait()
	flood.closes(t, 4429)

	for _, tb := range tabs {
		for i := range tabs {
			for j := range accepted {
				tb.hears(t, fmt.Sprintf("%d/%d", i, j))
			}
		}
		tb.refuses(t, refused)
	}
	// The last message of the flood may still be on its way when its socket is
	// closed: what is heard and what is counted have to meet.
	flooded := func() (n int64) {
		for _, f := range tabs[0].all() {
			if strings.HasPrefix(f.Text, "flood ") {
				n++
			}
		}
		return n
	}
	for _, n := range p.nodes() {
		var got, want int64
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			got, want = v.sent(t, n), int64((1+accepted)*len(tabs))+flooded()
			if got == want || time.Now().After(deadline) {
				break
			}
		}
		if got != want || flooded() == 0 {
			t.Errorf("sent on %s = %d, want exactly %d, %d of them of the flood", n.name, got, want, flooded())
		}
	}
	for i, tb := range tabs {
		heard := make(map[string]int)
		for _, f := range tb.all() {
			heard[f.Text]++
			if f.Text != "" && heard[f.Text] > 1 {
				t.Errorf("socket %d heard %s %d times", i, f.Text, heard[f.Text])
			}
		}
	}
	v.logout(t, p.b, "session")
}
