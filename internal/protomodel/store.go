package protomodel

// store is the truth, or what a server says that it is. Each script is one step.
type store struct {
	alive      bool
	login      uint8 // the last one, as people know it
	epoch      uint8 // what the store knows of it
	generation uint8 // of the namespace

	ended  bool  // the end that was asked for was carried out
	untold bool  // and is to be published yet
	kept   bool  // a replica has it
	back   bool  // a failover undid it
	server uint8 // which one it is
	away   bool  // nobody can ask it

	time, due uint8 // due: when the session ends by itself; 0: not soon
}

// endScript carries out the end, however often, and tells.
func (w *world) endScript(m *moment) {
	if w.namespace {
		m.store.generation = 1
	} else {
		m.store.alive = false
	}
	m.store.ended = true
	if w.has(oneScript) {
		w.publish(m)
	} else {
		m.store.untold = true
	}
}

// publish sends the notice to whoever listens. Nobody keeps it for those who do
// not.
func (w *world) publish(m *moment) {
	if m.bus.link == up {
		m.bus.ends = min(m.bus.ends+1, 2)
	}
}

func (w *world) storeSteps(m moment, yield func(step, moment)) {
	db := &m.store
	if m.left.logins > 0 && db.alive && !db.away {
		n := m
		n.left.logins--
		n.store.login = uint8(w.left.logins - n.left.logins) // no two have the same
		what := "logs in, and the epoch stays what it was"
		if w.has(loginEnds) {
			n.store.epoch++
			if n.bus.link == up {
				n.bus.logins |= 1 << n.store.epoch
			}
			what = "logs in: the store raises the epoch, and says that those below it are over"
		}
		yield(people(client, what), n)
	}
	if m.left.outages > 0 && !db.away {
		n := m
		n.left.outages--
		n.store.away = true
		yield(people(network, "cuts the store off"), n)
	}
	if db.away && !w.forever {
		n := m
		n.store.away = false
		yield(does(network, "lets the store be asked again"), n)
	}
	if w.replicas && db.ended && !db.kept && !db.alive {
		n := m
		n.store.kept = true
		yield(does(database, "a replica takes the end"), n)
	}
	end := db.ended && !db.kept && !db.alive
	if m.left.failovers > 0 && (end || w.loses && db.epoch > 0) {
		for _, link := range []link{down, deaf} {
			n := m
			n.left.failovers--
			n.store.server++
			what := "a replica takes over that has not heard of the end; the subscription "
			if end {
				n.store.alive, n.store.back = true, true
			} else {
				n.store.login--
				n.store.epoch--
				what = "a replica takes over that has not heard of the login; the subscription "
			}
			if link == deaf {
				what += "stays with the old server, silent"
			} else {
				what += "breaks"
			}
			w.breakLink(&n, link)
			yield(people(database, what), n)
		}
	}
}
