package bench

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// peer is the client's end of a socket. It is written by hand, as small as it
// can be, because a thousand of them share the machine with what is measured.
type peer struct {
	conn net.Conn
	in   *bufio.Reader
}

// dial opens a socket to a node with a cookie.
func dial(n *node, cookie string) (*peer, error) { return dialPath(n.addr, "/ws", cookie) }

// dialPath opens a socket to any server.
func dialPath(addr, path, cookie string) (*peer, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	p := &peer{conn, bufio.NewReaderSize(conn, 512)}
	key := make([]byte, 16)
	rand.Read(key)
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nOrigin: http://%[2]s\r\nCookie: %s\r\n"+
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n",
		path, addr, cookie, base64.StdEncoding.EncodeToString(key))
	resp, err := http.ReadResponse(p.in, nil)
	if err == nil && resp.StatusCode != http.StatusSwitchingProtocols {
		err = fmt.Errorf("bench: status %d", resp.StatusCode)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return p, nil
}

// The opcodes of RFC 6455, section 5.2, in a first byte with FIN.
const (
	textFrame  = 0x81
	closeFrame = 0x88
)

// write sends a frame. Its mask is zero, which a client may choose.
func (p *peer) write(kind byte, data []byte) error {
	frame := append([]byte{kind, 0x80 | byte(len(data)), 0, 0, 0, 0}, data...)
	_, err := p.conn.Write(frame)
	return err
}

// read returns the next frame. None of those here has 64 KiB.
func (p *peer) read() (kind byte, data []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(p.in, head[:]); err != nil {
		return 0, nil, err
	}
	size := int(head[1])
	if size == 126 {
		var long [2]byte
		if _, err := io.ReadFull(p.in, long[:]); err != nil {
			return 0, nil, err
		}
		size = int(binary.BigEndian.Uint16(long[:]))
	}
	data = make([]byte, size)
	_, err = io.ReadFull(p.in, data)
	return head[0], data, err
}

// ended waits for the close frame, and returns its code and when it came.
func (p *peer) ended() (code uint16, at time.Time, err error) {
	for {
		kind, data, err := p.read()
		if err != nil {
			return 0, time.Now(), err
		}
		if kind == closeFrame && len(data) >= 2 {
			return binary.BigEndian.Uint16(data), time.Now(), nil
		}
	}
}

// answer answers a close frame as browsers do. The server may be gone already.
func (p *peer) answer(code int) {
	_ = p.write(closeFrame, binary.BigEndian.AppendUint16(nil, uint16(code)))
}
