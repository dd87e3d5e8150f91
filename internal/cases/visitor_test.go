package cases_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/sessionhub/sessionhub/session"
)

// visVisitor is a browser: a cookie jar in front of a node.
type visVisitor struct {
	n   *visNode
	jar map[string]string
}

// visitor returns a browser that was never here.
func (n *visNode) visitor() *visVisitor { return &visVisitor{n: n, jar: make(map[string]string)} }

// at is the same browser, as it is now, in front of a node.
func (v *visVisitor) at(n *visNode) *visVisitor {
	return &visVisitor{n: n, jar: maps.Clone(v.jar)}
}

// copy is whoever has copied the browser's cookies.
func (v *visVisitor) copy() *visVisitor { return v.at(v.n) }

// cookie returns the value of the session's cookie, "" for none.
func (v *visVisitor) cookie() string { return v.jar["__Host-id"] }

// id returns the session's id.
func (v *visVisitor) id() string {
	id, _, _ := strings.Cut(v.cookie(), ".")
	return id
}

// header returns the header of a page's request.
func (v *visVisitor) header() http.Header {
	h := http.Header{"Origin": {visOrigin}}
	for name, value := range v.jar {
		h.Add("Cookie", name+"="+value)
	}
	return h
}

// serve has one POST answered by h.
func (v *visVisitor) serve(h http.HandlerFunc) *http.Response {
	return v.request(httptest.NewRequest("POST", visOrigin, nil), h)
}

// request has a request answered by h, with the browser's cookies.
func (v *visVisitor) request(r *http.Request, h http.HandlerFunc) *http.Response {
	for name, value := range v.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	rec := httptest.NewRecorder()
	v.n.handler(h).ServeHTTP(rec, r)
	resp := rec.Result()
	v.take(resp)
	return resp
}

// take stores the cookies of a response.
func (v *visVisitor) take(resp *http.Response) {
	for _, c := range resp.Cookies() {
		if c.MaxAge < 0 {
			delete(v.jar, c.Name)
		} else {
			v.jar[c.Name] = c.Value
		}
	}
}

// do has one POST answered, which must go well.
func (v *visVisitor) do(h func(r *http.Request) error) {
	v.n.Helper()
	resp := v.serve(func(_ http.ResponseWriter, r *http.Request) {
		if err := h(r); err != nil {
			v.n.Errorf("in a request: %v", err)
		}
	})
	if resp.StatusCode != 200 {
		v.n.Errorf("a request was answered with %d %s", resp.StatusCode, visBody(resp))
	}
}

// set sets a value in a request of its own.
func (v *visVisitor) set(name, key string, value any) {
	v.n.Helper()
	v.do(func(r *http.Request) error { return visPut(r.Context(), name, key, value) })
}

// get returns the JSON text that a request of its own reads, "" for none.
func (v *visVisitor) get(name, key string) (text string) {
	v.n.Helper()
	v.do(func(r *http.Request) (err error) {
		text, err = visLook(r.Context(), name, key)
		return err
	})
	return text
}

// user returns who a request of its own finds logged in.
func (v *visVisitor) user() (user string) {
	v.n.Helper()
	v.do(func(r *http.Request) (err error) {
		user, err = session.User(r.Context())
		return err
	})
	return user
}

// login logs in with a request of its own.
func (v *visVisitor) login(user string) *visVisitor {
	v.n.Helper()
	v.do(func(r *http.Request) error { return session.Login(r.Context(), user) })
	return v
}

// remember is login with remember-me.
func (v *visVisitor) remember(user string) *visVisitor {
	v.n.Helper()
	v.do(func(r *http.Request) error {
		return session.FromContext(r.Context()).Login(r.Context(), user, session.LoginOptions{Remember: true})
	})
	return v
}

// logout ends sessions with a request of its own.
func (v *visVisitor) logout(t session.Target) (result session.Result) {
	v.n.Helper()
	v.do(func(r *http.Request) (err error) {
		result, err = session.Logout(r.Context(), t)
		return err
	})
	return result
}

// hold holds the browser's session as a connection does.
func (v *visVisitor) hold() *session.Hold {
	v.n.Helper()
	ctx := context.WithoutCancel(v.n.Context())
	cred, _, err := v.n.m.Identify(&http.Request{Header: v.header()}, "", false)
	if err != nil {
		v.n.Fatal(err)
	}
	h, err := v.n.m.Hold(ctx, cred)
	if err != nil {
		v.n.Fatalf("Hold: %v", err)
	}
	v.n.Cleanup(h.Release)
	return h
}

// visMessage handles one message on a held session.
func visMessage(h *session.Hold, o session.HoldOptions, handle func(ctx context.Context) error) error {
	sc := h.Scope(o)
	ctx := session.NewContext(context.Background(), sc)
	if err := handle(ctx); err != nil {
		return err
	}
	return sc.Commit(ctx)
}

// visPut sets a value in the scope of ctx.
func visPut(ctx context.Context, name, key string, value any) error {
	s, err := session.Get(ctx, name)
	if err != nil {
		return err
	}
	return s.Set(key, value)
}

// visLook returns the JSON text of a value in the scope of ctx, "" for none.
func visLook(ctx context.Context, name, key string) (string, error) {
	s, err := session.Get(ctx, name)
	if err != nil {
		return "", err
	}
	raw, _ := s.Value(key)
	return string(raw), nil
}

// visBody reads the body of a response.
func visBody(resp *http.Response) string {
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
