package main

import "net/http"

// problem is a request that is refused. JSON gets the status and the text, a
// form is sent back to the page, which knows the word.
type problem struct {
	status int
	word   string
	text   string
}

func (p *problem) Error() string { return p.text }

// What can be wrong. The texts tell nothing of what went on inside.
var (
	badBody        = &problem{http.StatusBadRequest, "malformed", "the request is malformed"}
	badMedia       = &problem{http.StatusUnsupportedMediaType, "media", "send application/json or application/x-www-form-urlencoded"}
	tooLarge       = &problem{http.StatusRequestEntityTooLarge, "large", "the request is too large"}
	badName        = &problem{http.StatusBadRequest, "name", `a user name has 1 to 32 of a to z, 0 to 9, "-" and "_"`}
	badPassword    = &problem{http.StatusBadRequest, "password", errPassword.Error()}
	badScope       = &problem{http.StatusBadRequest, "scope", `the scope is session, others, all, one with an "id", or namespace with a "namespace"`}
	badTarget      = &problem{http.StatusBadRequest, "target", "there is no such device of yours"}
	tooMany        = &problem{http.StatusForbidden, "many", "logged in on as many devices as allowed, log out on one first"}
	badCredentials = &problem{http.StatusUnauthorized, "credentials", "wrong user name or password"}
	noSession      = &problem{http.StatusUnauthorized, "session", "no session"}
	notLoggedIn    = &problem{http.StatusUnauthorized, "login", "log in first"}
	nameTaken      = &problem{http.StatusConflict, "taken", "that name is taken"}
	tooOften       = &problem{http.StatusTooManyRequests, "often", "too many attempts, try again in a minute"}
	ended          = &problem{http.StatusBadRequest, "ended", "the session ended meanwhile"}
	overtaken      = &problem{http.StatusConflict, "overtaken", "there was another login meanwhile, try again"}
	notEverywhere  = &problem{http.StatusServiceUnavailable, "everywhere", "logged out on this server, the others follow as soon as they can be reached"}
	unavailable    = &problem{http.StatusServiceUnavailable, "unavailable", "the store cannot be reached, try again later"}
)

// sentence returns what the page says for a word in its address, and "" for one
// that is none of ours.
func sentence(word string) string {
	for _, p := range []*problem{
		badBody, badMedia, tooLarge, badName, badPassword, badScope, badTarget, tooMany, badCredentials, noSession, notLoggedIn,
		nameTaken, tooOften, ended, overtaken, notEverywhere, unavailable,
	} {
		if p.word == word {
			return p.text
		}
	}
	return ""
}
