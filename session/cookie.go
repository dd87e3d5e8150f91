package session

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/sessionhub/sessionhub/prefixes"
)

// cookieState is what a request shows of one cookie.
type cookieState uint8

const (
	cookieAbsent    cookieState = iota
	cookieGood                  // of the right form; says nothing of the session
	cookieMalformed             // of no form that we ever sent
	cookieTwice                 // there are several, and no telling which is ours
)

// readCookie finds the credential in the request's headers. It reads the raw
// header instead of asking net/http, which leaves out what it cannot parse: a
// malformed session cookie has to be seen to be counted and cleared.
func readCookie(h http.Header, f *family) (Credential, cookieState) {
	var (
		value string
		found int
	)
	for _, line := range h["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			name, v, _ := strings.Cut(textproto.TrimString(pair), "=")
			if name == f.cookie.Name {
				value = v
				found++
			}
		}
	}
	return only(f, value, found)
}

// only judges what was found, so many times.
func only(f *family, value string, found int) (Credential, cookieState) {
	switch found {
	case 0:
		return Credential{}, cookieAbsent
	case 1:
		if c, ok := parseCredential(f.root.Name, value); ok {
			return c, cookieGood
		}
		return Credential{}, cookieMalformed
	}
	return Credential{}, cookieTwice
}

// newCookie fills in everything but the value.
func newCookie(c prefixes.Cookie) *http.Cookie {
	return &http.Cookie{
		Name: c.Name, Domain: c.Domain, Path: c.Path, SameSite: c.SameSite,
		Secure: !c.Insecure, HttpOnly: !c.Scripts,
	}
}

// setCookie adds the credential's cookie. Without persistent it lasts as long
// as the browser (OWASP Session Management, "Expire and Max-Age").
func setCookie(h http.Header, f *family, c Credential, s *State) {
	ck := newCookie(f.cookie)
	ck.Value = c.value()
	if f.persistent(s.Terms, s.Expiry) {
		// One that ends at once has to be said in another way: 0 is no Max-Age.
		if ck.MaxAge = int(s.Life / time.Second); ck.MaxAge <= 0 {
			ck.MaxAge = -1
		}
	}
	h.Add("Set-Cookie", ck.String())
}

// hasCookie reports whether the header of a response sets a cookie.
func hasCookie(h http.Header, name string) bool {
	return slices.ContainsFunc(h["Set-Cookie"], func(line string) bool {
		set, _, _ := strings.Cut(line, "=")
		return set == name
	})
}

// clearCookie tells the browser to forget a cookie. It has to name the same
// path and domain as the one that set it (RFC 6265, section 5.3).
func clearCookie(h http.Header, c prefixes.Cookie) {
	ck := newCookie(c)
	ck.MaxAge = -1
	ck.Expires = time.Unix(0, 0)
	h.Add("Set-Cookie", ck.String())
}

// vary adds a name to the Vary header, keeping what is there in its order. "*"
// says more than any name.
func vary(h http.Header, name string) {
	lines := h["Vary"]
	if len(lines) == 0 {
		h.Set("Vary", name)
		return
	}
	var names []string
	for _, line := range lines {
		for field := range strings.SplitSeq(line, ",") {
			field = textproto.TrimString(field)
			if field == "*" {
				h.Set("Vary", "*")
				return
			}
			if field != "" && !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, field) }) {
				names = append(names, field)
			}
		}
	}
	if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
		names = append(names, name)
	}
	h.Set("Vary", strings.Join(names, ", "))
}
