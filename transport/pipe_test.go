package transport_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
)

// pipe carries one request to a handler within this process, as a server does,
// so that it works in a synctest bubble. The connection is a [net.Pipe]: what
// the server writes waits until the client reads. What the client writes does
// not, as if the kernel had a buffer without end.
type pipe struct {
	h        http.Handler
	remote   string // address
	onSwitch func() // called before the 101 goes out
	raw      net.Conn
}

// RoundTrip implements [http.RoundTripper].
func (p *pipe) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	in := r.Clone(ctx)
	in.RemoteAddr, in.RequestURI = p.remote, r.URL.RequestURI()
	client, server := net.Pipe()
	w := &pipeWriter{ResponseRecorder: httptest.NewRecorder(), p: p, conn: server, hijacked: make(chan struct{})}
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		defer cancel() // as a server does
		p.h.ServeHTTP(w, in)
	}()
	select {
	case <-w.hijacked:
	case <-returned:
		select {
		case <-w.hijacked:
		default:
			return w.Result(), nil
		}
	}
	p.raw = newBuffered(client)
	return &http.Response{
		StatusCode: http.StatusSwitchingProtocols, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.Header().Clone(), Body: p.raw, Request: r,
	}, nil
}

// pipeWriter is a response whose connection can be had.
type pipeWriter struct {
	*httptest.ResponseRecorder
	p        *pipe
	conn     net.Conn
	hijacked chan struct{}
}

func (w *pipeWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.p.onSwitch != nil {
		w.p.onSwitch()
	}
	close(w.hijacked)
	return w.conn, bufio.NewReadWriter(bufio.NewReader(w.conn), bufio.NewWriter(w.conn)), nil
}

// buffered is a connection whose writes do not wait.
type buffered struct {
	net.Conn

	mu     sync.Mutex // guards the following fields
	more   sync.Cond
	buf    []byte
	closed bool
}

func newBuffered(c net.Conn) *buffered {
	b := &buffered{Conn: c}
	b.more.L = &b.mu
	go b.flush()
	return b
}

func (b *buffered) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, net.ErrClosed
	}
	b.buf = append(b.buf, p...)
	b.more.Signal()
	return len(p), nil
}

func (b *buffered) flush() {
	for {
		b.mu.Lock()
		for len(b.buf) == 0 && !b.closed {
			b.more.Wait()
		}
		p, closed := b.buf, b.closed
		b.buf = nil
		b.mu.Unlock()
		if closed {
			return
		}
		if _, err := b.Conn.Write(p); err != nil {
			_ = b.Close()
		}
	}
}

// Close drops what was not read yet.
func (b *buffered) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.more.Signal()
	return b.Conn.Close()
}
