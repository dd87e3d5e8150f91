package web

import "net/http"

// policy keeps pages from being framed, and from loading plugins and sending
// data elsewhere.
const policy = "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; connect-src 'self'"

// Headers is a middleware that begins every response with the fields that
// protect a page with a session in it (ASVS 5.0, 3.4.3 to 3.4.8). A handler
// that needs others sets them.
func Headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}
