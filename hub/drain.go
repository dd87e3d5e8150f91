package hub

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// waves is how many parts connections are ended in, so that their clients
	// do not come back all at once.
	waves = 10

	// drainSpan is how long the waves of [Hub.Drain] take without a deadline.
	drainSpan = 10 * time.Second
)

// Drain ends all connections with [Restart], in jittered waves over four
// fifths of the time that ctx leaves (of 10 seconds without a deadline), and
// returns when all were removed. When ctx ends first, it ends the rest at once
// and returns an error that says how many were left.
//
// From its call on the hub takes no connections any more: those registered
// later are marked at once. It goes on acknowledging ends until Run returns; when
// it has no connections any more, the other nodes are told not to expect it.
func (h *Hub) Drain(ctx context.Context) error {
	h.draining.Store(true)
	span := drainSpan
	if deadline, ok := ctx.Deadline(); ok {
		span = max(0, time.Until(deadline)) * 4 / 5
	}
	h.endInWaves(ctx, h.registry.all(), Restart, span, func() bool { return true })
	h.end(h.registry.all(), Restart) // what is left if ctx ended the waves
	for h.registry.entries.Load() > 0 {
		select {
		case <-h.registry.empty:
		case <-ctx.Done():
			return fmt.Errorf("drain: %d connections left: %w", h.registry.entries.Load(), context.Cause(ctx))
		}
	}
	h.registry.signalEmpty() // another Drain may wait as well
	signal(h.pulse.now)
	return nil
}

// endInWaves ends connections within span, the first wave at once: nine
// steps of a tenth of span, give or take a tenth of that. It stops when ctx
// ends or proceed says so.
func (h *Hub) endInWaves(ctx context.Context, all []*Entry, r Reason, span time.Duration, proceed func() bool) {
	if len(all) == 0 {
		return
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	step := span / waves
	timer := time.NewTimer(0)
	defer timer.Stop()
	for wave := range slices.Chunk(all, (len(all)+waves-1)/waves) {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if !proceed() {
			return
		}
		h.end(wave, r)
		timer.Reset(jitter(step))
	}
}

// watchStale ends connections when the hub stays stale, but for those that fail
// open, until ctx ends.
func (h *Hub) watchStale(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var done time.Time // when connections were last ended for it
	for {
		var fire <-chan time.Time
		if since, stale := h.health.stale(); stale {
			if done.After(since) {
				since = done
			}
			timer.Reset(time.Until(since.Add(h.staleLimit)))
			fire = timer.C
		}
		select {
		case <-ctx.Done():
			return
		case <-h.health.changed:
		case <-fire:
			closed := slices.DeleteFunc(h.registry.all(), func(e *Entry) bool { return e.open.Load() })
			if len(closed) > 0 {
				h.log.Error("stale for too long: closing connections", "connections", len(closed))
			}
			h.endInWaves(ctx, closed, TryLater, h.staleLimit/2, func() bool { return !h.Fresh() })
			done = time.Now()
		}
	}
}
