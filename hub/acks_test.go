package hub_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/hubtest"
)

// startLines starts some nodes that know of each other.
func startLines(t *testing.T, o hub.Options, nodes int, ids ...string) (all []*lineNode) {
	t.Helper()
	s, shared := storeOf(ids...), hub.NewMemoryBroker()
	for range nodes {
		all = append(all, startLine(t, o, s, shared))
	}
	settle(10 * time.Second)
	wantNodes(t, "at first", nodes, all...)
	return all
}

// wantAcks asks, and compares the numbers and the time that it took.
func wantAcks(t *testing.T, h *hub.Hub, acked, expected int, took time.Duration, notices ...string) {
	t.Helper()
	begin := time.Now()
	a, e := h.Acks(t.Context(), notices...)
	if a != acked || e != expected {
		t.Errorf("Acks = %d, %d, want %d, %d", a, e, acked, expected)
	}
	if d := time.Since(begin); d != took {
		t.Errorf("Acks took %v, want %v", d, took)
	}
}

func TestAcks_allHaveMarkedWhenItReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := startLines(t, hub.Options{}, 3, "a", "b")
		var ended []*hubtest.Conn
		for _, n := range nodes[:2] { // the third has no such connection
			_, c := n.open("a", "")
			ended = append(ended, c)
		}
		_, other := nodes[1].open("b", "")
		nodes[0].Gate(session("a"))
		// No notice came, as on a bus that is slow or lost it.
		wantAcks(t, nodes[0].Hub, 3, 3, 0, session("a"))
		for _, c := range ended {
			if r, ok := c.Marked(); !ok || r != hub.SessionEnded {
				t.Errorf("marked %v, %v", r, ok)
			}
		}
		synctest.Wait()
		for _, c := range ended {
			wantClosed(t, c, hub.SessionEnded)
		}
		wantOpen(t, other)
		wantAcks(t, nodes[2].Hub, 3, 3, 0, session("a"))
		if st := nodes[2].Stats(); st.Acked != 1 || st.Unacked != 0 || st.Malformed != 0 {
			t.Errorf("stats = %+v", st)
		}
	})
}

func TestAcks_everyKindOfEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := startLines(t, hub.Options{}, 2, "a", "b", "c")
		_, a := nodes[1].open("a", "")
		_, b := nodes[1].open("b", "")
		_, c := nodes[1].open("c", "", "main", "chat")
		wantAcks(t, nodes[0].Hub, 2, 2, 0, session("a"), epoch("b", 1), namespace("c", "chat", 1))
		synctest.Wait()
		wantClosed(t, a, hub.SessionEnded)
		wantClosed(t, b, hub.SessionRenewed)
		wantOpen(t, c)
		if lost := c.Lost(); !slices.Equal(lost, []string{"chat"}) {
			t.Errorf("lost %q", lost)
		}
	})
}

func TestAcks_aloneAsksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startLines(t, hub.Options{}, 1, "a")[0]
		_, c := n.open("a", "")
		wantAcks(t, n.Hub, 1, 1, 0, session("a"))
		synctest.Wait()
		wantClosed(t, c, hub.SessionEnded)
		if got := n.count(func(l *line) int { return len(l.published) }); got != 0 {
			t.Errorf("published %d messages", got)
		}
		h := hub.New(hub.Options{}) // knows that there is no other, and does not even run
		wantAcks(t, h, 1, 1, 0, session("a"))
		wantAcks(t, h, 1, 1, 0)
	})
}

// The caller is not told that all have marked by a node that cannot know of all.
func TestAcks_doesNotSayAllBeforeItCanKnow(t *testing.T) {
	for _, c := range []struct {
		name  string
		begin func(*line) // of the node that is asked
	}{
		{"nothing comes", func(l *line) { l.down = true }},
		{"nothing comes or goes", func(l *line) { l.up, l.down = true, true }},
		{"nothing goes", func(l *line) { l.refuse = errDown }},
	} {
		t.Run(c.name, bubble(func(t *testing.T) {
			s, shared := storeOf("a"), hub.NewMemoryBroker()
			other := startLine(t, hub.Options{}, s, shared)
			settle(10 * time.Second)
			_, live := other.open("a", "")
			l := newLine(shared)
			l.set(c.begin)
			h := startWith(t, hub.Options{}, s, l, nil)
			for range 16 {
				acked, expected := h.Acks(t.Context(), session("a"))
				if _, marked := live.Marked(); acked == expected && !marked {
					t.Fatalf("Acks = %d, %d", acked, expected)
				}
				if st := h.Stats(); st.NodesKnown || st.Acked > 0 {
					t.Fatalf("stats = %+v", st)
				}
				settle(time.Second)
			}
		}))
	}
}

func TestAcks_ofANodeThatHasJustBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, shared := newStore(), hub.NewMemoryBroker()
		first := startLine(t, hub.Options{}, s, shared)
		wantAcks(t, first.Hub, 1, 1, 0, session("a")) // its broker has no other
		mute := startLine(t, hub.Options{}, s, shared)
		mute.crash()
		settle(10 * time.Second)
		n := startLine(t, hub.Options{}, s, shared)
		settle(limit - time.Millisecond)
		wantAcks(t, n.Hub, 2, 3, 0, session("a"))
		wantAcks(t, n.Hub, 1, 2, 0)
		if st := n.Stats(); st.NodesKnown || st.Nodes != 2 || st.Acked != 0 {
			t.Errorf("stats = %+v", st)
		}
		settle(time.Second)
		wantAcks(t, n.Hub, 2, 2, 0, session("a")) // the other is stale by now
		if st := n.Stats(); !st.NodesKnown || st.Acked != 1 {
			t.Errorf("stats = %+v", st)
		}
	})
}

// In a gap others may have begun.
func TestAcks_afterAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := startLines(t, hub.Options{}, 2)
		n := nodes[0]
		if err := nodes[1].stop(); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		second := startLine(t, hub.Options{}, n.store, n.line.MemoryBroker)
		second.crash() // so that the broker alone does not say it
		settle(10 * time.Second)
		wantAcks(t, n.Hub, 1, 1, 0, session("a"))
		n.line.hole(true)
		settle(5 * time.Second)
		wantAcks(t, n.Hub, 1, 2, 0, session("a"))
		n.line.hole(false)
		settle(time.Second)
		if !n.Fresh() {
			t.Error("stale after the gap")
		}
		wantAcks(t, n.Hub, 1, 2, 0, session("a"))
		settle(3 * time.Second)
		wantAcks(t, n.Hub, 1, 1, 0, session("a"))
	})
}

func TestAcks_whenNotAllAnswer(t *testing.T) {
	delayed := func(d time.Duration) func(*lineNode) {
		return func(n *lineNode) { n.line.set(func(l *line) { l.late = func() time.Duration { return d } }) }
	}
	for _, c := range []struct {
		name     string
		o        hub.Options
		third    func(*lineNode) // what happens to the third node
		first    func(*lineNode)
		acked    int
		expected int
		took     time.Duration
	}{
		{name: "silent node", third: (*lineNode).crash, acked: 2, expected: 3, took: 250 * time.Millisecond},
		{name: "silent node, longer wait", o: hub.Options{AckWait: time.Second}, third: (*lineNode).crash, acked: 2, expected: 3, took: time.Second},
		{name: "not waiting", o: hub.Options{AckWait: -1}, acked: 1, expected: 3},
		{name: "slow node", third: delayed(100 * time.Millisecond), acked: 3, expected: 3, took: 200 * time.Millisecond},
		{name: "late node", third: delayed(200 * time.Millisecond), acked: 2, expected: 3, took: 250 * time.Millisecond},
		{name: "node that ended", third: func(n *lineNode) { _ = n.stop(); synctest.Wait() }, acked: 2, expected: 2},
		{name: "question refused", first: func(n *lineNode) { n.line.set(func(l *line) { l.refuse = errDown }) }, acked: 1, expected: 3},
		{name: "question hangs", first: func(n *lineNode) { n.line.set(func(l *line) { l.up = true }) }, acked: 1, expected: 3, took: 250 * time.Millisecond},
		{name: "stale", first: func(n *lineNode) { n.line.hole(true); settle(time.Minute) }, acked: 1, expected: 3},
		{name: "not heard yet", first: func(n *lineNode) { n.line.hole(true) }, acked: 1, expected: 3, took: 250 * time.Millisecond},
	} {
		t.Run(c.name, bubble(func(t *testing.T) {
			nodes := startLines(t, c.o, 3, "a")
			if c.third != nil {
				c.third(nodes[2])
			}
			if c.first != nil {
				c.first(nodes[0])
			}
			wantAcks(t, nodes[0].Hub, c.acked, c.expected, c.took, session("a"))
			st := nodes[0].Stats()
			if got := st.Acked + st.Unacked; got != 1 && c.o.AckWait >= 0 {
				t.Errorf("stats = %+v", st)
			}
			settle(10 * time.Second) // what comes late concerns nobody
			if st := nodes[0].Stats(); st.Malformed != 0 {
				t.Errorf("stats = %+v", st)
			}
		}))
	}
}

// A node that drains is waited for as long as it has connections.
func TestAcks_drainingNode(t *testing.T) {
	for _, c := range []struct {
		name  string
		open  bool
		count int
		took  time.Duration
	}{
		{"with a connection", true, 3, 20 * time.Millisecond},
		{"without", false, 2, 0},
	} {
		t.Run(c.name, bubble(func(t *testing.T) {
			nodes := startLines(t, hub.Options{}, 3, "a")
			e, _ := nodes[2].open("a", "")
			drained := make(chan error, 1)
			go func() { drained <- nodes[2].Drain(t.Context()) }()
			synctest.Wait()
			if !c.open {
				e.Remove()
				settle(time.Second) // and the goodbye has come
			}
			nodes[2].line.set(func(l *line) { l.late = func() time.Duration { return 10 * time.Millisecond } })
			wantAcks(t, nodes[0].Hub, c.count, c.count, c.took, session("a"))
			e.Remove()
			if err := <-drained; err != nil {
				t.Errorf("Drain = %v", err)
			}
		}))
	}
}

func TestAcks_contextMayBeShorter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := startLines(t, hub.Options{}, 2)
		nodes[1].crash()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		begin := time.Now()
		if a, e := nodes[0].Acks(ctx, session("a")); a != 1 || e != 2 || time.Since(begin) != 20*time.Millisecond {
			t.Errorf("Acks = %d, %d after %v", a, e, time.Since(begin))
		}
	})
}

func TestAcks_withoutNoticesCountsNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := startLines(t, hub.Options{}, 3)
		wantAcks(t, nodes[0].Hub, 1, 3, 0)
		nodes[0].line.hole(true)
		settle(time.Minute)
		wantAcks(t, nodes[0].Hub, 1, 3, 0)
	})
}

func TestAcks_unreadableNoticeIsAcknowledgedByNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := startLines(t, hub.Options{}, 2, "a")
		wantAcks(t, nodes[0].Hub, 0, 2, 0, session("a"), "2|s|main|a||0")
		_, c := nodes[1].open("a", "")
		nodes[1].store.delete("a")
		gaps := nodes[1].Gaps()
		// As a node of another version asks.
		if err := nodes[0].line.Publish(t.Context(), "\x01direct", []byte("1|ended|N|x|2|s|main|a||0")); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		wantClosed(t, c, hub.SessionEnded)
		if nodes[1].Gaps() == gaps || nodes[1].count(func(l *line) int { return len(l.published) }) != 0 {
			t.Errorf("answered, or no gap: %+v", nodes[1].Stats())
		}
	})
}

func TestAcks_manyNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ids, notices []string
		for i := range 5000 {
			ids = append(ids, fmt.Sprintf("%060d", i))
			notices = append(notices, session(ids[i]))
		}
		nodes := startLines(t, hub.Options{}, 3, ids...)
		var conns []*hubtest.Conn
		for _, id := range ids {
			_, c := nodes[1].open(id, "")
			conns = append(conns, c)
		}
		wantAcks(t, nodes[0].Hub, 3, 3, 0, notices[:500]...)
		wantAcks(t, nodes[0].Hub, 3, 3, 0, notices...)
		for _, c := range conns {
			if _, ok := c.Marked(); !ok {
				t.Fatal("acknowledged before it was marked")
			}
		}
		nodes[0].line.set(func(l *line) {
			if len(l.published) > 5 {
				t.Errorf("%d publications", len(l.published))
			}
			for _, text := range l.published {
				if len(text) > 1<<17 {
					t.Errorf("publication of %d bytes", len(text))
				}
			}
		})
		// A node that misses one of the questions has not acknowledged.
		lost := 0
		nodes[2].line.set(func(l *line) {
			l.lose = func(topic string, data []byte) bool {
				if topic != "\x01direct" || !strings.HasPrefix(string(data), "1|ended|") {
					return false
				}
				lost++
				return lost == 2
			}
		})
		wantAcks(t, nodes[0].Hub, 2, 3, bound, notices...)
	})
}

func TestAcks_manyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := startLines(t, hub.Options{}, 3)
		nodes[1].line.set(func(l *line) { l.late = func() time.Duration { return 10 * time.Millisecond } })
		var wg sync.WaitGroup
		for i := range 500 {
			wg.Go(func() {
				if a, e := nodes[i%2*2].Acks(t.Context(), session(fmt.Sprint("s", i))); a != 3 || e != 3 {
					t.Errorf("Acks = %d, %d", a, e)
				}
			})
		}
		wg.Wait()
		if got := nodes[1].count(func(l *line) int { return len(l.published) }); got > 20 {
			t.Errorf("a slow node sent %d answers", got)
		}
	})
}

// Questions that nobody can answer in time cost bounded memory, and the node
// goes on.
func TestAcks_floodOfQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := startLines(t, hub.Options{}, 2)
		nodes[1].line.set(func(l *line) { l.up = true })
		for i := range 10_000 {
			text := fmt.Sprintf("1|ended|N%d|x|%s", i%10, session("a"))
			if err := nodes[0].line.Publish(t.Context(), "\x01direct", []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		settle(time.Second)
		nodes[1].line.set(func(l *line) { l.up = false })
		settle(10 * time.Second)
		wantAcks(t, nodes[0].Hub, 2, 2, 0, session("a"))
	})
}

func TestAcks_answersAreReadStrictly(t *testing.T) {
	for _, c := range []struct {
		answer string
		acked  int
	}{
		{"1|ended|OTHER|NONCE|", 2},
		{"1|ended|OTHER|NONCE|x,y", 2},
		{"1|ended|OTHER|x|NONCE", 2},
		{"1|ended|OTHER|x|y,NONCE,z", 2},
		{"1|ended|OTHER|NONCE|a b", 1},
		{"1|ended|OTHER|x|NONCE,", 1},
		{"1|ended|OTHER|x|", 1},
		{"1|connections|OTHER|NONCE|", 1},
		{"2|ended|OTHER|NONCE|", 1},
		{"1|ended|OTHER|NONCE", 1},
	} {
		t.Run(c.answer, bubble(func(t *testing.T) {
			n := startLines(t, hub.Options{}, 1)[0]
			n.line.set(func(l *line) {
				l.lose = func(_ string, data []byte) bool {
					if f := strings.Split(string(data), "|"); f[1] == "ended" && f[2] != "OTHER" {
						answer := strings.Replace(c.answer, "NONCE", f[3], 1)
						go func() { _ = l.MemoryBroker.Publish(context.Background(), "\x01answer:"+f[2], []byte(answer)) }()
					}
					return false
				}
			})
			if err := n.line.Publish(t.Context(), "\x01direct", []byte("1|beat|OTHER|1|1000|")); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if a, e := n.Acks(t.Context(), session("a")); a != c.acked || e != 2 {
				t.Errorf("Acks = %d, %d, want %d, 2", a, e, c.acked)
			}
		}))
	}
}

func TestEndUser_endsAllButOneSessionHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := startLines(t, hub.Options{}, 2, "a", "b", "c")
		n := nodes[0]
		_, a := n.open("a", "ada")
		_, a2 := n.open("a", "ada")
		_, b := n.open("b", "ada")
		_, c := n.open("c", "bob")
		_, there := nodes[1].open("a", "ada")
		pending := new(hubtest.Conn)
		e := n.Register("main", "a", nil, pending)
		defer e.Remove()
		if got := n.EndUser("other", "ada", ""); got != 0 {
			t.Errorf("EndUser in another family = %d", got)
		}
		if got := n.EndUser("main", "ada", "b"); got != 2 {
			t.Errorf("EndUser = %d, want 2", got)
		}
		synctest.Wait()
		wantClosed(t, a, hub.SessionEnded)
		wantClosed(t, a2, hub.SessionEnded)
		for _, open := range []*hubtest.Conn{b, c, there, pending} {
			wantOpen(t, open)
		}
		if got := n.EndUser("main", "ada", ""); got != 1 {
			t.Errorf("EndUser of the rest = %d, want 1", got)
		}
		synctest.Wait()
		wantClosed(t, b, hub.SessionEnded)
	})
}
