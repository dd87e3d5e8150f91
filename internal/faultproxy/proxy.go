package faultproxy

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy forwards TCP connections to its target until it is told to misbehave.
// A fault applies to all connections, those that are open already included.
// All methods may be called from any goroutine.
type Proxy struct {
	Addr string // "127.0.0.1:port", what a client dials

	target   string
	listener net.Listener
	running  sync.WaitGroup

	mu      sync.Mutex // guards the following fields
	closed  bool
	refuse  bool
	drop    [2][2]bool // by mark (0: none) and direction
	mark    []byte     // what marks a connection
	delay   time.Duration
	replies int           // until the cut; 0: no cut
	changed chan struct{} // closed and replaced when drop changes
	links   map[*link]struct{}
}

// direction of a chunk.
type direction int

const (
	up   direction = iota // from the client to the server
	down                  // from the server to the client
)

// Start runs a proxy to target ("host:port") on a free port of 127.0.0.1 until
// the end of the test.
func Start(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{
		Addr:     l.Addr().String(),
		target:   target,
		listener: l,
		changed:  make(chan struct{}),
		links:    make(map[*link]struct{}),
	}
	p.running.Go(p.accept)
	t.Cleanup(p.stop)
	return p
}

// DropUp makes the way to the server a black hole, or ends that. As on a
// network that loses every packet, senders are told nothing, and what they
// sent arrives when the hole is gone, if the connection still lives then. New
// connections are accepted.
func (p *Proxy) DropUp(on bool) { p.setDrop(on, [2][2]bool{{up: true}, {up: true}}) }

// DropDown is DropUp for the way to the client: commands are carried out and
// nothing is heard of them.
func (p *Proxy) DropDown(on bool) { p.setDrop(on, [2][2]bool{{down: true}, {down: true}}) }

// Mark marks, for good, each connection on which the client sends text in one
// chunk from now on. It is for protocols that say early what a connection is
// for.
func (p *Proxy) Mark(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mark = []byte(text)
}

// DropMarked is DropUp and DropDown for connections that [Proxy.Mark] has
// marked. What marks a connection does not arrive any more.
func (p *Proxy) DropMarked(on bool) { p.setDrop(on, [2][2]bool{1: {up: true, down: true}}) }

// DropDownOthers is DropDown for connections that [Proxy.Mark] has not marked.
func (p *Proxy) DropDownOthers(on bool) { p.setDrop(on, [2][2]bool{0: {down: true}}) }

func (p *Proxy) setDrop(on bool, which [2][2]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for mark, ways := range which {
		for d, concerned := range ways {
			if concerned {
				p.drop[mark][d] = on
			}
		}
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

// Delay holds every chunk back for d, in each direction, so that a round trip
// takes 2d more. 0 ends it.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Refuse resets new connections at once, or ends that. Open ones go on.
func (p *Proxy) Refuse(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = on
}

// CutOnReply breaks the connection on which the n-th chunk from the server
// arrives, counted from now and over all connections, instead of forwarding
// that chunk: its reply is lost. It happens once. 0 takes it back.
func (p *Proxy) CutOnReply(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.replies = n
}

// CloseAll breaks all open connections, on both sides. New ones are accepted.
func (p *Proxy) CloseAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.close()
	}
}

// stop ends everything and waits for it.
func (p *Proxy) stop() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.CloseAll()
	p.running.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(client.(*net.TCPConn)) })
	}
}

// serve forwards one connection until either side ends it.
func (p *Proxy) serve(client *net.TCPConn) {
	l := &link{client: client, gone: make(chan struct{})}
	if !p.add(l) {
		_ = client.SetLinger(0) // a reset, as nearly a refusal as one can give after the fact
		l.close()
		return
	}
	defer p.remove(l)
	server, err := net.DialTimeout("tcp", p.target, 5*time.Second)
	if err != nil || !l.join(server) {
		return
	}
	p.running.Go(func() { p.forward(l, server, client, up) })
	p.forward(l, client, server, down)
}

// add registers a connection, unless it is to be refused.
func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.refuse {
		return false
	}
	p.links[l] = struct{}{}
	return true
}

func (p *Proxy) remove(l *link) {
	l.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// forward copies from src to dst, chunk by chunk, and closes both at the end.
func (p *Proxy) forward(l *link, dst, src net.Conn, d direction) {
	defer l.close()
	buf := make([]byte, 64<<10)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			if d == up {
				p.look(l, buf[:n])
			} else if p.cut() {
				return
			}
			if !p.pass(l, d) {
				return
			}
			if _, err := dst.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// look marks the connection if a chunk from its client says so.
func (p *Proxy) look(l *link, chunk []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.mark) > 0 && l.mark == 0 && bytes.Contains(chunk, p.mark) {
		l.mark = 1
	}
}

// cut counts a reply and reports whether it is the one to lose.
func (p *Proxy) cut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.replies == 0 {
		return false
	}
	p.replies--
	return p.replies == 0
}

// pass waits until a chunk may go on. It reports false when the connection
// ended first.
func (p *Proxy) pass(l *link, d direction) bool {
	p.mu.Lock()
	delay := p.delay
	p.mu.Unlock()
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-l.gone:
			return false
		case <-timer.C:
		}
	}
	for {
		p.mu.Lock()
		drop, changed := p.drop[l.mark][d], p.changed
		p.mu.Unlock()
		if !drop {
			return true
		}
		select {
		case <-l.gone:
			return false
		case <-changed:
		}
	}
}
