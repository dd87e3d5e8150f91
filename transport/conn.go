package transport

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
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

	out  sync.Mutex // held while a frame is written; guards the following fields
	over bool       // the close frame was sent, or another one in part
	sent int        // bytes of the close frame

	bye      atomic.Pointer[goodbye] // after which nothing may come
	answered atomic.Bool             // the peer has answered the close frame
}

// goodbye is a close frame, and how long the end may take.
type goodbye struct {
	frame []byte
	grace time.Duration
	all   <-chan struct{} // closed when all were told who end with this one; nil: this one ends alone
}

func newGoodbye(r hub.Reason, grace time.Duration, all <-chan struct{}) *goodbye {
	payload := append(binary.BigEndian.AppendUint16(nil, uint16(r.Code)), r.Text...)
	return &goodbye{appendFrame(nil, opClose, payload), grace, all}
}

// Read reads what the WebSocket library reads. After the close frame it takes the
// answer of the peer itself, which most often comes alone, and gets the library out of
// its read: the library would write an answer to the answer, and a long error, and
// thousands may answer at once. What comes in another form, the library reads as ever.
func (c *conn) Read(p []byte) (int, error) {
	if c.answered.Load() {
		return 0, io.EOF
	}
	n, err := c.Conn.Read(p)
	bye := c.bye.Load()
	if bye == nil {
		return n, err
	}
	if bye.all != nil {
		<-bye.all // others have not even been told
	}
	if isClose(p[:n]) {
		c.answered.Store(true)
		return 0, io.EOF
	}
	return n, err
}

// Write takes what the WebSocket library writes: the answer to the handshake, and
// control frames, which its buffer makes one Write of. Messages go another way,
// [conn.writeMessage]; so a close frame never comes into the middle of one.
func (c *conn) Write(p []byte) (int, error) {
	if c.bye.Load() != nil {
		return len(p), nil // the library answers the answer to our close frame
	}
	return len(p), c.write(p)
}

// write sends a whole frame, unless the close frame comes before it.
func (c *conn) write(frame []byte) (err error) {
	c.out.Lock()
	if c.bye.Load() == nil {
		_, err = c.Conn.Write(frame)
		c.over = err != nil
	}
	c.out.Unlock()
	c.sayBye()
	return err
}

// sayBye sends the close frame, if there is one and it was not sent. Whoever is just
// writing a frame does it after that.
func (c *conn) sayBye() {
	bye := c.bye.Load()
	if bye == nil || !c.out.TryLock() {
		return
	}
	defer c.out.Unlock()
	if c.over {
		return
	}
	c.over = true
	// When thousands end at once, the grace may be over before this goroutine came to
	// write. To try again would be too late: TLS takes nothing more after a timeout.
	c.finish(bye.grace)
	_, _ = c.Conn.Write(bye.frame[c.sent:])
}

// writeMessage writes a message as one frame, in one system call.
func (c *conn) writeMessage(isBinary bool, data []byte) error {
	op := byte(opText)
	if isBinary {
		op = opBinary
	}
	buf := frames.Get().(*[]byte)
	frame := appendFrame((*buf)[:0], op, data)
	err := c.write(frame)
	if cap(frame) <= maxPooled {
		*buf = frame
		frames.Put(buf)
	}
	return err
}

// farewell sends the close frame, and gives the connection this long from now on.
// A peer that listens sees it in less than a millisecond. It does not wait for a frame
// that is being written to a peer that takes nothing.
func (c *conn) farewell(r hub.Reason, grace time.Duration) {
	c.bye.CompareAndSwap(nil, newGoodbye(r, grace, nil))
	c.finish(grace)
	c.sayBye()
}

// tell sends the close frame, if that can be done without waiting. Else farewell does.
func (c *conn) tell(bye *goodbye) bool {
	if !c.bye.CompareAndSwap(nil, bye) || !c.out.TryLock() {
		return false
	}
	defer c.out.Unlock()
	if c.over {
		return true // nothing can be told any more
	}
	c.sent = writeNow(c.Conn, bye.frame)
	c.over = c.sent == len(bye.frame)
	return c.over
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

// hangUp waits for the answer to the close frame, and closes the connection. After the
// grace of the farewell it waits no longer.
func (c *conn) hangUp(ws *websocket.Conn, r hub.Reason) {
	if c.answered.Load() {
		_ = ws.CloseNow()
		return
	}
	_ = ws.Close(websocket.StatusCode(r.Code), r.Text) // reads; what it writes does not leave any more
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
