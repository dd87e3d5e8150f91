package hub_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/hubtest"
)

// teller is a connection whose peer can be told at once, if it takes anything.
type teller struct {
	hubtest.Conn
	t     *testing.T
	stuck bool
	told  *atomic.Int64 // of all
	all   <-chan struct{}
}

func (c *teller) Tell(r hub.Reason, all <-chan struct{}) bool {
	if marked, ok := c.Marked(); !ok || marked != r {
		c.t.Errorf("told of %v, and marked with %v", r, marked)
	}
	select {
	case <-all:
		c.t.Error("told when all had been")
	default:
	}
	c.all = all
	c.told.Add(1)
	return !c.stuck
}

func TestClose_tellsAllBeforeAnyIsWaitedFor(t *testing.T) {
	for _, connections := range []int{1, 4, 5, 1000} {
		synctest.Test(t, func(t *testing.T) {
			s := newStore()
			s.put("a", record{})
			n := start(t, s, nil)
			var told atomic.Int64
			all := make([]*teller, connections)
			for i := range all {
				all[i] = &teller{t: t, stuck: i%3 == 0, told: &told}
				e := n.Register("main", "a", nil, all[i])
				defer e.Remove()
				if err := s.admit(e, "a", ""); err != nil {
					t.Fatal(err)
				}
			}
			n.Gate(session("a"))
			n.Close(session("a"))
			n.Close(session("a"))
			synctest.Wait()
			if got := told.Load(); got != int64(connections) {
				t.Errorf("told %d of %d", got, connections)
			}
			for i, c := range all {
				if _, closed := c.Closed(); closed != c.stuck {
					t.Errorf("%d of %d: closed %v, stuck %v", i, connections, closed, c.stuck)
				}
				<-c.all
			}
		})
	}
}

func TestClose_tellsWithoutRun(t *testing.T) {
	h := hub.New(hub.Options{})
	var told atomic.Int64
	for range 10 {
		e := h.Register("main", "a", nil, &teller{t: t, told: &told})
		defer e.Remove()
	}
	h.Gate(session("a"))
	h.Close(session("a"))
	if got := told.Load(); got != 10 {
		t.Errorf("told %d of 10", got)
	}
}
