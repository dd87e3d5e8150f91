//go:build failpoint

package hub_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/hubtest"
	"github.com/sessionhub/sessionhub/internal/failpoint"
)

// A session ends at each step of a gap's revalidation. Its connection is closed
// in any case, before the node is fresh or by the notice that comes then.
func TestGap_endsInTheMiddleOfItsRevalidation(t *testing.T) {
	for _, c := range []struct {
		place  failpoint.Place
		notice bool // comes; else it is lost
	}{
		{failpoint.GapSubscribed, false},
		{failpoint.GapSubscribed, true},
		{failpoint.GapAsked, true}, // the store said before that it lives
	} {
		t.Run(string(c.place), bubble(func(t *testing.T) {
			s, shared := storeOf("a", "b"), hub.NewMemoryBroker()
			n := startLine(t, hub.Options{}, s, shared)
			_, a := n.open("a", "")
			_, b := n.open("b", "")
			settle(time.Second)
			n.line.hole(true)
			settle(limit)
			hit := 0
			failpoint.Set(t, c.place, func() {
				if hit++; hit > 1 {
					return
				}
				if n.Fresh() {
					t.Error("fresh before it is looked up")
				}
				s.delete("a")
				if c.notice {
					if err := shared.Notify(t.Context(), session("a")); err != nil {
						t.Error(err)
					}
				}
			})
			n.line.hole(false)
			synctest.Wait()
			if hit == 0 || !n.Fresh() {
				t.Fatalf("%d hits, fresh = %v", hit, n.Fresh())
			}
			wantClosed(t, a, hub.SessionEnded)
			wantOpen(t, b)
		}))
	}
}

// Between its mark and its close a connection gets nothing any more, and the node
// that asked has its answer only after both.
func TestNotice_marksBeforeItCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := startLines(t, hub.Options{}, 2, "a", "b")
		e, a := nodes[1].open("a", "")
		_, b := nodes[1].open("b", "")
		if err := e.Subscribe(t.Context(), "t", ""); err != nil {
			t.Fatal(err)
		}
		var hits atomic.Int32
		failpoint.Set(t, failpoint.NoticeMarked, func() {
			hits.Add(1)
			time.Sleep(time.Second)
			if r, marked := a.Marked(); !marked || r != hub.SessionEnded {
				t.Errorf("marked %v, %v", r, marked)
			}
			if _, closed := a.Closed(); closed {
				t.Error("closed too early for this test")
			}
			if r, dead := e.Dead(); !dead || r != hub.SessionEnded {
				t.Errorf("dead %v, %v", r, dead)
			}
		})
		if err := nodes[1].line.MemoryBroker.Notify(t.Context(), session("a")); err != nil {
			t.Fatal(err)
		}
		if err := nodes[0].Publish(t.Context(), "t", []byte("late")); err != nil {
			t.Fatal(err)
		}
		settle(3 * time.Second)
		wantClosed(t, a, hub.SessionEnded)
		wantOpen(t, b)
		if got := a.Delivered(); len(got) > 0 || hits.Load() != 2 { // a hit on each node
			t.Errorf("delivered %v, %d hits", got, hits.Load())
		}
	})
}

// A node that stops between the notice and the mark has not acknowledged.
func TestAcks_notBeforeTheMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := startLines(t, hub.Options{}, 2, "a")
		c := new(hubtest.Conn)
		e := nodes[1].Register("main", "a", nil, c)
		defer e.Remove()
		failpoint.Set(t, failpoint.NoticeReceived, func() { time.Sleep(time.Second) })
		if err := nodes[1].line.MemoryBroker.Notify(t.Context(), session("a")); err != nil {
			t.Fatal(err)
		}
		wantAcks(t, nodes[0].Hub, 1, 2, bound, session("a"))
		if _, marked := c.Marked(); marked {
			t.Error("marked too early for this test")
		}
		settle(3 * time.Second)
		wantAcks(t, nodes[0].Hub, 2, 2, 0, session("a"))
		wantClosed(t, c, hub.SessionEnded)
	})
}
