package prefixes

import (
	"net/http"
	"time"
)

// Namespace is one named part of a visitor's sessions. The zero value of every
// field but Name means its default; [NewRegistry] fills the defaults in.
type Namespace struct {
	// Name is what handlers ask for: "main", "chat". It is made of a to z, 0
	// to 9, "-" and "_", starts with a letter, and has at most 32 bytes.
	Name string

	// Prefix begins the namespace's keys in the store. It has the alphabet of
	// Name. "op" and "user" are taken by the store's own keys.
	//
	// Defaults to Name.
	Prefix string

	// Settings begins the namespace's settings in the environment: with
	// "CHAT", CHAT_SESSION_IDLE_TIMEOUT is read before SESSION_IDLE_TIMEOUT.
	//
	// Defaults to Name in upper case, with "-" as "_".
	Settings string

	// Parent names the namespace that this one lives below. A namespace with
	// a parent has no cookie: it shares the identity of its root, cannot
	// outlive it, and ends with it.
	//
	// Defaults to none: a root, with a cookie of its own.
	Parent string

	// IdleTimeout ends a root's session, and empties a child, after this long
	// without activity. A child's is not above its root's.
	//
	// Defaults to 30 minutes for a root, and to the root's for a child.
	IdleTimeout time.Duration

	// Lifetime ends a session this long after its login (or its creation, for
	// an anonymous one), and empties a child this long after it began,
	// whatever its activity.
	//
	// Defaults to 8 hours for a root, and to the root's for a child.
	Lifetime time.Duration

	// RememberIdleTimeout and RememberLifetime take the place of the two
	// above for a login that asked to be remembered. Roots only.
	//
	// Default to 14 days and 30 days.
	RememberIdleTimeout, RememberLifetime time.Duration

	// RenewAfter gives a session a new secret when its current one is older
	// than this. The id stays, sockets stay open, and the previous secret is
	// good until 30 seconds after the new one was first seen. When the response
	// with the new one is lost, the previous one stays good for the session's
	// life, and is not renewed again. Roots only.
	//
	// Defaults to 0: never.
	RenewAfter time.Duration

	// MaxSessions is how many sessions a user may have at once, and AtMax what
	// a login does that would be one more. Roots only.
	//
	// Default to 0, which is no limit, and [EndOldest].
	MaxSessions int
	AtMax       MaxPolicy

	// Save says which requests write. Roots only.
	//
	// Defaults to [SaveChanges].
	Save SavePolicy

	// Cookie carries the identity of a root.
	Cookie Cookie

	// Companions are cookies of the application that are cleared when a
	// session of this root is ended by its own request. Each has a Name, which
	// is not a session's, and the Domain and Path it was set with; Scripts and
	// Persistent mean nothing here.
	Companions []Cookie

	// Stale says what a node does with the sockets of this namespace while it
	// cannot hear of ends.
	//
	// Defaults to [FailClosed].
	Stale StalePolicy
}

// SavePolicy says which requests write.
type SavePolicy uint8

const (
	// SaveChanges writes what changed, and slides the idle timeouts at most
	// once in a tenth of the shortest that applies.
	SaveChanges SavePolicy = iota

	// SaveAlways slides the idle timeout and sends the cookie again with
	// every request that has a session, as Django's
	// SESSION_SAVE_EVERY_REQUEST does: two round trips for each. A cookie that
	// was replaced meanwhile is not sent.
	SaveAlways
)

// MaxPolicy says what a login does that would be a session too many.
type MaxPolicy uint8

const (
	// EndOldest ends the session that was logged in to the longest time ago.
	EndOldest MaxPolicy = iota

	// RefuseNewest refuses the login.
	RefuseNewest
)

// StalePolicy says what happens to sockets while ends cannot be heard of.
type StalePolicy uint8

const (
	// FailClosed holds messages back at once and closes the sockets with 1013
	// when the node stays deaf.
	FailClosed StalePolicy = iota

	// FailOpen goes on: an end that was missed takes effect when it is found
	// by revalidation.
	FailOpen
)

// GoesOn reports whether sockets go on while ends cannot be heard of.
func (p StalePolicy) GoesOn() bool { return p == FailOpen }

// Cookie describes the cookie of a root. The zero value is the safest:
// "__Host-id", Secure, HttpOnly, SameSite=Lax, Path=/, for the browser session.
type Cookie struct {
	// Name is the cookie's name. The prefix "__Host-" wants no Domain and the
	// Path "/", both prefixes want Secure (RFC 6265bis, section 4.1.3). A Secure
	// session cookie has one of them.
	//
	// Defaults to "__Host-id"; to "__Secure-id" with a Domain or a Path other
	// than "/"; to "id" when Insecure.
	Name string

	// Domain widens the cookie to subdomains.
	//
	// Defaults to none: this host only.
	Domain string

	// Path limits the cookie to paths below it.
	//
	// Defaults to "/".
	Path string

	// SameSite is never left to the browser.
	//
	// Defaults to [http.SameSiteLaxMode].
	SameSite http.SameSite

	// Insecure leaves Secure out, for plain http on loopback.
	Insecure bool

	// Scripts leaves HttpOnly out, so that scripts on the page can read it.
	Scripts bool

	// Persistent gives the cookie a Max-Age of the session's lifetime, so
	// that it outlives the browser. A login that asked to be remembered has
	// one in any case.
	Persistent bool
}
