package transport

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Origin returns the one spelling of an origin that browsers send (RFC 6454,
// section 6.2): scheme and host in lower case, an IPv6 address in its short
// form, and the port only if it is not the scheme's own. A host that is not
// ASCII is an error: browsers send its punycode.
func Origin(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil {
		return "", fmt.Errorf("transport: origin %q: %w", s, err)
	}
	scheme, host, port := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()
	switch {
	case scheme != "http" && scheme != "https":
		return "", fmt.Errorf("transport: origin %q: want http:// or https:// and a host, as in https://chat.example", s)
	case u.User != nil:
		return "", fmt.Errorf("transport: origin %q: want no user", s)
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
		return "", fmt.Errorf("transport: origin %q: want no path, query or fragment", s)
	}
	if strings.HasPrefix(u.Host, "[") {
		a, err := netip.ParseAddr(host)
		if err != nil || !a.Is6() || a.Zone() != "" {
			return "", fmt.Errorf("transport: origin %q: want an IPv6 address without a zone", s)
		}
		host = "[" + ipv6(a) + "]"
	} else if host == "" || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") != "" {
		return "", fmt.Errorf("transport: origin %q: want one exact host in ASCII, without wildcards", s)
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return "", fmt.Errorf("transport: origin %q: port: %w", s, err)
		}
		if !(scheme == "http" && n == 80) && !(scheme == "https" && n == 443) {
			host += ":" + strconv.FormatUint(n, 10)
		}
	}
	return scheme + "://" + host, nil
}

// ipv6 writes an address as browsers do: never with dots (WHATWG URL, host
// serializing).
func ipv6(a netip.Addr) string {
	if !a.Is4In6() {
		return a.String()
	}
	b := a.As16()
	return fmt.Sprintf("::ffff:%x:%x", uint16(b[12])<<8|uint16(b[13]), uint16(b[14])<<8|uint16(b[15]))
}

// allowed reports whether the request comes from one of the origins. It is the
// defence against cross-site WebSocket hijacking: cookies go along with a
// handshake from any page, and no other check stands before it (RFC 6455,
// section 10.2; OWASP WebSocket Security).
func (e *Endpoint) allowed(r *http.Request) bool {
	switch origins := r.Header["Origin"]; len(origins) {
	case 0:
		return e.o.NonBrowser
	case 1:
		return e.origins[origins[0]]
	}
	return false
}
