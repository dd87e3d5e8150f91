package protomodel

// end is what the node does that is asked to end the session.
type end struct {
	phase    endPhase
	crashed  bool
	owed     bool  // the store did not take it
	denied   bool  // this node denies the session meanwhile
	answer   bool  // of the other node, on its way
	acked    bool  // the other node, or this one if it has the connection, counts as having marked
	complete bool  // the caller was told that all nodes have marked
	server   uint8 // the last one seen by this node, if the other has the connection
	done     bool  // this node remembers that it carried the end out
	again    bool  // it was not done when the last ends were repeated
}

type endPhase uint8

const (
	endNone   endPhase = iota
	endGated           // connections here
	endTaken           // by the store; the reply is on its way
	endDone            // and has come
	endFailed          // the store did not answer
	endDenied          // and the session is denied
	endShut            // connections here, for the second time, and they are closed
	endLate            // the same, though the session is not denied yet
	endAsked           // the other node
	endTold            // the caller
	endCut             // half way
)

func (w *world) endSteps(m moment, yield func(step, moment)) {
	e, db := &m.end, &m.store
	if e.crashed {
		return
	}
	if m.left.crashes > 0 && e.phase > endNone {
		n := m
		n.left.crashes--
		n.end = end{phase: e.phase, crashed: true, owed: e.owed && w.strict, acked: e.acked, complete: e.complete}
		yield(people(asked, "crashes"), n)
	}
	if db.untold {
		n := m
		n.store.untold = false
		w.publish(&n)
		yield(does(asked, "tells the other nodes"), n)
	}
	if e.owed && !db.away && e.phase == endTold && w.has(retry) {
		n := m
		w.endScript(&n)
		if w.alone {
			w.applyEnd(&n, true)
		}
		n.end.owed, n.end.denied, n.end.done = w.replicas && !db.kept, false, true
		yield(does(asked, "asks the store again, which deletes and tells"), n)
	}
	if !w.alone && e.server != db.server {
		n := m
		n.end.server = db.server
		w.recover(n, asked, yield)
	}
	switch e.phase {
	case endNone:
		if m.left.ends > 0 && db.alive {
			n := m
			n.left.ends--
			n.end.phase = endGated
			if w.alone && w.has(gateFirst) {
				w.applyEnd(&n, false)
			}
			n.socket.before = w.alone && n.socket.registered
			what := "logs out: the node that is asked marks its own connections"
			if !w.has(gateFirst) {
				what = "logs out"
			}
			yield(people(client, what), n)
		}
	case endGated:
		w.askStore(m, yield)
	case endTaken:
		w.replySteps(m, yield)
	default:
		w.tellSteps(m, yield)
	}
}

// askStore has the store carry the end out.
func (w *world) askStore(m moment, yield func(step, moment)) {
	n := m
	if m.store.away {
		n.end.phase = endFailed
		yield(does(asked, "gets no answer of the store"), n)
		return
	}
	w.endScript(&n)
	n.end.phase = endTaken
	what := "has the store delete and tell, in one script"
	if !w.has(oneScript) {
		what = "has the store delete"
	}
	yield(does(asked, what), n)
	if !w.has(ownContext) {
		n := m
		n.end.phase = endCut
		yield(people(client, "leaves, which cancels the logout"), n)
	}
}

// replySteps are those when the store has carried the end out, and its reply is on
// its way.
func (w *world) replySteps(m moment, yield func(step, moment)) {
	n := m
	switch {
	case m.end.again && !m.store.away:
		w.endScript(&n)
		n.end.again = false
		yield(does(asked, "has the store delete and tell again: its last ends were repeated meanwhile, without this one"), n)
	case m.end.again:
		n.end.phase = endFailed
		yield(does(asked, "gets no answer of the store"), n)
	case !w.replicas:
		n.end.phase, n.end.done = endDone, true
		yield(does(asked, "has the reply"), n)
	default:
		if m.store.kept || !w.has(waitThere) {
			n.end.phase, n.end.done = endDone, true
			yield(does(asked, "is told by WAIT that a replica has all that its connection wrote"), n)
		}
		n = m
		n.end.phase = endFailed
		yield(does(asked, "is told by WAIT that no replica has it"), n)
	}
	if m.left.replies > 0 {
		n := m
		n.left.replies--
		n.end.phase = endFailed
		yield(people(network, "loses the reply"), n)
	}
}

// recover has the last ends of a node repeated at another server. n has that
// noted.
func (w *world) recover(n moment, who actor, yield func(step, moment)) {
	switch {
	case !w.has(repeat):
	case n.end.done && n.store.away && w.has(noteLast):
		// It asks again.
	case n.end.done && n.store.away:
		yield(does(who, "finds another server, notes it, and cannot repeat its last ends"), n)
	case n.end.done:
		w.endScript(&n)
		yield(does(who, "finds another server, and repeats its last ends"), n)
	case !n.store.away:
		n.end.again = n.end.phase == endTaken && w.has(runAgain)
		yield(does(who, "finds another server, and remembers no end to repeat"), n)
	}
}

// tellSteps are those after the store's answer, or without one.
func (w *world) tellSteps(m moment, yield func(step, moment)) {
	e := &m.end
	again := func(to endPhase, closes bool) {
		n := m
		n.end.phase = to
		what := "closes its own connections"
		if w.alone {
			if w.has(gateAgain) {
				what = "marks its connections again, and closes them"
				w.applyEnd(&n, false)
			}
			if !closes {
				what = "marks its connections again"
			}
			n.socket.closing = n.socket.closing || n.socket.marked && closes
		}
		yield(does(asked, what), n)
	}
	n := m
	switch e.phase {
	case endFailed:
		n.end.owed = true
		if w.has(denyFirst) {
			n.end.denied, n.end.phase = w.has(deny), endDenied
			yield(does(asked, "owes the end, and denies the session meanwhile"), n)
			return
		}
		m.end.owed = true
		again(endLate, w.has(closeAnyway))
	case endDenied:
		again(endTold, w.has(closeAnyway))
	case endLate:
		n.end.denied, n.end.phase = true, endTold
		yield(does(asked, "denies the session from now on"), n)
	case endDone:
		again(endShut, true)
	case endShut:
		switch {
		case m.bus.unheard && w.has(sayUnknown):
			n.end.phase = endTold
			yield(does(asked, "tells the caller that there may be nodes that it has not heard of"), n)
		case w.alone || !m.bus.expected:
			n.end.phase, n.end.complete, n.end.acked = endTold, true, w.alone
			yield(does(asked, "tells the caller that all nodes have marked: there is no other"), n)
		default:
			n.end.phase = endAsked
			n.bus.question = m.bus.link == up
			yield(does(asked, "asks the other node whether it has marked"), n)
		}
	case endAsked:
		if e.answer {
			n.end.answer, n.end.acked, n.end.complete, n.end.phase = false, true, true, endTold
			yield(does(asked, "has the answer, and tells the caller that all nodes have marked"), n)
		}
		n := m
		n.end.phase, n.end.complete = endTold, !m.bus.expected
		what := "waits no longer, and tells the caller that one node has not marked"
		if !m.bus.expected {
			what = "waits no longer, and tells the caller that all have marked that it counts on"
		}
		yield(does(asked, what), n)
	}
}
