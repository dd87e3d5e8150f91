package transport_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/transport"
)

func TestReader_limits(t *testing.T) {
	flood := func(c *client, frame []byte, times int) {
		for range times {
			if _, err := c.raw.Write(frame); err != nil {
				return // closed as it should be
			}
		}
	}
	for _, tt := range []struct {
		name string
		act  func(*client)
		want hub.Reason
	}{
		{"message without an end", func(c *client) { flood(c, []byte{0x01, 0x81, 0, 0, 0, 0, 'x'}, 1) }, hub.Policy},
		{"frame that comes slowly", func(c *client) {
			go func() {
				flood(c, []byte{0x81, 0x80 | 100, 0, 0, 0, 0}, 1)
				for range 99 {
					time.Sleep(time.Second)
					synctest.Wait()
					if _, err := c.raw.Write([]byte{'x'}); err != nil {
						return
					}
				}
			}()
		}, hub.Policy},
		{"too big", func(c *client) {
			_ = c.ws.Write(context.Background(), websocket.MessageText, make([]byte, 64<<10+1))
		}, hub.TooBig},
		{"claims to be huge", func(c *client) {
			flood(c, append([]byte{0x82, 0x80 | 127, 0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, make([]byte, 65<<10)...), 1)
		}, hub.TooBig},
		{"not UTF-8", func(c *client) { c.send("\xff") }, hub.NotUTF8},
		{"half a letter", func(c *client) { c.send("\xe2\x82") }, hub.NotUTF8},
		{"too many messages", func(c *client) {
			for range 100 {
				_ = c.ws.Write(context.Background(), websocket.MessageText, nil)
			}
		}, hub.TooManyMessages},
		{"too many pings", func(c *client) { flood(c, []byte{0x89, 0x80, 0, 0, 0, 0}, 1000) }, hub.Policy},
		{"too many pongs", func(c *client) { flood(c, []byte{0x8a, 0x80, 0, 0, 0, 0}, 1000) }, hub.Policy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t)
				e := n.endpoint(transport.HandlerFunc(ignore), transport.Options{})
				c := dial(t, e, page(n.logIn("ada")))
				other := dial(t, n.endpoint(transport.HandlerFunc(echo), transport.Options{}), page(n.logIn("bob")))
				tt.act(c)
				c.wantClose(tt.want)
				other.send("unharmed")
				other.wantNext("unharmed")
				_ = other.ws.CloseNow()
				_ = c.raw.Close()
				time.Sleep(time.Second) // what still writes sees it
			})
		})
	}
}

func TestReader_takesWhatIsWithinTheLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		e := n.endpoint(transport.HandlerFunc(func(_ context.Context, out *transport.Outbox, in transport.Message) error {
			if in.Binary {
				out.ReplyBinary(in.Data)
			} else {
				out.Reply(fmt.Append(nil, len(in.Data)))
			}
			return nil
		}), transport.Options{})
		c := dial(t, e, page(n.logIn("ada")))
		c.send(strings.Repeat("x", 64<<10))
		c.wantNext(fmt.Sprint(64 << 10))
		if err := c.ws.Write(t.Context(), websocket.MessageBinary, []byte("\xff")); err != nil {
			t.Error(err)
		}
		c.wantNext("\xff")
		w, err := c.ws.Writer(t.Context(), websocket.MessageText)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"\xe2", "\x82", "\xac", ""} { // one letter, in frames
			if _, err := io.WriteString(w, part); err != nil {
				t.Error(err)
			}
			time.Sleep(2 * time.Second)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		c.wantNext("3")
		for range 200 { // a message each 50 ms is allowed for ever
			time.Sleep(50 * time.Millisecond)
			c.send("")
			c.wantNext("0")
		}
		_ = c.ws.CloseNow()
	})
}

func TestReader_framesThatAreNone(t *testing.T) {
	for name, frame := range map[string][]byte{
		"unmasked":                 {0x81, 1, 'x'},
		"reserved opcode":          {0x83, 0x80, 0, 0, 0, 0},
		"reserved bit":             {0xc1, 0x80, 0, 0, 0, 0},
		"continuation of nothing":  {0x80, 0x80, 0, 0, 0, 0},
		"fragmented ping":          {0x09, 0x80, 0, 0, 0, 0},
		"close of one byte":        {0x88, 0x81, 0, 0, 0, 0, 1},
		"close that may not be":    {0x88, 0x82, 0, 0, 0, 0, 0x03, 0xee},
		"end without a goodbye":    nil,
		"half a header and no end": {0x81},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := newNode(t)
			var end hub.Reason
			e := n.endpoint(&full{
				message: func(context.Context, *transport.Outbox, transport.Message) error {
					t.Errorf("%s: handled", name)
					return nil
				},
				closed: func(_ context.Context, _ *transport.Peer, r hub.Reason) { end = r },
			}, transport.Options{})
			c := dial(t, e, page(n.logIn("ada")))
			synctest.Wait()
			if frame != nil {
				_, _ = c.raw.Write(frame)
			}
			if frame == nil || len(frame) == 1 {
				synctest.Wait()
				_ = c.raw.Close()
			}
			synctest.Wait()
			if end.Code != int(websocket.StatusAbnormalClosure) {
				t.Errorf("%s: end %v", name, end)
			}
			_ = c.ws.CloseNow()
		})
	}
}
