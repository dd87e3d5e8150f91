package protomodel

// expirySteps are those of time.
func (w *world) expirySteps(m moment, yield func(step, moment)) {
	s, db := &m.socket, &m.store
	if db.due == 0 {
		return
	}
	if m.left.ticks > 0 {
		n := m
		n.left.ticks--
		n.store.time++
		what := "passes"
		if db.alive && n.store.time >= db.due {
			n.store.alive = false
			what = "is up for the session; the store tells nobody"
		}
		yield(people(clock, what), n)
	}
	if w.slides && db.alive && db.due < 3 {
		n := m
		n.store.due++
		yield(people(client, "is active in another tab, on another node: the session ends later"), n)
	}
	if w.shortens && db.alive && db.due > db.time+1 {
		n := m
		n.store.due--
		yield(people(client, "sets an earlier end, on another node"), n)
	}
	if s.phase != live || s.known == 0 || db.time < s.known || !w.has(expiryTimer) {
		return
	}
	n := m
	switch {
	case !w.has(expiryAsks):
		if db.alive {
			n.bad = ClosedLiving
		}
		n.mark(true)
		yield(does(holder, "marks the connection: the session's deadline has come"), n)
	case db.away:
	case db.alive:
		n.socket.known = db.due
		yield(does(holder, "asks the store, as the session's deadline has come: there is a later one"), n)
	default:
		n.mark(true)
		yield(does(holder, "asks the store, as the session's deadline has come, and marks the connection"), n)
	}
}
