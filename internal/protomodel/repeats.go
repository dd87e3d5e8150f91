package protomodel

// repeats is a save that adds one, whose reply may be lost, so that it is sent
// again.
type repeats struct {
	value uint8
	known bool // the store remembers the save
	phase repeatPhase
	lost  uint8 // replies
}

type repeatPhase uint8

const (
	repeatUnsent repeatPhase = iota
	repeatSent
	repeatTaken // and the reply is on its way
	repeatDone
)

func (w *world) repeated() machine[repeats] {
	return machine[repeats]{next: w.repeatSteps, wrong: func(r repeats, _ bool) Wrong {
		if r.value > 1 {
			return SavedTwice
		}
		return Nothing
	}}
}

func (w *world) repeatSteps(r repeats, yield func(step, repeats)) {
	n := r
	switch r.phase {
	case repeatUnsent:
		n.phase = repeatSent
		yield(people(holder, "sends a save that adds one"), n)
	case repeatSent:
		n.phase, n.known = repeatTaken, w.has(opID)
		what := "knows the save, and answers with what there is"
		if !r.known {
			n.value++
			what = "adds one"
		}
		yield(does(database, what), n)
	case repeatTaken:
		if r.lost < 2 {
			n.phase = repeatSent
			n.lost++
			yield(people(network, "loses the reply; the save is sent again"), n)
		}
		n = r
		n.phase = repeatDone
		yield(does(holder, "has the reply"), n)
	}
}

// renewal is a secret that is renewed by a node that may crash meanwhile.
type renewal struct {
	old, next bool // what opens the session
	begun     bool
	crashed   bool
}

func (w *world) renewals() machine[renewal] {
	return machine[renewal]{start: renewal{old: true}, next: w.renewalSteps, wrong: func(r renewal, last bool) Wrong {
		if last && r.old && r.next {
			return TwoKeys
		}
		return Nothing
	}}
}

func (w *world) renewalSteps(r renewal, yield func(step, renewal)) {
	n := r
	switch {
	case r.crashed:
	case !r.begun && w.has(renewInPlace):
		n.begun, n.old, n.next = true, false, true
		yield(people(holder, "renews the secret of the record, in one script"), n)
	case !r.begun:
		n.begun, n.next = true, true
		yield(people(holder, "copies the session to a new key"), n)
	case r.old:
		n.old = false
		yield(does(holder, "deletes the old key"), n)
		n = r
		n.crashed = true
		yield(people(holder, "crashes"), n)
	}
}
