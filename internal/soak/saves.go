package soak

import (
	"slices"
	"time"
)

// lost finds what was saved and is not there.
func (c *checker) lost(b *biography) {
	for _, l := range b.loads {
		if l.Answer == Found || l.Answer == None && l.Sure {
			c.r.Checks[Lost]++
		}
		switch {
		case l.Answer == None && l.Sure && c.h.lives(b, l.Span, l.To):
			c.found(Lost, l.To, b.id, 0, "not there at %v (node %v), and nothing has ended it", l.To, l.At)
		case l.Answer == Found && l.At.Slot >= 0:
			c.total(b, l)
			c.register(b, l, "root", l.Mark, func(Message) bool { return true }, nil)
			c.register(b, l, "chat", l.Chat, func(m Message) bool { return m.InChat }, b.clears)
		}
	}
}

// total checks a counter that was read. Every message adds another number, so
// that the sum says which of them are in it.
func (c *checker) total(b *biography, l Load) {
	left := l.Total
	var maybe []int64 // may be there or not
	for _, i := range b.messages {
		switch m := c.h.Messages[i]; {
		case m.Reads || m.Dispatched == 0 || m.Dispatched >= l.To:
		case m.Saved != 0 && m.Saved < l.From:
			left -= m.Weight
		default:
			maybe = append(maybe, m.Weight)
		}
	}
	slices.Sort(maybe)
	slices.Reverse(maybe)
	possible, decided := sums(maybe, left, new(1<<20))
	switch {
	case !decided:
		c.r.Undecided++
	case !possible:
		c.found(Lost, l.To, b.id, 0, "the counter read at %v is %d: %d more than what was acknowledged, which no %d saves of unknown outcome make up",
			l.To, l.Total, left, len(maybe))
	}
}

// sums reports whether some of the numbers, all above 0, add up to n. It takes
// at most so many steps, and else has not decided.
func sums(numbers []int64, n int64, steps *int) (possible, decided bool) {
	switch *steps--; {
	case n == 0:
		return true, true
	case n < 0 || len(numbers) == 0:
		return false, true
	case *steps <= 0:
		return false, false
	}
	with, sure := sums(numbers[1:], n-numbers[0], steps)
	if with {
		return true, true
	}
	without, also := sums(numbers[1:], n, steps)
	return without, without || sure && also
}

// register checks a value that was read, which says by which message it was
// written: 0 for none.
func (c *checker) register(b *biography, l Load, name string, value int, writes func(Message) bool, clears []Act) {
	var w Message
	if value != 0 {
		w = c.h.Messages[value]
		if w.Session != b.id || !writes(w) || w.Dispatched == 0 || w.Dispatched >= l.To {
			c.found(Lost, l.To, b.id, 0, "the register of %s read at %v is of message %d, which did not write it", name, l.To, value)
			return
		}
	}
	for _, a := range clears {
		if value != 0 && a.Outcome == Done && w.Saved != 0 && w.Saved < a.From && a.To < l.From {
			c.found(Back, l.To, b.id, 0, "the register of %s read at %v is of message %d, saved before the namespace ended at %v", name, l.To, value, a.To)
		}
	}
	for _, i := range b.messages {
		m := c.h.Messages[i]
		if i == value || !writes(m) || m.Saved == 0 || m.Saved >= l.From {
			continue
		}
		switch {
		case value == 0 && !c.cleared(clears, m.Dispatched, l.To):
			c.found(Lost, l.To, b.id, 0, "the register of %s is absent at %v, and message %d was saved at %v", name, l.To, i, m.Saved)
			return
		case value != 0 && w.Saved != 0 && w.Saved < m.Dispatched:
			c.found(Lost, l.To, b.id, 0, "the register of %s read at %v is of message %d, and message %d was saved after it at %v", name, l.To, value, i, m.Saved)
			return
		}
	}
}

// cleared reports whether the namespace may have ended between two times.
func (c *checker) cleared(clears []Act, from, to time.Duration) bool {
	return slices.ContainsFunc(clears, func(a Act) bool { return a.From < to && c.h.latest(a) > from })
}
