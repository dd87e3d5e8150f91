package main

import (
	"maps"
	"net/netip"
	"sync"
	"time"
)

// limits bound what one visitor may try. Each node counts for itself.
type limits struct {
	// loginsByName and loginsByAddress count logins that failed: an attempt
	// takes a token before the password is looked at, so that many at once
	// get no more guesses, and gets it back if it was right.
	loginsByName, loginsByAddress *limiter

	signups *limiter // by address
}

func newLimits() *limits {
	return &limits{
		loginsByName:    &limiter{burst: 10, every: 6 * time.Second},
		loginsByAddress: &limiter{burst: 30, every: 2 * time.Second},
		signups:         &limiter{burst: 60, every: time.Second},
	}
}

// takeLogin takes the tokens of one attempt to log in, and returns tooOften
// when there are none.
func (l *limits) takeLogin(name, address string) error {
	if !l.loginsByAddress.Take(address) {
		return tooOften
	}
	if !l.loginsByName.Take(name) {
		l.loginsByAddress.Give(address)
		return tooOften
	}
	return nil
}

// giveLogin gives back what an attempt took that did not fail.
func (l *limits) giveLogin(name, address string) {
	l.loginsByAddress.Give(address)
	l.loginsByName.Give(name)
}

// maxBuckets is how many keys a limiter tells apart.
const maxBuckets = 10_000

// limiter is a token bucket for each key.
type limiter struct {
	burst float64       // what a bucket holds
	every time.Duration // until it holds one more

	mu      sync.Mutex // guards the following fields
	buckets map[string]bucket
	swept   time.Time // when full buckets were looked for last
}

type bucket struct {
	tokens float64
	at     time.Time
}

// Take takes a token, and reports whether there was one. An empty key stands
// for who is not known, and is not limited.
func (l *limiter) Take(key string) bool {
	if key == "" {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key = l.room(key)
	b := l.fill(key)
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	l.buckets[key] = b
	return true
}

// Give gives a token back.
func (l *limiter) Give(key string) {
	if key == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key = l.room(key)
	b := l.fill(key)
	b.tokens = min(b.tokens+1, l.burst)
	l.buckets[key] = b
}

// room makes room for a key. When there is none, because as many others are
// being limited right now, all further keys share one bucket: forgetting one
// instead would give whoever fills the map his guesses back.
func (l *limiter) room(key string) string {
	if _, known := l.buckets[key]; known || len(l.buckets) < maxBuckets {
		return key
	}
	if now := time.Now(); now.Sub(l.swept) >= time.Second {
		l.swept = now
		maps.DeleteFunc(l.buckets, func(k string, _ bucket) bool { return l.fill(k).tokens >= l.burst })
		if len(l.buckets) < maxBuckets {
			return key
		}
	}
	return "others"
}

// fill returns the bucket of a key with what has flown into it until now.
func (l *limiter) fill(key string) bucket {
	now := time.Now()
	b, known := l.buckets[key]
	if !known {
		if l.buckets == nil {
			l.buckets = make(map[string]bucket)
		}
		return bucket{tokens: l.burst, at: now}
	}
	return bucket{tokens: min(b.tokens+float64(now.Sub(b.at))/float64(l.every), l.burst), at: now}
}

// addressKey is the limiters' key of an address: of IPv6 the first half, since
// whoever has one address there has all of its /64.
func addressKey(a netip.Addr) string {
	a = a.Unmap()
	if a.Is6() {
		p, _ := a.WithZone("").Prefix(64)
		return p.String()
	}
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
