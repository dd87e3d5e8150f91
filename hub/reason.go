package hub

import "strconv"

// Reason says why a connection ends: a close code (RFC 6455, section 7.4) and
// a fixed text of at most 123 bytes. It is an error, so that it can be
// returned as it is and compared with [errors.Is].
//
// Clients reconnect after codes below 4500 and do not from 4500 on.
type Reason struct {
	Code int
	Text string
}

// Reasons of this library. Their texts never change and never carry data.
var (
	// SessionEnded is the end of the session, and of any connection whose
	// cookie opens none.
	SessionEnded = Reason{4501, "session ended"}

	// SessionExpired is the end of a session whose deadline this node knows
	// to have passed.
	SessionExpired = Reason{4502, "session expired"}

	// TooManyConnections refuses the newest connection over a limit.
	TooManyConnections = Reason{4503, "connection limit"}

	// TooSlow ends a connection that does not take what it is owed.
	TooSlow = Reason{4408, "too slow"}

	// SessionRenewed ends connections opened before a login: they come back
	// with the new cookie.
	SessionRenewed = Reason{4409, "session renewed, reconnect"}

	// TooManyMessages ends a connection over its message rate.
	TooManyMessages = Reason{4429, "too many messages"}

	// NotUTF8 ends a connection that sent text which is none.
	NotUTF8 = Reason{1007, "not UTF-8"}

	// Policy ends a connection over its message deadline, ping rate or frame
	// budget.
	Policy = Reason{1008, "policy violation"}

	// TooBig ends a connection that sent a message over the size limit.
	TooBig = Reason{1009, "message too big"}

	// InternalError ends a connection whose handler returned an error.
	InternalError = Reason{1011, "internal error"}

	// Restart ends connections of a node that shuts down.
	Restart = Reason{1012, "restart"}

	// TryLater ends connections of a node that cannot know whether their
	// sessions live.
	TryLater = Reason{1013, "try again later"}
)

// Error returns the text and the code, as in "session ended (4501)".
func (r Reason) Error() string {
	return r.Text + " (" + strconv.Itoa(r.Code) + ")"
}

// Reconnect reports whether a client may connect again by itself.
func (r Reason) Reconnect() bool { return r.Code < 4500 }
