package web

import (
	"net/http"

	"github.com/sessionhub/sessionhub/session"
)

// AllowTokens is a middleware, behind [Sessions], for clients without cookies:
// the routes behind it take the session below root ("": the first root) from
// "Authorization: Bearer <token>" as well. A request without the root's cookie
// gets the token of a session that is new, was logged in to or renewed in the
// field [session.TokenHeader] of its response, and no cookie. A request whose
// cookie and token differ is answered with 400.
//
// It stands in front of everything that asks for a session, so before
// [RequireUser].
func AllowTokens(root string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sc := session.FromContext(r.Context())
			if sc == nil {
				Error(w, r, session.ErrNoScope)
				return
			}
			if err := sc.AllowToken(root); err != nil {
				Error(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
