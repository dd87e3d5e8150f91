package web_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/web"
)

// server serves h behind the site's middleware on a real connection, and
// returns its address.
func (s *site) server(h http.HandlerFunc) string {
	srv := httptest.NewServer(web.Sessions(s.m, s.options)(h))
	s.t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

// raw sends a request with the browser's cookies over a connection of its own
// and returns everything that came back.
func (s *site) raw(addr, method string) string {
	s.t.Helper()
	conn := s.dial(addr, method, "Connection: close\r\n")
	all, err := io.ReadAll(conn)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(all)
}

func (s *site) dial(addr, method, header string) net.Conn {
	s.t.Helper()
	return s.send(addr, method+" /", header)
}

// dialPath asks for a path, and takes gzip.
func (s *site) dialPath(addr, path string) net.Conn {
	s.t.Helper()
	return s.send(addr, "GET "+path, "Accept-Encoding: gzip\r\nConnection: close\r\n")
}

func (s *site) send(addr, line, header string) net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	for name, value := range s.cookies {
		header += fmt.Sprintf("Cookie: %s=%s\r\n", name, value)
	}
	fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: test\r\n%s\r\n", line, header)
	return conn
}

func TestWire_theFirstByteWaitsForTheSave(t *testing.T) {
	for _, c := range []struct {
		name  string
		begin func(w http.ResponseWriter)
		want  string
	}{
		{"return", func(http.ResponseWriter) {}, "200 OK"},
		{"WriteHeader", func(w http.ResponseWriter) { w.WriteHeader(201) }, "201 Created"},
		{"Write", func(w http.ResponseWriter) { w.Write([]byte("x")) }, "200 OK"},
		{"WriteString", func(w http.ResponseWriter) { io.WriteString(w, "x") }, "200 OK"},
		{"io.Copy", func(w http.ResponseWriter) { io.Copy(w, io.LimitReader(strings.NewReader("xyz"), 2)) }, "200 OK"},
		{"FlushBeforeTheFirstWriteLosesTheCookie", func(w http.ResponseWriter) { w.(http.Flusher).Flush() }, "200 OK"},
		{"FlushError", func(w http.ResponseWriter) {
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
		}, "200 OK"},
		{"204", func(w http.ResponseWriter) { w.WriteHeader(204) }, "204 No Content"},
		{"304", func(w http.ResponseWriter) { w.WriteHeader(304) }, "304 Not Modified"},
		{"redirect", func(w http.ResponseWriter) { w.Header().Set("Location", "/"); w.WriteHeader(303) }, "303 See Other"},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			t.Run(c.name+"/"+method, func(t *testing.T) {
				s := newSite(t)
				addr := s.server(func(w http.ResponseWriter, r *http.Request) {
					put(t, r, "main", "k", 1)
					c.begin(w)
					if got := s.store.drain(); c.name != "return" && got != "Create" {
						t.Errorf("store calls when the response has begun: %q", got)
					}
				})
				got := s.raw(addr, method)
				if !strings.HasPrefix(got, "HTTP/1.1 "+c.want) || strings.Count(got, "Set-Cookie: __Host-id=") != 1 {
					t.Errorf("response %q", got)
				}
			})
		}
	}
}

func TestWire_noFirstByteAfterASaveThatFailed(t *testing.T) {
	for name, begin := range map[string]func(w http.ResponseWriter) error{
		"Write":       func(w http.ResponseWriter) error { _, err := w.Write([]byte("mine")); return err },
		"WriteString": func(w http.ResponseWriter) error { _, err := io.WriteString(w, "mine"); return err },
		"io.Copy":     func(w http.ResponseWriter) error { _, err := io.Copy(w, strings.NewReader("mine")); return err },
		"Flush": func(w http.ResponseWriter) error {
			w.(http.Flusher).Flush()
			return http.NewResponseController(w).Flush()
		},
		"101": func(w http.ResponseWriter) error {
			w.WriteHeader(101)
			_, _, err := w.(http.Hijacker).Hijack()
			return err
		},
		"Hijack": func(w http.ResponseWriter) error {
			// It can set no cookie, so it begins no session.
			if _, _, err := w.(http.Hijacker).Hijack(); !errors.Is(err, session.ErrCommitted) {
				return err
			}
			w.WriteHeader(204)
			w.WriteHeader(204) // a second one is swallowed too
			_, err := w.Write(nil)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.store.fail("Create", session.ErrUnavailable)
			addr := s.server(func(w http.ResponseWriter, r *http.Request) {
				put(t, r, "main", "k", 1)
				if err := begin(w); !errors.Is(err, session.ErrUnavailable) {
					t.Errorf("error %v, want ErrUnavailable", err)
				}
			})
			got := s.raw(addr, "GET")
			if !strings.HasPrefix(got, "HTTP/1.1 503 ") || strings.Contains(got, "mine") ||
				strings.Contains(got, "Set-Cookie") || !strings.Contains(got, "Retry-After: ") {
				t.Errorf("response %q", got)
			}
		})
	}
}

func TestWire_earlyHintsAreNotTheFinalHeader(t *testing.T) {
	s := newSite(t)
	addr := s.server(func(w http.ResponseWriter, r *http.Request) {
		put(t, r, "main", "k", 1)
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		if got := s.store.drain(); got != "" {
			t.Errorf("103 called the store: %q", got)
		}
		w.WriteHeader(200)
	})
	hints, final, _ := strings.Cut(s.raw(addr, "GET"), "\r\n\r\n")
	if !strings.HasPrefix(hints, "HTTP/1.1 103 ") || strings.Contains(hints, "Set-Cookie") {
		t.Errorf("hints %q", hints)
	}
	if !strings.HasPrefix(final, "HTTP/1.1 200 ") || !strings.Contains(final, "Set-Cookie") {
		t.Errorf("final %q", final)
	}
}

func TestWire_a101CarriesTheCookieAndTheHandlersReturnSavesNothing(t *testing.T) {
	s := newSite(t)
	done := make(chan struct{})
	addr := s.server(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		put(t, r, "main", "k", 1)
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		rw.WriteString("hello\n")
		rw.Flush()
		if sess, err := session.Get(r.Context(), "main"); err != nil || !errors.Is(sess.Set("k", 2), session.ErrCommitted) {
			t.Error("something was set that nobody saves")
		}
	})
	conn := s.dial(addr, "GET", "")
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	line, err := br.ReadString('\n')
	if resp.StatusCode != 101 || len(resp.Cookies()) != 1 || line != "hello\n" {
		t.Errorf("%d, cookies %v, %q, %v", resp.StatusCode, resp.Cookies(), line, err)
	}
	<-done
	s.take(resp)
	if got := s.get("main", "k"); got != "1" {
		t.Errorf("value %s, want 1", got)
	}
}

func TestWire_aHijackWithoutAHeaderSavesFirst(t *testing.T) {
	s := newSite(t)
	s.set("main", "k", 1)
	was := s.cookies["__Host-id"]
	addr := s.server(func(w http.ResponseWriter, r *http.Request) {
		put(t, r, "main", "k", 2)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if got := s.store.drain(); got != "Load Save" {
			t.Errorf("store calls before the Hijack: %q", got)
		}
		io.WriteString(conn, "HTTP/1.1 101 Mine\r\n\r\n")
	})
	if got := s.raw(addr, "GET"); !strings.HasPrefix(got, "HTTP/1.1 101 Mine") {
		t.Errorf("response %q", got)
	}
	if got := s.get("main", "k"); got != "2" || s.cookies["__Host-id"] != was {
		t.Errorf("value %s", got)
	}
}

func TestWire_aResponseControllerReachesTheConnection(t *testing.T) {
	s := newSite(t)
	addr := s.server(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		soon := time.Now().Add(time.Minute)
		if err := errors.Join(rc.SetReadDeadline(soon), rc.SetWriteDeadline(soon), rc.EnableFullDuplex()); err != nil {
			t.Error(err)
		}
		if _, ok := w.(io.ReaderFrom); !ok {
			t.Error("no io.ReaderFrom")
		}
	})
	if got := s.raw(addr, "GET"); !strings.HasPrefix(got, "HTTP/1.1 200 ") || !strings.Contains(got, "Content-Length: 0") {
		t.Errorf("response %q", got)
	}
}

func TestWire_aPanicDropsTheConnectionAndSavesNothing(t *testing.T) {
	s := newSite(t)
	s.set("main", "k", 1)
	addr := s.server(func(w http.ResponseWriter, r *http.Request) {
		put(t, r, "main", "k", 2)
		panic(http.ErrAbortHandler)
	})
	if got := s.raw(addr, "GET"); got != "" {
		t.Errorf("response %q", got)
	}
	if got := s.get("main", "k"); got != "1" {
		t.Errorf("value %s", got)
	}
}

// The writer shows the abilities of the one below it, and no others.
func TestTheWriterPromisesNothingThatIsNotThere(t *testing.T) {
	type (
		flusher  struct{ http.ResponseWriter }
		flushing interface{ http.Flusher }
	)
	rec := httptest.NewRecorder() // flushes, and does not hijack
	for _, c := range []struct {
		name             string
		base             http.ResponseWriter
		flushes, hijacks bool
	}{
		{"plain", flusher{rec}, false, false},
		{"flusher", rec, true, false},
		{"hijacker", hijackable{flusher{rec}}, false, true},
		{"both, one below an Unwrap", hijackable{rec}, true, true},
	} {
		s := newSite(t)
		web.Sessions(s.m, s.options)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, flushes := w.(flushing)
			_, hijacks := w.(http.Hijacker)
			if flushes != c.flushes || hijacks != c.hijacks {
				t.Errorf("%s: Flusher %v, Hijacker %v", c.name, flushes, hijacks)
			}
			if err := http.NewResponseController(w).Flush(); errors.Is(err, http.ErrNotSupported) == c.flushes {
				t.Errorf("%s: Flush = %v", c.name, err)
			}
		})).ServeHTTP(c.base, httptest.NewRequest("GET", "/", nil))
	}
}

type hijackable struct{ http.ResponseWriter }

func (h hijackable) Unwrap() http.ResponseWriter { return h.ResponseWriter }
func (h hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, http.ErrNotSupported
}
