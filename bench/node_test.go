package bench

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/sessionhub/sessionhub"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
)

// node is one process of a program, as others would see it: it serves on a
// loopback port of its own until the end of the benchmark.
type node struct {
	b    *testing.B
	app  *sessionhub.App
	addr string
}

// newNode starts a node on a Redis that several nodes share.
func newNode(b *testing.B, redis, prefix string) *node {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	n := &node{b: b, addr: ln.Addr().String()}
	var r chi.Router
	n.app, r, err = newApp(n.addr, redis, prefix)
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- n.app.Serve(ctx, ln, r) }()
	b.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			b.Errorf("Serve: %v", err)
		}
	})
	if err := n.app.Hub().WaitFresh(b.Context()); err != nil {
		b.Fatal(err)
	}
	return n
}

// newApp returns an App and its routes.
func newApp(addr, redis, prefix string) (*sessionhub.App, chi.Router, error) {
	app, err := sessionhub.New(sessionhub.Options{
		Public:     "http://" + addr,
		Redis:      redis,
		Prefix:     prefix,
		Namespaces: []string{"main", "main/chat"},
		Logger:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, nil, err
	}
	sockets, err := app.Endpoint(transport.HandlerFunc(echo), transport.Options{
		PerSession: 1 << 20, PerAddress: 1 << 20,
		Rate: 1 << 20, Burst: 1 << 20,
	})
	if err != nil {
		return nil, nil, err
	}
	r := app.Router()
	r.Post("/login", answer(func(ctx context.Context) error { return session.Login(ctx, "ada") }))
	r.Post("/logout", answer(func(ctx context.Context) error { _, err := session.Logout(ctx, session.This); return err }))
	r.Post("/untouched", answer(func(context.Context) error { return nil }))
	r.Post("/read", answer(readTwo))
	r.Post("/modify", answer(modifyTwo))
	r.Handle("/ws", sockets)
	return app, r, nil
}

// answer is a handler that does something to sessions.
func answer(act func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := act(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Write(ok)
	}
}

// echo handles messages: what they say is done, then they come back.
func echo(ctx context.Context, out *transport.Outbox, in transport.Message) error {
	out.Reply(in.Data)
	switch string(in.Data) {
	case "read":
		return readTwo(ctx)
	case "modify":
		return modifyTwo(ctx)
	}
	return nil
}

// readTwo reads two namespaces of one family.
func readTwo(ctx context.Context) error {
	for _, space := range []string{"main", "chat"} {
		s, err := session.Get(ctx, space)
		if err != nil {
			return err
		}
		if _, err := name.Or(s, ""); err != nil {
			return err
		}
	}
	return nil
}

// modifyTwo reads and changes two namespaces of one family.
func modifyTwo(ctx context.Context) error {
	if err := readTwo(ctx); err != nil {
		return err
	}
	var errs []error
	for _, space := range []string{"main", "chat"} {
		s, err := session.Get(ctx, space)
		if err != nil {
			return err
		}
		errs = append(errs, name.Set(s, "ada"), session.Counter("count").Add(s, 1))
	}
	return errors.Join(errs...)
}

// post makes a request with a cookie, "" for none, and returns the cookie that
// the browser has after it.
func (n *node) post(path, cookie string) string {
	n.b.Helper()
	r, err := http.NewRequestWithContext(n.b.Context(), "POST", "http://"+n.addr+path, nil)
	if err != nil {
		n.b.Fatal(err)
	}
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		n.b.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		n.b.Fatalf("%s: status %d", path, resp.StatusCode)
	}
	for _, c := range resp.Cookies() {
		cookie = c.Name + "=" + c.Value
	}
	return cookie
}
