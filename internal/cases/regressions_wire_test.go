package cases_test

import (
	"errors"
	"io"
	"net/http"

	"github.com/sessionhub/sessionhub/session"
)

// wireRegressions are defects in what begins a response.
func wireRegressions() []visRule {
	return []visRule{
		{"flushBeforeWriteLosesTheCookie", "scs: Flush before the first write sends the header without session and cookie", regressFlush},
		{"header103TakenForTheFinalOne", "scs: WriteHeader(103) counts as the response, and later changes are lost", regressHints},
		{"saveAfterWritingSetsNoCookieAndSaysNothing", "gorilla/sessions: Save after the first byte returns nil", regressLateSave},
	}
}

func regressFlush(w *visWorld) {
	n := w.node()
	addr := n.listen(changes(w, func(rw http.ResponseWriter, _ *http.Request) {
		rw.(http.Flusher).Flush()
		io.WriteString(rw, "hello")
	}))
	v := n.visitor()
	if resp, body := v.fetch(addr, "GET", "/"); resp == nil || body != "hello" || len(resp.Cookies()) != 1 {
		w.Fatalf("%+v, body %q", resp, body)
	}
	v.wantCount("1")
}

func regressHints(w *visWorld) {
	n := w.node()
	addr := n.listen(func(rw http.ResponseWriter, r *http.Request) {
		rw.WriteHeader(http.StatusEarlyHints)
		changes(w, func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, "hello") })(rw, r)
	})
	v := n.visitor()
	c := v.connect(addr, "GET", "/\r\nConnection: close")
	if hints := c.response("GET"); hints == nil || hints.StatusCode != 103 {
		w.Fatalf("hints %+v", hints)
	}
	if final := c.response("GET"); final == nil || len(final.Cookies()) != 1 || visBody(final) != "hello" {
		w.Fatalf("final %+v", final)
	}
	v.wantCount("1")
}

func regressLateSave(w *visWorld) {
	n := w.node()
	addr := n.listen(func(rw http.ResponseWriter, r *http.Request) {
		io.WriteString(rw, "hello")
		if err := visPut(r.Context(), "main", "k", 1); !errors.Is(err, session.ErrCommitted) {
			w.Errorf("Set of a new session after the first byte = %v, want ErrCommitted", err)
		}
		if err := session.Login(r.Context(), "alice"); !errors.Is(err, session.ErrCommitted) {
			w.Errorf("Login after the first byte = %v, want ErrCommitted", err)
		}
	})
	v := n.visitor()
	if resp, body := v.fetch(addr, "GET", "/"); resp == nil || body != "hello" || len(resp.Cookies()) != 0 {
		w.Fatalf("%+v, body %q", resp, body)
	}
	if got := w.spy.drain(); got != "" {
		w.Errorf("the store was asked %q", got)
	}
}
