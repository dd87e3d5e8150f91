package cases_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// plainResponses are those that are over when their handler returns.
func plainResponses() []visRule {
	return []visRule{
		{"head_hasTheFieldsAndNoBody", "HEAD saves and sets the cookie as GET does", respondHead},
		{"earlyHints_areNotTheFinalHeader", "103 saves nothing and carries no cookie, the 200 after it does", respondEarlyHints},
		{"notModified_carriesTheCookieAndNoBody", "a 304 keeps the session's change", respondNotModified},
		{"noContent_carriesTheCookie", "204", respondNoContent},
		{"redirect_logsIn", "the cookie goes with the 303, and the next request has the user", respondRedirect},
		{"nothingWritten_isA200WithTheCookie", "a handler that never writes", respondNothing},
		{"writeHeaderTwice_theFirstOneCounts", "the second neither saves nor sets a cookie", respondTwice},
		{"serverErrors_saveNothing", "500 and 503, whatever the handler changed", respondServerError},
		{"clientErrors_save", "a 4xx is an answer, and what it changed stays", respondClientError},
		{"largeBody_byIOCopy", "io.Copy reaches the connection's ReadFrom, and saves first", respondLargeBody},
		{"largeRequest_isStreamed", "the middleware reads nothing of the request's body", respondLargeRequest},
		{"file_ofServeContent", "http.ServeFile, ranges included", respondFile},
	}
}

// changes is a handler that counts in main and then answers.
func changes(w *visWorld, answer http.HandlerFunc) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		s, err := session.Get(r.Context(), "main")
		if err == nil {
			err = visCount.Add(s, 1)
		}
		if err != nil {
			w.Errorf("in a handler: %v", err)
		}
		answer(rw, r)
	}
}

// wantCount checks what is stored of the counter that changes counts.
func (v *visVisitor) wantCount(want string) {
	v.n.Helper()
	if got := v.get("main", "count"); got != want {
		v.n.Errorf("count = %q, want %q", got, want)
	}
}

func respondHead(w *visWorld) {
	n := w.node()
	addr := n.listen(changes(w, func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, "hello") }))
	v := n.visitor()
	resp, body := v.fetch(addr, "HEAD", "/")
	if resp == nil || resp.StatusCode != 200 || body != "" || len(resp.Cookies()) != 1 {
		w.Fatalf("%+v, body %q", resp, body)
	}
	v.wantCount("1")
}

func respondEarlyHints(w *visWorld) {
	n := w.node()
	addr := n.listen(changes(w, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Link", "</a.css>; rel=preload")
		rw.WriteHeader(http.StatusEarlyHints)
		if err := visPut(r.Context(), "chat", "later", 1); err != nil {
			w.Error(err)
		}
		rw.WriteHeader(200)
	}))
	v := n.visitor()
	c := v.connect(addr, "GET", "/")
	hints := c.response("GET")
	if hints == nil || hints.StatusCode != 103 || len(hints.Cookies()) != 0 {
		w.Fatalf("hints %+v", hints)
	}
	if final := c.response("GET"); final == nil || final.StatusCode != 200 || len(final.Cookies()) != 1 {
		w.Fatalf("final %+v", final)
	}
	v.wantCount("1")
	if got := v.get("chat", "later"); got != "1" {
		w.Errorf("what changed after the hints: %q", got)
	}
}

func respondNotModified(w *visWorld) {
	n := w.node()
	addr := n.listen(changes(w, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Etag", `"v1"`)
		http.ServeContent(rw, r, "page.txt", time.Time{}, strings.NewReader("the page"))
	}))
	v := n.visitor()
	resp, body := v.fetch(addr, "GET", "/\r\nIf-None-Match: \"v1\"")
	if resp == nil || resp.StatusCode != 304 || body != "" || len(resp.Cookies()) != 1 || resp.Header.Get("Vary") != "Cookie" {
		w.Fatalf("%+v, body %q", resp, body)
	}
	v.fetch(addr, "GET", "/\r\nIf-None-Match: \"v1\"")
	v.wantCount("2")
}

func respondNoContent(w *visWorld) {
	n := w.node()
	addr := n.listen(changes(w, func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(204) }))
	v := n.visitor()
	if resp, _ := v.fetch(addr, "POST", "/"); resp == nil || resp.StatusCode != 204 || len(resp.Cookies()) != 1 {
		w.Fatalf("%+v", resp)
	}
	v.wantCount("1")
}

func respondRedirect(w *visWorld) {
	n := w.node()
	addr := n.listen(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			if err := session.Login(r.Context(), "alice"); err != nil {
				w.Error(err)
			}
			http.Redirect(rw, r, "/", http.StatusSeeOther)
			return
		}
		user, err := session.User(r.Context())
		if err != nil {
			w.Error(err)
		}
		io.WriteString(rw, user)
	})
	v := n.visitor()
	resp, _ := v.fetch(addr, "POST", "/login")
	if resp == nil || resp.StatusCode != 303 || resp.Header.Get("Location") != "/" || len(resp.Cookies()) != 1 {
		w.Fatalf("%+v", resp)
	}
	if _, body := v.fetch(addr, "GET", "/"); body != "alice" {
		w.Errorf("the next page is for %q", body)
	}
}

func respondNothing(w *visWorld) {
	n := w.node()
	addr := n.listen(changes(w, func(http.ResponseWriter, *http.Request) {}))
	v := n.visitor()
	if resp, body := v.fetch(addr, "GET", "/"); resp == nil || resp.StatusCode != 200 || body != "" || len(resp.Cookies()) != 1 {
		w.Fatalf("%+v", resp)
	}
	v.wantCount("1")
}

func respondTwice(w *visWorld) {
	n := w.node()
	v := n.visitor()
	v.set("main", "count", 0)
	addr := n.listen(changes(w, func(rw http.ResponseWriter, r *http.Request) {
		rw.WriteHeader(202)
		if err := session.Login(r.Context(), "alice"); !errors.Is(err, session.ErrCommitted) {
			w.Errorf("Login after the header = %v, want ErrCommitted", err)
		}
		rw.WriteHeader(500) // superfluous, says net/http
		io.WriteString(rw, "hello")
	}))
	resp, body := v.fetch(addr, "GET", "/")
	if resp == nil || resp.StatusCode != 202 || body != "hello" || len(resp.Cookies()) != 0 {
		w.Fatalf("%+v, body %q", resp, body)
	}
	v.wantCount("1")
}

func respondServerError(w *visWorld) {
	n := w.node()
	v := n.visitor()
	v.set("main", "count", 7)
	was := v.cookie()
	for _, code := range []int{500, 503} {
		addr := n.listen(changes(w, func(rw http.ResponseWriter, r *http.Request) {
			if err := session.Login(r.Context(), "alice"); err != nil {
				w.Error(err)
			}
			http.Error(rw, "no", code)
		}))
		resp, body := v.fetch(addr, "POST", "/")
		if resp == nil || resp.StatusCode != code || body != "no\n" || len(resp.Cookies()) != 0 {
			w.Fatalf("%+v, body %q", resp, body)
		}
		v.wantCount("7")
		if v.cookie() != was || v.user() != "" {
			w.Errorf("%d: user %q", code, v.user())
		}
		if resp, _ := n.visitor().fetch(addr, "POST", "/"); resp == nil || len(resp.Cookies()) != 0 {
			w.Errorf("%d to a new visitor: %+v", code, resp)
		}
	}
}

func respondClientError(w *visWorld) {
	n := w.node()
	addr := n.listen(changes(w, func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "no", 404) }))
	v := n.visitor()
	if resp, _ := v.fetch(addr, "GET", "/"); resp == nil || resp.StatusCode != 404 || len(resp.Cookies()) != 1 {
		w.Fatalf("%+v", resp)
	}
	v.wantCount("1")
}

const largeBody = 8 << 20

func respondLargeBody(w *visWorld) {
	n := w.node()
	addr := n.listen(changes(w, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Length", strconv.Itoa(largeBody))
		// Not by WriterTo, which io.Copy prefers.
		src := struct{ io.Reader }{bytes.NewReader(make([]byte, largeBody))}
		if sent, err := io.Copy(rw, src); sent != largeBody || err != nil {
			w.Errorf("io.Copy = %d, %v", sent, err)
		}
	}))
	v := n.visitor()
	resp, body := v.fetch(addr, "GET", "/")
	if resp == nil || len(body) != largeBody || len(resp.Cookies()) != 1 {
		w.Fatalf("%d bytes", len(body))
	}
	v.wantCount("1")
}

func respondLargeRequest(w *visWorld) {
	n := w.node()
	first := make(chan struct{})
	addr := n.listen(changes(w, func(rw http.ResponseWriter, r *http.Request) {
		buf := make([]byte, 1<<16)
		got, err := io.ReadFull(r.Body, buf)
		if err != nil {
			w.Error(err)
		}
		close(first) // while most of it is still to be sent
		rest, err := io.Copy(io.Discard, r.Body)
		if err != nil || int64(got)+rest != largeBody {
			w.Errorf("read %d bytes, %v", int64(got)+rest, err)
		}
	}))
	v := n.visitor()
	c := v.connect(addr, "POST", "/\r\nConnection: close\r\nContent-Length: "+strconv.Itoa(largeBody))
	chunk := make([]byte, 1<<16)
	for sent := 0; sent < largeBody; sent += len(chunk) {
		if _, err := c.Write(chunk); err != nil {
			w.Fatal(err)
		}
		if sent == len(chunk) {
			<-first
		}
	}
	if resp := c.response("POST"); resp == nil || resp.StatusCode != 200 || len(resp.Cookies()) != 1 {
		w.Fatalf("%+v", resp)
	}
	v.wantCount("1")
}

func respondFile(w *visWorld) {
	name := filepath.Join(w.TempDir(), "page.txt")
	if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
		w.Fatal(err)
	}
	n := w.node()
	addr := n.listen(changes(w, func(rw http.ResponseWriter, r *http.Request) { http.ServeFile(rw, r, name) }))
	v := n.visitor()
	resp, body := v.fetch(addr, "GET", "/\r\nRange: bytes=2-4")
	if resp == nil || resp.StatusCode != 206 || body != "234" || len(resp.Cookies()) != 1 {
		w.Fatalf("%+v, body %q", resp, body)
	}
	v.wantCount("1")
}
