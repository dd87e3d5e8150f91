package soak_test

import (
	"context"
	"sync"
	"time"

	"github.com/sessionhub/sessionhub/internal/soak"
)

// recorder writes the history of a run, from any goroutine.
type recorder struct {
	began time.Time

	mu   sync.Mutex // guards the following fields
	h    soak.History
	over bool
}

func newRecorder(rules soak.Rules) *recorder {
	return &recorder{
		began: time.Now().Add(-time.Millisecond), // no time is 0, which says that something did not happen
		h:     soak.History{Rules: rules, Sockets: make([]soak.Socket, 1), Messages: make([]soak.Message, 1)},
	}
}

func (r *recorder) now() time.Duration { return time.Since(r.began) }

// note changes the history, unless the run is over.
func (r *recorder) note(fn func(h *soak.History)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.over {
		fn(&r.h)
	}
}

// history ends the recording and returns it.
func (r *recorder) history() *soak.History {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	r.h.End = r.now()
	return &r.h
}

// watchStalls notes when this process did not get to run, until ctx ends.
func (r *recorder) watchStalls(ctx context.Context) {
	const (
		beat = 10 * time.Millisecond
		late = 30 * time.Millisecond
	)
	tick := time.NewTicker(beat)
	defer tick.Stop()
	last := r.now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := r.now()
		if now-last > beat+late {
			r.note(func(h *soak.History) { h.Stalls = append(h.Stalls, soak.Span{From: last, To: now}) })
		}
		last = now
	}
}
