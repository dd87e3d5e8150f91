package session

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// lives are the sessions that have open connections on this node.
type lives struct {
	mu   sync.RWMutex // guards the following fields, and live.holds
	byID map[liveKey]*live
}

type liveKey struct{ root, id string }

// live is one such session: a snapshot that its connections read, so that a
// message that changes nothing asks the store nothing. Every save on this node
// refreshes it; a save on another node is noticed by the next save here and by
// the hub's revalidation, and read again by the message after that.
type live struct {
	holds int
	snap  atomic.Pointer[snapshot]
	stale atomic.Bool // the store has something newer

	expired atomic.Bool // its end by time was told
}

// snapshot is a record and everything in it. It never changes.
type snapshot struct {
	Record
	at     time.Time // when it came, by this node's clock
	lapsed bool      // another server answers now, which may lack what is here
}

// acquire returns the session's live, which the caller holds until release.
func (ls *lives) acquire(key liveKey) *live {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.byID[key]
	if l == nil {
		if ls.byID == nil {
			ls.byID = make(map[liveKey]*live)
		}
		l = new(live)
		ls.byID[key] = l
	}
	l.holds++
	return l
}

func (ls *lives) release(key liveKey, l *live) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l.holds--; l.holds == 0 {
		delete(ls.byID, key)
	}
}

// get returns the session's live if it has open connections, else nil.
func (ls *lives) get(root, id string) *live {
	ls.mu.RLock()
	defer ls.mu.RUnlock()
	return ls.byID[liveKey{root, id}]
}

// lapse lets the next message of each session read it again: another server may have
// taken the place of the one that the snapshots come from.
func (ls *lives) lapse() {
	ls.mu.RLock()
	defer ls.mu.RUnlock()
	for _, l := range ls.byID {
		for old := l.snap.Load(); old != nil && !old.lapsed; old = l.snap.Load() {
			next := *old
			next.lapsed = true
			l.snap.CompareAndSwap(old, &next)
		}
		// Also without a snapshot: the answer that brings one may be on its way.
		l.stale.Store(true)
	}
}

// newer reports whether a is a later state of a namespace than b.
func newer(a, b SpaceState) bool {
	return a.Generation > b.Generation || a.Generation == b.Generation && a.Version > b.Version
}

// whole reports whether the values of all namespaces are known.
func (r *Record) whole() bool {
	return len(r.Values) == len(r.Spaces) && !slices.ContainsFunc(r.Values, func(v Values) bool { return !v.Known() })
}

// offer takes over what is newer in rec than in the snapshot. Answers of the store may
// come in another order than it gave them, so each namespace goes by its own version,
// and of the rest a later login counts more than the store's clock, which a failover
// may set back.
//
// A store can go back, though: a replica that became the master, a restart or a
// restored dump may lack the last writes, and with them versions, generations and
// logins. What is lower in an answer that was given later than all that the snapshot
// has is such a loss: one store that goes on counts upwards, and an answer that was
// overtaken was given earlier. Where the new server's clock is behind, or its versions
// have caught up with other values, the times say nothing; there [lives.lapse] says
// that the snapshot counts for nothing. An answer of the old server that comes even
// after that is found out by its versions, with the next one.
//
// rec may lack the values of some namespaces: of those that are not as in the snapshot
// the next message reads them.
func (l *live) offer(rec *Record) {
	for {
		old := l.snap.Load()
		next := &snapshot{Record: Record{State: rec.State, Match: MatchCurrent, Values: rec.Values}, at: time.Now()}
		if old == nil || old.lapsed {
			if !rec.whole() {
				// What is on its way may have been read before this was written.
				l.stale.Store(true)
				return
			}
		} else {
			later := rec.Now.After(old.Now)
			if !later && (rec.Epoch < old.Epoch || rec.Epoch == old.Epoch && rec.Now.Before(old.Now)) {
				next.State, next.at = old.State, old.at
			}
			next.Spaces, next.Values = slices.Clone(old.Spaces), slices.Clone(old.Values)
			for i, was := range old.Spaces {
				now := rec.Spaces[i]
				known := i < len(rec.Values) && rec.Values[i].Known()
				back := later && newer(was, now)
				if (newer(now, was) || back) && !known {
					l.stale.Store(true)
				}
				if known && (back || !newer(was, now)) {
					next.Spaces[i], next.Values[i] = now, rec.Values[i]
				}
			}
		}
		if l.snap.CompareAndSwap(old, next) {
			return
		}
	}
}

// compare notices that the store has something newer, or has gone back, as for offer.
func (l *live) compare(s *State) {
	snap := l.snap.Load()
	if snap == nil {
		return
	}
	if s.Epoch != snap.Epoch || !s.Expiry.equal(snap.Expiry) {
		l.stale.Store(true)
	}
	for i, now := range s.Spaces {
		if was := snap.Spaces[i]; newer(now, was) || newer(was, now) && s.Now.After(snap.Now) {
			l.stale.Store(true)
		}
	}
}
