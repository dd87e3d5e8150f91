package transport_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
)

// A session ends while the peer has taken a part of a message: the rest of it comes,
// and then the close frame. The sizes are those around which the length of a frame
// changes its form (RFC 6455, section 5.2).
func TestClose_comesBetweenTwoFrames(t *testing.T) {
	for size, head := range map[int]string{
		1:     "\x81\x01",
		125:   "\x81\x7d",
		126:   "\x81\x7e\x00\x7e",
		65535: "\x81\x7e\xff\xff",
		65536: "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00",
	} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t)
				v := n.logIn("ada")
				h := &full{open: func(_ context.Context, out *transport.Outbox) error { out.Subscribe("lobby", ""); return nil }}
				c := dialing{silent: true}.dial(t, n.endpoint(h, transport.Options{}), page(v))
				synctest.Wait() // subscribed
				data := bytes.Repeat([]byte("x"), size)
				for range 2 { // the second waits
					if err := n.hub.Publish(t.Context(), "lobby", data); err != nil {
						t.Fatal(err)
					}
				}
				first := make([]byte, 1)
				if _, err := io.ReadFull(c.raw, first); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				n.logOut(v, session.This)
				synctest.Wait()
				rest := make([]byte, len(head)-1+size+len(endFrame))
				if _, err := io.ReadFull(c.raw, rest); err != nil {
					t.Fatal(err)
				}
				if want := head[1:] + string(data) + endFrame; string(rest) != want {
					t.Errorf("%.20q ... %q, want %.20q ... %q", rest, rest[len(rest)-len(endFrame):], want, endFrame)
				}
			})
		})
	}
}

func TestClose_nothingComesAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		v := n.logIn("ada")
		c := dialing{silent: true}.dial(t, n.endpoint(&full{message: echo}, transport.Options{}), page(v))
		synctest.Wait()
		n.logOut(v, session.This)
		end := make([]byte, len(endFrame))
		if _, err := io.ReadFull(c.raw, end); err != nil {
			t.Fatal(err)
		}
		// A ping, a message and the answer to the close frame, masked with zeros.
		go c.raw.Write([]byte("\x89\x80\x00\x00\x00\x00" + "\x81\x81\x00\x00\x00\x00x" + "\x88\x82\x00\x00\x00\x00\x11\x95"))
		if rest, err := io.ReadAll(c.raw); len(rest) > 0 {
			t.Errorf("after the close frame came %q, %v", rest, err)
		}
	})
}
