package hub

import (
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// peerBeats is how many of its own intervals a node may be silent before
	// nobody waits for its answers any more.
	peerBeats = 3

	// maxBeat is the longest interval of a heartbeat that counts: who tells of
	// a longer one, and is not heard again, is not expected for longer.
	maxBeat = 30 * time.Second

	// maxPeers is how many other nodes are known at most.
	maxPeers = 4096
)

// peers are the other nodes, as their heartbeats tell.
//
// Their silence counts only while this node hears itself: it looks at them
// whenever a heartbeat of its own came back. Else a subscription that brings
// nothing would make it believe that it is alone.
type peers struct {
	mu    sync.Mutex // guards the following field
	known map[string]peer
}

// peer is another node.
type peer struct {
	name  string
	every time.Duration
	last  time.Time // when its newest heartbeat came
}

func newPeers() *peers { return &peers{known: make(map[string]peer)} }

// heard notes a heartbeat, and reports whether it is of somebody new.
func (s *peers) heard(node, name string, every time.Duration) (isNew bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, old := s.known[node]
	if !old && len(s.known) == maxPeers {
		return false
	}
	s.known[node] = peer{name, min(every, maxBeat), time.Now()}
	return !old
}

// forget takes out a node that said goodbye.
func (s *peers) forget(node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, node)
}

// tick says that this node hears itself, for the first time after a gap or
// still, and returns the names of those that it does not hear any more. After
// a gap the others get time to be heard again.
func (s *peers) tick(first bool) (lost []string) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for node, p := range s.known {
		switch {
		case first:
			p.last = now
			s.known[node] = p
		case now.Sub(p.last) >= peerBeats*p.every:
			delete(s.known, node)
			lost = append(lost, p.name)
		}
	}
	return lost
}

// expected returns the other nodes that can be expected to answer.
func (s *peers) expected() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.known))
}

// count returns how many nodes there are, this one included.
func (s *peers) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return 1 + len(s.known)
}
