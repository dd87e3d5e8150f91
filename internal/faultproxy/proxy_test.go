package faultproxy_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sessionhub/sessionhub/internal/faultproxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestProxy_forwardsBothWays(t *testing.T) {
	p := faultproxy.Start(t, echo(t).addr)
	a, b := dial(t, p), dial(t, p)
	a.ask(t, "a")
	b.ask(t, "b")
	a.ask(t, "a again")
}

func TestDropUp_holdsCommandsBack(t *testing.T) {
	server := echo(t)
	p := faultproxy.Start(t, server.addr)
	c := dial(t, p)
	c.ask(t, "before")
	p.DropUp(true)
	c.send(t, "during")
	c.silent(t)
	if got := server.heard(); got != "before\n" {
		t.Errorf("server heard %q, want %q", got, "before\n")
	}
	p.DropUp(false)
	c.expect(t, "during")
}

func TestDropDown_holdsRepliesBack(t *testing.T) {
	server := echo(t)
	p := faultproxy.Start(t, server.addr)
	c := dial(t, p)
	p.DropDown(true)
	c.send(t, "during")
	server.waitFor(t, "during\n")
	c.silent(t)
	p.DropDown(false)
	c.expect(t, "during")
}

func TestMark_tellsConnectionsApart(t *testing.T) {
	for _, c := range []struct {
		name           string
		drop           func(p *faultproxy.Proxy, on bool)
		marked, others bool // are silent
	}{
		{"marked", (*faultproxy.Proxy).DropMarked, true, false},
		{"others", (*faultproxy.Proxy).DropDownOthers, false, true},
		{"all", (*faultproxy.Proxy).DropDown, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := faultproxy.Start(t, echo(t).addr)
			early, marked, other := dial(t, p), dial(t, p), dial(t, p)
			early.ask(t, "I listen")
			p.Mark("I listen")
			marked.ask(t, "I listen")
			other.ask(t, "I speak")
			conns, silent := []*conn{early, marked, other}, []bool{c.others, c.marked, c.others}
			c.drop(p, true)
			for i, conn := range conns {
				conn.send(t, "during")
				if silent[i] {
					conn.silent(t)
				} else {
					conn.expect(t, "during")
				}
			}
			c.drop(p, false)
			for i, conn := range conns {
				if silent[i] {
					conn.expect(t, "during")
				}
				conn.ask(t, "after")
			}
		})
	}
}

func TestDropMarked_holdsBackWhatMarks(t *testing.T) {
	server := echo(t)
	p := faultproxy.Start(t, server.addr)
	c := dial(t, p)
	p.Mark("I listen")
	p.DropMarked(true)
	c.ask(t, "I speak")
	c.send(t, "I listen")
	c.silent(t)
	if got := server.heard(); got != "I speak\n" {
		t.Errorf("server heard %q, want %q", got, "I speak\n")
	}
	p.DropMarked(false)
	c.expect(t, "I listen")
}

func TestDrop_endsWithConnection(t *testing.T) {
	p := faultproxy.Start(t, echo(t).addr)
	p.DropUp(true)
	p.DropDown(true)
	c := dial(t, p)
	c.send(t, "lost")
	c.Close()
	// The proxy's cleanup waits for its goroutines: this test ends only when
	// none of them hangs in the black hole.
}

func TestDelay_holdsChunksBackEachWay(t *testing.T) {
	p := faultproxy.Start(t, echo(t).addr)
	c := dial(t, p)
	const d = 20 * time.Millisecond
	p.Delay(d)
	start := time.Now()
	c.ask(t, "slow")
	if got := time.Since(start); got < 2*d {
		t.Errorf("round trip took %v, want at least %v", got, 2*d)
	}
	p.Delay(0)
	c.ask(t, "fast")
}

func TestRefuse_resetsNewConnectionsOnly(t *testing.T) {
	p := faultproxy.Start(t, echo(t).addr)
	old := dial(t, p)
	old.ask(t, "before")
	p.Refuse(true)
	if c, err := net.Dial("tcp", p.Addr); err == nil { // the reset may overtake the dial
		(&conn{c, bufio.NewReader(c)}).broken(t)
		c.Close()
	}
	old.ask(t, "after")
	p.Refuse(false)
	dial(t, p).ask(t, "again")
}

func TestCutOnReply_losesOneReply(t *testing.T) {
	server := echo(t)
	p := faultproxy.Start(t, server.addr)
	c, other := dial(t, p), dial(t, p)
	p.CutOnReply(3)
	c.ask(t, "1")
	other.ask(t, "2")
	c.send(t, "3")
	c.broken(t)
	if got, want := server.heard(), "1\n2\n3\n"; got != want {
		t.Errorf("server heard %q, want %q", got, want)
	}
	other.ask(t, "4")
	dial(t, p).ask(t, "5")
}

func TestCutOnReply_isTakenBack(t *testing.T) {
	p := faultproxy.Start(t, echo(t).addr)
	p.CutOnReply(1)
	p.CutOnReply(0)
	dial(t, p).ask(t, "kept")
}

func TestCloseAll_breaksOpenConnections(t *testing.T) {
	p := faultproxy.Start(t, echo(t).addr)
	a, b := dial(t, p), dial(t, p)
	a.ask(t, "a")
	b.ask(t, "b")
	p.CloseAll()
	a.broken(t)
	b.broken(t)
	dial(t, p).ask(t, "again")
}

func TestProxy_breaksConnectionToAbsentServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	p := faultproxy.Start(t, l.Addr().String())
	dial(t, p).broken(t)
}

// conn is a client's side that speaks in lines.
type conn struct {
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, p *faultproxy.Proxy) *conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &conn{c, bufio.NewReader(c)}
}

func (c *conn) send(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

func (c *conn) expect(t *testing.T, line string) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if got, err := c.in.ReadString('\n'); got != line+"\n" {
		t.Fatalf("read %q, %v, want %q", got, err, line)
	}
}

func (c *conn) ask(t *testing.T, line string) {
	t.Helper()
	c.send(t, line)
	c.expect(t, line)
}

// silent fails when something arrives within a moment.
func (c *conn) silent(t *testing.T) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	if b, err := c.in.ReadByte(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %q, %v, want nothing", b, err)
	}
}

// broken fails when the connection does not end.
func (c *conn) broken(t *testing.T) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if b, err := c.in.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %q, %v, want the end of the connection", b, err)
	}
}

// echoServer sends back what it gets, and remembers it.
type echoServer struct {
	addr string

	mu   sync.Mutex // guards the following fields
	cond *sync.Cond
	got  []byte
}

func echo(t *testing.T) *echoServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &echoServer{addr: l.Addr().String()}
	s.cond = sync.NewCond(&s.mu)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); running.Wait() })
	return s
}

func (s *echoServer) serve(c net.Conn) {
	defer c.Close()
	buf := make([]byte, 1024)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.got = append(s.got, buf[:n]...)
		s.cond.Broadcast()
		s.mu.Unlock()
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (s *echoServer) heard() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.got)
}

// waitFor returns when the server heard exactly text.
func (s *echoServer) waitFor(t *testing.T, text string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	wake := time.AfterFunc(10*time.Second, s.cond.Broadcast)
	defer wake.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for string(s.got) != text {
		if time.Now().After(deadline) {
			t.Fatalf("server heard %q, want %q", s.got, text)
		}
		s.cond.Wait()
	}
}
