package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/sessionhub/sessionhub/session"
)

// Errors of this package that [Options.Error] gets.
var (
	// ErrNoUser is the answer of [RequireUser] to visitors who are not logged in.
	ErrNoUser = errors.New("web: nobody is logged in")

	// ErrCrossOrigin is the answer of a [NewRouter] to a form of another site.
	ErrCrossOrigin = errors.New("web: sent by another origin")
)

// retryAfter is in seconds: about what a store takes to come back.
const retryAfter = "2"

// Status returns what an error says to a client: a status, and a sentence that
// gives nothing away.
//
//	session.ErrEnded, session.ErrNamespaceEnded   400
//	session.ErrTarget, session.ErrCredentials     400
//	session.ErrUserEnded, ErrNoUser, ErrNotRecent 401
//	ErrCrossOrigin, session.ErrMaxSessions        403
//	session.ErrRenewed, session.ErrConflict       409
//	session.ErrLimit                              413: it is the request that brings too much
//	session.ErrOwed, session.ErrUnavailable       503
//	context.DeadlineExceeded                      504
//	all others                                    500
func Status(err error) (code int, sentence string) {
	switch {
	case errors.Is(err, session.ErrOwed):
		return http.StatusServiceUnavailable, "Signed out on this server. The others follow as soon as they can be reached."
	case errors.Is(err, session.ErrUnavailable):
		return http.StatusServiceUnavailable, "Sessions cannot be reached at the moment. Try again in a few seconds."
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, "This took too long, and nothing of it was kept. Try again."
	case errors.Is(err, session.ErrEnded), errors.Is(err, session.ErrNamespaceEnded):
		return http.StatusBadRequest, "Your session ended before this request could be completed. " +
			"You may have signed out in another tab, for example."
	case errors.Is(err, session.ErrRenewed):
		return http.StatusConflict, "You signed in again while this request was under way, so nothing of it was kept. " +
			"Reload the page and repeat it."
	case errors.Is(err, session.ErrConflict):
		return http.StatusConflict, "Another request kept changing the same data, so nothing of this one was kept. Try again."
	case errors.Is(err, session.ErrUserEnded):
		return http.StatusUnauthorized, "All sessions of this account were ended while you were signing in. Sign in again."
	case errors.Is(err, session.ErrLimit):
		return http.StatusRequestEntityTooLarge, "This is more than a session can hold, so nothing of this request was kept."
	case errors.Is(err, session.ErrTarget):
		return http.StatusBadRequest, "There is no such session to sign out of."
	case errors.Is(err, session.ErrCredentials):
		return http.StatusBadRequest, "This request shows two different sessions, in its cookie and in its token."
	case errors.Is(err, session.ErrMaxSessions):
		return http.StatusForbidden, "This account is signed in on as many devices as it may be. Sign out on one of them first."
	case errors.Is(err, ErrNotRecent):
		return http.StatusUnauthorized, "Sign in again to do this."
	case errors.Is(err, ErrNoUser):
		return http.StatusUnauthorized, "Sign in to see this."
	case errors.Is(err, ErrCrossOrigin):
		return http.StatusForbidden, "This request was sent by a page of another site, and was refused."
	}
	return http.StatusInternalServerError, "Something went wrong on our side, and nothing of this request was kept."
}

// Error answers a request with what err says, through [Options.Error], and
// drops what the handler changed. It is for the errors of [session.Get] and
// its kin:
//
//	s, err := session.Get(r.Context(), "chat")
//	if err != nil {
//		web.Error(w, r, err)
//		return
//	}
func Error(w http.ResponseWriter, r *http.Request, err error) {
	if sc := session.FromContext(r.Context()); sc != nil {
		sc.Discard()
	}
	reply(w, r, err)
}

// reply answers through the options of the Sessions around r.
func reply(w http.ResponseWriter, r *http.Request, err error) {
	o := Options{Logger: slog.Default()}
	if outer := writerOf(r.Context()); outer != nil {
		o = outer.s.o
	}
	clearBody(w.Header())
	o.answer(w, r, err)
}

// answer writes the answer to an error, whose header must not describe another
// body any more.
func (o *Options) answer(w http.ResponseWriter, r *http.Request, err error) {
	code, sentence := Status(err)
	if code >= 500 && (!errors.Is(err, session.ErrUnavailable) || o.away.due()) {
		o.Logger.ErrorContext(r.Context(), "answered with an error", "status", code, "error", err)
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if code == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfter)
	}
	if o.Error == nil {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(code)
		fmt.Fprintln(w, sentence)
		return
	}
	once := &onceWriter{ResponseWriter: w}
	o.Error(once, r, err)
	if !once.wrote {
		w.WriteHeader(code)
	}
}

// onceWriter notices whether an [Options.Error] answered.
type onceWriter struct {
	http.ResponseWriter
	wrote bool
}

func (w *onceWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *onceWriter) WriteHeader(code int) {
	w.wrote = w.wrote || code >= 200
	w.ResponseWriter.WriteHeader(code)
}

func (w *onceWriter) Write(p []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(p)
}

// clearBody removes what a handler said of a response that does not go out,
// its cookies included: they may tell of what was not saved.
func clearBody(h http.Header) {
	for _, name := range []string{
		"Accept-Ranges", "Cache-Control", "Clear-Site-Data", "Content-Digest", "Content-Disposition",
		"Content-Encoding", "Content-Language", "Content-Length", "Content-Location", "Content-Range",
		"Content-Type", "Digest", "Etag", "Expires", "Last-Modified", "Link", "Location", "Refresh",
		"Repr-Digest", "Set-Cookie", "Trailer", "Transfer-Encoding",
	} {
		delete(h, name)
	}
}
