package transport

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Peer is what is known of the other end of a socket. It is copied from the
// request when the socket opens, because routers reuse what hangs on a
// request's context: parameters read from it later may be another visitor's.
type Peer struct {
	Address     netip.Addr // of the client; invalid when it is not known for certain
	Origin      string
	UserAgent   string
	Subprotocol string            // as agreed; "" for none
	Query       url.Values        // of the request's URL
	Params      map[string]string // of the route: "room" for /ws/{room}
	Session     string            // the session's id; "" without a session
	User        string            // who is logged in; "" for nobody
}

func newPeer(r *http.Request, address netip.Addr) *Peer {
	return &Peer{
		Address:   address,
		Origin:    strings.Clone(r.Header.Get("Origin")),
		UserAgent: strings.Clone(r.UserAgent()),
		Query:     r.URL.Query(),
		Params:    params(r),
	}
}

// params reads the names from the pattern that the router matched, as net/http
// and chi both leave it in the request: "/ws/{room}", "/ws/{room:[a-z]+}",
// "/files/{rest...}", "/files/*".
func params(r *http.Request) map[string]string {
	var all map[string]string
	add := func(name string) {
		if all == nil {
			all = make(map[string]string)
		}
		all[name] = strings.Clone(r.PathValue(name))
	}
	rest := r.Pattern
	for {
		_, after, ok := strings.Cut(rest, "{")
		if !ok {
			break
		}
		// A regular expression may have braces of its own.
		depth, end := 1, 0
		for end < len(after) && depth > 0 {
			switch after[end] {
			case '{':
				depth++
			case '}':
				depth--
			}
			end++
		}
		if depth > 0 {
			break
		}
		name, _, _ := strings.Cut(after[:end-1], ":")
		if name = strings.TrimSuffix(name, "..."); name != "" && name != "$" {
			add(name)
		}
		rest = after[end:]
	}
	if strings.HasSuffix(r.Pattern, "*") {
		add("*")
	}
	return all
}
