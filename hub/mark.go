package hub

import "slices"

// mark ends the entry for r and tells the connection. It reports whether it
// was this call that did.
func (e *Entry) mark(r Reason) bool {
	e.mu.Lock()
	if e.ended || e.phase.Load() == removed {
		e.mu.Unlock()
		return false
	}
	e.ended, e.reason = true, r
	e.phase.Store(dead)
	e.mu.Unlock()
	e.conn.Mark(r)
	e.hub.marked.Add(1)
	e.mu.Lock()
	e.marked = true
	e.mu.Unlock()
	return true
}

// claim gives the caller the right to close the connection, once it is marked.
// Whoever is still inside mark closes it later.
func (e *Entry) claim() (Reason, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.marked || e.closing || e.phase.Load() == removed {
		return Reason{}, false
	}
	e.closing = true
	return e.reason, true
}

// renew marks the entry if its epoch is below the given one, and remembers the
// bound if its epoch is not known yet.
func (e *Entry) renew(below uint64) bool {
	e.mu.Lock()
	e.below = max(e.below, below)
	over := e.admitted && e.epoch < e.below
	e.mu.Unlock()
	return over && e.mark(SessionRenewed)
}

// passes does for an admitted entry that loses nothing what renew and lose would,
// with one lock for all of them, and reports whether it is such a one. Nearly every
// entry is when it is looked up.
func (e *Entry) passes(epoch uint64, generations map[string]uint64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.below = max(e.below, epoch)
	if !e.admitted || e.ended || e.epoch < e.below {
		return false
	}
	for i := range e.spaces {
		s := &e.spaces[i]
		s.below = max(s.below, generations[s.name])
		if s.held && s.generation < s.below {
			return false
		}
	}
	return true
}

// lose takes a namespace from the entry if its generation is below the given
// one, or remembers the bound as renew does. It reports whether the entry was
// marked, because it holds none any more.
func (e *Entry) lose(namespace string, below uint64) bool {
	e.mu.Lock()
	i := slices.IndexFunc(e.spaces, func(s space) bool { return s.name == namespace })
	if i < 0 {
		e.mu.Unlock()
		return false
	}
	s := &e.spaces[i]
	s.below = max(s.below, below)
	if !e.admitted || !s.held || s.generation >= s.below || e.errLocked() != nil {
		e.mu.Unlock()
		return false
	}
	s.held = false
	subs := e.takeLocked(func(s *subscription) bool { return s.namespace == namespace })
	holds := slices.ContainsFunc(e.spaces, func(s space) bool { return s.held })
	e.mu.Unlock()

	e.hub.topics.drop(subs)
	e.conn.Lose(namespace)
	return !holds && e.mark(SessionEnded)
}
