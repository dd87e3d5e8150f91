package transport

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/sessionhub/sessionhub/hub"
)

// conn is the socket's TCP connection. It is ours so that deadlines can be set
// on it: the WebSocket library bounds reads and writes by contexts, which cost
// eleven allocations each, and waits five seconds in Close for a silent peer.
type conn struct {
	net.Conn

	mu   sync.Mutex // guards the following field
	last bool       // the deadline is final
}

// finish gives everything that still happens on the connection this long.
func (c *conn) finish(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = true
	_ = c.Conn.SetDeadline(time.Now().Add(d)) // fails on a closed connection only
}

// SetReadDeadline sets the deadline for reads, unless it is final.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last {
		return nil
	}
	return c.Conn.SetReadDeadline(t)
}

// hangUp closes a connection with a reason. A peer that listens sees it in less
// than a millisecond; one that does not is gone after the grace.
func hangUp(ws *websocket.Conn, c *conn, r hub.Reason, grace time.Duration) {
	// The deadline comes first: cancelling the read instead would drop TCP,
	// and the client would see an EOF instead of the code.
	c.finish(grace)
	_ = ws.Close(websocket.StatusCode(r.Code), r.Text) // the peer may be gone
	_ = ws.CloseNow()                                  // after a handshake that failed
}

// hijacker hands the WebSocket library a conn of ours instead of the server's.
type hijacker struct {
	http.ResponseWriter
	conn *conn
}

// Hijack implements [http.Hijacker].
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.conn = &conn{Conn: c}
	rw.Writer.Reset(h.conn)
	return h.conn, rw, nil
}

// hijacks reports whether the connection can be taken from w. Once the library
// has tried, the 101 is out.
func hijacks(w http.ResponseWriter) bool {
	// As http.ResponseController looks for it.
	for {
		if _, ok := w.(http.Hijacker); ok {
			return true
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = u.Unwrap()
	}
}
