package transport_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/coder/websocket"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
	"github.com/sessionhub/sessionhub/transport"
)

// An endpoint beside a logout, without the rest of the library.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	registry, err := prefixes.NewRegistry(prefixes.Parse("main"), prefixes.Parse("main/chat"))
	if err != nil {
		panic(err)
	}
	h := hub.New(hub.Options{Logger: slog.New(slog.DiscardHandler)})
	m := session.New(registry, new(memstore.Store), session.Options{Ends: h})
	ended := make(chan error)
	go func() { ended <- h.Run(ctx, m) }()
	if err := h.WaitFresh(ctx); err != nil {
		panic(err)
	}

	sent := session.Counter("sent")
	shout := transport.HandlerFunc(func(ctx context.Context, out *transport.Outbox, in transport.Message) error {
		s, err := session.Get(ctx, "chat")
		if err != nil {
			return err
		}
		if err := sent.Add(s, 1); err != nil {
			return err
		}
		n, err := sent.Get(s)
		out.Reply(fmt.Appendf(nil, "%s (%d)", strings.ToUpper(string(in.Data)), n))
		return err
	})
	endpoint, err := transport.New(shout, m, h, transport.Options{
		Origins:   []string{"https://chat.example"},
		Anonymous: transport.Create,
	})
	if err != nil {
		panic(err)
	}
	srv := httptest.NewServer(endpoint)

	page := http.Header{"Origin": {"https://chat.example"}}
	ws, resp, err := websocket.Dial(ctx, srv.URL, &websocket.DialOptions{HTTPHeader: page})
	if err != nil {
		panic(err)
	}
	for _, text := range []string{"hello", "again"} {
		if err := ws.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			panic(err)
		}
		_, answer, err := ws.Read(ctx)
		if err != nil {
			panic(err)
		}
		fmt.Println(string(answer))
	}

	// The session ends, and with it the socket.
	id, _, _ := strings.Cut(resp.Cookies()[0].Value, ".")
	if _, err := m.EndSession(ctx, "main", id, "admin"); err != nil {
		panic(err)
	}
	_, _, err = ws.Read(ctx)
	fmt.Println(websocket.CloseStatus(err))

	srv.Close()
	http.DefaultClient.CloseIdleConnections()
	cancel()
	fmt.Println(<-ended)

	// Output:
	// HELLO (1)
	// AGAIN (2)
	// StatusCode(4501)
	// <nil>
}
