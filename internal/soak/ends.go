package soak

import (
	"slices"
	"time"
)

// end is one reason why a session is over, or the sockets of one login, or one
// socket.
type end struct {
	scope    Scope
	from     time.Duration // it may have taken effect since
	at       time.Duration // it has taken effect; Never: nobody can say when
	promised bool          // all nodes had marked their sockets by then
	socket   int           // not 0: this socket only
	opened   time.Duration // not 0: sockets that the client had before only
	here     Place         // not zero: on this node only,
	marked   bool          // there: for sockets that were open too; else for the cookie alone
	told     Place         // not zero: other nodes were not told
}

// ends reports whether e is about a socket.
func (e end) ends(n int, s *Socket) bool {
	switch {
	case e.socket != 0:
		return e.socket == n
	case e.opened != 0:
		return s.Opened != 0 && s.Opened < e.opened
	}
	return e.here == Place{}
}

// session reports whether after e the whole session is over, everywhere.
func (e end) session() bool { return e.socket == 0 && e.opened == 0 && e.here == Place{} }

// biography is all that a history has of one session.
type biography struct {
	id       string
	born     Login
	later    []Login // that raised its epoch
	expiry   *Expiry
	loads    []Load
	sockets  []int
	messages []int
	acts     []Act // that it asked for
	clears   []Act // of its namespace
	ends     []end
	owed     bool       // one of them was
	used     []activity // in order
}

// biographies returns the sessions whose beginning is known, in its order.
func (h *History) biographies() []*biography {
	var all []*biography
	byID, byUser := make(map[string]*biography), make(map[string][]*biography)
	for _, l := range h.Logins {
		if l.Outcome == Done && !l.Elevates {
			b := &biography{id: l.Session, born: l}
			all = append(all, b)
			byID[b.id], byUser[l.User] = b, append(byUser[l.User], b)
		}
	}
	for _, l := range h.Logins {
		if b := byID[l.Session]; b != nil && l.Elevates && l.Outcome != Refused {
			b.later = append(b.later, l)
		}
	}
	for _, x := range h.Expiries {
		if b := byID[x.Session]; b != nil && x.Outcome != Refused {
			b.expiry = &x
		}
	}
	for _, l := range h.Loads {
		if b := byID[l.Session]; b != nil {
			b.loads = append(b.loads, l)
		}
	}
	for i, s := range h.Sockets {
		if b := byID[s.Session]; b != nil {
			b.sockets = append(b.sockets, i)
		}
	}
	for i, m := range h.Messages {
		if b := byID[m.Session]; b != nil {
			b.messages = append(b.messages, i)
		}
	}
	for _, a := range h.Acts {
		if b := byID[a.By]; b != nil {
			b.acts = append(b.acts, a)
		}
		if a.Outcome != Refused {
			h.carryOut(a, byID, byUser)
		}
	}
	for _, b := range all {
		b.used = h.activities(b)
		for _, l := range b.later {
			if l.Outcome == Done {
				b.ends = append(b.ends, end{scope: elevated, from: l.From, at: l.To, opened: l.From})
			}
		}
		h.doubt(b)
		b.ends = append(b.ends, h.expires(b))
	}
	return all
}

// doubt is about ends that tell nobody of a session that is over already: those of
// all sessions of a user, and of the session of who asks, unless the store could not
// say whether it is.
func (h *History) doubt(b *biography) {
	for i, e := range b.ends {
		switch e.scope {
		case Others, All, Disabled, Replaced, This:
			if e.scope == This && b.owed {
				continue
			}
			if e.at != Never && !h.lives(b, Span{e.from, e.at}, e.from) {
				b.ends[i].at = Never
			}
		}
	}
}

// carryOut adds the ends that an act brings.
func (h *History) carryOut(a Act, byID map[string]*biography, byUser map[string][]*biography) {
	switch a.Scope {
	case This, Replaced:
		h.addEnd(a, byID[a.By])
	case One, Administrator:
		h.addEnd(a, byID[a.Target])
	case Namespace:
		if b := byID[a.By]; b != nil {
			b.clears = append(b.clears, a)
			b.owed = b.owed || a.Outcome == Owed
		}
	case Connection:
		if b := byID[h.Sockets[a.Socket].Session]; b != nil {
			b.ends = append(b.ends, end{scope: a.Scope, from: a.From, at: a.To, socket: a.Socket})
		}
	case Others, All, Disabled:
		for _, b := range byUser[a.User] {
			if (a.Scope != Others || b.id != a.By) && b.born.From < h.latest(a) {
				h.addEnd(a, b)
			}
		}
	}
}

// addEnd adds the end that an act is to a session.
func (h *History) addEnd(a Act, b *biography) {
	if b == nil {
		return
	}
	e := end{scope: a.Scope, from: a.From, at: Never}
	switch {
	case b.born.To >= a.From: // a login at the same time is before it or after it
	case a.Outcome == Done:
		e.at, e.promised = a.To, a.Expected > 0 && a.Acked == a.Expected
	case a.Outcome == Owed && h.certain(a, b):
		e.at = h.paid(a)
		b.ends = append(b.ends, end{scope: denied, from: a.From, at: a.To, here: a.At, marked: a.Acked > 0})
	}
	b.owed = b.owed || a.Outcome == Owed
	b.ends = append(b.ends, e)
}

// certain reports whether an end that is owed is to be carried out whatever
// happens meanwhile. It is not for what a visitor asked for about other
// sessions: who it was may have to be found out first, and the visitor's own
// session may be over by then. Nor is it for a session that is logged in to
// meanwhile: that one is another.
func (h *History) certain(a Act, b *biography) bool {
	own := a.Scope == This || a.Scope == All && a.By == b.id
	if !own && a.Scope != Administrator && a.Scope != Disabled {
		return false
	}
	return !slices.ContainsFunc(b.later, func(l Login) bool { return l.To >= a.From })
}

// latest returns when an act has taken effect, if it ever does.
func (h *History) latest(a Act) time.Duration {
	switch a.Outcome {
	case Done:
		return a.To
	case Owed:
		return min(h.paid(a), h.died(a.At))
	}
	return h.over(a.Span)
}

// paid returns when an end that is owed has been carried out, or [Never] when
// the node that owes it does not live that long.
func (h *History) paid(a Act) time.Duration {
	at := h.over(a.Span) + OwedRetry
	if next := h.over(Span{a.To, at}); next > at {
		at = next + OwedRetry // something else broke meanwhile
	}
	if h.died(a.At) <= at {
		return Never
	}
	return h.later(a.To, at)
}
