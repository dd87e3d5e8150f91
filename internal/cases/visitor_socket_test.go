package cases_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/coder/websocket"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/transport"
)

// endpoint returns an endpoint for pages of [visOrigin].
func (n *visNode) endpoint(h transport.HandlerFunc, o transport.Options) *transport.Endpoint {
	n.Helper()
	o.Origins, o.Logger = []string{visOrigin}, n.options.Logger
	e, err := transport.New(h, n.m, n.hub, o)
	if err != nil {
		n.Fatal(err)
	}
	n.Cleanup(func() { n.eventually("no socket is left", func() bool { return e.Stats().Open == 0 }) })
	return e
}

// visSocket is a browser's end of a socket. It reads all the time.
type visSocket struct {
	w    *visWorld
	ws   *websocket.Conn
	resp *http.Response // to the handshake
	msgs chan string
	gone chan struct{} // closed when nothing comes any more
	err  error         // why; set, as at, before gone is closed
	at   time.Time     // when
}

// dial opens a socket from the visitor's page.
func (v *visVisitor) dial(e *transport.Endpoint) *visSocket {
	v.n.Helper()
	ws, resp, err := websocket.Dial(context.Background(), visOrigin+"/ws", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: visPipe{e}}, HTTPHeader: v.header(),
	})
	if err != nil {
		v.n.Fatalf("dial: %v", err)
	}
	v.take(resp)
	s := &visSocket{w: v.n.visWorld, ws: ws, resp: resp, msgs: make(chan string, 1000), gone: make(chan struct{})}
	go s.read()
	v.n.Cleanup(func() {
		_ = ws.CloseNow()
		<-s.gone
	})
	return s
}

func (s *visSocket) read() {
	defer close(s.gone)
	for {
		_, data, err := s.ws.Read(context.Background())
		if err != nil {
			s.err, s.at = err, time.Now()
			return
		}
		s.msgs <- string(data)
	}
}

// ask sends a message and returns the next one that comes.
func (s *visSocket) ask(text string) string {
	s.w.Helper()
	s.send(text)
	timeout := time.NewTimer(visPatience)
	defer timeout.Stop()
	select {
	case m := <-s.msgs:
		return m
	case <-s.gone:
		s.w.Fatalf("closed instead of an answer to %q: %v", text, s.err)
	case <-timeout.C:
		s.w.Fatalf("no answer to %q came", text)
	}
	return ""
}

func (s *visSocket) send(text string) {
	s.w.Helper()
	if err := s.ws.Write(context.Background(), websocket.MessageText, []byte(text)); err != nil {
		s.w.Errorf("send %q: %v", text, err)
	}
}

// wantClose waits for the end, however long that takes on the memory store.
func (s *visSocket) wantClose(want hub.Reason) {
	s.w.Helper()
	if s.w.kind == "memory" {
		<-s.gone
	} else {
		s.w.eventually("the socket is closed", func() bool { return !s.open() })
	}
	var got websocket.CloseError
	errors.As(s.err, &got)
	if int(got.Code) != want.Code || got.Reason != want.Text {
		s.w.Errorf("closed with %v, want %v", s.err, want)
	}
}

// open reports whether nothing has ended the socket.
func (s *visSocket) open() bool {
	select {
	case <-s.gone:
		return false
	default:
		return true
	}
}

// visPipe carries requests to a handler over a [net.Pipe], which a bubble takes
// for what it is.
type visPipe struct{ h http.Handler }

// RoundTrip implements [http.RoundTripper].
func (p visPipe) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	in := r.Clone(ctx)
	in.RemoteAddr, in.RequestURI = "192.0.2.1:1234", r.URL.RequestURI()
	client, server := net.Pipe()
	w := &visPipeWriter{ResponseRecorder: httptest.NewRecorder(), conn: server, hijacked: make(chan struct{})}
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
	return &http.Response{
		StatusCode: http.StatusSwitchingProtocols, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.Header().Clone(), Body: client, Request: r,
	}, nil
}

// visPipeWriter is a response whose connection can be had.
type visPipeWriter struct {
	*httptest.ResponseRecorder
	conn     net.Conn
	hijacked chan struct{}
}

// Hijack implements [http.Hijacker].
func (w *visPipeWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	close(w.hijacked)
	return w.conn, bufio.NewReadWriter(bufio.NewReader(w.conn), bufio.NewWriter(w.conn)), nil
}
