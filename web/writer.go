package web

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/sessionhub/sessionhub/session"
)

// writer is a response that begins with a save. It never buffers.
type writer struct {
	base  http.ResponseWriter
	r     *http.Request // with the scope in its context
	s     *sessions
	scope *session.Scope
	ctx   requestContext

	begun    bool  // the final header was decided upon
	status   int   // of it
	err      error // the save failed and another answer went out
	hijacked bool
}

// Writers show the optional methods that the writer below them has, and no
// others: handlers ask for http.Flusher and http.Hijacker by type.
type (
	flushWriter       struct{ writer }
	hijackWriter      struct{ writer }
	flushHijackWriter struct{ writer }
)

func (w *flushWriter) Flush()                                             { _ = w.flush() }
func (w *flushWriter) FlushError() error                                  { return w.flush() }
func (w *hijackWriter) Hijack() (net.Conn, *bufio.ReadWriter, error)      { return w.hijack() }
func (w *flushHijackWriter) Flush()                                       { _ = w.flush() }
func (w *flushHijackWriter) FlushError() error                            { return w.flush() }
func (w *flushHijackWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.hijack() }

// wrap returns a writer in front of base, and the same with base's abilities.
func wrap(base http.ResponseWriter) (http.ResponseWriter, *writer) {
	var flushes, hijacks bool
	// As http.ResponseController looks for them.
	for rw := base; rw != nil; {
		switch rw.(type) {
		case http.Flusher, interface{ FlushError() error }:
			flushes = true
		}
		if _, ok := rw.(http.Hijacker); ok {
			hijacks = true
		}
		u, ok := rw.(interface{ Unwrap() http.ResponseWriter })
		if flushes && hijacks || !ok {
			break
		}
		rw = u.Unwrap()
	}
	switch {
	case flushes && hijacks:
		w := &flushHijackWriter{writer{base: base}}
		return w, &w.writer
	case flushes:
		w := &flushWriter{writer{base: base}}
		return w, &w.writer
	case hijacks:
		w := &hijackWriter{writer{base: base}}
		return w, &w.writer
	}
	w := &writer{base: base}
	return w, w
}

// Unwrap is for [http.ResponseController]: deadlines and full duplex.
func (w *writer) Unwrap() http.ResponseWriter { return w.base }

func (w *writer) Header() http.Header { return w.base.Header() }

func (w *writer) WriteHeader(code int) {
	switch {
	case w.err != nil:
		return
	case w.begun, code < 200 && code != http.StatusSwitchingProtocols, code > 999:
		// A second header, which net/http complains about, one that is not
		// final, or one at which it panics.
		w.base.WriteHeader(code)
		return
	}
	if w.begin(code) == nil {
		w.base.WriteHeader(code)
	}
}

func (w *writer) Write(p []byte) (int, error) {
	if err := w.begin(http.StatusOK); err != nil {
		return 0, err
	}
	return w.base.Write(p)
}

// WriteString saves io.WriteString a copy.
func (w *writer) WriteString(s string) (int, error) {
	if err := w.begin(http.StatusOK); err != nil {
		return 0, err
	}
	return io.WriteString(w.base, s)
}

// ReadFrom lets io.Copy reach the connection, which may use sendfile.
func (w *writer) ReadFrom(src io.Reader) (int64, error) {
	if err := w.begin(http.StatusOK); err != nil {
		return 0, err
	}
	return io.Copy(w.base, src)
}

func (w *writer) flush() error {
	if err := w.begin(http.StatusOK); err != nil {
		return err
	}
	return http.NewResponseController(w.base).Flush()
}

// hijack saves first, as for a handler that writes its 101 by hand: from now on
// anything may leave. Nobody would send a cookie any more, so what needs one
// refuses it, and nothing can be changed after it.
func (w *writer) hijack() (net.Conn, *bufio.ReadWriter, error) {
	ctx := w.r.Context()
	if w.err != nil {
		return nil, nil, w.err
	}
	if err := w.scope.Close(ctx); err != nil {
		return nil, nil, notSaved(err)
	}
	conn, rw, err := http.NewResponseController(w.base).Hijack()
	if err != nil {
		return nil, nil, err
	}
	w.hijacked = true
	if !w.begun {
		w.begun = true
		w.scope.Saved(ctx)
	}
	return conn, rw, nil
}

// begin decides what the header of the response will be, once: it saves, and
// writes the fields of the sessions, or answers otherwise when the save fails.
// It returns that error, then and ever after.
func (w *writer) begin(code int) error {
	if w.begun {
		return w.err
	}
	w.begun, w.status = true, code
	ctx, h := w.r.Context(), w.base.Header()
	if !w.keeps() {
		w.scope.Discard()
		w.scope.WriteHeader(h)
		return nil
	}
	if err := w.scope.Commit(ctx); err != nil {
		w.err = notSaved(err)
		w.replace(err)
		return w.err
	}
	// Also when a function of OnSaved panics: a login took place, and its cookie
	// goes with whatever answer there will be.
	defer w.scope.WriteHeader(h)
	w.scope.Saved(ctx)
	return nil
}

// replace answers with what err says in place of what the handler has to say.
func (w *writer) replace(err error) {
	h := w.base.Header()
	w.scope.Discard()
	clearBody(h)
	// The cookies of other families that were saved, or of a logout.
	w.scope.WriteHeader(h)
	w.s.o.answer(w.base, w.r, err)
}

// keeps reports whether changes are saved with a response that has begun.
func (w *writer) keeps() bool {
	return w.err == nil && (w.status < 500 || w.s.o.SaveOnServerError)
}

func notSaved(err error) error {
	return fmt.Errorf("web: the response was replaced, its sessions could not be saved: %w", err)
}
