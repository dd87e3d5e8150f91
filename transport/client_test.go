package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/sessionhub/sessionhub/hub"
)

// client is a browser's end of a socket. It reads all the time, as a browser
// does, unless it is silent.
type client struct {
	t    testing.TB
	ws   *websocket.Conn
	resp *http.Response // to the handshake
	raw  net.Conn       // below ws; nil over a real server
	msgs chan string
	gone chan struct{} // closed when nothing comes any more
	err  error         // why; set, as at, before gone is closed
	at   time.Time     // when
}

// dialing is how a client connects.
type dialing struct {
	silent    bool // does not read
	pongless  bool // reads, and answers no ping
	remote    string
	path      string
	protocols []string
	onSwitch  func()
}

// try connects to h, and returns a nil client when it is refused.
func (d dialing) try(t testing.TB, h http.Handler, header http.Header) (*client, *http.Response) {
	t.Helper()
	if d.remote == "" {
		d.remote = "192.0.2.1:1234"
	}
	p := &pipe{h: h, remote: d.remote, onSwitch: d.onSwitch}
	c, resp := d.connect(t, "http://chat.example"+d.path, header, &http.Client{Transport: p})
	if c != nil {
		c.raw = p.raw
		if !d.silent {
			go c.read()
		}
	}
	return c, resp
}

func (d dialing) connect(t testing.TB, url string, header http.Header, hc *http.Client) (*client, *http.Response) {
	t.Helper()
	ws, resp, err := websocket.Dial(context.Background(), url, &websocket.DialOptions{
		HTTPClient: hc, HTTPHeader: header, Subprotocols: d.protocols,
		OnPingReceived: func(context.Context, []byte) bool { return !d.pongless },
	})
	if err != nil {
		if resp == nil || resp.StatusCode == http.StatusSwitchingProtocols {
			t.Fatalf("dial: %v", err)
		}
		return nil, resp
	}
	ws.SetReadLimit(-1)
	c := &client{t: t, ws: ws, resp: resp, msgs: make(chan string, 10_000), gone: make(chan struct{})}
	t.Cleanup(func() {
		if c.raw != nil {
			_ = c.raw.Close()
		}
		_ = ws.CloseNow()
	})
	return c, resp
}

// dial connects to h over a pipe.
func dial(t testing.TB, h http.Handler, header http.Header) *client {
	t.Helper()
	return dialing{}.dial(t, h, header)
}

func (d dialing) dial(t testing.TB, h http.Handler, header http.Header) *client {
	t.Helper()
	c, resp := d.try(t, h, header)
	if c == nil {
		t.Fatalf("dial: status %d", resp.StatusCode)
	}
	return c
}

// serve runs h on a real server.
func serve(t testing.TB, h http.Handler) *httptest.Server {
	srv := httptest.NewServer(h)
	t.Cleanup(func() {
		srv.Close()
		srv.Client().CloseIdleConnections()
	})
	return srv
}

// dialURL connects to a real server.
func dialURL(t testing.TB, srv *httptest.Server, path string, header http.Header) *client {
	t.Helper()
	c, resp := dialing{}.connect(t, srv.URL+path, header, srv.Client())
	if c == nil {
		t.Fatalf("dial: status %d", resp.StatusCode)
	}
	go c.read()
	return c
}

func (c *client) read() {
	defer close(c.gone)
	for {
		_, data, err := c.ws.Read(context.Background())
		if err != nil {
			c.err, c.at = err, time.Now()
			return
		}
		c.msgs <- string(data)
	}
}

// send sends a text message.
func (c *client) send(text string) {
	c.t.Helper()
	if err := c.ws.Write(context.Background(), websocket.MessageText, []byte(text)); err != nil {
		c.t.Errorf("send: %v", err)
	}
}

// next returns the next message.
func (c *client) next() string {
	c.t.Helper()
	select {
	case m := <-c.msgs:
		return m
	default:
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case m := <-c.msgs:
		return m
	case <-c.gone:
		select {
		case m := <-c.msgs: // it came before the end
			return m
		default:
		}
		c.t.Fatalf("closed instead of a message: %v", c.err)
	case <-timeout.C:
		c.t.Fatal("no message came")
	}
	return ""
}

func (c *client) wantNext(want string) {
	c.t.Helper()
	if got := c.next(); got != want {
		c.t.Fatalf("message %q, want %q", got, want)
	}
}

// wantQuiet checks that no message came.
func (c *client) wantQuiet() {
	c.t.Helper()
	select {
	case m := <-c.msgs:
		c.t.Errorf("message %q, want none", m)
	default:
	}
}

// wantClose waits for the close frame.
func (c *client) wantClose(want hub.Reason) {
	c.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-c.gone:
	case <-timeout.C:
		c.t.Fatalf("not closed, want %v", want)
	}
	var got websocket.CloseError
	errors.As(c.err, &got)
	if int(got.Code) != want.Code || got.Reason != want.Text {
		c.t.Errorf("closed with %v, want %v", c.err, want)
	}
}

// wantDropped waits for the end without a close frame.
func (c *client) wantDropped() {
	c.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-c.gone:
	case <-timeout.C:
		c.t.Fatal("not dropped")
	}
	if code := websocket.CloseStatus(c.err); code != -1 {
		c.t.Errorf("closed with %d, want no close frame", code)
	}
}

// wantOpen checks that nothing ended the socket.
func (c *client) wantOpen() {
	c.t.Helper()
	select {
	case <-c.gone:
		c.t.Fatalf("closed: %v", c.err)
	default:
	}
}

// wantStatus connects and checks how that is refused.
func wantStatus(t testing.TB, h http.Handler, header http.Header, want int) *http.Response {
	t.Helper()
	c, resp := dialing{}.try(t, h, header)
	if c != nil {
		t.Fatalf("connected, want %d", want)
	}
	if resp.StatusCode != want {
		t.Errorf("status %d, want %d", resp.StatusCode, want)
	}
	return resp
}

// body returns the text of a refusal.
func body(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}
