package session

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// TokenHeader is the field of a response that hands a client without cookies the
// token of a session that is new, was logged in to or renewed. The client shows
// it as "Authorization: Bearer <token>".
const TokenHeader = "Session-Token"

// ErrCredentials is returned for a request that shows a cookie and a token of
// different sessions, or more than one token: there is no telling who it is.
var ErrCredentials = errors.New("session: the cookie and the bearer token differ")

// AllowToken lets the scope take the credential below root ("": the first root)
// from "Authorization: Bearer" (RFC 6750, section 2.1) as well. A request without
// the root's cookie then gets new credentials in [TokenHeader], and no cookie. It
// has to be called before the scope's sessions are asked for, and for one root:
// a request has room for one token. Errors: [ErrCredentials].
func (sc *Scope) AllowToken(root string) error {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	f, err := sc.m.family(root)
	if err != nil {
		return err
	}
	if sc.tokens == f {
		return nil
	}
	for _, p := range sc.parts {
		if p.f == f {
			return errors.New("session: AllowToken after a session was asked for; let it stand before the handlers that use them")
		}
	}
	if sc.tokens != nil && sc.tokens != f {
		return fmt.Errorf("session: AllowToken for %q and for %q: a request has room for one token", sc.tokens.root.Name, f.root.Name)
	}
	sc.tokens = f
	_, err = sc.part(f)
	return err
}

// shown is what a request shows for one family.
type shown struct {
	cred  Credential
	state cookieState
	token bool // it stands, or would stand, in a token
}

// show finds the credential of a request: in the cookie, and with tokens in the
// Authorization field too. Errors: [ErrCredentials].
func (m *Manager) show(r *http.Request, f *family, tokens bool) (shown, error) {
	var s shown
	s.cred, s.state = readCookie(r.Header, f)
	if tokens {
		token, state := readToken(r.Header, f)
		switch {
		case state == cookieTwice, s.state != cookieAbsent && state != cookieAbsent && (state != s.state || token != s.cred):
			m.stats.malformed.Add(1)
			return shown{}, ErrCredentials
		case s.state == cookieAbsent:
			s = shown{token, state, true}
		}
	}
	s.cred.token = s.token
	if s.state == cookieMalformed || s.state == cookieTwice {
		m.stats.malformed.Add(1)
	}
	return s, nil
}

// readToken finds the credential in the Authorization field. Other schemes than
// Bearer are somebody else's.
func readToken(h http.Header, f *family) (Credential, cookieState) {
	var (
		value string
		found int
	)
	for _, line := range h["Authorization"] {
		if scheme, token, _ := strings.Cut(line, " "); strings.EqualFold(scheme, "Bearer") {
			value = strings.TrimLeft(token, " ")
			found++
		}
	}
	return only(f, value, found)
}

// hand gives the visitor a new credential, in the way that the request had its
// own.
func hand(h http.Header, f *family, c Credential, s *State) {
	if c.token {
		h.Set(TokenHeader, c.value())
		return
	}
	setCookie(h, f, c, s)
}
