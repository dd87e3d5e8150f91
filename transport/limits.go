package transport

import (
	"net/netip"
	"sync"
)

// limits counts sockets by the address that they come from. An invalid address
// is not counted.
type limits struct {
	mu sync.Mutex // guards the following field
	by map[netip.Addr]int
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
