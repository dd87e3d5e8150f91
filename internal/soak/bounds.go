package soak

import (
	"slices"
	"time"
)

// What is promised, counted from the end of a session. See the package's
// documentation.
const (
	// NormalDispatch is for ends that all nodes have acknowledged: what a busy
	// machine takes to get from the question whether a socket lives to its
	// handler. Where nobody waited for the nodes, as at a login, the notice has
	// as long as an acknowledgement may take.
	NormalDispatch = 50 * time.Millisecond
	NoticeDispatch = 250 * time.Millisecond
	NormalClose    = 300 * time.Millisecond

	LostDispatch = 3 * time.Second
	StaleClose   = 2500*time.Millisecond + 15*time.Second // found out, stale limit and jitter
	Revalidation = 66*time.Second + 4*time.Second         // 60 s, give or take a tenth, and the questions themselves

	// Recovery is how long a node may take, once nothing is broken any more,
	// until it has subscribed and looked everything up. A pause between two
	// attempts is at most 1.5 s.
	Recovery = 4 * time.Second

	// OwedRetry is how long it may take, once nothing is broken any more, until
	// an end is carried out that the store did not take. A pause between two
	// attempts is at most 2 s.
	OwedRetry = 4 * time.Second

	// SlowWay is how much later a notice may come under [Latency]: what waits in
	// front of it, and itself.
	SlowWay = 300 * time.Millisecond

	// receiving is what a client may take to note what was delivered to it.
	receiving = 200 * time.Millisecond

	// clocks is how far apart the clock of the history and Redis' may be, and
	// what a store and a timer round.
	clocks = 100 * time.Millisecond

	// working is how long a request or message may keep the store busy after
	// anybody has noted it, when nothing is broken: its deadline and one retry.
	working = 1500 * time.Millisecond
)

// verdict is until when a socket may do what, after an end.
type verdict struct {
	kind     FaultKind // that the end is put down to
	fault    *Fault    // nil: none
	dispatch time.Duration
	close    time.Duration
}

// judge says what is promised for a socket that was open, or being opened, at an
// end.
func (h *History) judge(e end, s *Socket) verdict {
	base := max(e.at, s.Opened)
	f := h.faultAt(s.At.Slot, Span{base, base + NormalClose})
	v := verdict{kind: Quiet, dispatch: base + NoticeDispatch, close: base + NormalClose}
	if f != nil {
		v.kind, v.fault = f.Kind, f
		switch f.Kind {
		case Flush, Drain: // nothing that carries notices is touched
		case Latency:
			slow := SlowWay
			if e.scope == expired {
				slow *= 4 // the store is asked first, over a connection that may have to be made
			}
			v.dispatch += slow
			v.close += slow
		default:
			v.dispatch = base + LostDispatch
			v.close = base + StaleClose
			if f.To < v.close {
				v.close = min(v.close, max(base, f.To)+Recovery)
			}
		}
	}
	if e.promised {
		v.dispatch = base + NormalDispatch
	}
	if e.told != (Place{}) && e.told != s.At {
		v.kind, v.dispatch, v.close = Untold, base+Revalidation, base+Revalidation
	}
	v.dispatch = h.later(base, v.dispatch)
	v.close = h.later(base, v.close)
	return v
}

// anyNode stands for all slots in faultAt.
const anyNode = -1

// faultAt returns a fault that concerns a node within a span, recovery
// included; the one that promises least, if there are several.
func (h *History) faultAt(slot int, during Span) *Fault {
	var found *Fault
	for i := range h.Faults {
		f := &h.Faults[i]
		if slot != anyNode && f.Slot >= 0 && f.Slot != slot || !during.meets(f.recovering()) {
			continue
		}
		if found == nil || found.Kind == Flush || found.Kind == Drain || found.Kind == Latency {
			found = f
		}
	}
	return found
}

// withBusy returns h with a fault for each time in which the machine stood still
// so much that a call of Redis may have missed its deadline.
func (h *History) withBusy() *History {
	const (
		window = time.Second
		much   = 250 * time.Millisecond
	)
	var found []Fault
	for i, s := range h.Stalls {
		var still time.Duration
		from := s.From
		for j := i; j >= 0 && h.Stalls[j].To > s.To-window; j-- {
			still += h.Stalls[j].To - h.Stalls[j].From
			from = h.Stalls[j].From
		}
		if still < much {
			continue
		}
		if n := len(found); n > 0 && from <= found[n-1].To {
			found[n-1].To = s.To
		} else {
			found = append(found, Fault{Kind: Busy, Slot: -1, Span: Span{from, s.To}})
		}
	}
	busy := *h
	busy.Faults = slices.Concat(h.Faults, found)
	return &busy
}

// recovering is the time of a fault and of what follows from it.
func (f *Fault) recovering() Span {
	if f.Kind == Flush || f.To == Never {
		return f.Span
	}
	return Span{f.From, f.To + Recovery}
}

// over returns when all faults are over that a span meets, or the span's own end.
// A command that somebody has given up may still wait on its way until then.
func (h *History) over(s Span) time.Duration {
	end := s.To
	for _, f := range h.Faults {
		if s.meets(f.Span) {
			end = max(end, f.To)
		}
	}
	return end
}

// later returns a bound that counts from the given time, without the time in
// which the machine stood still.
func (h *History) later(from, bound time.Duration) time.Duration {
	for _, s := range h.Stalls { // in order
		if s.To > from && s.From <= bound {
			bound += s.To - max(s.From, from)
		}
	}
	return bound
}

// died returns when a node's life ended, or [Never].
func (h *History) died(p Place) time.Duration {
	for _, n := range h.Nodes {
		if n.Place == p {
			return n.To
		}
	}
	return Never
}
