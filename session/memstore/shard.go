package memstore

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/sessionhub/sessionhub/session"
)

// memoryShards is among how many locks the sessions of a root are divided.
const memoryShards = 64

// root is the sessions of one root of a [Store].
type root struct {
	family *session.Family // that it was first asked for with
	clock  clock
	seed   maphash.Seed
	index  userIndex
	shards [memoryShards]shard
	hands  [memoryShards]atomic.Int64 // of the shards' wheels
}

// shard is the sessions whose ids have one remainder. An operation holds
// the lock of one shard at a time.
type shard struct {
	mu       sync.Mutex // guards the following fields
	records  map[string]*record
	turn     uint8 // the shard that the next write sweeps
	ops      recent[opSum]
	replaced recent[string] // ids of sessions that a login replaced
	answers  answers
	wheel    wheel
}

// opSum stands for an operation of a session: the checksums of both. Two of one
// session are taken for one with a probability of 2⁻⁶⁴.
type opSum struct{ id, op uint64 }

// roots are a copy-on-write list: there are few, and they stay.
type roots struct {
	list atomic.Pointer[[]*root]
	mu   sync.Mutex // held to make another list
}

func (x *roots) all() []*root {
	if list := x.list.Load(); list != nil {
		return *list
	}
	return nil
}

// of returns the root of a family, and makes it the first time.
func (x *roots) of(f *session.Family) *root {
	name := f.Root().Name
	for _, m := range x.all() {
		if m.family.Root().Name == name {
			return m
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	list := x.all()
	for _, m := range list {
		if m.family.Root().Name == name {
			return m
		}
	}
	m := &root{family: f, clock: newClock(), seed: maphash.MakeSeed()}
	for i := range m.shards {
		m.shards[i].wheel.hand = &m.hands[i]
		m.shards[i].turn = uint8(i)
	}
	list = append(list[:len(list):len(list)], m)
	x.list.Store(&list)
	return m
}
