package hub_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/hub"
)

// wantNodes compares how many nodes each one expects.
func wantNodes(t *testing.T, when string, want int, nodes ...*lineNode) {
	t.Helper()
	synctest.Wait()
	for i, n := range nodes {
		if got := n.Stats().Nodes; got != want {
			t.Errorf("%s: node %d expects %d, want %d", when, i, got, want)
		}
	}
}

func TestNodes_newcomersAreKnownAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, shared := newStore(), hub.NewMemoryBroker()
		var nodes []*lineNode
		for i := range 4 {
			nodes = append(nodes, startLine(t, hub.Options{}, s, shared))
			settle(100 * time.Millisecond)
			wantNodes(t, "a moment after the start", i+1, nodes...)
		}
		sent := nodes[0].Stats().BeatsSent
		settle(10 * time.Second)
		if got := nodes[0].Stats().BeatsSent - sent; got != 10 {
			t.Errorf("%d heartbeats in 10 s", got)
		}
	})
}

func TestNodes_goodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, shared := storeOf("a"), hub.NewMemoryBroker()
		n1, n2, n3 := startLine(t, hub.Options{}, s, shared), startLine(t, hub.Options{}, s, shared), startLine(t, hub.Options{}, s, shared)
		settle(10 * time.Second)
		wantNodes(t, "at first", 3, n1, n2, n3)
		if err := n3.stop(); err != nil {
			t.Fatal(err)
		}
		wantNodes(t, "after one ended", 2, n1, n2)
		e, _ := n2.open("a", "")
		drained := make(chan error, 1)
		go func() { drained <- n2.Drain(t.Context()) }()
		settle(time.Second)
		wantNodes(t, "while one drains", 2, n1)
		wantNodes(t, "at the one that drains", 2, n2)
		settle(time.Minute)
		wantNodes(t, "a minute later", 2, n1)
		if !n2.Fresh() {
			t.Error("stale because it drains")
		}
		e.Remove()
		settle(time.Second)
		wantNodes(t, "when it has no connections any more", 1, n1)
		if err := <-drained; err != nil {
			t.Errorf("Drain = %v", err)
		}
	})
}

func TestNodes_silentOneIsExpectedForThreeOfItsOwnHeartbeats(t *testing.T) {
	for _, every := range []time.Duration{200 * time.Millisecond, time.Second, 10 * time.Second} {
		t.Run(every.String(), bubble(func(t *testing.T) {
			s, shared := newStore(), hub.NewMemoryBroker()
			n := startLine(t, hub.Options{}, s, shared)
			other := startLine(t, hub.Options{Heartbeat: every, Node: "b"}, s, shared)
			settle(30 * time.Second)
			wantNodes(t, "at first", 2, n)
			beats := other.Stats().BeatsSent
			for other.Stats().BeatsSent == beats {
				settle(time.Millisecond)
			}
			other.crash()
			settle(3*every - 2*time.Millisecond)
			wantNodes(t, "before its time is over", 2, n)
			settle(time.Second + 2*time.Millisecond)
			wantNodes(t, "after it", 1, n)
			other.line.hole(false)
			settle(every)
			wantNodes(t, "when it is back", 2, n)
		}))
	}
}

func TestNodes_lastKnownNumberStaysWhileNothingIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, shared := newStore(), hub.NewMemoryBroker()
		n, n2, n3 := startLine(t, hub.Options{}, s, shared), startLine(t, hub.Options{}, s, shared), startLine(t, hub.Options{}, s, shared)
		settle(9*time.Second + 990*time.Millisecond) // a heartbeat was sent long ago
		n.line.hole(true)
		for range 600 {
			settle(100 * time.Millisecond)
			wantNodes(t, "while nothing is heard", 3, n)
			if acked, expected := n.Acks(t.Context(), session("a")); expected != 3 || acked > 1 && !n.Fresh() {
				t.Fatalf("Acks = %d, %d", acked, expected)
			}
		}
		if err := n3.stop(); err != nil {
			t.Fatal(err)
		}
		wantNodes(t, "at the other one, which hears nothing of it either", 1, n2)
		n.line.hole(false)
		settle(0)
		wantNodes(t, "as soon as it hears again", 3, n)
		settle(4 * time.Second)
		wantNodes(t, "when the silent one is found", 2, n, n2)
	})
}

func TestBeats_ofOthersAreReadStrictly(t *testing.T) {
	for _, c := range []struct {
		text      string
		nodes     int
		malformed uint64
	}{
		{"1|beat|N|7|1000|name", 2, 0},
		{"1|beat|N|7|1000|", 2, 0},
		{"1|beat|N|7|1000|name|what a later one may add", 2, 0},
		{"1|beat|N|anything|1000|näme of 2", 2, 0},
		{"1|bye|N|7|1000|name", 1, 0},
		{"1|beat|N|7|1000", 1, 1},
		{"1|beat|N|7|", 1, 1},
		{"1|beat|N|7|0|name", 1, 1},
		{"1|beat|N|7|01|name", 1, 1},
		{"1|beat|N|7|-1|name", 1, 1},
		{"1|beat|N|7|99999999999|name", 1, 1},
		{"1|beat|N|7|1000|" + strings.Repeat("x", 65), 1, 1},
		{"1|beat|a b|7|1000|name", 1, 1},
		{"2|beat|N|7|1000|name", 1, 0},
	} {
		t.Run(c.text[:min(len(c.text), 30)], bubble(func(t *testing.T) {
			shared := hub.NewMemoryBroker()
			n := startLine(t, hub.Options{}, newStore(), shared)
			if err := shared.Publish(t.Context(), "\x01direct", []byte(c.text)); err != nil {
				t.Fatal(err)
			}
			wantNodes(t, "then", c.nodes, n)
			if st := n.Stats(); st.Malformed != c.malformed || st.Gaps != 0 || !st.Fresh {
				t.Errorf("stats = %+v, want %d malformed and no gap", st, c.malformed)
			}
		}))
	}
}

// A node that is not heard again is not expected for long, whatever it said of its
// interval, and the places of forged ones are free again for real ones.
func TestBeats_ofLongIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, shared := newStore(), hub.NewMemoryBroker()
		n := startLine(t, hub.Options{Heartbeat: time.Hour}, s, shared)
		for i := range 4096 {
			if err := shared.Publish(t.Context(), "\x01direct", fmt.Appendf(nil, "1|beat|N%d|1|4000000|", i)); err != nil {
				t.Fatal(err)
			}
		}
		wantNodes(t, "at first", 4097, n)
		settle(2 * time.Minute)
		wantNodes(t, "two minutes later", 1, n)
		startLine(t, hub.Options{Heartbeat: time.Hour}, s, shared)
		wantNodes(t, "with a real one", 2, n)
		settle(time.Hour)
		wantNodes(t, "an hour later", 2, n)
	})
}

// Who pretends to be this node, or many nodes, proves nothing and costs little.
func TestBeats_forged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := hub.NewMemoryBroker()
		n := startLine(t, hub.Options{}, newStore(), shared)
		settle(time.Second)
		var own string
		n.line.set(func(l *line) {
			l.lose = func(_ string, data []byte) bool {
				own = strings.Split(string(data), "|")[2]
				return true
			}
		})
		settle(time.Second)
		n.line.set(func(l *line) { l.lose = nil; l.up = true })
		for i := range 10_000 {
			for _, text := range []string{
				"1|beat|" + own + "|0|1000|", "1|beat|" + own + "|999999|1000|", "1|beat|" + own + "|x|1000|", "1|beat|" + own + "|-|1000|",
				"1|beat|" + strings.Repeat("N", i%60) + "_" + strings.Repeat("M", i/60%60) + "|1|1000|",
			} {
				if err := shared.Publish(t.Context(), "\x01direct", []byte(text)); err != nil {
					t.Fatal(err)
				}
			}
			if i%100 == 0 {
				settle(20 * time.Millisecond)
			}
		}
		settle(time.Second)
		st := n.Stats()
		if st.Nodes > 4097 || st.Fresh {
			t.Errorf("stats = %+v", st)
		}
		if most := n.count(func(l *line) int { return l.most }); most > 4 {
			t.Errorf("%d heartbeats under way", most)
		}
	})
}
