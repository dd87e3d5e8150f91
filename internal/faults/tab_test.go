package faults_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/hub"
)

// manner is how a client behaves. The zero value is a good one.
type manner struct {
	silent bool   // reads nothing after the handshake
	from   net.IP // comes from this address
	buffer int    // of the kernel for what comes, in bytes; 0: its own size
}

// tab is a client's end of a WebSocket, by hand: a library that behaves well could
// not misbehave. Unless it is silent, a goroutine reads it.
type tab struct {
	testing.TB
	conn net.Conn
	r    *bufio.Reader
	gone chan struct{} // closed when the connection is

	writing sync.Mutex // held to write a frame

	mu     sync.Mutex // guards the following fields
	texts  []string
	count  int           // of texts, also of those that were taken
	more   chan struct{} // closed and replaced with each text
	code   int           // of the close frame
	reason string
	closed time.Time // when the close frame was read
	ended  time.Time // when the connection was gone; set before gone is closed
}

// Opcodes (RFC 6455, section 5.2).
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// dial opens a socket at a node. An answer other than 101 is a [statusError].
func (s site) dial(t testing.TB, v *visitor, m manner) (*tab, error) {
	d := net.Dialer{Timeout: patience}
	if m.from != nil {
		d.LocalAddr = &net.TCPAddr{IP: m.from}
	}
	conn, err := d.Dial("tcp", s.addr)
	if err != nil {
		return nil, err
	}
	if m.buffer > 0 {
		err = conn.(*net.TCPConn).SetReadBuffer(m.buffer)
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	if err == nil {
		cookie := ""
		if v != nil {
			cookie = "Cookie: " + v.cookie + "\r\n"
		}
		_, err = fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\n%sConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", s.addr, origin, cookie)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	tb := &tab{TB: t, conn: conn, r: bufio.NewReaderSize(conn, 1024), gone: make(chan struct{}), more: make(chan struct{})}
	resp, err := http.ReadResponse(tb.r, &http.Request{Method: "GET"})
	if err == nil && resp.StatusCode != http.StatusSwitchingProtocols {
		text, _ := io.ReadAll(resp.Body)
		err = &statusError{resp.StatusCode, string(text)}
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	if m.silent {
		close(tb.gone) // nobody looks
		t.Cleanup(func() { _ = conn.Close() })
		return tb, nil
	}
	go tb.read()
	t.Cleanup(tb.drop)
	return tb, nil
}

// open opens a socket that the test needs.
func (n *node) open(v *visitor) *tab {
	n.Helper()
	return must(n.site().dial(n.TB, v, manner{}))(n)
}

// openPatiently opens a socket that the test needs, at a node whose store has to
// answer soon.
func (s site) openPatiently(t testing.TB, v *visitor) (tb *tab) {
	t.Helper()
	err := patiently(func() (err error) {
		tb, err = s.dial(t, v, manner{})
		return err
	})
	return must(tb, err)(t)
}

// opens opens several sockets for each visitor, many at once.
func (n *node) opens(visitors []*visitor, each int, m manner) []*tab {
	n.Helper()
	all := make([]*tab, len(visitors)*each)
	several(n, len(all), func(i int) (err error) {
		all[i], err = n.site().dial(n.TB, visitors[i/each], m)
		return err
	})
	return all
}

// drop closes the connection without a word.
func (tb *tab) drop() {
	_ = tb.conn.Close()
	<-tb.gone
}

func (tb *tab) read() {
	defer close(tb.gone)
	defer tb.conn.Close()
	for {
		op, data, err := tb.frame()
		tb.mu.Lock()
		switch {
		case err != nil:
			tb.ended = time.Now()
			tb.mu.Unlock()
			return
		case op == opText:
			tb.texts = append(tb.texts, string(data))
			tb.count++
			close(tb.more)
			tb.more = make(chan struct{})
		case op == opClose && len(data) >= 2:
			tb.code, tb.reason, tb.closed = int(binary.BigEndian.Uint16(data)), string(data[2:]), time.Now()
		}
		tb.mu.Unlock()
		switch op {
		case opPing:
			_ = tb.write(opPong, data) // the next read tells
		case opClose:
			_ = tb.write(opClose, data[:min(2, len(data))])
		}
	}
}

// frame reads one frame. Servers do not fragment here, and do not mask.
func (tb *tab) frame() (op byte, data []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(tb.r, head[:2]); err != nil {
		return 0, nil, err
	}
	op, size := head[0]&0xf, uint64(head[1])
	switch size {
	case 126:
		_, err = io.ReadFull(tb.r, head[:2])
		size = uint64(binary.BigEndian.Uint16(head[:]))
	case 127:
		_, err = io.ReadFull(tb.r, head[:8])
		size = binary.BigEndian.Uint64(head[:])
	}
	if err == nil && size > 1<<24 {
		err = errors.New("a frame that nobody sends")
	}
	if err != nil {
		return 0, nil, err
	}
	data = make([]byte, size)
	_, err = io.ReadFull(tb.r, data)
	return op, data, err
}

// write sends one frame of at most 64 KiB, masked with zeros, which changes
// nothing.
func (tb *tab) write(op byte, data []byte) error {
	frame := append(make([]byte, 0, 8+len(data)), 0x80|op)
	if len(data) < 126 {
		frame = append(frame, 0x80|byte(len(data)))
	} else {
		frame = binary.BigEndian.AppendUint16(append(frame, 0x80|126), uint16(len(data)))
	}
	frame = append(append(frame, 0, 0, 0, 0), data...)
	tb.writing.Lock()
	defer tb.writing.Unlock()
	_ = tb.conn.SetWriteDeadline(time.Now().Add(patience))
	_, err := tb.conn.Write(frame)
	return err
}

// send sends a text.
func (tb *tab) send(text string) error { return tb.write(opText, []byte(text)) }

// errGone is a socket that ended before what was waited for came.
var errGone = errors.New("the socket is gone")

// next takes the next text, which has to come in time.
func (tb *tab) next(limit time.Duration) (string, error) {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	gone := false
	for {
		tb.mu.Lock()
		more := tb.more
		if len(tb.texts) > 0 {
			text := tb.texts[0]
			tb.texts = tb.texts[1:]
			tb.mu.Unlock()
			return text, nil
		}
		tb.mu.Unlock()
		if gone {
			return "", fmt.Errorf("%w: %v", errGone, tb.end())
		}
		select {
		case <-more:
		case <-tb.gone:
			gone = true
		case <-timeout.C:
			return "", fmt.Errorf("nothing within %v", limit)
		}
	}
}

// ask sends a text and takes the next that comes.
func (tb *tab) ask(text string) (string, error) {
	if err := tb.send(text); err != nil {
		return "", err
	}
	return tb.next(patience)
}

// wantAnswer fails unless the socket lives and answers.
func (tb *tab) wantAnswer(text string) {
	tb.Helper()
	if got, err := tb.ask(text); err != nil || got != text {
		tb.Errorf("answer to %q: %q, %v", text, got, err)
	}
}

// open reports whether the connection is not gone.
func (tb *tab) open() bool {
	select {
	case <-tb.gone:
		return false
	default:
		return true
	}
}

// end returns how the socket ended: the close frame's code and text, none when the
// connection was dropped without one, and none while it is open.
func (tb *tab) end() hub.Reason {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	return hub.Reason{Code: tb.code, Text: tb.reason}
}

// times returns when the close frame was read and when the connection was gone.
func (tb *tab) times() (closed, ended time.Time) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	return tb.closed, tb.ended
}

// wantEnd waits for the end and fails unless it has the reason.
func (tb *tab) wantEnd(want hub.Reason) {
	tb.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-tb.gone:
	case <-timeout.C:
		tb.Fatalf("the socket is open, want %v", want)
	}
	if got := tb.end(); got != want {
		tb.Errorf("the socket ended with %v, want %v", got, want)
	}
}

// zombies returns those that are still open.
func zombies(all []*tab) (n int) {
	for _, tb := range all {
		if tb.open() {
			n++
		}
	}
	return n
}
