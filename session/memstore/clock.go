package memstore

import "time"

// instant is a moment in nanoseconds on the [clock] of a [Store]: a third
// of a [time.Time], and as immune to changes of the wall clock. 0 is none.
type instant int64

func (i instant) add(d time.Duration) instant { return i + instant(d) }

// sub returns how long after o the instant is.
func (i instant) sub(o instant) time.Duration { return time.Duration(i - o) }

// clock turns times into instants. It must not be changed once it was used.
type clock struct{ zero time.Time }

// newClock returns a clock that begins a moment before now, which leaves 0 free.
func newClock() clock { return clock{time.Now().Add(-1)} }

func (c clock) instant(t time.Time) instant { return instant(t.Sub(c.zero)) }

func (c clock) time(i instant) time.Time {
	if i == 0 {
		return time.Time{}
	}
	return c.zero.Add(time.Duration(i))
}
