package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
)

func TestClose_silentClientIsGoneAfterTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		v := n.logIn("ada")
		var closed time.Time
		e := n.endpoint(&full{closed: func(context.Context, *transport.Peer, hub.Reason) { closed = time.Now() }}, transport.Options{})
		c := dialing{silent: true}.dial(t, e, page(v))
		synctest.Wait()
		n.logOut(v, session.This)
		began := time.Now()
		time.Sleep(time.Second)
		synctest.Wait()
		if got := closed.Sub(began); got != 200*time.Millisecond {
			t.Errorf("gone after %v", got)
		}
		if _, err := c.raw.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("Read = %v, want EOF", err)
		}
	})
}

func TestClose_clientThatDoesNotAnswerSeesTheCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		v := n.logIn("ada")
		e := n.endpoint(transport.HandlerFunc(echo), transport.Options{})
		c := dialing{silent: true}.dial(t, e, page(v))
		n.logOut(v, session.This)
		frame := make([]byte, 2+2+len(hub.SessionEnded.Text))
		if _, err := io.ReadFull(c.raw, frame); err != nil || string(frame[4:]) != hub.SessionEnded.Text ||
			frame[0] != 0x88 || int(frame[2])<<8|int(frame[3]) != 4501 {
			t.Errorf("frame %q, %v", frame, err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := e.Stats().Open; got != 0 {
			t.Errorf("%d sockets are open", got)
		}
	})
}

func TestWriter_stuckPeerIsEndedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		var ends events
		h := &full{
			open: func(_ context.Context, out *transport.Outbox) error { out.Subscribe("lobby", ""); return nil },
			closed: func(_ context.Context, p *transport.Peer, r hub.Reason) {
				ends.add("%s %d", p.User, r.Code)
			},
		}
		e := n.endpoint(h, transport.Options{QueueBytes: 1 << 10})
		dialing{silent: true}.dial(t, e, page(n.logIn("stuck")))
		good := dial(t, e, page(n.logIn("good")))
		synctest.Wait()
		for i := range 100 {
			if err := n.hub.Publish(t.Context(), "lobby", fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
			good.wantNext(fmt.Sprint(i))
			// The stuck one is in its write, and does not wait for a close frame's: while
			// somebody waits for a mutex no time passes here.
			synctest.Wait()
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := ends.String(); got != "stuck 4408" {
			t.Errorf("ends: %s", got)
		}
		good.wantOpen()
		_ = good.ws.CloseNow()
	})
}

func TestPing_peerThatDoesNotAnswerIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		e := n.endpoint(transport.HandlerFunc(echo), transport.Options{})
		began := time.Now()
		c := dialing{pongless: true}.dial(t, e, page(n.logIn("ada")))
		<-c.gone
		c.wantDropped()
		if d := time.Since(began); d < 32*time.Second || d > 38*time.Second {
			t.Errorf("dropped after %v", d)
		}
		dialing{silent: true}.dial(t, e, page(n.logIn("ada"))) // takes no ping
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if got := e.Stats().Open; got != 0 {
			t.Errorf("%d sockets are open", got)
		}
	})
}

func TestPing_doesNotRunWhileNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		e := n.endpoint(transport.HandlerFunc(func(ctx context.Context, out *transport.Outbox, in transport.Message) error {
			time.Sleep(time.Minute)
			out.Reply(in.Data)
			return ctx.Err()
		}), transport.Options{})
		c := dial(t, e, page(n.logIn("ada")))
		for i := range 3 {
			c.send(fmt.Sprint(i)) // one is handled, one waits, and one is not read
		}
		time.Sleep(3*time.Minute + time.Second)
		for i := range 3 {
			c.wantNext(fmt.Sprint(i))
		}
		c.wantOpen()
		_ = c.ws.CloseNow()
	})
}

func TestClient_leaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		v := n.logIn("ada")
		var calls events
		e := n.endpoint(&full{
			message: func(ctx context.Context, out *transport.Outbox, in transport.Message) error {
				if string(in.Data) == "wait" {
					<-ctx.Done()
					calls.add("ended")
					return nil
				}
				time.Sleep(time.Second)
				synctest.Wait()
				return count(ctx, out, in)
			},
			closed: func(_ context.Context, _ *transport.Peer, r hub.Reason) { calls.add("closed %d %q", r.Code, r.Text) },
		}, transport.Options{})

		c := dial(t, e, page(v))
		c.send("last words")
		synctest.Wait()
		_ = c.ws.Close(websocket.StatusGoingAway, "tab closed")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := n.counted(v, "main"); got != 1 {
			t.Errorf("counted %d: a message before the goodbye was not handled", got)
		}
		if got := calls.String(); got != `closed 1001 ""` {
			t.Error(got)
		}

		c = dial(t, e, page(v))
		c.send("wait")
		synctest.Wait()
		_ = c.raw.Close()
		synctest.Wait()
		if got := calls.String(); got != `closed 1001 "", ended, closed 1006 ""` {
			t.Error(got)
		}

		c = dial(t, e, page(v))
		c.send("wait")
		began := time.Now()
		_ = c.ws.Close(websocket.StatusNormalClosure, "")
		eventually(t, "the handler was stopped", func() bool { return e.Stats().Open == 0 })
		if d := time.Since(began); d < 10*time.Second || d > 11*time.Second {
			t.Errorf("stopped after %v, want 10s", d)
		}
	})
}

func TestSocket_idleOnesHaveOneGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sockets = 50
		n := newNode(t)
		e := n.endpoint(&full{message: echo}, transport.Options{PerSession: sockets})
		v := n.logIn("ada")
		synctest.Wait()
		before := runtime.NumGoroutine()
		var all []*client
		for range sockets {
			c := dial(t, e, page(v))
			c.send("hello")
			c.wantNext("hello")
			all = append(all, c)
		}
		synctest.Wait()
		const ours = 2 // of each client, to read and to write
		// Others of the process come and go.
		if got := runtime.NumGoroutine() - before - ours*sockets; got > sockets+sockets/10 {
			t.Errorf("%d goroutines for %d sockets", got, sockets)
		}
		for _, c := range all {
			_ = c.ws.CloseNow()
		}
	})
}

// Over TCP, where the kernel has buffers of its own.
func TestWire_realServer(t *testing.T) {
	n := newNode(t)
	h := &full{
		open:    func(_ context.Context, out *transport.Outbox) error { out.Subscribe("lobby", ""); return nil },
		message: echo,
	}
	e := n.endpoint(h, transport.Options{})
	srv := serve(t, e)
	v := n.logIn("ada")
	for _, tt := range []struct {
		name string
		act  func(*client)
		want hub.Reason
	}{
		{"too big", func(c *client) { _ = c.ws.Write(t.Context(), websocket.MessageText, make([]byte, 70<<10)) }, hub.TooBig},
		{"not UTF-8", func(c *client) { c.send("\xff") }, hub.NotUTF8},
		{"logout", func(*client) { n.logOut(v, session.This) }, hub.SessionEnded},
		{"no session", func(*client) {}, hub.SessionEnded},
	} {
		c := dialURL(t, srv, "/", page(v))
		tt.act(c)
		c.wantClose(tt.want)
	}

	// A peer that takes nothing, and one that does.
	good := dialURL(t, srv, "/", page(n.logIn("bob")))
	good.send("in") // and subscribed
	good.wantNext("in")
	stuck := openRaw(t, srv.Listener.Addr().String(), page(n.logIn("eve")))
	defer stuck.Close()
	eventually(t, "the stuck peer has subscribed, and the others are gone", func() bool {
		return n.hub.Stats().Subscriptions == 2 && e.Stats().Open == 2
	})
	data := make([]byte, 32<<10)
	for i := 0; e.Stats().Open == 2 && i < 10_000; i++ {
		if err := n.hub.Publish(t.Context(), "lobby", data); err != nil {
			t.Fatal(err)
		}
		if got := len(good.next()); got != len(data) {
			t.Fatalf("publication of %d bytes", got)
		}
	}
	if got := e.Stats().Open; got != 1 {
		t.Errorf("%d sockets are open", got)
	}
	good.wantOpen()
	_ = good.ws.CloseNow()
}

// openRaw makes a handshake over TCP and reads no further than its answer's
// first byte.
func openRaw(t *testing.T, addr string, h http.Header) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest("GET", "http://"+addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = h
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-WebSocket-Version", "13")
	r.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	if err := r.Write(conn); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return conn
}
