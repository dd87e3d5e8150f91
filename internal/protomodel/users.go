package protomodel

// roll is the end of all sessions of a user while one more login is in progress.
type roll struct {
	listed     bool  // in the user's index
	generation uint8 // of the index
	alive      bool  // the new session

	login   loginPhase
	saw     uint8 // the generation, when the login began
	before  bool  // it began before the end did
	crashed bool  // its node

	end   rollPhase
	found bool // the end has found the session in the index
}

type loginPhase uint8

const (
	loginNone    loginPhase = iota
	loginBegun              // listed, generation read
	loginCreated            // the session
	loginDone               // the browser has its cookie
	loginRefused
)

type rollPhase uint8

const (
	rollNone rollPhase = iota
	rollRead           // generation raised, index read
	rollLate           // and what it had is deleted; the generation is to be raised yet
	rollOver
)

func (w *world) users() machine[roll] {
	return machine[roll]{next: w.rollSteps, wrong: func(r roll, last bool) Wrong {
		switch {
		case r.login == loginDone && r.alive && r.before && r.end == rollOver:
			return Missed
		case last && r.alive && !r.listed && r.end == rollNone:
			return Unlisted
		}
		return Nothing
	}}
}

func (w *world) rollSteps(r roll, yield func(step, roll)) {
	n := r
	switch {
	case r.crashed:
	case r.login == loginNone:
		n.login, n.saw, n.before = loginBegun, r.generation, r.end == rollNone
		what := "begins a login: reads the generation of the user's index"
		if w.has(listFirst) {
			n.listed = true
			what = "begins a login: lists the session in the user's index, and reads the generation of that"
		}
		yield(people(holder, what), n)
	case r.login == loginBegun:
		n.login, n.alive = loginCreated, true
		yield(does(holder, "gives the session its user"), n)
	case r.login == loginCreated:
		n.listed, n.login = true, loginDone
		what := "lists the session again: the generation is the same, and the browser gets its cookie"
		if r.generation != r.saw && w.has(readTwice) {
			n.listed, n.alive, n.login = false, false, loginRefused
			what = "lists the session again: the generation is another one, and the session is deleted"
		}
		yield(does(holder, what), n)
	}
	if !r.crashed && (r.login == loginBegun || r.login == loginCreated) {
		n := r
		n.crashed = true
		yield(people(holder, "crashes"), n)
	}
	n = r
	switch r.end {
	case rollNone:
		n.end, n.found = rollRead, r.listed
		what := "is to end all sessions of the user: reads the index"
		if w.has(raiseFirst) {
			n.generation++
			what = "is to end all sessions of the user: raises the generation of the index, and reads it"
		}
		yield(people(asked, what), n)
	case rollRead:
		n.end = rollOver
		if !w.has(raiseFirst) {
			n.end = rollLate
		}
		if r.found {
			n.alive, n.listed = false, false
		}
		yield(does(asked, "deletes all that the index had"), n)
	case rollLate:
		n.end = rollOver
		n.generation++
		yield(does(asked, "raises the generation of the index"), n)
	}
}
