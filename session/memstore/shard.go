package memstore

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// memoryShards is among how many locks the sessions of a root are divided.
const memoryShards = 64

// root is the sessions of one root of a [Store].
type root struct {
	name   string
	clock  clock
	seed   maphash.Seed
	index  userIndex
	shards [memoryShards]shard
	hands  [memoryShards]atomic.Int64 // of the shards' wheels
}

func newRoot(name string) *root {
	m := &root{name: name, clock: newClock(), seed: maphash.MakeSeed()}
	for i := range m.shards {
		m.shards[i].wheel.hand = &m.hands[i]
		m.shards[i].turn = uint8(i)
	}
	return m
}

// shard is the sessions whose ids have one remainder. An operation holds
// the lock of one shard at a time.
type shard struct {
	mu       sync.Mutex // guards the following fields
	records  map[string]*record
	turn     uint8          // the shard that the next write sweeps
	ops      recent[uint64] // operations, by the checksums of their session and their own, combined
	replaced recent[string] // ids of sessions that a login replaced
	wheel    wheel
}
