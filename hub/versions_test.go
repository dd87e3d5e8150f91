package hub_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/hubtest"
)

// nextNode is a node of the next version, as far as the bus is concerned: it
// understands version 1 and speaks version 2, but for the heartbeats and
// answers that nodes of version 1 have to understand.
type nextNode struct {
	shared *hub.MemoryBroker

	mu      sync.Mutex // guards the following fields
	heard   []string   // notices of version 1
	acked   int        // questions of version 1
	strange int        // what it does not understand
}

func (n *nextNode) Fresh()      {}
func (n *nextNode) Stale(error) {}

func (n *nextNode) Notice(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if strings.HasPrefix(text, "1|") {
		n.heard = append(n.heard, text)
	} else if !strings.HasPrefix(text, "2|") {
		n.strange++
	}
}

func (n *nextNode) Publication(topic string, data []byte) {
	if topic != "\x01direct" || data[0] == 2 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	f := strings.SplitN(string(data), "|", 5)
	switch {
	case len(f) < 5 && f[0] != "2":
		n.strange++
	case f[0] == "1" && f[1] == "ended":
		n.acked++
		n.heard = append(n.heard, strings.Split(f[4], ",")...)
		answer := strings.Join([]string{"1", "ended", "next", f[3], ""}, "|")
		go func() { _ = n.shared.Publish(context.Background(), "\x01answer:"+f[2], []byte(answer)) }()
	}
}

// end ends a session as version 2 does.
func (n *nextNode) end(id string) {
	_ = n.shared.Notify(context.Background(), "2|s|main|"+id+"|why|0|more")
	for _, text := range []string{"2|ended|next|x|2;s;main;" + id, "2|beat|next|1|{}", "2|", "\x02binary", "\x02"} {
		_ = n.shared.Publish(context.Background(), "\x01direct", []byte(text))
	}
}

// An upgrade has nodes of two versions side by side. No end gets lost between
// them: the older ones look up what they cannot read.
func TestVersions_nextNodeBesideThisOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := startLines(t, hub.Options{}, 2)
		shared := nodes[0].line.MemoryBroker
		next := &nextNode{shared: shared}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- shared.Run(ctx, next) }()
		beat := func() {
			if err := shared.Publish(ctx, "\x01direct", []byte("1|beat|next|1|1000|next|and more")); err != nil {
				t.Fatal(err)
			}
		}
		conns := make(map[string]*hubtest.Conn)
		for i := range 100 {
			id := fmt.Sprint("s", i)
			nodes[0].store.put(id, record{})
			for j, n := range nodes {
				_, conns[fmt.Sprint(id, "/", j)] = n.open(id, "")
			}
		}
		// Each side ends every second session.
		for i := range 100 {
			id := fmt.Sprint("s", i)
			nodes[0].store.delete(id)
			if i%2 == 0 {
				next.end(id)
			} else {
				beat()
				synctest.Wait()
				nodes[0].Gate(session(id))
				if err := shared.Notify(ctx, session(id)); err != nil {
					t.Fatal(err)
				}
				if a, e := nodes[0].Acks(ctx, session(id)); a != 3 || e != 3 {
					t.Errorf("Acks = %d, %d, want the next version's too", a, e)
				}
			}
			settle(70 * time.Millisecond)
		}
		settle(2 * time.Second) // unreadable notices are looked up once a second
		for name, c := range conns {
			if r, ok := c.Closed(); !ok || r != hub.SessionEnded {
				t.Errorf("%s: closed %v, %v", name, r, ok)
			}
		}
		next.mu.Lock()
		if len(next.heard) != 100 || next.acked != 50 || next.strange != 0 { // 50 by notice and by question
			t.Errorf("the next version heard %d ends, %d questions, and did not understand %d", len(next.heard), next.acked, next.strange)
		}
		next.mu.Unlock()
		for _, n := range nodes {
			if st := n.Stats(); !st.Fresh || st.Stales != 0 {
				t.Errorf("stats = %+v: stale because of another version", st)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
