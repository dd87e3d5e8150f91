package soak_test

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sessionhub/sessionhub/internal/soak"
)

const (
	// aiming is how long ends are aimed at a node that has gone deaf: so soon
	// that it has not noticed, and stays deaf for longer than the bound.
	aiming = time.Second

	// aims is how many sessions end in that time.
	aims = 15

	// nagging is how often something is said on their sockets.
	nagging = 100 * time.Millisecond
)

// aim ends sessions that have sockets on a node which does not hear of it, and talks
// on where that needs nothing of the store: only the node itself can know that it
// must not listen. It returns after [aiming].
func (c *client) aim(ctx context.Context, deaf *node, rng *rand.Rand) {
	other := c.node((deaf.place.Slot + 1) % len(c.nodes))
	done := make(map[string]bool)
	for range aims {
		tabs := c.silentTabs(deaf.place, done)
		if len(tabs) > 0 {
			id := tabs[rng.IntN(len(tabs))].session
			done[id] = true
			c.aimed.Go(func() {
				c.end(other, "/admin/session/"+id, "", nil, soak.Act{Scope: soak.Administrator, Target: id})
			})
			for _, tb := range tabs {
				if tb.session == id && tb.manner == reads {
					c.aimed.Go(func() { tb.nag(ctx) })
				}
			}
		}
		sleep(ctx, aiming/aims)
	}
}

// silentTabs returns the sockets at a place that never ask the store, but for those
// of some sessions, in order.
func (c *client) silentTabs(at soak.Place, but map[string]bool) (tabs []*tab) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for tb := range c.tabs {
		if _, lives := c.living[tb.session]; lives && tb.place == at && tb.manner != writes && !but[tb.session] {
			tabs = append(tabs, tb)
		}
	}
	slices.SortFunc(tabs, func(x, y *tab) int { return cmp.Compare(x.number, y.number) })
	return tabs
}

// nag talks until the socket is gone, or ctx ends.
func (tb *tab) nag(ctx context.Context) {
	tick := time.NewTicker(nagging)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tb.gone:
			return
		case <-tick.C:
			tb.say(frame{Read: true})
		}
	}
}
