package hub

import (
	"sync"
	"sync/atomic"
	"time"
)

// staleBeats is how many heartbeats old the newest proof of the subscription
// may be.
const staleBeats = 2.5

// health says whether this node can know of ends: fresh, or stale since when.
// It is fresh while all of this holds: the broker is subscribed; everything was
// looked up after that; and a heartbeat of its own that was sent after that,
// and not longer ago than the limit, has come back.
type health struct {
	limit time.Duration // how old the newest proof may be
	base  time.Time     // of until

	// until is when the node becomes stale unless something proves the
	// contrary, in nanoseconds after base; 0 while it is stale. Written under
	// mu. Who reads it compares it with the clock: a process that was stopped
	// must not believe what was true before.
	until atomic.Int64

	stales atomic.Uint64 // how often the node became stale

	mu         sync.Mutex // guards the following fields
	subscribed bool
	joined     bool      // to the topic that brings heartbeats
	begun      time.Time // since when heartbeats can come back; of this turn
	first      time.Time // when the first one that came back was sent; zero: none in this turn
	heard      time.Time // the same of the newest
	newest     time.Time // the same of the newest of any turn
	turn       uint64    // changes whenever subscribed is set
	known      bool      // everything was looked up in this turn
	since      time.Time // of being stale
	stopped    bool

	back    chan struct{} // closed while the node is fresh; guarded by mu
	changed chan struct{} // holds a token when the node became fresh or stale
	armed   chan struct{} // holds a token when silence begins to count
}

func newHealth(heartbeat time.Duration) *health {
	return &health{
		limit:   time.Duration(staleBeats * float64(heartbeat)),
		base:    time.Now(),
		back:    make(chan struct{}),
		changed: make(chan struct{}, 1),
		armed:   make(chan struct{}, 1),
	}
}

// fresh costs an atomic load and a look at the clock. The clock comes last: the
// process may be stopped in between.
func (s *health) fresh() bool { return s.until.Load() > int64(time.Since(s.base)) }

// wait returns a channel that is closed when the node is fresh.
func (s *health) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	return s.back
}

// start begins the time of being stale.
func (s *health) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since = time.Now()
}

// join says that heartbeats can come back as soon as there is a subscription.
func (s *health) join() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joined, s.begun = true, time.Now()
	signal(s.armed)
}

// subscribe notes what the broker says of its connection, and returns what was
// so before.
func (s *health) subscribe(ok bool) (before bool) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	before = s.subscribed
	s.turnTo(ok, now)
	return before
}

func (s *health) turnTo(subscribed bool, now time.Time) {
	s.subscribed = subscribed
	s.turn++
	s.begun, s.first, s.heard, s.known = now, time.Time{}, time.Time{}, false
	s.settle(now)
	signal(s.armed)
}

// begin returns the turn that a revalidation which begins now belongs to, and
// whether it is the first of it: there was a gap.
func (s *health) begin() (turn uint64, gap bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.turn, !s.known
}

// looked notes a revalidation, unless the connection was lost or made anew
// since that began. It reports whether the node has become fresh by it.
func (s *health) looked(turn uint64) (becameFresh bool) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.subscribed || s.turn != turn {
		return false
	}
	s.known = true
	return s.settle(now) && s.until.Load() > 0
}

// proof is what a heartbeat of this node that came back is worth.
type proof struct {
	good  bool // newer than the last one
	first bool // of this turn
	fresh bool // the node has become fresh by it
}

// beat notes that a heartbeat of this node came back. One that was sent before
// the connection was complete proves nothing, and when the silence was too long
// none does: it is a gap then, whoever notices first.
func (s *health) beat(sent time.Time) (p proof) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.subscribed || sent.Before(s.begun) || !sent.After(s.heard) || !now.Before(s.deadline()) {
		return proof{}
	}
	first := s.heard.IsZero()
	if first {
		s.first = sent
	}
	s.heard, s.newest = sent, sent
	fresh := s.settle(now) && s.until.Load() > 0
	return proof{true, first, fresh}
}

// deadline is when the silence will have been too long.
func (s *health) deadline() time.Time {
	if s.heard.After(s.begun) {
		return s.heard.Add(s.limit)
	}
	return s.begun.Add(s.limit)
}

// silence reports whether the silence has been too long, and ends the turn
// then; else it returns how long it may last, and 0 if it does not count.
func (s *health) silence() (left time.Duration, over bool) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch left = s.deadline().Sub(now); {
	case !s.subscribed || !s.joined || s.stopped:
		return 0, false
	case left > 0:
		return left, false
	}
	s.turnTo(false, now)
	return 0, true
}

// hears reports whether what other nodes answer would come.
func (s *health) hears() bool {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hearsAt(now)
}

// hearsAll reports whether every other node that is fresh must have been heard:
// what was sent within the limit has come, and who sent nothing in that time is
// stale, where only connections that fail open go on.
func (s *health) hearsAll() bool {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hearsAt(now) && s.heard.Sub(s.first) >= s.limit
}

func (s *health) hearsAt(now time.Time) bool {
	return s.subscribed && !s.heard.IsZero() && now.Before(s.deadline()) && !s.stopped
}

// attached reports whether the broker has a place for this node.
func (s *health) attached() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.subscribed && !s.stopped
}

// lag returns how old the newest proof is; 0 if there was none yet.
func (s *health) lag() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest.IsZero() {
		return 0
	}
	return time.Since(s.newest)
}

// doubt makes the node stale until the next revalidation proves otherwise.
func (s *health) doubt() bool {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = false
	return s.settle(now)
}

// stop makes the node stale for good.
func (s *health) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	s.settle(time.Now())
}

// stale returns since when the node is stale; a zero time before Run.
func (s *health) stale() (since time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	return s.since, s.until.Load() == 0
}

// settle makes until what follows from the other fields, and reports whether
// the node became fresh or stale by that.
func (s *health) settle(now time.Time) (changed bool) {
	until := int64(0)
	if s.subscribed && s.known && !s.stopped && !s.heard.IsZero() && now.Before(s.deadline()) {
		until = int64(s.deadline().Sub(s.base))
	}
	if before := s.until.Swap(until); (before > 0) == (until > 0) {
		return false
	}
	if until > 0 {
		close(s.back)
	} else {
		s.back = make(chan struct{})
		s.since = now
		if !s.stopped {
			s.stales.Add(1)
		}
	}
	signal(s.changed)
	return true
}
