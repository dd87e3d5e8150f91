package hub

import (
	"sync"
	"sync/atomic"
	"time"
)

// health says whether this node can know of ends: fresh, or stale since when.
// It is fresh when the broker is subscribed and everything was revalidated
// after that.
type health struct {
	fresh atomic.Bool // written under mu

	mu         sync.Mutex // guards the following fields
	subscribed bool
	turn       uint64    // changes whenever subscribed is set
	since      time.Time // of being stale
	stopped    bool

	back    chan struct{} // closed while the node is fresh; guarded by mu
	changed chan struct{} // holds a token when fresh changed
}

func newHealth() *health {
	return &health{back: make(chan struct{}), changed: make(chan struct{}, 1)}
}

// wait returns a channel that is closed when the node is fresh.
func (s *health) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.back
}

// start begins the time of being stale.
func (s *health) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since = time.Now()
}

// subscribe notes what the broker says of its connection.
func (s *health) subscribe(ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscribed = ok
	s.turn++
	if !ok {
		s.set(false)
	}
}

// begin returns the turn that a revalidation which begins now belongs to.
func (s *health) begin() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.turn
}

// proved makes the node fresh after a revalidation, unless the connection was
// lost or made anew since that began. It reports whether the node was stale
// before and is not now.
func (s *health) proved(turn uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.subscribed || s.turn != turn || s.stopped {
		return false
	}
	return s.set(true)
}

// doubt makes the node stale until the next revalidation proves otherwise.
func (s *health) doubt() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set(false)
}

// stop makes the node stale for good.
func (s *health) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	s.set(false)
}

// stale returns since when the node is stale.
func (s *health) stale() (since time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.since, !s.fresh.Load()
}

func (s *health) set(fresh bool) (changed bool) {
	if s.fresh.Load() == fresh {
		return false
	}
	s.fresh.Store(fresh)
	if fresh {
		close(s.back)
	} else {
		s.back = make(chan struct{})
		s.since = time.Now()
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return true
}
