package soak

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Kind is a kind of [Violation].
type Kind int

const (
	Alive   Kind = iota // a socket after the bound
	Late                // a message dispatched, or delivered, after the bound
	Back                // a session that came back
	Lost                // a save that was acknowledged and is not there, or there twice
	Unsaved             // an answer or a publication before its save
	kinds
)

func (k Kind) String() string {
	return [...]string{"socket alive", "dispatched or delivered", "came back", "save lost", "sent unsaved"}[k]
}

// Violation is something that should not have happened.
type Violation struct {
	Kind    Kind
	Fault   FaultKind // around it
	At      time.Duration
	Session string
	Socket  int // 0: none
	Text    string
}

// checker carries the findings of one [Check].
type checker struct {
	h *History
	r *Report
}

// Check finds what should not have happened, and measures how long ends took.
func Check(h *History) *Report {
	h = h.withBusy()
	c := &checker{h: h, r: newReport(h)}
	published := make([][]Delivery, len(h.Sockets))
	for _, d := range h.Deliveries {
		published[d.Socket] = append(published[d.Socket], d)
		m := h.Messages[d.Message]
		if m.Reads {
			continue
		}
		c.r.Checks[Unsaved]++
		if m.Saved == 0 || d.At < m.Saved {
			c.found(Unsaved, d.At, h.Sockets[d.Socket].Session, d.Socket,
				"message %d was delivered at %v, and saved at %v", d.Message, d.At, m.Saved)
		}
	}
	said, dispatched := make([][]int, len(h.Sockets)), make([][]int, len(h.Sockets))
	for i, m := range h.Messages {
		if m.Sent != 0 {
			said[m.Socket] = append(said[m.Socket], i)
		}
		if m.Dispatched != 0 {
			dispatched[m.Socket] = append(dispatched[m.Socket], i)
		}
		if m.Answered == 0 || m.Reads {
			continue
		}
		c.r.Checks[Unsaved]++
		if m.Saved == 0 || m.Answered < m.Saved {
			c.found(Unsaved, m.Answered, m.Session, m.Socket,
				"message %d was answered at %v, and saved at %v", i, m.Answered, m.Saved)
		}
	}
	for _, b := range h.biographies() {
		c.r.count(h, b)
		for _, n := range b.sockets {
			c.socket(b, n, said[n], dispatched[n], published[n])
		}
		c.back(b)
		c.again(b)
		c.lost(b)
	}
	slices.SortFunc(c.r.Violations, func(x, y Violation) int { return cmp.Compare(x.At, y.At) })
	return c.r
}

func (c *checker) found(k Kind, at time.Duration, id string, socket int, format string, args ...any) {
	slot := anyNode
	if socket != 0 {
		slot = c.h.Sockets[socket].At.Slot
	}
	fault := Quiet
	if f := c.h.faultAt(slot, Span{at, at}); f != nil {
		fault = f.Kind
	}
	c.add(Violation{k, fault, at, id, socket, fmt.Sprintf(format, args...)})
}

func (c *checker) add(v Violation) {
	c.r.Violations = append(c.r.Violations, v)
	c.r.row(v.Fault).Violations[v.Kind]++
}

// socket judges one socket by each end that it has. The first one is measured.
func (c *checker) socket(b *biography, n int, said, dispatched []int, published []Delivery) {
	s := &c.h.Sockets[n]
	if s.Opened == 0 {
		return
	}
	closed := s.Closed
	if closed == 0 {
		closed = Never
	}
	first := end{at: Never}
	for _, e := range b.ends {
		if e.at == Never || !e.ends(n, s) {
			continue
		}
		if e.at < first.at {
			first = e
		}
		v := c.h.judge(e, s)
		if closed >= e.at {
			c.r.Checks[Alive]++
			c.chances(n, e, v, closed, said)
		}
		c.r.Checks[Late] += len(dispatched) + len(published)
		if min(closed, c.h.End) > v.close {
			c.add(Violation{Alive, v.kind, v.close, b.id, n, fmt.Sprintf(
				"socket %d was open until %v, its end (%s) was at %v and the bound %v", n, seen(closed), e.scope, e.at, v.close)})
		}
		for _, i := range dispatched {
			if at := c.h.Messages[i].Dispatched; at > v.dispatch {
				c.add(Violation{Late, v.kind, at, b.id, n, fmt.Sprintf(
					"message %d was dispatched at %v, the end (%s) was at %v and the bound %v", i, at, e.scope, e.at, v.dispatch)})
			}
		}
		for _, d := range published {
			if bound := c.h.later(e.at, v.dispatch+receiving); d.At > bound {
				c.add(Violation{Late, v.kind, d.At, b.id, n, fmt.Sprintf(
					"message %d was delivered at %v, the end (%s) was at %v and the bound %v", d.Message, d.At, e.scope, e.at, bound)})
			}
		}
	}
	for _, a := range b.clears {
		c.namespace(b, a, n, published)
	}
	if first.at > c.h.End || closed < first.from || s.Served == 0 {
		return
	}
	base := max(first.at, s.Opened)
	last := base
	for _, i := range dispatched {
		last = max(last, c.h.Messages[i].Dispatched)
	}
	for _, d := range published {
		last = max(last, d.At)
	}
	row := c.r.row(c.h.judge(first, s).kind)
	row.Dispatch = append(row.Dispatch, last-base)
	row.Close = append(row.Close, max(0, min(closed, c.h.End)-base))
}

// namespace judges what a socket got of a namespace that it had lost.
func (c *checker) namespace(b *biography, a Act, n int, published []Delivery) {
	s := &c.h.Sockets[n]
	if a.Outcome != Done || s.Opened >= a.From {
		return
	}
	v := c.h.judge(end{at: a.To, promised: a.Expected > 0 && a.Acked == a.Expected}, s)
	bound := c.h.later(a.To, v.dispatch+receiving)
	for _, d := range published {
		if c.h.Messages[d.Message].InChat && d.At > bound {
			c.add(Violation{Late, v.kind, d.At, b.id, n, fmt.Sprintf(
				"message %d was delivered at %v, its namespace ended at %v and the bound %v", d.Message, d.At, a.To, bound)})
		}
	}
}

// back finds what began after the end of a session and found it all the same.
func (c *checker) back(b *biography) {
	for _, e := range b.ends {
		if e.at == Never || !e.session() && e.here == (Place{}) {
			continue
		}
		elsewhere := func(p Place) bool { return e.here != Place{} && e.here != p }
		for _, l := range b.loads {
			if l.From <= e.at || elsewhere(l.At) || l.Answer == Away {
				continue
			}
			c.r.Checks[Back]++
			if l.Answer == Found {
				c.found(Back, l.From, b.id, 0, "found at %v (node %v), its end (%s) was at %v", l.From, l.At, e.scope, e.at)
			}
		}
		for _, n := range b.sockets {
			if s := c.h.Sockets[n]; s.Served != 0 && s.Dialed > e.at && !elsewhere(s.At) {
				c.found(Back, s.Served, b.id, n, "socket %d was dialed at %v and let in, the end (%s) was at %v", n, s.Dialed, e.scope, e.at)
			}
		}
		for _, i := range b.messages {
			if m := c.h.Messages[i]; m.Saved != 0 && m.Dispatched > e.at && !elsewhere(m.At) && (e.session() || e.marked || m.Socket == 0) {
				c.found(Back, m.Saved, b.id, m.Socket, "message %d was dispatched at %v and saved, the end (%s) was at %v", i, m.Dispatched, e.scope, e.at)
			}
		}
	}
	for _, a := range b.clears {
		if a.Outcome != Done {
			continue
		}
		for _, i := range b.messages {
			m := c.h.Messages[i]
			if m.InChat && m.Saved != 0 && m.Socket != 0 && m.Dispatched > a.To && c.h.Sockets[m.Socket].Opened < a.From {
				c.found(Back, m.Saved, b.id, m.Socket, "message %d wrote to a namespace that its socket lost at %v", i, a.To)
			}
		}
	}
}

// again finds sessions that were not there and then were, whoever ended them.
func (c *checker) again(b *biography) {
	if b.owed {
		return // a node denies what the store still has
	}
	gone := Never
	for _, l := range b.loads {
		if l.Answer == None && l.Sure {
			gone = min(gone, l.To)
		}
	}
	for _, l := range b.loads {
		if l.Answer == Found && l.From > gone {
			c.found(Back, l.From, b.id, 0, "found at %v, and was not there at %v", l.From, gone)
		}
	}
}

// seen prints a time that may be never.
func seen(t time.Duration) string {
	if t == Never {
		return "the end of the run"
	}
	return t.String()
}
