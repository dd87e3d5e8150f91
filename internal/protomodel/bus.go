package protomodel

// link is the node's subscription.
type link uint8

const (
	up     link = iota
	down        // and the node knows
	hidden      // broken, and the library is about to make another one by itself
	deaf        // nothing comes any more, and nobody notices
)

// bus is what is between the nodes. Notices on their way may come in any order.
type bus struct {
	link     link
	ends     uint8 // notices of the end on their way to the node
	logins   uint8 // notices of logins on their way, by the bits of their epochs
	question bool  // whether it has marked is on its way to the node
	late     bool  // the node's newest beat that came back is older than the stale limit
	expected bool  // the node that is asked counts on this one
	unheard  bool  // the node that is asked has not listened for long enough to know of this one
}

// breakLink loses all that was on its way.
func (w *world) breakLink(m *moment, to link) {
	m.bus.link = to
	m.bus.ends, m.bus.logins, m.bus.question = 0, 0, false
	if to == down {
		m.missing()
		m.node.gap = !w.has(subscribeFirst)
	}
}

// missing is what the node does when it learns that something may have been
// missed: the gap counter first, then stale.
func (m *moment) missing() {
	m.node.fresh, m.node.known, m.node.beat, m.node.repeated = false, false, false, false
	m.node.old = m.node.asking
	m.socket.gap = m.socket.registered
}

func (w *world) busSteps(m moment, yield func(step, moment)) {
	b := &m.bus
	if m.left.losses > 0 && b.link == up {
		for _, to := range []link{down, hidden, deaf} {
			what := map[link]string{
				down:   "breaks the subscription, and what was on its way is lost",
				hidden: "breaks the subscription, and the library hides it",
				deaf:   "drops all packets of the subscription, silently",
			}[to]
			n := m
			n.left.losses--
			w.breakLink(&n, to)
			yield(people(network, what), n)
		}
	}
	early := !w.has(subscribeFirst)
	if b.link == down && !w.forever && !m.store.away && !(early && (m.node.gap || m.node.asking)) {
		n := m
		n.bus.link, n.bus.late = up, false
		n.node.old = m.node.asking
		n.node.gap = !early
		n.node.known = early || !w.has(revalidateFirst)
		w.settle(&n)
		yield(does(holder, "subscribes anew, acknowledged"), n)
	}
	if b.link == hidden {
		n := m
		n.bus.link = up
		if w.has(unexpectedIsGap) {
			n.missing()
			n.node.gap = true
		}
		yield(does(network, "lets the library subscribe anew"), n)
	}
	if b.link == deaf && !b.late {
		n := m
		n.bus.late = true
		yield(does(clock, "passes: no heartbeat has come back for the stale limit"), n)
	}
	if m.left.pauses > 0 && b.link == up && !b.late {
		n := m
		n.left.pauses--
		n.bus.late = true
		yield(people(clock, "passes while the process of the connection is stopped, longer than the stale limit"), n)
	}
	if b.late && (b.link == up || b.link == deaf) && w.has(heartbeat) {
		n := m
		n.bus.late = false
		w.breakLink(&n, down)
		yield(does(holder, "finds no heartbeat by its timer: it is stale, and drops the subscription"), n)
	}
	silent := m.bus.late || !m.node.beat
	if !w.has(staleFirst) {
		silent = b.link == deaf
	}
	if w.partition && b.expected && silent {
		n := m
		n.bus.expected = false
		yield(people(asked, "has heard no heartbeat of node 2, and counts on it no more"), n)
	}
	switch {
	case b.unheard && silent:
		n := m
		n.bus.unheard = false
		yield(people(asked, "has listened for as long as a node that is not heard may be fresh"), n)
	case b.unheard:
		n := m
		n.bus.unheard, n.bus.expected = false, true
		yield(people(asked, "hears a heartbeat of node 2"), n)
	}
	if w.drain && b.expected && (m.socket.phase == absent || m.socket.phase == closed || !w.has(byeLast)) {
		n := m
		n.bus.expected = false
		yield(people(holder, "drains, and says goodbye"), n)
	}
	w.noticeSteps(m, yield)
}

// noticeSteps are what arrives at the node.
func (w *world) noticeSteps(m moment, yield func(step, moment)) {
	b := &m.bus
	if b.link != up {
		return
	}
	if b.ends > 0 {
		n := m
		n.bus.ends--
		switch {
		case w.skew && w.has(unreadableIsGap):
			n.node.gap, n.node.doubt, n.socket.gap = true, true, n.socket.registered
			yield(does(holder, "cannot read the notice, and is to look everything up"), n)
		case w.skew:
			yield(does(holder, "cannot read the notice"), n)
		case w.neighbour && !w.has(markFirst):
			yield(does(holder, "hears of the end, and waits for the peer of another connection to answer its close frame"), n)
		default:
			w.applyEnd(&n, true)
			yield(does(holder, "hears of the end, and marks"), n)
		}
		if !w.has(receiverMarks) {
			n := m
			n.bus.ends--
			yield(people(holder, "puts the notice into a queue, which is full"), n)
		}
		if m.left.copies > 0 {
			n := m
			n.left.copies--
			w.applyEnd(&n, true)
			yield(people(network, "brings the notice, and will bring it again; the connection is marked"), n)
		}
	}
	for epoch := uint8(1); epoch <= m.store.epoch; epoch++ {
		if b.logins&(1<<epoch) == 0 {
			continue
		}
		n := m
		w.renew(&n, epoch)
		if m.left.copies > 0 {
			again := n
			again.left.copies--
			yield(people(network, "brings the notice of a login, and will bring it again; what is older is marked"), again)
		}
		n.bus.logins &^= 1 << epoch
		yield(does(holder, "hears of a login, and marks what is older"), n)
	}
	if b.question {
		n := m
		n.bus.question = false
		if w.has(ackAfterMark) {
			w.applyEnd(&n, true)
		}
		n.end.answer = true
		yield(does(holder, "is asked whether it has marked, and answers that it has"), n)
	}
}
