package redisstore

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

// How saves share trips. Both a connection and Redis' loop cost more for a trip
// than the save itself when there are many; when there are few, to wait for
// others only costs time.
const (
	maxTrips  = 16  // under way, before a save has to wait for one of them
	minShared = 16  // saves that make a trip of their own worth while
	maxShared = 128 // saves of one trip: below a connection's timeouts by far
	maxFlocks = 2   // shared trips under way: Redis works on one while another is read
)

// group lets the saves of one node share trips: group commit. While there are
// few, each goes by itself and none waits. Those that find [maxTrips] under
// way wait, and go together as soon as they are [minShared]; when they stay
// fewer, each goes by itself as soon as a trip is back.
//
// Whoever completes a group sends it, in a goroutine that ends with the trip.
type group struct {
	send    func(ctx context.Context, calls []call) []*redis.Cmd
	alone   bool           // each save goes by itself, and none waits
	sending sync.WaitGroup // of the goroutines; none is added once closed

	mu      sync.Mutex // guards the following fields
	waiting []*passenger
	trips   int // under way, shared or not
	shared  int // of them
	closed  bool
}

// passenger is a save that waits for a trip.
type passenger struct {
	call call
	told chan *redis.Cmd // of a shared trip; nil: go by yourself
}

// run carries out a call, alone or with others.
func (g *group) run(ctx context.Context, c call) (*redis.Cmd, error) {
	if g.alone {
		return g.send(ctx, []call{c})[0], nil
	}
	g.mu.Lock()
	if len(g.waiting) > 0 || g.shared > 0 || g.trips >= maxTrips {
		p := &passenger{c, make(chan *redis.Cmd, 1)}
		g.waiting = append(g.waiting, p)
		g.depart()
		g.mu.Unlock()
		select {
		case cmd := <-p.told:
			if cmd != nil {
				return cmd, nil
			}
		case <-ctx.Done():
			return nil, g.leave(ctx, p)
		}
	} else {
		g.trips++
		g.mu.Unlock()
	}
	defer g.back(false)
	return g.send(ctx, []call{c})[0], nil
}

// leave is what becomes of a passenger whose context has ended: the others go
// on, and what was sent is not taken back.
func (g *group) leave(ctx context.Context, p *passenger) error {
	g.mu.Lock()
	if i := slices.Index(g.waiting, p); i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
		g.mu.Unlock()
		return fmt.Errorf("not sent: %w", context.Cause(ctx))
	}
	g.mu.Unlock()
	select {
	case cmd := <-p.told:
		if cmd == nil {
			g.back(false)
			return fmt.Errorf("not sent: %w", context.Cause(ctx))
		}
	default:
	}
	return fmt.Errorf("unknown outcome: %w", context.Cause(ctx))
}

// back counts a trip that has ended, and lets others depart.
func (g *group) back(shared bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.trips--
	if shared {
		g.shared--
	}
	g.depart()
}

// depart sends off those who wait: together if they are enough, else, where no
// shared trip comes back that could take them along, by themselves. While
// somebody waits a trip is always under way, which calls depart when it is back.
func (g *group) depart() {
	for !g.closed && len(g.waiting) >= minShared && g.shared < maxFlocks {
		n := min(len(g.waiting), maxShared)
		flock := g.waiting[:n:n]
		g.waiting = g.waiting[n:]
		g.trips++
		g.shared++
		g.sending.Go(func() { g.fly(flock) })
	}
	for len(g.waiting) > 0 && g.shared == 0 && g.trips < maxTrips {
		g.trips++
		g.waiting[0].told <- nil
		g.waiting = g.waiting[1:]
	}
}

// close returns when no goroutine is left. The client is closed already: those
// who wait go by themselves, and do not get far.
func (g *group) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.sending.Wait()
}

// fly sends a group and tells each what came of it. The trip belongs to nobody,
// so that no caller's deadline ends it for the others: it has those of the
// client.
func (g *group) fly(flock []*passenger) {
	calls := make([]call, len(flock))
	for i, p := range flock {
		calls[i] = p.call
	}
	cmds := g.send(context.Background(), calls)
	g.back(true)
	for i, p := range flock {
		p.told <- cmds[i]
	}
}
