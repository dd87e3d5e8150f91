package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
)

// tab is a socket of a browser.
type tab struct {
	t  *testing.T
	ws *websocket.Conn
}

func (b *browser) dial(origin string) (*websocket.Conn, *http.Response, error) {
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	defer cancel()
	h := make(http.Header)
	if origin != "" {
		h.Set("Origin", origin)
	}
	return websocket.Dial(ctx, strings.Replace(b.node.url, "http", "ws", 1)+"/ws",
		&websocket.DialOptions{HTTPClient: b.http, HTTPHeader: h})
}

func (b *browser) tab() *tab {
	b.t.Helper()
	ws, _, err := b.dial(b.node.url)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = ws.CloseNow() })
	return &tab{b.t, ws}
}

func (c *tab) send(frame string) {
	c.t.Helper()
	if err := c.ws.Write(c.t.Context(), websocket.MessageText, []byte(frame)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *tab) read() (map[string]string, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	_, data, err := c.ws.Read(ctx)
	if err != nil {
		return nil, err
	}
	var m map[string]string
	return m, json.Unmarshal(data, &m)
}

// expect reads a frame that has the given fields, and returns it.
func (c *tab) expect(want map[string]string) map[string]string {
	c.t.Helper()
	got, err := c.read()
	if err != nil {
		c.t.Fatal(err)
	}
	for k, v := range want {
		if got[k] != v {
			c.t.Fatalf("frame %v, want %v", got, want)
		}
	}
	return got
}

func (c *tab) refused() string {
	c.t.Helper()
	got, err := c.read()
	if err != nil {
		c.t.Fatal(err)
	}
	if len(got) != 1 || got["error"] == "" {
		c.t.Fatalf("frame %v, want an error alone", got)
	}
	return got["error"]
}

func (c *tab) closed(code int) {
	c.t.Helper()
	for {
		if _, err := c.read(); err != nil {
			if got := int(websocket.CloseStatus(err)); got != code {
				c.t.Fatalf("closed with %d (%v), want %d", got, err, code)
			}
			return
		}
	}
}

// joined sends a message of its own and waits for it, so that the tab is in the
// room for certain.
func (c *tab) joined(room string) *tab {
	c.t.Helper()
	text := fmt.Sprintf("%p", c)
	c.send(`{"room":"` + room + `","text":"` + text + `"}`)
	for {
		got, err := c.read()
		if err != nil {
			c.t.Fatal(err)
		}
		if got["text"] == text {
			return c
		}
	}
}

func (b *browser) sent() int {
	b.t.Helper()
	r := b.get("/session")
	want(b.t, r, http.StatusOK)
	var s struct {
		Namespaces struct{ Chat struct{ Sent int } }
	}
	decode(b.t, r.body, &s)
	return s.Namespaces.Chat.Sent
}

func TestChat_reachesTheRoomAndTheSender(t *testing.T) {
	n := start(t, "", "", "")
	linus, rob := n.browser(t), n.browser(t)
	linus.signup("linus")
	rob.signup("rob")
	a, b := linus.tab().joined("lobby"), rob.tab().joined("lobby")
	a.expect(map[string]string{"user": "rob"})
	elsewhere := rob.tab().joined("elsewhere")

	a.send(`{"room":"lobby","text":"<b>hello</b>"}`)
	for _, c := range []*tab{a, b} {
		m := c.expect(map[string]string{"room": "lobby", "user": "linus", "text": "<b>hello</b>"})
		at, err := time.Parse("2006-01-02T15:04:05.000Z", m["at"])
		if err != nil || len(m) != 4 || time.Since(at).Abs() > time.Minute {
			t.Errorf("frame %v: %v", m, err)
		}
	}
	// What was sent to the lobby would come first.
	elsewhere.send(`{"room":"elsewhere","text":"nobody here"}`)
	elsewhere.expect(map[string]string{"room": "elsewhere"})
}

func TestChat_joiningIsSilentAndHears(t *testing.T) {
	n := start(t, "", "", "")
	b := n.browser(t)
	b.signup("linus")
	listener := b.tab()
	listener.send(`{"room":"lobby"}`)
	listener.send(`no JSON`) // frames are handled in order, so its answer says that the join is done
	listener.refused()
	b.tab().joined("lobby")
	listener.expect(map[string]string{"room": "lobby", "user": "linus"})
}

func TestChat_refusesAndStays(t *testing.T) {
	n := start(t, "", "", "")
	b := n.browser(t)
	b.signup("linus")
	c := b.tab()
	for _, frame := range []string{
		`no JSON`, ``, `null`, `[]`, `{}`, `{"room":1}`, `{"room":"lobby"} {}`, `{"room":"lobby","texts":"hi"}`,
		`{"room":"","text":"hi"}`, `{"room":"Lobby","text":"hi"}`, `{"room":"a b","text":"hi"}`,
		`{"room":"` + strings.Repeat("a", 33) + `","text":"hi"}`, `{"text":"hi"}`,
		`{"room":"lobby","text":""}`, `{"room":"lobby","text":"` + strings.Repeat("é", maxText+1) + `"}`,
	} {
		c.send(frame)
		c.refused()
	}
	if err := c.ws.Write(t.Context(), websocket.MessageBinary, []byte(`{"room":"lobby","text":"hi"}`)); err != nil {
		t.Fatal(err)
	}
	c.refused()
	c.send(`{"room":"lobby","text":"` + strings.Repeat("é", maxText) + `"}`)
	c.expect(map[string]string{"text": strings.Repeat("é", maxText)})
	if got := b.sent(); got != 1 {
		t.Errorf("sent = %d, want only the message that was accepted", got)
	}
}

func TestChat_countsAcceptedMessagesOfAllTabs(t *testing.T) {
	n := start(t, "", "", "")
	b := n.browser(t)
	b.signup("linus")
	tabs := []*tab{b.tab(), b.tab(), b.tab()}
	for i, c := range tabs {
		c.send(`{"room":"lobby"}`)
		for j := range 7 {
			c.send(fmt.Sprintf(`{"room":"room-%d","text":"%d"}`, i, j))
		}
		for range 7 {
			c.expect(map[string]string{"user": "linus"})
		}
	}
	if got := b.sent(); got != 21 {
		t.Errorf("sent = %d, want 21", got)
	}
}

func TestChat_boundsTheRoomsOfOneSocket(t *testing.T) {
	n := start(t, "", "", "")
	c := newChat(nil)
	one, other := new(transport.Peer), new(transport.Peer)
	join := func(p *transport.Peer, room string, want ...transport.Do) {
		t.Helper()
		sc := n.demo.app.Sessions().Scope(&http.Request{Header: http.Header{}})
		out, err := transport.Step(t.Context(), c, sc, p, transport.Message{Data: []byte(`{"room":"` + room + `"}`)})
		if err != nil {
			t.Fatal(err)
		}
		var got []transport.Do
		for _, a := range out.Acts() {
			got = append(got, a.Do)
		}
		if !slices.Equal(got, want) {
			t.Errorf("room %s: %v, want %v", room, got, want)
		}
	}
	for i := range maxRooms {
		join(one, fmt.Sprint(i), transport.DoSubscribe)
	}
	join(one, "one-more", transport.DoReply) // refused
	join(one, "0")                           // is in it already
	join(other, "one-more", transport.DoSubscribe)
}

func TestSocket_checksTheOrigin(t *testing.T) {
	n := start(t, "", "", "")
	b := n.browser(t)
	b.signup("linus")
	_, port, _ := strings.Cut(strings.TrimPrefix(n.url, "http://"), ":")
	for _, c := range []struct {
		origin string
		ok     bool
	}{
		{n.url, true},
		{"http://localhost:" + port, true},
		{"http://[::1]:" + port, true},
		{"", false},
		{"null", false},
		{"https://127.0.0.1:" + port, false},
		{"http://127.0.0.1", false},
		{"http://127.0.0.1.evil.example:" + port, false},
		{"http://evil.example", false},
	} {
		ws, resp, err := b.dial(c.origin)
		if c.ok != (err == nil) {
			t.Errorf("origin %q: %v", c.origin, err)
		}
		if err == nil {
			_ = ws.CloseNow()
		} else if resp == nil || resp.StatusCode != http.StatusForbidden {
			t.Errorf("origin %q: %v, want 403", c.origin, err)
		}
	}
}

func TestSocket_withoutALoginIs4501(t *testing.T) {
	n := start(t, "", "", "")
	n.browser(t).tab().closed(4501)
}

func TestLogout_closesTheSockets(t *testing.T) {
	n := start(t, "", "", "")
	b, stranger := n.browser(t), n.browser(t)
	b.signup("linus")
	stranger.signup("rob")
	tabs := []*tab{b.tab().joined("a"), b.tab().joined("b"), b.tab().joined("c")}
	other := stranger.tab().joined("d")
	r := b.post("/logout", `{"scope":"session"}`)
	want(t, r, http.StatusOK)
	var took session.Result
	decode(t, r.body, &took)
	if took.ClosedHere != len(tabs) {
		t.Errorf("answer %s, want %d closed here", r.body, len(tabs))
	}
	for _, c := range tabs {
		c.closed(4501)
	}
	other.joined("d")
	deadline := time.Now().Add(10 * time.Second)
	for !strings.Contains(n.logs.String(), `"code":4501`) { // is logged when the socket is gone
		if time.Now().After(deadline) {
			t.Fatal(n.logs.String())
		}
		runtime.Gosched()
	}
	if logs := n.logs.String(); !strings.Contains(logs, `"msg":"socket opened"`) || !strings.Contains(logs, `"origin":"`+n.url) ||
		strings.Contains(logs, fmt.Sprintf("%p", other)) {
		t.Errorf("logs: %s", logs)
	}
}

func TestLogin_replacesSocketsOfBefore(t *testing.T) {
	n := start(t, "", "", "")
	b := n.browser(t)
	b.signup("linus")
	c := b.tab().joined("lobby")
	b.login("linus")
	c.closed(4409)
	b.tab().joined("lobby")
}

func TestChatLogout_leavesTheSession(t *testing.T) {
	n := start(t, "", "", "")
	b, stranger := n.browser(t), n.browser(t)
	id := b.signup("linus")
	stranger.signup("rob")
	c := b.tab().joined("lobby")
	if got := b.sent(); got != 1 {
		t.Fatalf("sent = %d", got)
	}
	want(t, b.post("/logout", `{"scope":"namespace","namespace":"chat"}`), http.StatusOK)
	c.expect(map[string]string{"ended": "chat"})
	stranger.tab().joined("lobby") // what it says does not reach a tab that lost its chat
	for _, frame := range []string{`{"room":"lobby","text":"hello?"}`, `{"room":"lobby"}`} {
		c.send(frame)
		if got := c.refused(); got != "chat ended" {
			t.Errorf("%s: error %q", frame, got)
		}
	}
	r := b.get("/session")
	want(t, r, http.StatusOK)
	if exp := `{"id":"` + id + `","user":"linus","namespaces":{"chat":{},"main":{}}}`; r.body != exp {
		t.Errorf("GET /session = %s, want %s", r.body, exp)
	}
	b.tab().joined("lobby") // a new socket has a new chat
	if got := b.sent(); got != 1 {
		t.Errorf("sent = %d in the new chat", got)
	}
	c.send(`{"room":"lobby","text":"and now?"}`)
	if got := c.refused(); got != "chat ended" {
		t.Errorf("error %q from the old socket", got)
	}
}
