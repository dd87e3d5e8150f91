package transport_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
)

// endFrame is the close frame of a logout.
var endFrame = "\x88" + string(byte(2+len(hub.SessionEnded.Text))) + "\x11\x95" + hub.SessionEnded.Text

// Over TCP, and many at once: each peer has the close frame, whatever it sends, and sees
// the connection close when it has answered, long before the grace is over.
func TestTell_everyAnswerEndsTheSocket(t *testing.T) {
	const answer = "\x88\x82\x00\x00\x00\x00\x11\x95"
	answers := []string{
		answer,
		"\x88\x80\x00\x00\x00\x00",
		"\x81\x81\x00\x00\x00\x00x" + answer, // a message that was on its way
		"\x89\x80\x00\x00\x00\x00" + answer,
	}
	n := newNode(t)
	e := n.endpoint(transport.HandlerFunc(echo), transport.Options{
		CloseGrace: time.Minute, PerSession: 100, PerAddress: 100, HandshakeRate: 1000,
	})
	srv := serve(t, e)
	v := n.logIn("ada")
	peers := make([]net.Conn, 40)
	ins := make([]*bufio.Reader, len(peers))
	for i := range peers {
		peers[i] = openRaw(t, srv.Listener.Addr().String(), page(v))
		defer peers[i].Close()
		_ = peers[i].SetDeadline(time.Now().Add(20 * time.Second))
		ins[i] = bufio.NewReader(io.MultiReader(strings.NewReader("H"), peers[i]))
		if resp, err := http.ReadResponse(ins[i], nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatal(resp, err)
		}
	}
	eventually(t, "all are open", func() bool { return e.Stats().Open == int64(len(peers)) })
	n.logOut(v, session.This)
	for i, c := range peers {
		got := make([]byte, len(endFrame))
		if _, err := io.ReadFull(ins[i], got); err != nil || string(got) != endFrame {
			t.Fatalf("%d: got %q, %v", i, got, err)
		}
		if _, err := io.WriteString(c, answers[i%len(answers)]); err != nil {
			t.Fatal(err)
		}
	}
	for i := range peers {
		if rest, err := io.ReadAll(ins[i]); err != nil || len(rest) > 0 {
			t.Errorf("%d: after the close frame came %q, %v", i, rest, err)
		}
	}
	eventually(t, "all are gone", func() bool { return e.Stats().Open == 0 })
}

// A peer that takes nothing is in the way of nobody who ends with it, and is gone after
// the grace.
func TestTell_stuckPeerDelaysNoOther(t *testing.T) {
	n := newNode(t)
	e := n.endpoint(transport.HandlerFunc(echo), transport.Options{QueueBytes: 1 << 30})
	srv := serve(t, e)
	v := n.logIn("ada")
	stuck := openRaw(t, srv.Listener.Addr().String(), page(v))
	defer stuck.Close()
	eventually(t, "the stuck peer is open", func() bool { return e.Stats().Open == 1 })
	data := make([]byte, 1<<20)
	for range 32 { // more than the kernel takes
		if err := n.hub.SendUser(t.Context(), "main", "ada", data); err != nil {
			t.Fatal(err)
		}
	}
	var good []*client
	for range 5 {
		good = append(good, dialURL(t, srv, "/", page(v)))
	}
	n.logOut(v, session.This)
	for _, c := range good {
		c.wantClose(hub.SessionEnded)
	}
	eventually(t, "all are gone", func() bool { return e.Stats().Open == 0 })
}
