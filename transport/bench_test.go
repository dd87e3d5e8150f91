package transport_test

import (
	"context"
	"testing"

	"github.com/coder/websocket"

	"github.com/sessionhub/sessionhub/transport"
)

// BenchmarkMessage is one message to a server on loopback and its answer, both
// ends in this process.
func BenchmarkMessage(b *testing.B) {
	for _, c := range []struct {
		name string
		h    transport.HandlerFunc
	}{
		{"untouched", echo},
		{"read", use([]string{"main"}, nil)},
		{"counter", use(nil, []string{"main"})},
	} {
		b.Run(c.name, func(b *testing.B) {
			n := newNode(b)
			srv := serve(b, n.endpoint(c.h, transport.Options{Rate: 1 << 30, Burst: 1 << 30}))
			ws, _ := dialing{}.connect(b, srv.URL, page(n.logIn("ada")), srv.Client())
			ctx, text := context.Background(), []byte("hello")
			b.ReportAllocs()
			for b.Loop() {
				if err := ws.ws.Write(ctx, websocket.MessageText, text); err != nil {
					b.Fatal(err)
				}
				if _, _, err := ws.ws.Read(ctx); err != nil {
					b.Fatal(err)
				}
			}
			_ = ws.ws.CloseNow()
		})
	}
}
