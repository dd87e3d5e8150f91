package soak

import "time"

// Chance is a moment at which something wrong would have shown: on this socket a
// node that knew of its end no better than the fault lets it could have gone on.
type Chance struct {
	Socket  int
	Message int // 0: none
	At      time.Duration
}

// Chances says what a run could have found. A table without a violation says
// little of a system that never came to the test.
type Chances struct {
	// Checks is how often each kind of violation was looked for.
	Checks [kinds]int

	// Said are messages that clients sent, after the bound, on sockets whose node
	// was still out of reach then: it must hold them back by itself.
	Said []Chance

	// Published are publications after the bound to sockets that listen, whose
	// node heard its subscription again and could ask nobody yet.
	Published []Chance

	// Unheard are sockets that never ask the store, were open at the end of a
	// fault, and whose session had ended so early in it that no notice came:
	// only a look-up closes them.
	Unheard []Chance
}

// Missing names what a run had no chance to find.
func (c *Chances) Missing() (names []string) {
	for _, n := range c.counts() {
		if n.n == 0 {
			names = append(names, n.name)
		}
	}
	return names
}

// count is how many chances of one kind there were.
type count struct {
	name string
	n    int
}

func (c *Chances) counts() (all []count) {
	for k := range kinds {
		all = append(all, count{k.String(), c.Checks[k]})
	}
	return append(all,
		count{"dispatch while deaf", len(c.Said)},
		count{"delivery before the look-up", len(c.Published)},
		count{"socket that only a look-up closes", len(c.Unheard)})
}

// chances notes what could have been found on a socket after one of its ends.
// The socket was open until closed.
func (c *checker) chances(n int, e end, v verdict, closed time.Duration, said []int) {
	s, f := &c.h.Sockets[n], v.fault
	if f == nil || !f.Kind.deafens() || f.To == Never || e.told != (Place{}) {
		return
	}
	until := min(closed, f.To)
	for _, i := range said {
		if at := c.h.Messages[i].Sent; at > v.dispatch && at < until {
			c.r.Said = append(c.r.Said, Chance{n, i, at})
			break // one for each socket
		}
	}
	if s.Listens && f.Turn != 0 {
		after := max(f.Turn, c.h.later(e.at, v.dispatch+receiving))
		for _, i := range c.h.News {
			if at := c.h.Messages[i].Sent; at > after && at < until {
				c.r.Published = append(c.r.Published, Chance{n, i, at})
				break
			}
		}
	}
	deaf := Span{f.From, f.To}
	if f.Turn != 0 {
		deaf.To = f.Turn
	}
	// After so long the node has given up the subscription that the notice came on. An
	// expiry it finds by itself.
	gap := deaf.To-deaf.From > LostDispatch && e.from > deaf.From && e.at+receiving < deaf.To && e.scope != expired
	if s.Quiet && gap && s.Opened < e.from && closed > f.To {
		c.r.Unheard = append(c.r.Unheard, Chance{Socket: n, At: v.close})
	}
}

// deafens reports whether the node cannot know of ends while there is such a
// fault, and its clients still reach it.
func (k FaultKind) deafens() bool {
	switch k {
	case BlackHole, DeafDown, Split:
		return true
	}
	return false
}
