package faultproxy

import (
	"net"
	"sync"
)

// link is one forwarded connection: a client's side and, once it is dialled, a
// server's.
type link struct {
	client net.Conn
	gone   chan struct{} // closed with the link
	mark   int           // 1: it has one; guarded by the proxy's mu

	mu     sync.Mutex // guards the following fields
	server net.Conn
	closed bool
}

// join adds the server's side. It reports false, and closes server, when the
// link was closed while it was dialled.
func (l *link) join(server net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = server.Close()
		return false
	}
	l.server = server
	return true
}

// close breaks both sides. It may be called again.
func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	close(l.gone)
	_ = l.client.Close()
	if l.server != nil {
		_ = l.server.Close()
	}
}
