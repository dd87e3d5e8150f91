package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/sessionhub/sessionhub/session"
)

// Options configures [Sessions] and [NewRouter]. The zero value works.
type Options struct {
	// Error answers a request in place of its handler: after a save that
	// failed, for [RequireUser], [Error] and a refused form. w has the fields
	// of the header that are the same for all errors. If nothing is written,
	// the status of [Status] is sent without a body.
	//
	// Defaults to status and sentence of [Status], as plain text.
	Error func(w http.ResponseWriter, r *http.Request, err error)

	// SaveOnServerError also saves what a handler changed before it answered
	// with a status of 500 or more.
	//
	// Defaults to false: such a request did not happen.
	SaveOnServerError bool

	// First are middlewares that stand in front of the others in a [NewRouter],
	// such as one that finds the client's address, which a session's list of
	// devices shows.
	//
	// Defaults to none.
	First []func(http.Handler) http.Handler

	// TrustedOrigins may send forms to a [NewRouter], besides its own origin:
	// "https://shop.example", exactly as browsers send it.
	//
	// Defaults to none.
	TrustedOrigins []string

	// Logger gets the errors that clients are not told: those behind a status
	// of 500 or more, and those of saves after the response began. That the store
	// cannot be asked is told once a second.
	//
	// Defaults to [slog.Default].
	Logger *slog.Logger

	away *seldom // said that the store is
}

// sessions is the middleware.
type sessions struct {
	m *session.Manager
	o Options
}

// Sessions returns a middleware that gives each request its sessions and saves
// them before the response begins. See the package's documentation. It asks the
// store nothing by itself. Where it stands twice for one manager, the inner one
// does nothing.
func Sessions(m *session.Manager, o Options) func(http.Handler) http.Handler {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.away = new(seldom)
	s := &sessions{m, o}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(next, w, r) })
	}
}

// writerKey is the key of the request's *writer in its context.
type writerKey struct{}

// requestContext is [context.WithValue] for a writer, and part of it.
type requestContext struct {
	context.Context
	w *writer
}

func (c *requestContext) Value(key any) any {
	if key == (writerKey{}) {
		return c.w
	}
	return c.Context.Value(key)
}

// writerOf returns the response of the innermost Sessions around ctx, or nil.
func writerOf(ctx context.Context) *writer {
	w, _ := ctx.Value(writerKey{}).(*writer)
	return w
}

func (s *sessions) serve(next http.Handler, rw http.ResponseWriter, r *http.Request) {
	if outer := writerOf(r.Context()); outer != nil && outer.s.m == s.m {
		next.ServeHTTP(rw, r)
		return
	}
	out, w := wrap(rw)
	w.s, w.scope = s, s.m.Scope(r)
	w.ctx = requestContext{session.NewContext(r.Context(), w.scope), w}
	w.r = r.WithContext(&w.ctx)

	// Not by recover: it would cut the panic's trace, and net/http has its own
	// way with http.ErrAbortHandler.
	returned := false
	defer func() {
		if !returned {
			w.abandon()
		}
	}()
	next.ServeHTTP(out, w.r)
	returned = true
	w.finish()
}

// abandon ends the response of a handler that panicked. Whoever recovers the
// panic may still answer, and a logout has to clear its cookie then.
func (w *writer) abandon() {
	w.scope.Discard()
	if !w.begun && !w.hijacked {
		w.begun = true
		w.scope.WriteHeader(w.base.Header())
	}
}

// finish ends the response of a handler that returned.
func (w *writer) finish() {
	ctx := w.r.Context()
	switch {
	case w.hijacked, w.begun && !w.keeps():
		w.scope.Discard()
	case w.begun:
		if err := w.scope.Commit(ctx); err != nil {
			w.s.o.Logger.ErrorContext(ctx, "save what was changed after the response began", "error", err)
			return
		}
		w.scope.Saved(ctx)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		// A Timeout around us would answer 504 as soon as we return, and a
		// save would then have kept what failed.
		w.begun = true
		w.replace(ctx.Err())
	default:
		w.begin(http.StatusOK)
	}
}
