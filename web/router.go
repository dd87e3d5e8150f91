package web

import (
	"fmt"
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/sessionhub/sessionhub/session"
)

// NewRouter returns a chi router with [Options.First], [Headers], a guard against requests of
// other sites, and [Sessions], in this order. More middlewares are added with
// Use; those that must see every answer, such as Logger, stand better around
// the router.
//
// The guard is [http.CrossOriginProtection]: it refuses a POST, or another
// method that may change something, that a page of an origin other than the
// router's own and [Options.TrustedOrigins] sent, with 403 ([ErrCrossOrigin]).
// Login forms are guarded like all others. It returns an error for a trusted
// origin that is none.
func NewRouter(m *session.Manager, o Options) (chi.Router, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	// GET passes the guard from anywhere, so it must change nothing. It lets
	// the handshake of a cross-site WebSocket through, too: the endpoint's own
	// check of Origin is the defence there, not this.
	guard := http.NewCrossOriginProtection()
	for _, origin := range o.TrustedOrigins {
		if err := guard.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("web: trusted origins: %w", err)
		}
	}
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.answer(w, r, ErrCrossOrigin)
	}))
	r := chi.NewRouter()
	r.Use(o.First...)
	r.Use(Headers, guard.Handler, Sessions(m, o))
	return r, nil
}
