package hub

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// closers closes connections. Their peers are told first, one after another by as
// few goroutines as can be: thousands that end at once all hear of it before the
// first of them is waited for, and what is waited for is waited for in parallel. Close
// is given as a whole, so that Run waits for what began while it ran.
type closers struct {
	mu      sync.Mutex // guards running, and every first Add of wg against its Wait
	running bool
	wg      sync.WaitGroup
}

// start makes goroutines Run's.
func (c *closers) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = true
}

// stop waits for all goroutines.
func (c *closers) stop() {
	c.mu.Lock()
	c.running = false
	c.mu.Unlock()
	c.wg.Wait()
}

// few connections are told by the goroutine that marked them: to start another one
// takes longer.
const few = 4

// close closes those of the entries that are marked and not being closed. It
// returns at once while Run runs; else when all are closed, so that no
// goroutine is left that nobody waits for.
func (c *closers) close(entries ...*Entry) {
	var b farewells
	for _, e := range entries {
		if r, ok := e.claim(); ok {
			b.ends = append(b.ends, end{e.conn, r})
		}
	}
	if len(b.ends) == 0 {
		return
	}
	b.told = make(chan struct{})

	var own sync.WaitGroup
	defer own.Wait()
	b.wg = &own
	c.mu.Lock()
	if c.running {
		b.wg = &c.wg
	}
	b.wg.Add(1) // until all who need it are in it
	c.mu.Unlock()
	defer b.wg.Done()

	if len(b.ends) <= few {
		b.tellers.Store(1)
		b.tell()
		return
	}
	// Half of the processors: what else the node does goes on meanwhile.
	tellers := max(1, runtime.GOMAXPROCS(0)/2)
	b.tellers.Store(int64(tellers))
	for range tellers {
		b.wg.Go(b.tell)
	}
}

// farewells are those of connections that end together.
type farewells struct {
	ends    []end
	next    atomic.Int64    // in ends
	tellers atomic.Int64    // at work
	told    chan struct{}   // closed when no teller is
	wg      *sync.WaitGroup // of all goroutines
}

// end is what a connection ends with.
type end struct {
	conn   Conn
	reason Reason
}

// tell tells peers until all are told. Those for whom that takes time are closed in a
// goroutine of their own: one that takes nothing delays no other.
func (b *farewells) tell() {
	for i := b.next.Add(1) - 1; i < int64(len(b.ends)); i = b.next.Add(1) - 1 {
		e := b.ends[i]
		if t, ok := e.conn.(Teller); !ok || !t.Tell(e.reason, b.told) {
			b.wg.Go(func() { e.conn.Close(e.reason) })
		}
	}
	if b.tellers.Add(-1) == 0 {
		close(b.told)
	}
}
