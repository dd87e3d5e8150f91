package soak

import (
	"cmp"
	"slices"
	"time"
)

// activity is what slides a session's deadline, or may.
type activity struct {
	Span           // To is the last moment at which it may
	sure      bool // it found the session
	confirmed time.Duration
}

// activities returns what a session was used for, in order.
func (h *History) activities(b *biography) []activity {
	var all []activity
	add := func(s Span, sure bool) {
		all = append(all, activity{Span{s.From, h.over(s)}, sure, s.To})
	}
	for _, l := range b.loads {
		if l.At.Slot >= 0 {
			add(l.Span, l.Answer == Found)
		}
	}
	for _, l := range b.later {
		add(l.Span, l.Outcome == Done)
	}
	if b.expiry != nil {
		add(b.expiry.Span, b.expiry.Outcome == Done)
	}
	for _, a := range b.acts {
		add(a.Span, false)
	}
	for _, i := range b.sockets {
		s := h.Sockets[i]
		until := max(s.Opened, s.Served)
		if until == 0 {
			until = s.Dialed + working
		}
		add(Span{s.Dialed, until}, s.Served != 0)
	}
	for _, i := range b.messages {
		m := h.Messages[i]
		switch {
		case m.Saved != 0:
			add(Span{m.Dispatched, m.Saved}, !h.Sockets[m.Socket].Quiet)
		case m.Reads && h.Sockets[m.Socket].Quiet:
		case m.Dispatched != 0:
			add(Span{m.Dispatched, m.Dispatched + working}, false)
		}
	}
	slices.SortFunc(all, func(x, y activity) int { return cmp.Compare(x.From, y.From) })
	return all
}

// expires says when a session has expired at the latest.
func (h *History) expires(b *biography) end {
	e := end{scope: expired}
	last := h.over(b.born.Span) // activity
	life := last + h.Rules.Life
	at := min(last+h.Rules.Idle, life)
	x := b.expiry
	for _, a := range b.used {
		if a.From > at+clocks {
			break // it was over before
		}
		for _, l := range b.later {
			if l.From == a.From && !l.Keeps {
				life = max(life, a.To+h.Rules.Life)
			}
		}
		last = max(last, a.To)
		next := last + h.Rules.Idle
		if x != nil && a.From >= x.From {
			own := x.Until
			if x.Idle > 0 {
				own = last + x.Idle
			}
			switch {
			case x.Outcome == Done:
				next, at = own, own // it takes the place of what was before
			default:
				next = max(next, own)
			}
		}
		at = min(max(at, next), life)
	}
	// Another node asks the store when the session would have ended without its
	// own expiry, and learns of a longer one then.
	if x != nil && x.Outcome == Done && at < h.over(x.Span)+h.Rules.Idle {
		e.told = x.At
	}
	e.from, e.at = at, at+clocks
	return e
}

// lives reports whether a session must be there all through a span, by what is
// known of it, for all that ends which began before some time have done.
func (h *History) lives(b *biography, s Span, before time.Duration) bool {
	for _, e := range b.ends {
		if e.scope != expired && (e.session() || e.here != Place{}) && e.from < before {
			return false
		}
	}
	began, idle := b.born.From, h.Rules.Idle
	for _, l := range b.later {
		if l.Outcome == Done && !l.Keeps && l.To <= s.From {
			began = l.From
		}
	}
	if x := b.expiry; x != nil && x.From <= s.To {
		if x.Idle > 0 {
			idle = min(idle, x.Idle)
		} else if x.Until <= s.To+clocks {
			return false
		}
	}
	if began+h.Rules.Life <= s.To+clocks {
		return false
	}
	used := b.born.From
	for _, a := range b.used {
		if a.sure && a.confirmed <= s.From {
			used = max(used, a.From)
		}
	}
	// Activity is recorded at most every tenth of the timeout.
	return s.To+clocks < used+idle*9/10
}
