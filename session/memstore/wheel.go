package memstore

import (
	"sync/atomic"
	"time"
)

// The buckets of a wheel: together a little more than the idle timeout that
// sessions have by default, so that most records are looked at once in it.
const (
	wheelBuckets = 128
	bucketTime   = 15 * time.Second
)

// wheel keeps the records of a shard by the time when they are to be looked at,
// so that what has expired is found without looking at what lives. The shard's
// lock guards it.
//
// A record is in the bucket of its deadline, or of an earlier time: one that
// slid is moved when its bucket is due, not when it slides, and one that is
// beyond the wheel's end goes into its last bucket. It goes in, moves and goes
// out at a cost that depends on nothing.
type wheel struct {
	// hand is the earliest bucket that may have records, as a number since 0. It
	// is read without the lock too: something is due when it is before the
	// present one.
	hand *atomic.Int64

	buckets [wheelBuckets]bucket
}

// bucket is a ring of records.
type bucket struct {
	first *record
	n     int
}

// tread is a record's place in a wheel.
type tread struct {
	before, after *record // in the ring of its bucket
	bucket        int64
}

func bucketOf(i instant) int64 { return int64(i) / int64(bucketTime) }

// bucket returns the bucket of a number.
func (w *wheel) bucket(number int64) *bucket { return &w.buckets[number%wheelBuckets] }

// put puts a record in that is in no wheel.
func (w *wheel) put(r *record) {
	hand := w.hand.Load()
	// Never a whole round ahead: that bucket may be the one being emptied.
	r.tread.bucket = min(max(bucketOf(r.deadline()), hand), hand+wheelBuckets-1)
	w.bucket(r.tread.bucket).append(r)
}

// running returns the bucket whose time is not over, or of the earliest that has
// records.
func (w *wheel) running() *bucket { return w.bucket(w.hand.Load()) }

func (w *wheel) remove(r *record) { w.bucket(r.tread.bucket).remove(r) }

// hasten moves a record whose deadline came to lie before its bucket.
func (w *wheel) hasten(r *record) {
	if bucketOf(r.deadline()) < r.tread.bucket {
		w.remove(r)
		w.put(r)
	}
}

// next returns a record of the oldest bucket that is due, nil when none is. It
// passes empty buckets, at most all of them.
func (w *wheel) next(now instant) *record {
	last := bucketOf(now)
	hand := max(w.hand.Load(), last-wheelBuckets) // once around meets all
	for hand < last && w.bucket(hand).first == nil {
		hand++
	}
	w.hand.Store(max(hand, w.hand.Load()))
	if hand >= last {
		return nil
	}
	return w.bucket(hand).first
}

func (b *bucket) append(r *record) {
	b.n++
	if b.first == nil {
		r.tread.before, r.tread.after = r, r
		b.first = r
		return
	}
	last := b.first.tread.before
	r.tread.before, r.tread.after = last, b.first
	last.tread.after, b.first.tread.before = r, r
}

func (b *bucket) remove(r *record) {
	b.n--
	if r.tread.after == r {
		b.first = nil
	} else {
		r.tread.before.tread.after = r.tread.after
		r.tread.after.tread.before = r.tread.before
		if b.first == r {
			b.first = r.tread.after
		}
	}
	r.tread.before, r.tread.after = nil, nil
}

// turn moves the first record to the end.
func (b *bucket) turn() { b.first = b.first.tread.after }
