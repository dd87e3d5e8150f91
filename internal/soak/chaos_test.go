package soak_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sessionhub/sessionhub/internal/soak"
)

// chaos breaks one thing at a time.
type chaos struct {
	*client
	rng  *rand.Rand
	deck []soak.FaultKind
}

// How long the halves of a [soak.Split] last at least. The first one is as long as
// it can be: sockets have to go silent in it, [soak.LostDispatch] after the end of
// their session, and the node's attempt to subscribe anew, which it gives up after
// 5 s, is to succeed with its end. In the second half the node is subscribed, until
// it misses its heartbeats, and cannot look up what it has missed.
const (
	splitDeaf = 5500 * time.Millisecond
	splitMute = 3 * time.Second
)

// settles is the quiet time after a fault: what follows from it is over, and
// there is some time without any.
const settles = soak.Recovery + 1500*time.Millisecond

// run breaks things until the time is over, and leaves nothing broken.
func (c *chaos) run(ctx context.Context) {
	sleep(ctx, 2*time.Second)
	for i := 0; ctx.Err() == nil; i++ {
		kind := soak.Split
		if i%3 != 1 {
			kind = c.draw()
		}
		slot := c.rng.IntN(len(c.nodes))
		span := time.Second + time.Duration(c.rng.Int64N(int64(*longest-time.Second)))
		c.breaks(ctx, kind, slot, span)
		quiet := settles
		if kind == soak.Flush {
			quiet = time.Second
		}
		sleep(ctx, quiet)
		if ctx.Err() == nil {
			c.allReady()
		}
	}
}

// draw returns the kinds in turn, in an order of its own each time: every kind comes
// up. A split comes between them: it takes longest and shows most, and each run
// that lasts a minute is to have one.
func (c *chaos) draw() soak.FaultKind {
	if len(c.deck) == 0 {
		c.deck = slices.DeleteFunc(slices.Clone(soak.Faults), func(k soak.FaultKind) bool { return k == soak.Split })
		c.rng.Shuffle(len(c.deck), func(i, j int) { c.deck[i], c.deck[j] = c.deck[j], c.deck[i] })
	}
	kind := c.deck[0]
	c.deck = c.deck[1:]
	return kind
}

// breaks carries out one fault. The node is that of the slot.
func (c *chaos) breaks(ctx context.Context, kind soak.FaultKind, slot int, span time.Duration) {
	n := c.node(slot)
	f := soak.Fault{Kind: kind, Slot: slot, Span: soak.Span{From: c.rec.now(), To: soak.Never}}
	switch kind {
	case soak.KillPubSub, soak.Stop, soak.Kill, soak.Flush:
		f.Slot = -1
	}
	number := 0
	c.rec.note(func(h *soak.History) { number, h.Faults = len(h.Faults), append(h.Faults, f) })
	defer func() {
		now := c.rec.now()
		c.rec.note(func(h *soak.History) { h.Faults[number].To = now })
		c.t.Logf("%8v to %8v: %s, node %d", f.From.Round(time.Millisecond), now.Round(time.Millisecond), kind, f.Slot)
	}()
	switch kind {
	case soak.BlackHole:
		n.proxy.DropUp(true)
		n.proxy.DropDown(true)
		sleep(ctx, span)
		n.proxy.DropUp(false)
		n.proxy.DropDown(false)
	case soak.DeafUp:
		n.proxy.DropUp(true)
		sleep(ctx, span)
		n.proxy.DropUp(false)
	case soak.DeafDown:
		n.proxy.DropDown(true)
		sleep(ctx, span)
		n.proxy.DropDown(false)
	case soak.Split:
		n.proxy.DropMarked(true)
		c.aim(ctx, n, rand.New(rand.NewPCG(c.rng.Uint64(), 1)))
		sleep(ctx, splitDeaf-aiming+span/8)
		n.proxy.DropDownOthers(true)
		n.proxy.DropMarked(false)
		turn := c.rec.now()
		c.rec.note(func(h *soak.History) { h.Faults[number].Turn = turn })
		sleep(ctx, splitMute+span/6)
		n.proxy.DropDownOthers(false)
	case soak.Latency:
		// As many as there is time for: not from the generator of decisions.
		delays := rand.New(rand.NewPCG(c.rng.Uint64(), 0))
		for end := time.Now().Add(span); time.Now().Before(end) && ctx.Err() == nil; {
			// Each way, so that a round trip takes twice as much.
			n.proxy.Delay(50*time.Millisecond + time.Duration(delays.Int64N(int64(100*time.Millisecond))))
			sleep(ctx, 50*time.Millisecond)
		}
		n.proxy.Delay(0)
	case soak.Cut:
		n.proxy.CloseAll()
	case soak.KillPubSub:
		c.command("CLIENT", "KILL", "TYPE", "pubsub")
	case soak.LostReply:
		for range 5 {
			n.proxy.CutOnReply(1 + c.rng.IntN(20))
			sleep(ctx, span/5)
		}
		n.proxy.CutOnReply(0)
	case soak.Stop:
		c.server.Pause()
		sleep(ctx, span)
		c.server.Resume()
	case soak.Kill:
		c.server.Kill()
		sleep(ctx, span/2)
		c.server.Restart()
	case soak.Flush:
		c.command("SCRIPT", "FLUSH")
	case soak.Crash:
		c.crash(n)
		c.again(slot)
	case soak.Drain:
		c.drain(n)
		c.again(slot)
	}
}

// again starts a node in the place of one that has ended.
func (c *chaos) again(slot int) {
	if err := c.start(slot); err != nil {
		c.t.Error(err)
	}
}

func (c *chaos) command(args ...any) {
	if err := c.server.Client(c.t).Do(context.Background(), args...).Err(); err != nil {
		c.t.Errorf("%v: %v", args, err)
	}
}
