package protomodel

// phase of a connection.
type phase uint8

const (
	absent   phase = iota
	pending        // registered, unless the order is another
	loaded         // and its session lived
	admitted       // 101
	live
	closed
)

// socket is the connection.
type socket struct {
	phase      phase
	registered bool
	marked     bool
	closing    bool // and somebody is to close it
	lost       bool // the namespace
	gap        bool // something may have been missed since it registered, or since the last time it loaded for that
	before     bool // it was there when its node began to end the session

	login, epoch, generation uint8 // as loaded
	belowEpoch, belowSpace   uint8 // are over, as heard before it was admitted
	known                    uint8 // deadline

	tab tab // another connection of the same session
}

// tab is another connection of the session on the node, which leaves.
type tab uint8

const (
	gone    tab = iota
	there       // in the registry
	leaving     // its session's list was found empty
)

// open reports whether the session was loaded, or more, and the connection not
// closed.
func (s *socket) open() bool { return s.phase >= loaded && s.phase < closed }

func (w *world) socketSteps(m moment, yield func(step, moment)) {
	s := &m.socket
	if (s.phase == absent || s.phase == closed && m.work.phase == idle) && m.left.sockets > 0 &&
		(m.node.fresh || !w.has(staleRefuses)) && !(w.drain && !m.bus.expected && w.has(byeLast)) {
		n := m
		n.left.sockets--
		n.socket = socket{tab: s.tab}
		if w.has(registerFirst) {
			n.socket.phase, n.socket.registered = pending, true
			yield(people(client, "opens a connection, which its node registers"), n)
		} else {
			n.socket.phase = pending
			yield(people(client, "opens a connection"), n)
		}
	}
	if s.phase == pending {
		n := m
		refused := m.store.away || !m.store.alive && w.has(loadFromStore) || w.alone && m.end.denied
		if refused {
			n.close()
			yield(does(holder, "refuses the connection: there is no session for it"), n)
		} else {
			n.socket.phase = loaded
			what := "loads the session: it lives"
			if w.has(loadFromStore) {
				n.socket.login, n.socket.epoch, n.socket.generation = m.store.login, m.store.epoch, m.store.generation
				n.socket.known = m.store.due
			} else {
				what = "takes the session as an earlier request had loaded it: it lived"
			}
			yield(does(holder, what), n)
		}
	}
	if s.phase == loaded && !s.registered {
		n := m
		n.socket.registered = true
		yield(does(holder, "registers the connection"), n)
	}
	if s.phase == loaded && s.registered {
		n := m
		switch {
		case s.marked && w.has(markRefuses):
			n.close()
			yield(does(holder, "does not admit the connection: it is marked"), n)
		case s.gap && w.has(gapLoadsAgain):
			n.socket.gap, n.socket.phase = false, pending
			yield(does(holder, "does not admit the connection before its session is loaded again: there was a gap"), n)
		case s.epoch < s.belowEpoch:
			n.close()
			yield(does(holder, "does not admit the connection: there was a login"), n)
		default:
			n.socket.phase = admitted
			n.socket.lost = s.generation < s.belowSpace
			yield(does(holder, "admits the connection, and answers 101"), n)
		}
	}
	if s.phase == admitted {
		n := m
		n.socket.phase = live
		what := "makes the connection live"
		if s.marked && !w.has(markStays) {
			n.socket.marked, n.socket.closing = false, false
			what = "makes the connection live, which overwrites its mark"
		}
		yield(does(holder, what), n)
	}
	if s.phase == live && s.marked && s.closing {
		n := m
		n.close()
		yield(does(holder, "closes the connection"), n)
	}
	w.tabSteps(m, yield)
}

// tabSteps are those of another connection of the session, which leaves.
func (w *world) tabSteps(m moment, yield func(step, moment)) {
	n := m
	switch {
	case m.socket.tab == there && w.has(removeLocked):
		n.socket.tab = gone
		yield(people(client, "closes another tab"), n)
	case m.socket.tab == there && !m.socket.registered:
		n.socket.tab = leaving
		yield(people(client, "closes another tab; its node finds that it was the last connection of the session"), n)
	case m.socket.tab == there:
		n.socket.tab = gone
		yield(people(client, "closes another tab; its node finds that there are others"), n)
	case m.socket.tab == leaving:
		n.socket.tab, n.socket.registered = gone, false
		yield(does(holder, "removes the session from its registry, with all its connections"), n)
	}
}

// close is the end of the connection.
func (m *moment) close() {
	m.socket = socket{phase: closed, tab: m.socket.tab}
}
