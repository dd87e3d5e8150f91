package protomodel

// moment is a state of the whole: a store, the bus, a node with one connection,
// and the node that is asked to end the connection's session.
type moment struct {
	store  store
	bus    bus
	node   node
	socket socket
	work   work
	end    end
	left   left
	bad    Wrong // what went wrong in the step that led here
}

// left is how often what nobody can help may still happen.
type left struct {
	ends, logins, sockets, messages, publications int8 // people

	losses, pauses, copies, outages, failovers, crashes, replies, ticks int8 // faults
}

// world is the protocol in one scenario, without some of its rules.
type world struct {
	*scene
	without set
}

func (w *world) has(id ID) bool { return w.without&(1<<id) == 0 }

// next tells all that can happen.
func (w *world) next(m moment, yield func(step, moment)) {
	if m.bad != Nothing {
		return
	}
	w.storeSteps(m, yield)
	w.busSteps(m, yield)
	w.nodeSteps(m, yield)
	w.socketSteps(m, yield)
	w.workSteps(m, yield)
	w.expirySteps(m, yield)
	w.endSteps(m, yield)
}

// wrong is what is wrong with a moment.
func (w *world) wrong(m moment, last bool) Wrong {
	s, db := &m.socket, &m.store
	open := s.phase == live && !s.marked
	sound := m.node.fresh && m.bus.link == up && !m.bus.late && m.bus.ends == 0 && !db.untold && !m.node.doubt
	switch {
	case m.bad != Nothing:
		return m.bad
	case db.ended && db.alive && !db.back && !w.namespace:
		return Back
	case db.back && db.alive && w.replicas && m.end.phase == endTold && !m.end.owed:
		return BackKept
	case m.end.acked && s.open() && !s.marked && !db.alive && !db.back:
		return AckedUnmarked
	case sound && open && !db.alive && db.ended && !w.amidst(&m):
		return FreshZombie
	case w.alone && m.end.done && m.node.fresh && m.bus.link == up && db.back && db.alive:
		return FreshUndone
	case !last:
		return Nothing
	case open && !db.alive:
		return Zombie
	case open && s.login < db.login:
		return OlderLogin
	case open && !s.lost && s.generation < db.generation:
		return EndedSpace
	case s.marked && s.open():
		return StaysOpen
	case m.end.phase == endCut:
		return Half
	case m.end.owed && (w.strict || !m.end.crashed) && !db.away:
		return Forgotten
	case db.back && db.alive && (w.strict || !m.end.crashed):
		return Undone
	}
	return Nothing
}

// amidst reports whether the node is ending the session itself: its second look at
// its connections comes after the deletion.
func (w *world) amidst(m *moment) bool { return w.alone && m.end.phase < endTold }
