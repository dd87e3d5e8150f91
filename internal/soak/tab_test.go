package soak_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/sessionhub/sessionhub/internal/soak"
)

// patience is how long a client waits for anything.
const patience = 15 * time.Second

// manner is what a client does with a socket.
type manner int

const (
	writes  manner = iota // what changes the session
	reads                 // nothing is saved: such a socket is not closed for want of the store
	listens               // says nothing and gets the news
)

// mannerOf makes half of the sockets writers.
func mannerOf(pick uint64) manner { return [...]manner{writes, reads, listens, writes}[pick%4] }

// tab is a client's socket. A goroutine reads it and notes everything.
type tab struct {
	number  int
	session string // whose cookie opened it
	place   soak.Place
	manner  manner
	rec     *recorder
	ws      *websocket.Conn
	gone    chan struct{} // closed when nothing more comes
	code    atomic.Int64  // with which it closed, once gone is closed
}

// dial opens a socket with a cookie and notes that. It returns nil when there
// is none, and the response when there was one.
func (c *client) dial(n *node, session, cookie, room string, m manner) (*tab, *http.Response) {
	tb := &tab{session: session, place: n.place, manner: m, rec: c.rec, gone: make(chan struct{})}
	from := c.rec.now()
	c.rec.note(func(h *soak.History) {
		tb.number = len(h.Sockets)
		h.Sockets = append(h.Sockets, soak.Socket{At: n.place, Session: session, Quiet: m != writes, Listens: m == listens, Dialed: from})
	})
	if tb.number == 0 {
		return nil, nil // the run is over
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	path := "ws"
	if m != writes {
		path = "quiet"
	}
	if m == listens {
		room = newsroom
	}
	url := fmt.Sprintf("%s/%s?socket=%d&room=%s", n.url, path, tb.number, room)
	ws, resp, err := websocket.Dial(ctx, url, &websocket.DialOptions{
		HTTPClient: c.http,
		HTTPHeader: http.Header{"Cookie": {"id=" + cookie}, "Origin": {public}},
	})
	if err != nil {
		return nil, resp
	}
	tb.ws = ws
	now := c.rec.now()
	c.rec.note(func(h *soak.History) { h.Sockets[tb.number].Opened = now })
	c.opens(tb)
	c.reading.Go(func() {
		tb.read()
		c.closes(tb)
	})
	return tb, resp
}

func (tb *tab) read() {
	defer close(tb.gone)
	for {
		_, data, err := tb.ws.Read(context.Background())
		at := tb.rec.now()
		var f frame
		if err == nil {
			err = json.Unmarshal(data, &f)
		}
		if err != nil {
			code := int(websocket.CloseStatus(err))
			if code < 0 {
				code = int(websocket.StatusAbnormalClosure)
			}
			tb.code.Store(int64(code))
			tb.closed(at, code)
			_ = tb.ws.CloseNow()
			return
		}
		tb.rec.note(func(h *soak.History) {
			if f.Told {
				h.Deliveries = append(h.Deliveries, soak.Delivery{Socket: tb.number, Message: f.Message, At: at})
			} else {
				h.Messages[f.Message].Answered = at
			}
		})
	}
}

// closed notes the end of the socket, unless that is known.
func (tb *tab) closed(at time.Duration, code int) {
	tb.rec.note(func(h *soak.History) {
		if s := &h.Sockets[tb.number]; s.Closed == 0 {
			s.Closed, s.Code = at, code
		}
	})
}

// isGone reports whether the socket is closed, and with what code.
func (tb *tab) isGone() (code int, gone bool) {
	select {
	case <-tb.gone:
		return int(tb.code.Load()), true
	default:
		return 0, false
	}
}

// say notes a message and sends it.
func (tb *tab) say(f frame) {
	tb.rec.note(func(h *soak.History) {
		f.Message = len(h.Messages)
		h.Messages = append(h.Messages, soak.Message{
			Session: tb.session, Socket: tb.number, Weight: f.Weight, InChat: f.Chat, Reads: f.Read, Sent: tb.rec.now(),
		})
	})
	if f.Message != 0 {
		tb.send(f)
	}
}

// send sends a message. That it cannot be sent shows in what is read.
func (tb *tab) send(f frame) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = tb.ws.Write(ctx, websocket.MessageText, encode(f))
}

// drop closes the connection without a word.
func (tb *tab) drop() {
	tb.closed(tb.rec.now(), int(websocket.StatusNormalClosure))
	_ = tb.ws.CloseNow()
	<-tb.gone
}
