package hub

import "sync"

// closers closes connections in parallel, each in a goroutine of its own: one
// peer that does not answer delays no other. Close is given as a whole, so
// that Run waits for what began while it ran.
type closers struct {
	mu      sync.Mutex // guards running, and every Add of wg against its Wait
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

// close closes those of the entries that are marked and not being closed. It
// returns at once while Run runs; else when all are closed, so that no
// goroutine is left that nobody waits for.
func (c *closers) close(entries ...*Entry) {
	type closing struct {
		conn   Conn
		reason Reason
	}
	var all []closing
	for _, e := range entries {
		if r, ok := e.claim(); ok {
			all = append(all, closing{e.conn, r})
		}
	}
	var own sync.WaitGroup
	defer own.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	wg := &c.wg
	if !c.running {
		wg = &own
	}
	for _, cl := range all {
		wg.Go(func() { cl.conn.Close(cl.reason) })
	}
}
