package transport

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// handshake says with which status a request that is no WebSocket handshake is
// refused, and adds to the answer's header what belongs to it (RFC 6455,
// section 4.2). The library looks too, but by then a session was loaded, or
// even created. 0: it is one.
func handshake(r *http.Request, h http.Header) (status int, text string) {
	keys := r.Header.Values("Sec-WebSocket-Key")
	switch {
	case r.Method != http.MethodGet:
		h.Set("Allow", http.MethodGet)
		return http.StatusMethodNotAllowed, "this is a WebSocket endpoint"
	case !r.ProtoAtLeast(1, 1) || !hasToken(r.Header, "Connection", "upgrade") || !hasToken(r.Header, "Upgrade", "websocket"):
		h.Set("Connection", "Upgrade")
		h.Set("Upgrade", "websocket")
		return http.StatusUpgradeRequired, "this is a WebSocket endpoint"
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		h.Set("Sec-WebSocket-Version", "13")
		return http.StatusBadRequest, "WebSocket version 13 only"
	case len(keys) != 1 || !isKey(strings.TrimSpace(keys[0])):
		return http.StatusBadRequest, "not a WebSocket key"
	}
	return 0, ""
}

// hasToken reports whether a list in the header has a token, in any case.
func hasToken(h http.Header, name, token string) bool {
	for _, field := range h[name] {
		for one := range strings.SplitSeq(field, ",") {
			if strings.EqualFold(strings.TrimSpace(one), token) {
				return true
			}
		}
	}
	return false
}

// isKey reports whether s is 16 bytes in base64.
func isKey(s string) bool {
	b, err := base64.StdEncoding.DecodeString(s)
	return err == nil && len(b) == 16
}
