package web

import (
	"net/http"

	"github.com/sessionhub/sessionhub/session"
)

// RequireUser is a middleware, behind [Sessions], that lets through only
// visitors who are logged in below the first root. Others get 401, as
// [ErrNoUser] says; when the store cannot be asked everybody gets 503, because
// nobody can be told to be anonymous then. It loads the session, one round
// trip, which the handler then need not.
//
// For other roots ask [session.Scope.User], and answer with [Error].
func RequireUser(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, err := session.User(r.Context())
		switch {
		case err != nil:
			Error(w, r, err)
		case user == "":
			// Not by Error: what middlewares before this one changed is kept.
			reply(w, r, ErrNoUser)
		default:
			next.ServeHTTP(w, r)
		}
	})
}
