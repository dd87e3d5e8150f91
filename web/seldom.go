package web

import (
	"sync/atomic"
	"time"
)

// seldom keeps one cause from filling a log. A nil one lets all of it through.
type seldom struct{ last atomic.Int64 } // when it was due last, in Unix nanoseconds

// due reports whether nobody else said it within the last second.
func (s *seldom) due() bool {
	if s == nil {
		return true
	}
	last, now := s.last.Load(), time.Now().UnixNano()
	return now-last >= int64(time.Second) && s.last.CompareAndSwap(last, now)
}
