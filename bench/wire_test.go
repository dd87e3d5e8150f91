package bench

import (
	"context"
	"net"
	"sync/atomic"
)

// wire counts the round trips that a library makes to its Redis, whatever
// client it uses: bytes that are written after bytes were read begin a new one,
// so a pipeline is one. It counts right while one caller uses the library.
type wire struct{ trips atomic.Int64 }

// dial is the DialContext of clients.
func (w *wire) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &wireConn{TCPConn: conn.(*net.TCPConn), w: w, answered: true}, nil
}

// wireConn is still a TCP connection for clients that look at their sockets.
type wireConn struct {
	*net.TCPConn
	w        *wire
	answered bool // what was written last
}

func (c *wireConn) Write(p []byte) (int, error) {
	if c.answered {
		c.answered = false
		c.w.trips.Add(1)
	}
	return c.TCPConn.Write(p)
}

func (c *wireConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if n > 0 {
		c.answered = true
	}
	return n, err
}
