package web

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/sessionhub/sessionhub/session"
)

// LogoutOptions configures a [Logout]. The zero value ends this session.
type LogoutOptions struct {
	// Target says what a request ends.
	//
	// Defaults to [session.This].
	Target func(*http.Request) session.Target

	// ClearSiteData asks the browser to forget what the page stored when this
	// session ends (Clear-Site-Data: "storage"). Never "cookies", which would
	// clear those of the whole registrable domain.
	//
	// Defaults to false.
	ClearSiteData bool
}

// Logout returns a handler, behind [Sessions], that ends sessions and answers
// with what took effect: the JSON of a [session.Result], with 200, or with 503
// when the store could not be asked ("store_ok": false). The visitor is then
// signed out here, and everywhere as soon as the store can be asked
// ([session.ErrOwed]); the cookie is cleared all the same. It takes POST only. Its costs are those of [session.Scope.Logout].
func Logout(o LogoutOptions) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "Signing out takes a POST.", http.StatusMethodNotAllowed)
			return
		}
		target := session.This
		if o.Target != nil {
			target = o.Target(r)
		}
		result, err := session.Logout(r.Context(), target)
		code := http.StatusOK
		switch {
		case errors.Is(err, session.ErrUnavailable):
			code = http.StatusServiceUnavailable
			w.Header().Set("Retry-After", retryAfter)
		case err != nil:
			Error(w, r, err)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "no-store")
		if o.ClearSiteData && (target == session.This || target == session.All) {
			h.Set("Clear-Site-Data", `"storage"`)
		}
		w.WriteHeader(code)
		// An error here is the client's leaving, and the logout is done.
		_ = json.NewEncoder(w).Encode(result)
	})
}
