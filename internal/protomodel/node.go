package protomodel

// node is what the node with the connection knows of itself.
type node struct {
	fresh  bool
	known  bool  // everything was looked up under the subscription there is
	beat   bool  // and a beat of its own has come back by it
	gap    bool  // everything is to be looked up
	doubt  bool  // because of a notice that could not be read, and was not yet
	server uint8 // the last one seen

	repeated bool // its last ends, since the gap, if it may not ask who the server is

	// A lookup whose answer was not applied yet.
	asking            bool
	covers            bool // the connection was registered when it began
	old               bool // it began before the subscription there is now
	alive             bool
	epoch, generation uint8
}

func (w *world) nodeSteps(m moment, yield func(step, moment)) {
	db := &m.store
	other := w.alone && m.node.server != db.server
	if w.blind {
		other = m.node.gap && !m.node.repeated
	}
	if other && (w.blind || m.node.gap == w.has(repeatFirst)) && !m.node.asking {
		n := m
		n.node.server, n.node.repeated = db.server, true
		w.recover(n, holder, yield)
	}
	if w.blind && !w.has(gapStays) {
		other = false // the minute's lookup comes first, and knows of no gap
	}
	if m.node.gap && !m.node.asking && !(other && w.has(repeat) && w.has(repeatFirst)) {
		switch {
		case !db.away:
			n := m
			n.node.gap, n.node.repeated, n.node.asking, n.node.old = false, false, true, false
			n.node.covers = n.socket.registered && (w.has(lookUpPending) || n.socket.phase == live)
			n.node.alive, n.node.epoch, n.node.generation = db.alive, db.epoch, db.generation
			yield(does(holder, "asks the store about every session that it has connections of"), n)
		case !w.has(failedProvesNothing):
			n := m
			n.node.gap, n.node.known = false, m.bus.link != down
			w.settle(&n)
			yield(does(holder, "asks the store about every session, and gets no answer"), n)
		}
	}
	if m.node.asking {
		n := m
		n.node.asking, n.node.covers, n.node.old, n.node.doubt = false, false, false, m.node.gap && m.node.doubt
		if m.node.covers {
			w.learn(&n, m.node.alive, m.node.epoch, m.node.generation)
		}
		n.node.alive, n.node.epoch, n.node.generation = false, 0, 0
		if m.bus.link != down && (!m.node.old || !w.has(sameSubscription)) {
			n.node.known = true
			w.settle(&n)
		}
		yield(does(holder, "applies the answer of the store"), n)
	}
	// One server keeps the order of what it sends: a beat does not overtake the
	// notices before it.
	if m.bus.link == up && !m.bus.late && !m.node.beat && m.bus.ends == 0 && m.bus.logins == 0 {
		n := m
		n.node.beat, n.bus.expected = true, true
		w.settle(&n)
		yield(does(holder, "hears its own heartbeat again, as the others do"), n)
	}
	if w.periodic && w.has(periodic) && m.node.fresh && !db.away {
		n := m
		if n.socket.registered {
			w.learn(&n, db.alive, db.epoch, db.generation)
			n.socket.known = db.due
		}
		yield(does(holder, "looks every session up, as it does every minute"), n)
	}
	if w.forever && !m.node.fresh && w.has(staleCloses) {
		n := m
		n.mark(true)
		yield(does(holder, "has been stale for too long, and closes its connections"), n)
	}
}

// settle makes the node fresh if it can know of ends.
func (w *world) settle(m *moment) {
	m.node.fresh = m.node.known && (m.node.beat || !w.has(beatFirst))
}

// learn is what the store says of the connection's session.
func (w *world) learn(m *moment, alive bool, epoch, generation uint8) {
	if !alive {
		m.mark(true)
		return
	}
	w.renew(m, epoch)
	w.lose(m, generation)
}

// applyEnd is what a notice of the end does, and what the node that ends a
// session does to its own connections.
func (w *world) applyEnd(m *moment, shut bool) {
	if w.namespace {
		w.lose(m, 1)
	} else {
		m.mark(shut)
	}
}

// mark ends the connection for good, if it is registered. shut has it closed too.
func (m *moment) mark(shut bool) {
	if m.socket.registered {
		m.socket.marked = true
		m.socket.closing = m.socket.closing || shut
	}
}

// renew says that epochs below one are over.
func (w *world) renew(m *moment, below uint8) {
	s := &m.socket
	if !s.registered {
		return
	}
	if s.phase < admitted {
		if w.has(boundStays) {
			s.belowEpoch = max(s.belowEpoch, below)
		}
		return
	}
	switch {
	case s.epoch < below:
		m.mark(true)
	case !w.has(boundsOnly):
		m.mark(true)
		m.bad = ClosedLiving
	}
}

// lose says that generations of the namespace below one are over.
func (w *world) lose(m *moment, below uint8) {
	s := &m.socket
	if !s.registered {
		return
	}
	if s.phase < admitted {
		if w.has(generationStays) {
			s.belowSpace = max(s.belowSpace, below)
		}
		return
	}
	s.lost = s.lost || s.generation < below
}
