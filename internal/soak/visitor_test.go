package soak_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// visitor is one browser. What it does comes from its own generator, however
// long that takes and whatever comes of it.
type visitor struct {
	*client
	rng     *rand.Rand // of decisions
	weights *rand.Rand // of messages, as many as come of that
	user    string
	room    string
	id      string // of its session; "": none
	cookie  string
	expires bool   // the session has an expiry of its own
	doubt   bool   // a socket was told that the session is over
	open    []*tab // of the session
	old     []*tab // of sessions before
}

// turn is what a visitor decides at once, so that each takes as much from the
// generator as any other.
type turn struct {
	action int // 0 to 999
	node   *node
	pick   uint64
	pick2  uint64
	pause  time.Duration
}

func (v *visitor) turn() turn {
	return turn{
		action: v.rng.IntN(1000),
		node:   v.node(v.rng.IntN(len(v.nodes))),
		pick:   v.rng.Uint64(),
		pick2:  v.rng.Uint64(),
		pause:  *pace/2 + time.Duration(v.rng.Int64N(int64(*pace))),
	}
}

// run acts until ctx ends, then looks at the session a last time.
func (v *visitor) run(ctx context.Context) {
	for ctx.Err() == nil {
		t := v.turn()
		v.tidy()
		switch {
		case v.id == "":
			v.login(t, v.user)
		case v.doubt:
			v.lookAgain(ctx, t)
		case len(v.open) < 1+int(t.pick%4) && t.pick2%3 == 0:
			v.connect(t)
		default:
			n := t.action
			for _, a := range actions {
				if n -= a.often; n < 0 {
					a.do(v, ctx, t)
					break
				}
			}
		}
		// What is over must do nothing any more.
		for _, tb := range v.old {
			v.say(tb, frame{Read: t.pick%2 == 0})
		}
		sleep(ctx, t.pause)
	}
	if v.id != "" {
		v.look(v.turn().node, v.id, v.cookie, true)
	}
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// tidy forgets sockets that are closed.
func (v *visitor) tidy() {
	gone := func(tb *tab) bool {
		code, gone := tb.isGone()
		v.doubt = v.doubt || gone && code >= 4500 && slices.Contains(v.open, tb)
		return gone
	}
	v.open = deleted(v.open, gone)
	v.old = deleted(v.old, gone)
}

// deleted returns those that are not to be deleted, and leaves all as it is.
func deleted(all []*tab, del func(*tab) bool) []*tab {
	var left []*tab
	for _, tb := range all {
		if !del(tb) {
			left = append(left, tb)
		}
	}
	return left
}

// take takes over a cookie from a response.
func (v *visitor) take(cookie string) {
	if cookie != "" && idOf(cookie) == v.id {
		v.cookie = cookie
	}
}

// bury forgets the session. Its sockets have to close by themselves.
func (v *visitor) bury() {
	v.buries(v.id, v.cookie)
	v.old = append(v.old, v.open...)
	v.id, v.cookie, v.open, v.doubt, v.expires = "", "", nil, false, false
}
