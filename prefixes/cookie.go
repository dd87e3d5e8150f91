package prefixes

import (
	"net/http"
	"strings"
)

// maxCookieName leaves room for the value and the attributes below the 4096
// bytes at which browsers drop a cookie (RFC 6265bis, section 5.6).
const maxCookieName = 128

// withDefaults fills in all but the name.
func (c Cookie) withDefaults() Cookie {
	c.Path = orDefault(c.Path, "/")
	c.SameSite = orDefault(c.SameSite, http.SameSiteLaxMode)
	return c
}

// defaultName promises as much as the attributes allow.
func (c Cookie) defaultName() string {
	switch {
	case c.Insecure:
		return "id"
	case c.Domain != "" || c.Path != "/":
		return "__Secure-id"
	}
	return "__Host-id"
}

// check tells what a browser, or net/http, would not take as it is meant. The
// defaults are filled in.
func (c Cookie) check(tell func(format string, args ...any)) {
	// One attribute at a time, so that each problem is told.
	if !c.token() {
		tell(`the name is not a token (RFC 6265, section 4.1.1); use letters, digits, "-" and "_"`)
	}
	if len(c.Name) > maxCookieName {
		tell("the name has %d bytes; use at most %d", len(c.Name), maxCookieName)
	}
	if !strings.HasPrefix(c.Path, "/") || (&http.Cookie{Name: "x", Path: c.Path}).Valid() != nil {
		tell(`Path %.64q; begin it with "/" and leave out ";", control and non-ASCII characters`, c.Path)
	}
	if (&http.Cookie{Name: "x", Domain: c.Domain}).Valid() != nil {
		tell("Domain %.64q; give a host name alone, as in \"example.com\"", c.Domain)
	}

	host, secure := hasPrefixFold(c.Name, "__Host-"), c.prefixed()
	if host && c.Domain != "" {
		tell(`browsers drop a "__Host-" cookie with a Domain (%.64q); remove it, or name the cookie "__Secure-..."`, c.Domain)
	}
	if host && c.Path != "/" {
		tell(`browsers drop a "__Host-" cookie with a Path other than "/" (%.64q); remove it, or name the cookie "__Secure-..."`, c.Path)
	}
	if secure && c.Insecure {
		tell(`browsers drop a "__Host-" or "__Secure-" cookie without Secure; leave Insecure out, or choose another name`)
	}

	switch c.SameSite {
	case http.SameSiteLaxMode, http.SameSiteStrictMode:
	case http.SameSiteNoneMode:
		if c.Insecure {
			tell("browsers drop a SameSite=None cookie without Secure; leave Insecure out, or use Lax")
		}
	case http.SameSiteDefaultMode:
		tell("SameSite is left to the browser; leave it 0 for Lax, or choose Lax, Strict or None")
	default:
		tell("unknown SameSite %d; choose Lax, Strict or None of net/http", c.SameSite)
	}
}

// token reports whether the name can be sent.
func (c Cookie) token() bool { return (&http.Cookie{Name: c.Name}).Valid() == nil }

// named reports whether the name is one that browsers take.
func (c Cookie) named() bool { return c.token() && len(c.Name) <= maxCookieName }

// prefixed reports whether the name makes browsers hold the cookie to what it
// says.
func (c Cookie) prefixed() bool {
	return hasPrefixFold(c.Name, "__Host-") || hasPrefixFold(c.Name, "__Secure-")
}

// hasPrefixFold compares as browsers do: they honour "__host-" as well, lest a
// server that ignores case be fooled (RFC 6265bis, section 5.4).
func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
