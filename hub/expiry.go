package hub

import (
	"container/heap"
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"
)

// expiryRetry is how long sessions whose deadline passed wait for the next
// question when the store did not answer.
const expiryRetry = 500 * time.Millisecond

// expiry knows when each session with a connection here ends if nothing slides
// it. One timer serves all: at a deadline the store is asked, because another
// tab or node may have slid it.
type expiry struct {
	base time.Time // of moments

	mu    sync.Mutex // guards the following fields and session.due
	queue dueQueue
	wake  chan struct{} // holds a token when the first of the queue changed
}

// moment is a time of an expiry, as the time since its base.
type moment time.Duration

// forever is as far as a moment lies in the future: later ones are like it.
const forever = 100 * 365 * 24 * time.Hour

// due is when a session is asked about.
type due struct {
	known    bool
	deadline moment // once known
	at       moment // the deadline, or later when the store did not answer
	queued   moment // where it stands in the queue: at, or what was at before
	slot     int    // in the queue, or -1
}

func newExpiry() *expiry { return &expiry{base: time.Now(), wake: make(chan struct{}, 1)} }

func (x *expiry) now() moment { return moment(time.Since(x.base)) }

// arm sets the deadline of s, which is in the registry.
func (x *expiry) arm(s *session, left time.Duration) {
	now := x.now()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.armLocked(s, now, left)
}

// rearm sets the deadline of s if it has one, and reports whether that was so:
// then s is in the registry.
func (x *expiry) rearm(s *session, left time.Duration) bool {
	now := x.now()
	x.mu.Lock()
	defer x.mu.Unlock()
	if s.due.slot < 0 {
		return false
	}
	x.armLocked(s, now, left)
	return true
}

func (x *expiry) armLocked(s *session, now moment, left time.Duration) {
	left = min(left, forever)
	s.due.known, s.due.deadline = true, now+moment(left)
	// A store that says "alive" and "no time left" in one breath is asked
	// again, but not in a loop.
	x.set(s, now+moment(max(left, time.Millisecond)))
}

// postpone asks about s again after so long. Its deadline stays.
func (x *expiry) postpone(s *session, wait time.Duration) {
	now := x.now()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.set(s, now+moment(wait))
}

func (x *expiry) set(s *session, at moment) {
	s.due.at = at
	switch {
	case s.due.slot < 0:
		s.due.queued = at
		heap.Push(&x.queue, s)
	case at < s.due.queued:
		s.due.queued = at
		heap.Fix(&x.queue, s.due.slot)
	default:
		// Nearly every deadline that is set is a later one. It finds its place
		// when the one before it comes.
		return
	}
	if x.queue[0] == s {
		select {
		case x.wake <- struct{}{}:
		default:
		}
	}
}

// disarm forgets s.
func (x *expiry) disarm(s *session) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s.due.slot >= 0 {
		heap.Remove(&x.queue, s.due.slot)
	}
}

// passed returns for how long the known deadline of s has passed; negative
// while it has not, or none is known.
func (x *expiry) passed(s *session) time.Duration {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !s.due.known {
		return math.MinInt64
	}
	return time.Duration(x.now() - s.due.deadline)
}

// take takes the sessions that are due out of the queue, and says when to come
// again; false: nothing is armed.
func (x *expiry) take() (due []*session, wait time.Duration, armed bool) {
	now := x.now()
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.queue) > 0 {
		s := x.queue[0]
		switch {
		case s.due.queued > now:
			return due, time.Duration(s.due.queued - now), true
		case s.due.at > now:
			s.due.queued = s.due.at
			heap.Fix(&x.queue, 0)
		default:
			due = append(due, heap.Pop(&x.queue).(*session))
		}
	}
	return due, 0, false
}

// Expect says that a session now ends after left, if nothing slides it: its
// connections here close soon after that, unless the store knows better. Nothing
// happens for a session without connections here.
func (h *Hub) Expect(root, id string, left time.Duration) {
	h.registry.armKey(key{root, id}, left, h.expiry)
}

// expire runs the timer until ctx ends.
func (h *Hub) expire(ctx context.Context, store Sessions) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var retry time.Time // nothing is asked before that; zero: the store answered last time
	for {
		due, wait, armed := h.expiry.take()
		if len(due) > 0 && time.Now().Before(retry) {
			// The store does not answer: these wait for the others' turn.
			h.postpone(due, time.Until(retry))
			continue
		}
		if len(due) > 0 {
			waiting, err := h.askExpired(ctx, store, due)
			if ctx.Err() != nil {
				return
			}
			switch {
			case err == nil && !retry.IsZero():
				h.log.Info("store answers about expired sessions again")
				retry = time.Time{}
			case err != nil && retry.IsZero():
				h.log.Warn("store did not answer about expired sessions; more of this is not logged", "error", err)
			}
			if err != nil {
				retry = time.Now().Add(jitter(expiryRetry))
				h.postpone(waiting, time.Until(retry))
			}
			continue
		}
		var fire <-chan time.Time
		if armed {
			timer.Reset(wait)
			fire = timer.C
		}
		select {
		case <-ctx.Done():
			return
		case <-h.expiry.wake:
		case <-fire:
		}
	}
}

// askExpired asks about sessions whose deadline has come. The answer ends them
// or arms them again. It returns those without an answer, and why there is none;
// after the stale limit it is not safe to go on without knowing, and they end.
func (h *Hub) askExpired(ctx context.Context, store Sessions, due []*session) (silent []*session, err error) {
	byRoot := make(map[string][]*session)
	for _, s := range due {
		byRoot[s.root] = append(byRoot[s.root], s)
	}
	for root, sessions := range byRoot {
		for part := range slices.Chunk(sessions, batch) {
			waiting := make(map[string]*session, len(part))
			for _, s := range part {
				waiting[s.name] = s
			}
			why := h.ask(ctx, store, root, part, func(id string) { delete(waiting, id) })
			if why == nil || ctx.Err() != nil {
				continue
			}
			err = why
			for _, s := range waiting {
				if h.expiry.passed(s) >= h.staleLimit {
					h.end(h.registry.find(s.key, nil), TryLater)
				} else {
					silent = append(silent, s)
				}
			}
		}
	}
	return silent, err
}

// postpone has sessions asked about again after wait, all together.
func (h *Hub) postpone(sessions []*session, wait time.Duration) {
	for _, s := range sessions {
		h.registry.postpone(s, wait, h.expiry)
	}
}

// errSilent says that a check left ids out.
var errSilent = errors.New("check did not report all ids")

// dueQueue is a heap by due.queued.
type dueQueue []*session

func (q dueQueue) Len() int           { return len(q) }
func (q dueQueue) Less(i, j int) bool { return q[i].due.queued < q[j].due.queued }

func (q dueQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].due.slot, q[j].due.slot = i, j
}

func (q *dueQueue) Push(s any) {
	s.(*session).due.slot = len(*q)
	*q = append(*q, s.(*session))
}

func (q *dueQueue) Pop() any {
	old := *q
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	s.due.slot = -1
	return s
}
