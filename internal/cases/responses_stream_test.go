package cases_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5/middleware"

	"github.com/sessionhub/sessionhub/session"
)

// streamResponses are those that go on after they have begun.
func streamResponses() []visRule {
	return []visRule{
		{"sse_theFirstFlushSavesAndSendsTheCookie", "Flush before the first write begins the response", streamFlush},
		{"sse_whatComesLaterIsSavedAtTheEnd", "or at once, by Scope.Save", streamLater},
		{"sse_aNewSessionIsTooLate", "ErrCommitted at once, because there is no cookie to be set any more", streamTooLate},
		{"sse_anEndIsNotUndone", "a stream that writes after the logout is told, and brings nothing back", streamEnded},
		{"controller_reachesTheConnection", "http.ResponseController: deadlines, Flush", streamController},
		{"controller_fullDuplex", "answers while the request is still being read", streamDuplex},
		{"hijack_savesWhatWasChangedBefore", "and what comes after is an error at once", streamHijack},
		{"compress_aroundKeepsCookieAndStream", "chi's middleware.Compress", streamCompress},
	}
}

// beginEvents begins a stream of server-sent events.
func beginEvents(w *visWorld, rw http.ResponseWriter) *http.ResponseController {
	rw.Header().Set("Content-Type", "text/event-stream")
	rc := http.NewResponseController(rw)
	if err := rc.Flush(); err != nil {
		w.Errorf("Flush: %v", err)
	}
	return rc
}

// sendEvent sends one event.
func sendEvent(w *visWorld, rw http.ResponseWriter, rc *http.ResponseController, data string) {
	if _, err := fmt.Fprintf(rw, "data: %s\n\n", data); err != nil {
		w.Errorf("send an event: %v", err)
	}
	if err := rc.Flush(); err != nil {
		w.Errorf("Flush: %v", err)
	}
}

// wantEvent reads one event.
func wantEvent(w *visWorld, body io.Reader, data string) {
	w.Helper()
	want := "data: " + data + "\n\n"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(body, got); err != nil || string(got) != want {
		w.Fatalf("event %q, %v, want %q", got, err, want)
	}
}

func streamFlush(w *visWorld) {
	n := w.node()
	looked := make(chan struct{})
	addr := n.listen(changes(w, func(rw http.ResponseWriter, _ *http.Request) {
		beginEvents(w, rw)
		<-looked // the handler goes on, and nothing was written yet
	}))
	v := n.visitor()
	c := v.connect(addr, "GET", "/events")
	resp := c.response("GET")
	if resp == nil || resp.StatusCode != 200 || len(resp.Cookies()) != 1 || resp.Header.Get("Content-Type") != "text/event-stream" {
		w.Errorf("%+v", resp)
	}
	v.wantCount("1") // another request, while the stream is open
	close(looked)
}

func streamLater(w *visWorld) {
	n := w.node()
	v := n.visitor()
	v.set("main", "count", 0)
	looked := make(chan struct{})
	addr := n.listen(changes(w, func(rw http.ResponseWriter, r *http.Request) {
		rc := beginEvents(w, rw)
		s, err := session.Get(r.Context(), "main")
		if err != nil {
			w.Error(err)
			return
		}
		if err := errors.Join(visCount.Add(s, 10), session.FromContext(r.Context()).Save(r.Context())); err != nil {
			w.Errorf("Save: %v", err)
		}
		sendEvent(w, rw, rc, "saved")
		<-looked
		if err := visCount.Add(s, 100); err != nil {
			w.Error(err)
		}
	}))
	c := v.connect(addr, "GET", "/events\r\nConnection: close")
	resp := c.response("GET")
	if resp == nil {
		w.Fatal("no response")
	}
	wantEvent(w, resp.Body, "saved")
	v.wantCount("11")
	close(looked)
	if rest := visBody(resp); rest != "" {
		w.Errorf("rest %q", rest)
	}
	w.eventually("the last change is saved", func() bool { return v.get("main", "count") == "111" })
}

func streamTooLate(w *visWorld) {
	n := w.node()
	addr := n.listen(func(rw http.ResponseWriter, r *http.Request) {
		rc := beginEvents(w, rw)
		s, err := session.Get(r.Context(), "main")
		if err != nil {
			w.Error(err)
			return
		}
		for name, err := range map[string]error{
			"Set":    s.Set("k", 1),
			"Login":  session.Login(r.Context(), "alice"),
			"Cycle":  session.Cycle(r.Context()),
			"Expiry": session.SetExpiry(r.Context(), session.After(time.Hour)),
		} {
			if !errors.Is(err, session.ErrCommitted) {
				w.Errorf("%s = %v, want ErrCommitted", name, err)
			}
		}
		sendEvent(w, rw, rc, "still here")
	})
	v := n.visitor()
	resp, body := v.fetch(addr, "GET", "/events")
	if resp == nil || len(resp.Cookies()) != 0 || body != "data: still here\n\n" {
		w.Fatalf("%+v, body %q", resp, body)
	}
	if got := w.spy.drain(); got != "" {
		w.Errorf("the store was asked %q", got)
	}
}

func streamEnded(w *visWorld) {
	n := w.node()
	v := n.visitor().login("alice")
	id := v.id()
	addr := n.listen(changes(w, func(rw http.ResponseWriter, r *http.Request) {
		rc := beginEvents(w, rw)
		v.copy().logout(session.This)
		if err := visPut(r.Context(), "main", "k", 1); err != nil {
			w.Error(err)
		}
		if err := session.FromContext(r.Context()).Save(r.Context()); !errors.Is(err, session.ErrEnded) {
			w.Errorf("Save = %v, want ErrEnded", err)
		}
		sendEvent(w, rw, rc, "bye")
	}))
	if resp, body := v.copy().fetch(addr, "GET", "/events"); resp == nil || body != "data: bye\n\n" {
		w.Errorf("%+v, body %q", resp, body)
	}
	if n.exists(id) || v.user() != "" {
		w.Error("the session is back")
	}
}

func streamController(w *visWorld) {
	n := w.node()
	addr := n.listen(changes(w, func(rw http.ResponseWriter, _ *http.Request) {
		rc := http.NewResponseController(rw)
		soon := time.Now().Add(time.Minute)
		if err := errors.Join(rc.SetReadDeadline(soon), rc.SetWriteDeadline(soon), rc.Flush()); err != nil {
			w.Error(err)
		}
		if err := rc.SetWriteDeadline(time.Now().Add(-time.Second)); err != nil {
			w.Error(err)
		}
		io.WriteString(rw, "too late")
		if err := rc.Flush(); err == nil {
			w.Error("a write after its deadline did not fail")
		}
	}))
	v := n.visitor()
	c := v.connect(addr, "GET", "/")
	resp := c.response("GET")
	if resp == nil || len(resp.Cookies()) != 1 {
		w.Fatalf("%+v", resp)
	}
	if body, err := io.ReadAll(resp.Body); err == nil || strings.Contains(string(body), "late") {
		w.Errorf("body %q, %v", body, err)
	}
	v.wantCount("1")
}

func streamDuplex(w *visWorld) {
	n := w.node()
	addr := n.listen(changes(w, func(rw http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(rw)
		if err := rc.EnableFullDuplex(); err != nil {
			w.Error(err)
		}
		buf := make([]byte, 4)
		for range 2 {
			if _, err := io.ReadFull(r.Body, buf); err != nil {
				w.Error(err)
			}
			if _, err := rw.Write(buf); err != nil {
				w.Error(err)
			}
			if err := rc.Flush(); err != nil {
				w.Error(err)
			}
		}
	}))
	v := n.visitor()
	c := v.connect(addr, "POST", "/\r\nConnection: close\r\nContent-Length: 8")
	fmt.Fprint(c, "ping")
	resp := c.response("POST")
	if resp == nil || len(resp.Cookies()) != 1 {
		w.Fatalf("%+v", resp)
	}
	buf := make([]byte, 4)
	for _, next := range []string{"pong", ""} {
		if _, err := io.ReadFull(resp.Body, buf); err != nil {
			w.Fatal(err)
		}
		fmt.Fprint(c, next)
	}
	if string(buf) != "pong" {
		w.Errorf("the second answer is %q", buf)
	}
	v.wantCount("1")
}

func streamHijack(w *visWorld) {
	n := w.node()
	v := n.visitor()
	v.set("main", "count", 0)
	returned := make(chan struct{})
	addr := n.listen(changes(w, func(rw http.ResponseWriter, r *http.Request) {
		defer close(returned)
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			w.Error(err)
			return
		}
		defer conn.Close()
		if s, err := session.Get(r.Context(), "main"); err != nil {
			w.Error(err)
		} else if err := visCount.Add(s, 10); !errors.Is(err, session.ErrCommitted) {
			w.Errorf("a change after it = %v, want ErrCommitted", err)
		}
		io.WriteString(conn, "HTTP/1.1 101 Mine\r\n\r\n")
	}))
	if resp := v.connect(addr, "GET", "/").response("GET"); resp == nil || resp.StatusCode != 101 {
		w.Errorf("%+v", resp)
	}
	<-returned
	v.wantCount("1")
}

func streamCompress(w *visWorld) {
	n := w.node()
	ours := changes(w, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		rw.WriteHeader(200)
		rc := http.NewResponseController(rw)
		for _, part := range []string{"hello ", "world"} {
			io.WriteString(rw, part)
			if err := rc.Flush(); err != nil {
				w.Error(err)
			}
		}
	})
	for name, h := range map[string]http.Handler{
		"around us": middleware.Compress(5)(n.handler(ours)),
		"inside":    n.handler(middleware.Compress(5)(ours).ServeHTTP),
	} {
		v := n.visitor()
		resp := v.connect(n.listenTo(h), "GET", "/\r\nAccept-Encoding: gzip\r\nConnection: close").response("GET")
		if resp == nil || resp.Header.Get("Content-Encoding") != "gzip" || len(resp.Cookies()) != 1 {
			w.Errorf("%s: %+v", name, resp)
			continue
		}
		if vary := strings.Join(resp.Header["Vary"], ", "); !strings.Contains(vary, "Cookie") || !strings.Contains(vary, "Accept-Encoding") {
			w.Errorf("%s: Vary %q", name, vary)
		}
		zip, err := gzip.NewReader(resp.Body)
		if err != nil {
			w.Fatal(err)
		}
		if text, err := io.ReadAll(zip); err != nil || string(text) != "hello world" {
			w.Errorf("%s: %q, %v", name, text, err)
		}
		v.wantCount("1")
	}
}
