package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// frame is what a socket reads.
type frame struct {
	Room  string
	User  string
	Text  string
	At    time.Time // when the node accepted the message, in milliseconds
	Error string
	Ended string

	arrived time.Time
}

// tab is a socket of a page. A goroutine reads it and remembers everything. Its
// methods may be called from any goroutine, but for those that take a test.
type tab struct {
	node *node
	ws   *websocket.Conn
	gone chan struct{} // closed when nothing more comes

	mu     sync.Mutex // guards the following fields
	frames []frame
	more   chan struct{} // closed and replaced with each frame
	err    error         // how it ended; set before gone is closed
	ended  time.Time
}

// refusedError is an upgrade that was answered with a status.
type refusedError struct{ code int }

func (e *refusedError) Error() string { return fmt.Sprintf("the upgrade was refused with %d", e.code) }

// dial opens a socket. The test closes it at its end.
func dial(t *testing.T, n *node, header http.Header) (*tab, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ws, resp, err := websocket.Dial(ctx, n.origin+"/ws", &websocket.DialOptions{HTTPClient: n.client, HTTPHeader: header})
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			err = &refusedError{resp.StatusCode}
		}
		return nil, err
	}
	tb := &tab{node: n, ws: ws, gone: make(chan struct{}), more: make(chan struct{})}
	go tb.read()
	t.Cleanup(tb.drop)
	return tb, nil
}

// open opens a socket on a node.
func (v *visitor) open(t *testing.T, n *node) *tab {
	t.Helper()
	tb, err := dial(t, n, v.header(n))
	if err != nil {
		t.Fatalf("open a socket on %s: %v", n.name, err)
	}
	return tb
}

func (tb *tab) read() {
	defer close(tb.gone)
	for {
		_, data, err := tb.ws.Read(context.Background())
		f := frame{arrived: time.Now()}
		if err == nil {
			err = json.Unmarshal(data, &f)
		}
		tb.mu.Lock()
		if err != nil {
			tb.err, tb.ended = err, f.arrived
			tb.mu.Unlock()
			return
		}
		tb.frames = append(tb.frames, f)
		close(tb.more)
		tb.more = make(chan struct{})
		tb.mu.Unlock()
	}
}

// drop closes the connection without a word, if it still is.
func (tb *tab) drop() {
	_ = tb.ws.CloseNow()
	<-tb.gone
}

// leave closes the connection as a page that is left does.
func (tb *tab) leave() {
	_ = tb.ws.Close(websocket.StatusGoingAway, "")
	<-tb.gone
}

// write sends a text frame as it is.
func (tb *tab) write(text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return tb.ws.Write(ctx, websocket.MessageText, []byte(text))
}

// say sends a message to a room.
func (tb *tab) say(room, text string) error {
	data, err := json.Marshal(map[string]string{"room": room, "text": text})
	if err != nil {
		return err
	}
	return tb.write(string(data))
}

// join enters a room. There is no answer to that.
func (tb *tab) join(room string) error { return tb.write(`{"room":"` + room + `"}`) }

// all returns what was read so far.
func (tb *tab) all() []frame {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	return tb.frames[:len(tb.frames):len(tb.frames)]
}

// errGone is returned by wait for a socket that closed, errSilent when what was
// waited for did not come.
var (
	errGone   = errors.New("the socket closed")
	errSilent = fmt.Errorf("nothing within %v", patience)
)

// wait returns the first frame from the given place on that matches, and the
// place behind it.
func (tb *tab) wait(from int, match func(frame) bool, stop <-chan struct{}) (frame, int, error) {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	gone := false
	for {
		tb.mu.Lock()
		frames, more := tb.frames, tb.more
		tb.mu.Unlock()
		for ; from < len(frames); from++ {
			if match(frames[from]) {
				return frames[from], from + 1, nil
			}
		}
		if gone {
			return frame{}, from, errGone
		}
		select {
		case <-more:
		case <-tb.gone: // look once more
			gone = true
		case <-stop:
			return frame{}, from, context.Canceled
		case <-deadline.C:
			return frame{}, from, errSilent
		}
	}
}

// hears waits for a message, from the beginning on.
func (tb *tab) hears(t *testing.T, text string) frame {
	t.Helper()
	f, _, err := tb.wait(0, func(f frame) bool { return f.Text == text }, nil)
	if err != nil {
		t.Fatalf("socket on %s waits for %q: %v (%s)", tb.node.name, text, err, tb.end())
	}
	return f
}

// greets says something and waits until it comes back: the socket is in the
// room then.
func (tb *tab) greets(t *testing.T, room, text string) {
	t.Helper()
	if err := tb.say(room, text); err != nil {
		t.Fatalf("socket on %s writes: %v (%s)", tb.node.name, err, tb.end())
	}
	tb.hears(t, text)
}

// refuses waits for n error frames in all, and returns the last.
func (tb *tab) refuses(t *testing.T, n int) string {
	t.Helper()
	var f frame
	for from := 0; n > 0; n-- {
		var err error
		f, from, err = tb.wait(from, func(f frame) bool { return f.Error != "" }, nil)
		if err != nil {
			t.Fatalf("socket on %s waits for %d more errors: %v (%s)", tb.node.name, n, err, tb.end())
		}
	}
	return f.Error
}

// end says how the socket ended.
func (tb *tab) end() string {
	select {
	case <-tb.gone:
		return tb.err.Error()
	default:
		return "open"
	}
}

// code waits for the end, and returns its close code and when it was read.
func (tb *tab) code(within time.Duration) (int, time.Time, error) {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	select {
	case <-tb.gone:
	case <-deadline.C:
		return 0, time.Time{}, fmt.Errorf("the socket on %s is open after %v", tb.node.name, within)
	}
	code := int(websocket.CloseStatus(tb.err))
	if code < 0 {
		return 0, time.Time{}, fmt.Errorf("the socket on %s ended without a code: %w", tb.node.name, tb.err)
	}
	return code, tb.ended, nil
}

// closes waits for a close code, and returns when it was read.
func (tb *tab) closes(t *testing.T, want int) time.Time {
	t.Helper()
	code, at, err := tb.code(patience)
	if err != nil || code != want {
		t.Errorf("close code %d, %v, want %d", code, err, want)
	}
	return at
}
