package hub

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// shards is how many locks the registry spreads its entries over.
const shards = 64

// registry finds entries by session and by user.
type registry struct {
	seed    maphash.Seed
	shards  [shards]shard
	entries atomic.Int64  // registered now
	empty   chan struct{} // holds a token some time after entries became 0
}

// shard holds the keys of one hash.
type shard struct {
	mu       sync.RWMutex // guards the following fields and session.entries
	sessions map[key]*session
	users    map[key][]*Entry
}

// key is a session's root and id, or a root and a user.
type key struct{ root, name string }

// session is the connections of one session on this node. It is in the
// registry while it has any.
type session struct {
	key
	shard   *shard
	entries []*Entry  // guarded by the shard's mu
	room    [1]*Entry // of entries, for most
	due     due       // guarded by the expiry's mu
}

func newRegistry() *registry {
	return &registry{seed: maphash.MakeSeed(), empty: make(chan struct{}, 1)}
}

func (r *registry) shard(k key) *shard {
	return &r.shards[maphash.Comparable(r.seed, k)%shards]
}

// add registers e with the session of k and returns its place there.
func (r *registry) add(k key, e *Entry) (place int) {
	r.entries.Add(1)
	sh := r.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.sessions[k]
	if s == nil {
		if sh.sessions == nil {
			sh.sessions = make(map[key]*session)
		}
		s = &session{key: k, shard: sh, due: due{slot: -1}}
		s.entries = s.room[:0]
		sh.sessions[k] = s
	}
	place = 1
	if k.name != "" {
		for _, other := range s.entries {
			if p := other.phase.Load(); p == pending || p == live {
				place++
			}
		}
	}
	e.session = s
	s.entries = insert(s.entries, e, bySession)
	return place
}

// addUser lists e with its user, unless it was removed already.
func (r *registry) addUser(k key, e *Entry) {
	sh := r.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	// Remove sets the phase before it comes here: either it finds e listed,
	// or e is not listed any more.
	if e.phase.Load() == removed {
		return
	}
	if sh.users == nil {
		sh.users = make(map[key][]*Entry)
	}
	sh.users[k] = insert(sh.users[k], e, byUser)
}

// remove takes e out of its session and its user's list. The session goes with
// its last entry, under the lock that a new entry of it would need.
func (r *registry) remove(e *Entry, user key, x *expiry) {
	s := e.session
	sh := s.shard
	sh.mu.Lock()
	s.entries = cut(s.entries, e, bySession)
	if len(s.entries) == 0 {
		delete(sh.sessions, s.key)
		x.disarm(s)
	}
	sh.mu.Unlock()

	if user.name != "" {
		sh := r.shard(user)
		sh.mu.Lock()
		if e.at[byUser] >= 0 {
			if rest := cut(sh.users[user], e, byUser); len(rest) > 0 {
				sh.users[user] = rest
			} else {
				delete(sh.users, user)
			}
		}
		sh.mu.Unlock()
	}
	if r.entries.Add(-1) == 0 {
		r.signalEmpty()
	}
}

func (r *registry) signalEmpty() {
	select {
	case r.empty <- struct{}{}:
	default:
	}
}

// arm sets the deadline of s, if s still has entries.
func (r *registry) arm(s *session, left time.Duration, x *expiry) {
	if x.rearm(s, left) {
		return
	}
	s.shard.mu.RLock()
	defer s.shard.mu.RUnlock()
	if len(s.entries) > 0 {
		x.arm(s, left)
	}
}

// armKey sets the deadline of the session of k, if it has entries.
func (r *registry) armKey(k key, left time.Duration, x *expiry) {
	sh := r.shard(k)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	if s := sh.sessions[k]; s != nil {
		x.arm(s, left)
	}
}

// postpone asks about s after so long, if it still has entries.
func (r *registry) postpone(s *session, wait time.Duration, x *expiry) {
	s.shard.mu.RLock()
	defer s.shard.mu.RUnlock()
	if len(s.entries) > 0 {
		x.postpone(s, wait)
	}
}

// find appends the entries of a session to buf.
func (r *registry) find(k key, buf []*Entry) []*Entry {
	sh := r.shard(k)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	if s := sh.sessions[k]; s != nil {
		buf = append(buf, s.entries...)
	}
	return buf
}

// of appends the entries of s to buf, or those of the session that is in its place
// now. Without looking for it: it is what a look-up of everything does most.
func (r *registry) of(s *session, buf []*Entry) []*Entry {
	s.shard.mu.RLock()
	buf = append(buf, s.entries...)
	s.shard.mu.RUnlock()
	if len(buf) == 0 {
		return r.find(s.key, buf)
	}
	return buf
}

// countLive returns how many LIVE entries a session has.
func (r *registry) countLive(k key) (n int) {
	sh := r.shard(k)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	if s := sh.sessions[k]; s != nil {
		for _, e := range s.entries {
			if e.phase.Load() == live {
				n++
			}
		}
	}
	return n
}

// findUser appends the entries of a user to buf.
func (r *registry) findUser(k key, buf []*Entry) []*Entry {
	sh := r.shard(k)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return append(buf, sh.users[k]...)
}

// all returns every entry.
func (r *registry) all() []*Entry {
	all := make([]*Entry, 0, r.entries.Load())
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.RLock()
		for _, s := range sh.sessions {
			all = append(all, s.entries...)
		}
		sh.mu.RUnlock()
	}
	return all
}

// known returns every session that the store knows, by root.
func (r *registry) known() map[string][]*session {
	known := make(map[string][]*session)
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.RLock()
		for k, s := range sh.sessions {
			if k.name != "" {
				known[k.root] = append(known[k.root], s)
			}
		}
		sh.mu.RUnlock()
	}
	return known
}

// count returns how many sessions and users have entries.
func (r *registry) count() (sessions, users int) {
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.RLock()
		sessions += len(sh.sessions)
		users += len(sh.users)
		sh.mu.RUnlock()
	}
	return sessions, users
}

// Lists that an entry is in. Each entry knows its place in each list, so that
// it leaves a list of any length in no time.
const (
	bySession = iota
	byUser
	lists
)

func insert(list []*Entry, e *Entry, which int) []*Entry {
	e.at[which] = len(list)
	return append(list, e)
}

func cut(list []*Entry, e *Entry, which int) []*Entry {
	i, last := e.at[which], len(list)-1
	list[i] = list[last]
	list[i].at[which] = i
	e.at[which] = -1
	return slices.Delete(list, last, last+1)
}
