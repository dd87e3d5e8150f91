package memstore

import (
	"context"

	"github.com/sessionhub/sessionhub/session"
)

const (
	// sweepPerWrite bounds how many records one write looks at to free what
	// has expired. Each write adds at most one, so that what has expired stays
	// a fraction of what lives.
	sweepPerWrite = 4

	// sweepPerStep bounds it for a step of [Store.ClearExpired].
	sweepPerStep = 32
)

// ClearExpired frees all that has expired, and returns how many sessions these
// were. No store needs it: it is for one whose sessions all ended, and that is
// hardly written any more, so that their memory would stay.
//
// It goes in steps, each of which looks at 32 sessions at most with a
// sixty-fourth of the store locked, which takes about 50 µs. Between steps it
// looks at ctx, and returns its error when it has ended, with what was freed by
// then. Sessions that live are not looked at, but for those whose deadline, if
// they were not used meanwhile, is now or in the next 15 s.
func (s *Store) ClearExpired(ctx context.Context) (int, error) {
	freed := 0
	for _, l := range s.layouts.firsts() {
		for i := range l.root.shards {
			young := unknown
			for young != 0 {
				if err := ctx.Err(); err != nil {
					return freed, err
				}
				var n int
				n, young = s.sweep(l, &l.root.shards[i], sweepPerStep, young)
				freed += n
			}
		}
	}
	return freed, nil
}

// unknown is how many records are in a bucket that was not looked at yet.
const unknown = -1

// sweep looks at up to n records of a shard: at those that are due, and when
// there are no more at the next few of the bucket whose time is running. It
// returns how many it freed, and how many are left to look at in that bucket.
func (s *Store) sweep(l *layout, shard *shard, n, young int) (freed, left int) {
	v := s.enter(l, l.family, shard)
	defer v.leave()
	shard.ops.turn(v.now, session.OpMemory)
	shard.replaced.turn(v.now, session.ElevateGrace)
	for ; n > 0; n-- {
		r := shard.wheel.next(v.now)
		if r == nil {
			break
		}
		if v.now >= r.deadline() {
			v.expire(r)
			freed++
		} else { // it slid
			shard.wheel.remove(r)
			shard.wheel.put(r)
		}
	}
	if n == 0 {
		return freed, young
	}
	running := shard.wheel.running()
	if young == unknown {
		young = running.n
	}
	for young = min(young, running.n); n > 0 && young > 0; n, young = n-1, young-1 {
		if r := running.first; v.now >= r.deadline() {
			v.expire(r)
			freed++
		} else {
			running.turn()
		}
	}
	return freed, young
}
