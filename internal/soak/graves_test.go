package soak_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// grave is a session that its visitor takes to be over.
type grave struct{ session, cookie string }

// remembered is how many graves are looked into.
const remembered = 500

// buries says that a session is over.
func (c *client) buries(id, cookie string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.living, id)
	if i, ok := slices.BinarySearch(c.order, id); ok {
		c.order = slices.Delete(c.order, i, i+1)
	}
	c.graves = append(c.graves, grave{id, cookie})
	if len(c.graves) > remembered {
		c.graves = c.graves[1:]
	}
}

func (c *client) grave(rng *rand.Rand) (grave, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.graves) == 0 {
		return grave{}, false
	}
	return c.graves[rng.IntN(len(c.graves))], true
}

// rob looks into graves until ctx ends: a cookie of a session that is over
// opens nothing, on no node.
func (c *client) rob(ctx context.Context, rng *rand.Rand) {
	for ctx.Err() == nil {
		n, socket := c.node(rng.IntN(len(c.nodes))), rng.IntN(4) == 0
		g, ok := c.grave(rng)
		switch {
		case !ok:
		case socket:
			if tb, _ := c.dial(n, g.session, g.cookie, "graves", writes); tb != nil {
				sleep(ctx, 50*time.Millisecond)
				tb.drop()
			}
		default:
			c.look(n, g.session, g.cookie, false)
		}
		sleep(ctx, 20*time.Millisecond)
	}
}
