package transport

import (
	"maps"
	"net/netip"
	"sync"
)

// limits counts sockets by the address that they come from. An invalid address
// is not counted.
type limits struct {
	mu sync.Mutex // guards the following field
	by map[netip.Addr]int
}

// rates allows each address so many handshakes a second. An invalid address is
// not counted.
type rates struct {
	mu    sync.Mutex // guards the following fields
	by    map[netip.Addr]*bucket
	sweep int // how many addresses there are when those that are quiet again are forgotten
}

// minSweep is the least number of addresses that are looked through.
const minSweep = 1 << 10

// take counts a handshake from an address, and reports whether it is allowed.
func (l *rates) take(a netip.Addr, rate int) bool {
	if !a.IsValid() {
		return true
	}
	a = site(a)
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.by[a]
	if b == nil {
		if len(l.by) >= max(l.sweep, minSweep) {
			maps.DeleteFunc(l.by, func(_ netip.Addr, b *bucket) bool { return b.full() })
			l.sweep = 2 * len(l.by) // so that each address is looked at about once
		}
		if l.by == nil {
			l.by = make(map[netip.Addr]*bucket)
		}
		fresh := newBucket(rate, 4*rate)
		b = &fresh
		l.by[a] = b
	}
	return b.take()
}

// take counts one more socket from an address, unless there are limit already.
func (l *limits) take(a netip.Addr, limit int) bool {
	if !a.IsValid() {
		return true
	}
	a = site(a)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by[a] >= limit {
		return false
	}
	if l.by == nil {
		l.by = make(map[netip.Addr]int)
	}
	l.by[a]++
	return true
}

func (l *limits) give(a netip.Addr) {
	if !a.IsValid() {
		return
	}
	a = site(a)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by[a]--; l.by[a] == 0 {
		delete(l.by, a)
	}
}

// site returns what one customer of a provider has: an IPv4 address, or a /64
// of IPv6.
func site(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64) // 64 fits every IPv6 address
		return p.Addr()
	}
	return a
}
