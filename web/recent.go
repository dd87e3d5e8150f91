package web

import (
	"errors"
	"net/http"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// ErrNotRecent is the answer of [RequireRecent] to users whose login was too
// long ago.
var ErrNotRecent = errors.New("web: the login was too long ago")

// RequireRecent is a middleware, behind [Sessions], that lets through only users
// who logged in below the first root not longer than within ago, as before a
// change of password: the others sign in again first. They get 401, as
// [ErrNotRecent] says, or [ErrNoUser] when nobody is logged in. It loads the
// session, one round trip, which the handler then need not.
func RequireRecent(within time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			recent, err := session.Recent(r.Context(), within)
			switch {
			case err != nil:
				Error(w, r, err)
			case !recent:
				reply(w, r, ErrNotRecent)
			default:
				next.ServeHTTP(w, r)
			}
		}))
	}
}
