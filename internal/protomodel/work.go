package protomodel

// work is a message of the connection.
type work struct {
	phase workPhase
	clean bool // it changes nothing
	early bool // its answer has left before its save
}

type workPhase uint8

const (
	idle workPhase = iota
	read           // and not dispatched yet
	handled
	saved // the answer has not left yet
)

// over reports whether an end of the session was carried out, and not undone.
func (m *moment) over() bool { return m.store.ended && !m.store.alive && !m.store.back }

func (w *world) workSteps(m moment, yield func(step, moment)) {
	s := &m.socket
	done := func(who step, n moment) {
		n.work = work{}
		yield(who, n)
	}
	switch m.work.phase {
	case idle:
		if s.phase == live && m.left.messages > 0 {
			n := m
			n.left.messages--
			n.work = work{phase: read}
			yield(people(client, "sends a message, which is read"), n)
			n.work.clean = true
			yield(people(client, "sends a message that will change nothing, which is read"), n)
		}
	case read:
		switch {
		case s.phase != live || s.marked && w.has(lookBeforeHandling):
			done(does(holder, "drops the message"), m)
		case !m.node.fresh && w.has(failClosed), m.bus.late && w.has(askClock):
			// held
		default:
			n := m
			n.work.phase = handled
			if m.work.clean {
				n.work.phase = saved
			}
			n.work.early = !w.has(saveThenSend) && !m.work.clean
			n.bad = w.wrongToHandle(&m)
			yield(does(holder, "handles the message"), n)
		}
	case handled:
		w.saveSteps(m, yield)
	case saved:
		switch {
		case (s.marked || s.phase == closed) && w.has(lookBeforeSending):
			done(does(holder, "drops the answer"), m)
		default:
			n := m
			if s.marked {
				n.bad = SentMarked
			}
			done(does(holder, "sends the answer"), n)
		}
	}
	w.deliverySteps(m, yield)
}

// wrongToHandle says what is wrong with handling a message now.
func (w *world) wrongToHandle(m *moment) Wrong {
	told := m.end.phase == endTold && (m.end.complete || w.alone) && !m.store.back
	switch {
	case m.socket.marked:
		return HandledMarked
	case !m.node.fresh && m.over():
		return HandledStale
	case told && (m.over() || m.end.owed):
		return HandledTold
	case m.bus.late && m.over():
		return HandledLate
	case w.alone && m.over() && m.socket.before:
		return HandledHere
	}
	return Nothing
}

// saveSteps save what a message changed.
func (w *world) saveSteps(m moment, yield func(step, moment)) {
	s, db := &m.socket, &m.store
	refuse := func(what string, ends bool) {
		n := m
		if ends {
			n.mark(true)
		}
		if m.work.early {
			n.bad = SentRefused
		}
		n.work = work{}
		yield(does(holder, what), n)
	}
	take := func(what string, alive bool, bad Wrong) {
		n := m
		n.store.alive, n.bad = alive, bad
		n.work.phase = saved
		if m.work.early {
			n.work = work{}
		}
		yield(does(holder, what), n)
	}
	switch {
	case s.marked && w.has(lookBeforeSaving):
		refuse("drops what the message changed", false)
	case db.away:
		refuse("cannot save what the message changed, and closes", true)
	case w.alone && m.end.denied:
		refuse("saves nothing of a session that is to end", true)
	case !db.alive && w.has(saveCreatesNothing):
		refuse("saves, and the store refuses: the session is gone", true)
	case !db.alive:
		take("saves, which creates the session", true, Nothing)
	case s.phase == closed:
		refuse("drops what the message changed", false)
	case s.epoch != db.epoch && w.has(saveComparesEpoch):
		refuse("saves, and the store refuses: there was a login", true)
	case s.epoch != db.epoch:
		take("saves", true, SavedOlder)
	case s.generation != db.generation && w.has(saveComparesGeneration):
		refuse("saves, and the store refuses: the namespace has ended", false)
	case s.generation != db.generation:
		take("saves", true, SavedEnded)
	default:
		take("saves", true, Nothing)
	}
}

// deliverySteps are those of a publication.
func (w *world) deliverySteps(m moment, yield func(step, moment)) {
	s := &m.socket
	if m.left.publications == 0 || m.bus.link != up || s.phase != live {
		return
	}
	n := m
	n.left.publications--
	switch {
	case s.marked && w.has(deliverUnmarked), !m.node.fresh && w.has(failClosedDelivery),
		m.bus.late && w.has(askClock), s.lost && w.has(topicsGo):
		yield(people(network, "brings a publication, which is not for this connection"), n)
		return
	case s.marked:
		n.bad = DeliveredMarked
	case s.lost:
		n.bad = DeliveredEnded
	case !m.node.fresh && m.over():
		n.bad = DeliveredStale
	case m.bus.late && m.over():
		n.bad = HandledLate
	}
	yield(people(network, "brings a publication, which is delivered"), n)
}
