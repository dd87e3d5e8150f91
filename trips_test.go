package sessionhub_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/sessionhub/sessionhub"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
)

// acts are what the handlers of the test do to sessions, for requests and for
// messages alike.
var acts = map[string]func(context.Context) error{
	"nothing": func(context.Context) error { return nil },
	"read":    func(ctx context.Context) error { return errors.Join(look(ctx, "main"), look(ctx, "chat")) },
	"modify": func(ctx context.Context) error {
		return errors.Join(look(ctx, "main"), put(ctx, "main"), look(ctx, "chat"), put(ctx, "chat"))
	},
	"login-ada":   func(ctx context.Context) error { return errors.Join(put(ctx, "chat"), session.Login(ctx, "ada")) },
	"login-grace": func(ctx context.Context) error { return session.Login(ctx, "grace") },
	"logout":      func(ctx context.Context) error { return logout(ctx, session.This) },
	"logout-chat": func(ctx context.Context) error { return logout(ctx, session.Namespace("chat")) },
	"logout-all":  func(ctx context.Context) error { return logout(ctx, session.All) },
}

var tripsValue = session.Field[string]("value")

func look(ctx context.Context, name string) error {
	s, err := session.Get(ctx, name)
	if err != nil {
		return err
	}
	_, err = tripsValue.Or(s, "")
	return err
}

func put(ctx context.Context, name string) error {
	s, err := session.Get(ctx, name)
	if err != nil {
		return err
	}
	return errors.Join(tripsValue.Set(s, "new"), session.Counter("count").Add(s, 1))
}

func logout(ctx context.Context, t session.Target) error {
	_, err := session.Logout(ctx, t)
	return err
}

// tripsNode is a node on a real Redis whose round trips are counted.
type tripsNode struct {
	t     *testing.T
	addr  string
	trips *redistest.Trips
}

func newTripsNode(t *testing.T) *tripsNode {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	app, err := sessionhub.New(sessionhub.Options{
		Public:     "http://" + addr,
		Redis:      redistest.Shared(t).URL,
		Prefix:     redistest.Prefix(t),
		Namespaces: []string{"main", "main/chat"},
		Logger:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	n := &tripsNode{t: t, addr: addr, trips: redistest.RecordTrips(app.Redis())}

	r := app.Router()
	for name, act := range acts {
		r.Post("/"+name, func(w http.ResponseWriter, r *http.Request) {
			if err := act(r.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	r.Handle("/ws", app.Socket(func(ctx context.Context, out *transport.Outbox, in transport.Message) error {
		name, publishes := strings.CutSuffix(string(in.Data), " and publish")
		if publishes {
			out.Publish("lobby", in.Data)
		}
		out.Reply([]byte("done"))
		return acts[name](ctx)
	}))

	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- app.Serve(ctx, ln, r) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return n
}

// post makes a request with a cookie, "" for none, and returns the cookie that
// the browser has after it.
func (n *tripsNode) post(name, cookie string) string {
	n.t.Helper()
	r, err := http.NewRequestWithContext(n.t.Context(), "POST", "http://"+n.addr+"/"+name, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		n.t.Fatalf("%s: status %d", name, resp.StatusCode)
	}
	for _, c := range resp.Cookies() {
		cookie = c.Name + "=" + c.Value
	}
	return cookie
}

// visitor returns the cookie of somebody new, anonymous, or logged in as ada.
func (n *tripsNode) visitor(who string) string {
	n.t.Helper()
	switch who {
	case "anonymous":
		return n.post("modify", "")
	case "ada":
		return n.post("login-ada", n.post("modify", ""))
	}
	return ""
}

// dial opens a socket.
func (n *tripsNode) dial(cookie string) *websocket.Conn {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), 20*time.Second)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws://"+n.addr+"/ws", &websocket.DialOptions{
		HTTPHeader: http.Header{"Cookie": {cookie}, "Origin": {"http://" + n.addr}},
	})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = ws.CloseNow() })
	return ws
}

// say sends a message and waits for the answer.
func (n *tripsNode) say(ws *websocket.Conn, text string) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), 20*time.Second)
	defer cancel()
	if err := ws.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		n.t.Fatal(err)
	}
	if _, data, err := ws.Read(ctx); err != nil || string(data) != "done" {
		n.t.Fatalf("after %q: %q, %v", text, data, err)
	}
}

func (n *tripsNode) want(name string, want int) {
	n.t.Helper()
	if got := n.trips.Take(); len(got) != want {
		n.t.Errorf("%s: %d round trips %q, want %d", name, len(got), got, want)
	}
}

// What a request costs in round trips to a real Redis.
func TestTrips_request(t *testing.T) {
	n := newTripsNode(t)
	for _, c := range []struct {
		visitor, act string
		trips        int
	}{
		{"new", "nothing", 0},
		{"new", "read", 0},
		{"new", "modify", 1}, // create
		{"ada", "nothing", 0},
		{"ada", "read", 1},
		{"ada", "modify", 2}, // load, save
		{"new", "login-ada", 2},
		{"anonymous", "login-ada", 3},
		{"ada", "login-ada", 3},
		{"ada", "login-grace", 3}, // the end of ada's session goes along
		{"new", "logout", 0},
		{"anonymous", "logout", 2}, // load, delete
		{"ada", "logout", 2},
		{"ada", "logout-chat", 2},
		{"ada", "logout-all", 4}, // load, raise, check, delete
	} {
		// The first time Redis does not know the scripts yet.
		n.post(c.act, n.visitor(c.visitor))
		cookie := n.visitor(c.visitor)
		n.trips.Take()
		n.post(c.act, cookie)
		n.want(c.visitor+" "+c.act, c.trips)
	}
}

// What a message on an open socket costs.
func TestTrips_message(t *testing.T) {
	n := newTripsNode(t)
	cookie := n.visitor("ada")
	warm := n.dial(cookie)
	n.say(warm, "modify")
	n.trips.Take()

	ws := n.dial(cookie)
	n.say(ws, "nothing") // the answer comes when all of the upgrade is done
	n.want("upgrade", 1)
	for _, c := range []struct {
		message string
		trips   int
	}{
		{"nothing", 0},
		{"read", 0},
		{"modify", 1},
		{"read", 0},
		{"nothing and publish", 1},
		{"modify and publish", 2},
	} {
		n.say(ws, c.message)
		n.want(c.message, c.trips)
	}
}
