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
	at time.Time // when it came, by this node's clock
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

// newer reports whether a is a later state of a namespace than b.
func newer(a, b SpaceState) bool {
	return a.Generation > b.Generation || a.Generation == b.Generation && a.Version > b.Version
}

// whole reports whether the values of all namespaces are known.
func (r *Record) whole() bool {
	return len(r.Values) == len(r.Spaces) && !slices.ContainsFunc(r.Values, func(v Values) bool { return !v.Known() })
}

// offer takes over what is newer in rec than in the snapshot. Answers of the
// store may come in another order than it gave them, so each namespace goes by
// its own version; of the rest a later login counts more than the store's clock,
// which a failover may set back. rec may lack the values of some namespaces: of
// those that are newer the next message reads them.
func (l *live) offer(rec *Record) {
	for {
		old := l.snap.Load()
		next := &snapshot{Record: Record{State: rec.State, Match: MatchCurrent, Values: rec.Values}, at: time.Now()}
		if old == nil {
			if !rec.whole() {
				return
			}
		} else {
			if rec.Epoch < old.Epoch || rec.Epoch == old.Epoch && rec.Now.Before(old.Now) {
				next.State, next.at = old.State, old.at
			}
			next.Spaces, next.Values = slices.Clone(old.Spaces), slices.Clone(old.Values)
			for i, was := range old.Spaces {
				now := rec.Spaces[i]
				known := i < len(rec.Values) && rec.Values[i].Known()
				if newer(now, was) && !known {
					l.stale.Store(true)
				}
				if known && !newer(was, now) {
					next.Spaces[i], next.Values[i] = now, rec.Values[i]
				}
			}
		}
		if l.snap.CompareAndSwap(old, next) {
			return
		}
	}
}

// compare notices that the store has something newer.
func (l *live) compare(s *State) {
	snap := l.snap.Load()
	if snap == nil {
		return
	}
	if s.Epoch != snap.Epoch || !s.Expiry.equal(snap.Expiry) {
		l.stale.Store(true)
	}
	for i, now := range s.Spaces {
		if newer(now, snap.Spaces[i]) {
			l.stale.Store(true)
		}
	}
}
