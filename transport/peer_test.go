package transport_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/transport"
	"github.com/sessionhub/sessionhub/web"
)

// describe answers with the peer.
func describe(_ context.Context, out *transport.Outbox, _ transport.Message) error {
	p := out.Peer()
	out.Reply(fmt.Appendf(nil, "%s %s %v %q", p.User, p.Address, p.Params, p.Query.Get("q")))
	return nil
}

func TestPeer_keepsItsOwnParameters(t *testing.T) {
	n := newNode(t)
	r := chi.NewRouter()
	r.Handle("/ws/{room}", n.endpoint(transport.HandlerFunc(describe), transport.Options{Burst: 1000}))
	r.Get("/{thing}/{room}", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, chi.URLParam(r, "room")) })
	srv := serve(t, r)
	alice := dialURL(t, srv, "/ws/alice?q=tea", page(n.logIn("alice")))
	for range 200 { // chi gives these requests the context that alice's had
		resp, err := srv.Client().Get(srv.URL + "/other/bob-private?q=secret")
		if err != nil {
			t.Fatal(err)
		}
		if got := body(t, resp); got != "bob-private" {
			t.Fatal(got)
		}
		resp.Body.Close()
		alice.send("who")
		alice.wantNext(`alice 127.0.0.1 map[room:alice] "tea"`)
	}
	_ = alice.ws.CloseNow()
}

func TestPeer_parameters(t *testing.T) {
	n := newNode(t)
	var got *transport.Peer
	e := n.endpoint(&full{open: func(_ context.Context, out *transport.Outbox) error {
		got = out.Peer()
		out.Close(4000, "")
		return nil
	}}, transport.Options{Subprotocols: []string{"v2", "v1"}})
	mux := http.NewServeMux()
	for _, pattern := range []string{"/plain", "GET /a/{one}/{two}", "/rest/{path...}", "/end/{$}"} {
		mux.Handle(pattern, e)
	}
	router := chi.NewRouter()
	router.Route("/api/{version}", func(r chi.Router) {
		r.Handle("/ws/{room:[a-z]{2,5}}", e)
		r.Handle("/files/*", e)
	})
	v := n.logIn("ada")
	for _, c := range []struct {
		h    http.Handler
		path string
		want map[string]string
	}{
		{mux, "/plain", nil},
		{mux, "/a/x/y%2Fz", map[string]string{"one": "x", "two": "y/z"}},
		{mux, "/rest/a/b", map[string]string{"path": "a/b"}},
		{mux, "/end/", nil},
		{router, "/api/1/ws/abc", map[string]string{"version": "1", "room": "abc"}},
		{router, "/api/1/files/a/b", map[string]string{"version": "1", "*": "a/b"}},
		{e, "/no/router", nil},
	} {
		h := page(v)
		h.Set("User-Agent", "tests")
		ws := dialing{path: c.path, protocols: []string{"v1", "v2"}}.dial(t, c.h, h)
		ws.wantClose(hub.Reason{Code: 4000})
		if !maps.Equal(got.Params, c.want) {
			t.Errorf("%s: %v, want %v", c.path, got.Params, c.want)
		}
		if got.User != "ada" || got.Session == "" || got.Origin != origin || got.UserAgent != "tests" ||
			got.Subprotocol != "v2" || got.Address.String() != "192.0.2.1" {
			t.Errorf("%s: %+v", c.path, got)
		}
	}
}

func TestEndpoint_behindMiddleware(t *testing.T) {
	n := newNode(t)
	quiet := middleware.RequestLogger(&middleware.DefaultLogFormatter{Logger: log.New(io.Discard, "", 0)})
	all := chi.Chain(quiet, middleware.Recoverer, middleware.RequestID, middleware.Compress(5, "text/plain"),
		web.Headers, web.Sessions(n.m, web.Options{}), middleware.Timeout(50*time.Millisecond))
	e := n.endpoint(transport.HandlerFunc(count), transport.Options{Rate: 1 << 20, Burst: 1 << 20})
	srv := serve(t, all.Handler(e))
	h := page(n.logIn("ada"))
	h.Set("Accept-Encoding", "gzip")
	c := dialURL(t, srv, "/", h)
	late := time.After(200 * time.Millisecond)
	for i := 1; ; i++ { // it outlives the deadline of its request
		c.send("more")
		c.wantNext(fmt.Sprint(i))
		select {
		case <-late:
			_ = c.ws.CloseNow()
			return
		default:
		}
	}
}

func TestEndpoint_behindMiddlewareThatHidesTheConnection(t *testing.T) {
	n := newNode(t)
	e := n.endpoint(transport.HandlerFunc(echo), transport.Options{Anonymous: transport.Create})
	srv := serve(t, http.TimeoutHandler(e, time.Minute, ""))
	c, resp := dialing{}.connect(t, srv.URL, page(nil), srv.Client())
	if c != nil || resp.StatusCode != http.StatusInternalServerError || len(resp.Cookies()) > 0 {
		t.Errorf("answer %+v", resp)
	}
	if got := n.log.String(); !strings.Contains(got, "http.TimeoutHandler") {
		t.Errorf("log: %s", got)
	}
}
