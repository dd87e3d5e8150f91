package cases_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"time"
)

// listen serves h behind the middleware on a real connection, and returns its
// address.
func (n *visNode) listen(h http.HandlerFunc) string { return n.listenTo(n.handler(h)) }

// listenTo serves a handler as it is.
func (n *visNode) listenTo(h http.Handler) string {
	n.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // of panics
	srv.Start()
	n.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

// visWire is a connection of a browser to a server, for one request.
type visWire struct {
	net.Conn
	v      *visVisitor
	reader *bufio.Reader
}

// connect sends the head of a request, with the browser's cookies. head is what
// comes after the method: "/path", or fields too, as in "/\r\nName: value".
func (v *visVisitor) connect(addr, method, head string) *visWire {
	v.n.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		v.n.Fatal(err)
	}
	v.n.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(visPatience))
	path, fields := head, ""
	for i := range head {
		if head[i] == '\r' {
			path, fields = head[:i], head[i+2:]+"\r\n"
			break
		}
	}
	for name, value := range v.jar {
		fields += fmt.Sprintf("Cookie: %s=%s\r\n", name, value)
	}
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: test\r\n%s\r\n", method, path, fields); err != nil {
		v.n.Fatal(err)
	}
	return &visWire{conn, v, bufio.NewReader(conn)}
}

// response reads the next head, also one that is not final, and takes its
// cookies. It returns nil when the connection ends instead.
func (c *visWire) response(method string) *http.Response {
	c.v.n.Helper()
	resp, err := http.ReadResponse(c.reader, &http.Request{Method: method})
	if err != nil {
		return nil
	}
	c.v.take(resp)
	return resp
}

// fetch returns the whole response to a request.
func (v *visVisitor) fetch(addr, method, head string) (*http.Response, string) {
	v.n.Helper()
	c := v.connect(addr, method, head+"\r\nConnection: close")
	resp := c.response(method)
	if resp == nil {
		return nil, ""
	}
	return resp, visBody(resp)
}

// leaves waits until a server has noticed that the client is gone.
func (w *visWorld) leaves(ctx context.Context) {
	w.Helper()
	select {
	case <-ctx.Done():
	case <-time.After(visPatience):
		w.Error("the server never noticed that the client is gone")
	}
}
