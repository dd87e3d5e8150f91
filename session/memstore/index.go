package memstore

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// userIndex keeps which sessions a user has below one root, for a
// [Store]. An entry goes with its record. Its lock is taken with that of
// a shard held, never the other way round, and by no load and no save but
// those that renew a secret.
type userIndex struct {
	mu    sync.Mutex         // guards the following field, and each record's listing
	users map[string]*record // the one that was listed first, in a ring with the user's others
}

// listing is a record's place in its user's ring.
type listing struct {
	older, newer *record
	at           instant // 0: not listed
}

// relist takes a record out of its user's list, gives it other labels, and
// lists it at the user that these have, all in one step: whoever asks for a
// user's sessions finds it at one of the two.
func (x *userIndex) relist(r *record, l labels, now instant) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.unlink(r)
	r.joined = l.join()
	x.link(r, now)
}

// relabel gives a record other labels with the same user.
func (x *userIndex) relabel(r *record, l labels) {
	x.mu.Lock() // list reads the labels of others' records
	defer x.mu.Unlock()
	r.joined = l.join()
}

func (x *userIndex) add(r *record, now instant) {
	if r.user() == "" {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.link(r, now)
}

func (x *userIndex) remove(r *record) {
	if r.user() == "" {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.unlink(r)
}

func (x *userIndex) link(r *record, now instant) {
	user := r.user()
	if user == "" {
		return
	}
	r.listing.at = now
	oldest := x.users[user]
	if oldest == nil {
		if x.users == nil {
			x.users = make(map[string]*record)
		}
		r.listing.older, r.listing.newer = r, r
		x.users[strings.Clone(user)] = r // a key that keeps no labels alive
		return
	}
	newest := oldest.listing.older
	r.listing.older, r.listing.newer = newest, oldest
	newest.listing.newer, oldest.listing.older = r, r
}

func (x *userIndex) unlink(r *record) {
	if r.listing.at == 0 {
		return
	}
	user := r.user()
	older, newer := r.listing.older, r.listing.newer
	r.listing = listing{}
	if newer == r {
		delete(x.users, user)
		return
	}
	older.listing.newer, newer.listing.older = newer, older
	if x.users[user] == r {
		x.users[strings.Clone(user)] = newer
	}
}

// list returns the listed ids, the oldest listing first.
func (x *userIndex) list(user string, now instant) []session.Listing {
	x.mu.Lock()
	defer x.mu.Unlock()
	oldest := x.users[user]
	if oldest == nil {
		return nil
	}
	var list []session.Listing
	for r := oldest; ; {
		list = append(list, session.Listing{ID: r.id(), Age: now.sub(r.listing.at)})
		if r = r.listing.newer; r == oldest {
			return list
		}
	}
}

// len returns how many users have sessions.
func (x *userIndex) len() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.users)
}

// Listed implements [session.Store].
func (s *Store) Listed(_ context.Context, f *session.Family, user string) ([]session.Listing, error) {
	m := s.layouts.of(f).root
	return m.index.list(user, m.clock.instant(time.Now())), nil
}

// Raise implements [session.Store]. A login and its listing are one step: it holds the
// lock of its session until both are done, and that of the index while it
// lists. So either it was listed before and is in the answer, or it is listed
// after the raise and is a new one, and whoever then ends the sessions of the
// answer waits for its lock. None can be in progress, so there is no generation
// to keep.
func (s *Store) Raise(ctx context.Context, f *session.Family, user string) ([]session.Listing, error) {
	return s.Listed(ctx, f, user)
}

// Unlist implements [session.Store].
func (s *Store) Unlist(_ context.Context, f *session.Family, user string, age time.Duration, ids []string) error {
	for _, id := range ids {
		s.unlist(f, user, age, id)
	}
	return nil
}

func (s *Store) unlist(f *session.Family, user string, age time.Duration, id string) {
	v := s.visit(f, id)
	defer v.leave()
	// A listing changes only with its shard held, as it is here.
	if r := v.living(id); r != nil && r.user() == user && v.now.sub(r.listing.at) >= age {
		v.layout.root.index.remove(r)
	}
}
