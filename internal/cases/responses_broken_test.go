package cases_test

import (
	"io"
	"net/http"
	"strings"

	"github.com/sessionhub/sessionhub/session"
)

// brokenResponses are those that do not end as they should.
func brokenResponses() []visRule {
	return []visRule{
		{"panic_beforeTheHeaderSavesNothing", "the connection breaks, and nothing has happened", breakEarly},
		{"panic_afterTheHeaderKeepsWhatWasSaved", "what the header was sent for is kept, what came later is not", breakLate},
		{"clientGone_duringTheHandler", "half a save must not run: it has a context of its own", breakClient},
		{"clientGone_duringTheBody", "what was changed until then is saved", breakBody},
		{"storeGone_duringTheBody", "a save after the response began that fails says so to whoever asks", breakStore},
	}
}

// panics are the two kinds: net/http has its own way with the second.
var panics = map[string]any{"a panic": "boom", "an abort": http.ErrAbortHandler}

func breakEarly(w *visWorld) {
	n := w.node()
	for name, value := range panics {
		v := n.visitor()
		v.set("main", "count", 0)
		addr := n.listen(changes(w, func(http.ResponseWriter, *http.Request) { panic(value) }))
		if resp, _ := v.fetch(addr, "GET", "/"); resp != nil {
			w.Errorf("%s: answered %d", name, resp.StatusCode)
		}
		v.wantCount("0")
	}
}

func breakLate(w *visWorld) {
	n := w.node()
	for name, value := range panics {
		v := n.visitor()
		addr := n.listen(changes(w, func(rw http.ResponseWriter, r *http.Request) {
			io.WriteString(rw, "half")
			if err := http.NewResponseController(rw).Flush(); err != nil {
				w.Error(err)
			}
			if err := visPut(r.Context(), "main", "count", 99); err != nil {
				w.Error(err)
			}
			panic(value)
		}))
		resp := v.connect(addr, "GET", "/").response("GET")
		if resp == nil || len(resp.Cookies()) != 1 {
			w.Fatalf("%s: %+v", name, resp)
		}
		if body, err := io.ReadAll(resp.Body); err == nil || string(body) != "half" {
			w.Errorf("%s: body %q, %v; want a body that is cut off", name, body, err)
		}
		v.wantCount("1")
	}
}

func breakClient(w *visWorld) {
	n := w.node()
	v := n.visitor()
	v.set("main", "count", 0)
	began, returned := make(chan struct{}), make(chan struct{})
	addr := n.listen(func(rw http.ResponseWriter, r *http.Request) {
		changes(w, func(http.ResponseWriter, *http.Request) {})(rw, r)
		close(began)
		w.leaves(r.Context())
		if err := session.FromContext(r.Context()).Save(r.Context()); err != nil {
			w.Errorf("Save without a client: %v", err)
		}
		if s, err := session.Get(r.Context(), "main"); err != nil {
			w.Error(err)
		} else if err := visCount.Add(s, 10); err != nil {
			w.Error(err)
		}
		close(returned)
	})
	c := v.connect(addr, "GET", "/")
	<-began
	_ = c.Close()
	<-returned
	w.eventually("all is saved", func() bool { return v.get("main", "count") == "11" })
}

func breakBody(w *visWorld) {
	n := w.node()
	v := n.visitor()
	v.set("main", "count", 0)
	returned := make(chan struct{})
	addr := n.listen(changes(w, func(rw http.ResponseWriter, r *http.Request) {
		defer close(returned)
		sent := 0
		for {
			// As long as anybody takes it, and then some.
			if _, err := io.Copy(rw, strings.NewReader(strings.Repeat("x", 1<<16))); err != nil {
				break
			}
			if sent++; sent > 1<<12 {
				w.Error("nobody noticed that the client is gone")
				break
			}
		}
		w.leaves(r.Context())
		if s, err := session.Get(r.Context(), "main"); err != nil {
			w.Error(err)
		} else if err := visCount.Add(s, 10); err != nil {
			w.Error(err)
		}
	}))
	c := v.connect(addr, "GET", "/")
	if resp := c.response("GET"); resp == nil {
		w.Error("no response")
	}
	_ = c.Close()
	<-returned
	w.eventually("all is saved", func() bool { return v.get("main", "count") == "11" })
}

func breakStore(w *visWorld) {
	n := w.node()
	v := n.visitor()
	v.set("main", "count", 0)
	addr := n.listen(changes(w, func(rw http.ResponseWriter, r *http.Request) {
		io.WriteString(rw, "begun")
		w.spy.fail(func(op string) error { return session.ErrUnavailable })
		defer w.spy.fail(nil)
		s, err := session.Get(r.Context(), "main")
		if err != nil {
			w.Error(err)
			return
		}
		if err := visCount.Add(s, 10); err != nil {
			w.Error(err)
		}
		sc := session.FromContext(r.Context())
		if err := sc.Save(r.Context()); err == nil {
			w.Error("a save that could not be made went well")
		}
		w.spy.fail(nil)
		if err := sc.Save(r.Context()); err != nil { // nothing was forgotten
			w.Errorf("Save again: %v", err)
		}
	}))
	if resp, body := v.fetch(addr, "GET", "/"); resp == nil || resp.StatusCode != 200 || body != "begun" {
		w.Fatalf("%+v, body %q", resp, body)
	}
	v.wantCount("11")
}
