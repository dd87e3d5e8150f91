package hub

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sessionhub/sessionhub/internal/failpoint"
)

// Sessions is the session store as the hub asks it. A *session.Manager is one.
type Sessions interface {
	// Recover comes before anything is looked up: after a gap, when the store's
	// server may have been replaced by one that does not know the newest ends,
	// and before each periodic revalidation. It repeats such ends. An error is
	// a failed revalidation.
	Recover(ctx context.Context, gap bool) error

	// Check asks about ids of one family and reports each of them once, in any
	// order. It reports from the calling goroutine, keeps neither ids nor the
	// right to report after it returned, and slides nothing. When it returns an
	// error, what it reported before still counts.
	Check(ctx context.Context, root string, ids []string, report Report) error
}

// Report takes what the store says of one session: whether it lives, and if so
// its epoch, how long it has left, and the generation of each of its
// namespaces. It does not keep the map.
type Report = func(id string, alive bool, epoch uint64, left time.Duration, generations map[string]uint64)

// How many ids one call of [Sessions] gets at most.
const (
	batch       = 1000
	gentleBatch = 50 // of a look-up that nobody waits for: what else is asked comes in between
)

// gently is which part of the interval a look-up takes that nobody waits for, when
// there are many sessions: else each would hold up what else the store and this node
// do, every minute.
const gently = 20

// Pauses between revalidations.
const (
	retryMin   = 100 * time.Millisecond // after a failed one, doubled with each
	retryMax   = 2 * time.Second
	doubtPause = time.Second // between those that unreadable notices set off
)

// revalidate looks everything up in the store until ctx ends: after each gap,
// after an unreadable notice, and from time to time.
func (h *Hub) revalidate(ctx context.Context, sessions Sessions) {
	var (
		failing time.Time // since when; zero: the last one succeeded
		retry   = retryMin
		started time.Time
		timer   = time.NewTimer(jitter(h.interval))
		next    = time.Now().Add(h.interval)
		hurry   bool
	)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-h.gapped:
		case <-h.doubted:
			hurry = true
			// The subscription is sound: whoever floods it with garbage does
			// not get to load the store as well.
			if wait := doubtPause - time.Since(started); wait > 0 {
				if wait < time.Until(next) {
					next = time.Now().Add(wait)
					timer.Reset(wait)
				}
				continue
			}
		}
		started = time.Now()
		err := h.revalidateOnce(ctx, sessions, hurry)
		hurry = false
		if ctx.Err() != nil {
			return
		}
		wait := max(jitter(h.interval)-time.Since(started), retryMin)
		if err == nil {
			failing, retry = time.Time{}, retryMin
		} else {
			h.failures.Add(1)
			h.log.Warn("revalidation did not succeed", "error", err)
			if failing.IsZero() {
				failing = started
			}
			if time.Since(failing) >= h.staleLimit && h.health.doubt() {
				h.log.Warn("stale: the store cannot be asked")
			}
			wait = min(wait, jitter(retry))
			retry = min(2*retry, retryMax)
		}
		next = time.Now().Add(wait)
		timer.Reset(wait)
	}
}

// revalidateOnce asks about every session with a connection here, and makes
// the hub fresh if nothing can have been missed since it began. After a gap, and when
// told to hurry, it takes no pauses.
func (h *Hub) revalidateOnce(ctx context.Context, sessions Sessions, hurry bool) error {
	for _, topic := range h.ownTopics()[h.joined:] {
		if err := h.broker.Subscribe(ctx, topic); err != nil {
			return fmt.Errorf("subscribe for this node: %w", err)
		}
		if h.joined++; h.joined == len(h.ownTopics()) {
			h.health.join()
			close(h.pulse.joined)
			signal(h.pulse.now)
		}
	}
	// Not from what woke us: after a gap the timer may have come first.
	turn, gap := h.health.begin()
	h.suspect.Store(false)
	began := time.Now()
	if gap {
		failpoint.Hit(failpoint.GapSubscribed)
	}
	if err := h.recover(ctx, sessions, gap); err != nil {
		return err
	}
	all, n := h.registry.known(), 0
	for _, known := range all {
		n += len(known)
	}
	size, pause := batch, time.Duration(0)
	if !gap && !hurry {
		size, pause = gentleBatch, h.interval/gently/time.Duration(n/gentleBatch+1)
	}
	var errs []error
	var rested time.Duration
	for root, known := range all {
		for part := range slices.Chunk(known, size) {
			if err := h.ask(ctx, sessions, root, part, nil); err != nil {
				// The rest of this family would not fare better.
				errs = append(errs, fmt.Errorf("family %q: %w", root, err))
				break
			}
			if len(part) == size && pause > 0 {
				before := time.Now()
				if !h.rest(ctx, pause) {
					return errors.Join(errs...) // the one that is wanted now asks for everything
				}
				rested += time.Since(before)
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	h.revalidations.Add(1)
	h.took.Store(int64(time.Since(began) - rested))
	if h.health.looked(turn) {
		h.log.Info("fresh", "sessions", n, "took", time.Since(began))
	}
	return nil
}

// rest pauses, and reports whether the look-up goes on: another one may be wanted at
// once.
func (h *Hub) rest(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-h.gapped:
		signal(h.gapped)
	case <-h.doubted:
		signal(h.doubted)
	case <-ctx.Done():
	}
	return false
}

// recover has ends repeated that the store may have lost. It is given up after
// the stale limit.
func (h *Hub) recover(ctx context.Context, sessions Sessions, gap bool) error {
	ctx, cancel := context.WithTimeout(ctx, h.staleLimit)
	defer cancel()
	if err := sessions.Recover(ctx, gap); err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	return nil
}

// ask has some sessions of a root checked and applies what is reported. A check that
// takes longer than the stale limit is given up.
func (h *Hub) ask(ctx context.Context, sessions Sessions, root string, part []*session, reported func(id string)) error {
	ctx, cancel := context.WithTimeout(ctx, h.staleLimit)
	defer cancel()
	ids := make([]string, len(part))
	for i, s := range part {
		ids[i] = s.name
	}
	n := 0
	var entries []*Entry
	err := sessions.Check(ctx, root, ids, func(id string, alive bool, epoch uint64, left time.Duration, generations map[string]uint64) {
		if n == 0 {
			failpoint.Hit(failpoint.GapAsked)
		}
		if n < len(part) && part[n].name == id { // in any order, but nearly always in this one
			entries = h.registry.of(part[n], entries[:0])
		} else {
			entries = h.registry.find(key{root, id}, entries[:0])
		}
		n++
		h.apply(entries, alive, epoch, left, generations)
		if reported != nil {
			reported(id)
		}
	})
	if err == nil && n < len(part) {
		err = fmt.Errorf("%w: %d of %d", errSilent, len(part)-n, len(part))
	}
	return err
}

// apply carries out what the store says of one session on its entries. What is
// older than a connection here does it no harm: an id that once was dead stays so,
// and epochs and generations only rise.
func (h *Hub) apply(entries []*Entry, alive bool, epoch uint64, left time.Duration, generations map[string]uint64) {
	if len(entries) == 0 {
		return
	}
	s := entries[0].session
	if !alive {
		reason := SessionEnded
		if h.expiry.passed(s) >= 0 {
			reason = SessionExpired
		}
		h.end(entries, reason)
		return
	}
	over := false
	for _, e := range entries {
		if e.passes(epoch, generations) {
			continue
		}
		over = true
		e.renew(epoch)
		for name, g := range generations {
			e.lose(name, g)
		}
	}
	if over {
		h.closers.close(entries...)
	}
	h.registry.arm(s, left, h.expiry)
}

// end marks all entries, and then closes them.
func (h *Hub) end(entries []*Entry, r Reason) {
	for _, e := range entries {
		e.mark(r)
	}
	h.closers.close(entries...)
}

// jitter returns d, give or take a tenth.
func jitter(d time.Duration) time.Duration {
	return d*9/10 + rand.N(d/5+1)
}
