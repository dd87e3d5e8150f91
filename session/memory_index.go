package session

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// userIndex keeps which sessions a user has, for a [MemoryStore], whose lock
// guards it. An entry goes with its record.
type userIndex struct {
	users map[userKey]map[string]listing
	last  uint64
}

// userKey names a user of one family.
type userKey struct{ root, user string }

// listing is when an id was listed. The number orders those of one moment.
type listing struct {
	number uint64
	at     time.Time
}

// add lists id anew.
func (x *userIndex) add(k userKey, id string, now time.Time) {
	if x.users == nil {
		x.users = make(map[userKey]map[string]listing)
	}
	ids := x.users[k]
	if ids == nil {
		ids = make(map[string]listing)
		x.users[k] = ids
	}
	x.last++
	ids[id] = listing{x.last, now}
}

func (x *userIndex) remove(k userKey, id string) {
	ids := x.users[k]
	delete(ids, id)
	if len(ids) == 0 {
		delete(x.users, k)
	}
}

// list returns the listed ids, the oldest listing first.
func (x *userIndex) list(k userKey, now time.Time) []Listing {
	ids := x.users[k]
	sorted := slices.SortedFunc(maps.Keys(ids), func(a, b string) int {
		return cmp.Compare(ids[a].number, ids[b].number)
	})
	list := make([]Listing, len(sorted))
	for i, id := range sorted {
		list[i] = Listing{ID: id, Age: now.Sub(ids[id].at)}
	}
	return list
}
