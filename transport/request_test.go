package transport_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
	"github.com/sessionhub/sessionhub/web"
)

// What a handler in front of an endpoint did in the same request counts for the
// socket, and one session is all that begins.
func TestRequest_theSocketHasWhatAHandlerBeforeItDid(t *testing.T) {
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	count := session.Field[int]("n")
	for name, before := range map[string]func(ctx context.Context) error{
		"a login": func(ctx context.Context) error { return session.Login(ctx, "ada") },
		"a value and a login": func(ctx context.Context) error {
			s, err := session.Get(ctx, "main")
			if err == nil {
				err = count.Set(s, 7)
			}
			if err == nil {
				err = session.Login(ctx, "ada")
			}
			return err
		},
		"a cookie that opens nothing, which was looked at": func(ctx context.Context) error {
			_, err := session.User(ctx)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t)
				e := n.endpoint(transport.HandlerFunc(whoIs), transport.Options{Anonymous: transport.Create})
				h := web.Sessions(n.m, web.Options{Logger: quiet})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if err := before(r.Context()); err != nil {
						t.Error(err)
					}
					e.ServeHTTP(w, r)
				}))
				header, user := page(nil), "ada"
				if strings.HasPrefix(name, "a cookie") {
					gone := n.logIn("bob")
					n.logOut(gone, session.This)
					header, user = page(gone), ""
				}
				created := n.m.Stats().Created
				c := dial(t, h, header)
				c.wantUser(user)
				if got := c.resp.Header["Set-Cookie"]; len(got) != 1 || c.resp.Cookies()[0].MaxAge < 0 {
					t.Errorf("Set-Cookie %q, want one", got)
				}
				if got := n.m.Stats().Created - created; got != 1 {
					t.Errorf("%d sessions began, want 1", got)
				}
			})
		})
	}
}
