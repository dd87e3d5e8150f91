package transport

import (
	"errors"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/session"
)

// ErrEnded is wrapped by the cause of a handler's context when its socket was
// marked dead. The cause wraps the [hub.Reason] too.
var ErrEnded = errors.New("transport: the connection ended")

// endedError is the cause of a handler's context when its socket was marked dead.
type endedError struct{ reason hub.Reason }

func (e endedError) Error() string   { return ErrEnded.Error() + ": " + e.reason.Error() }
func (e endedError) Unwrap() []error { return []error{ErrEnded, e.reason} }

// reasonOf says with which reason an error closes a socket. The second result
// is whether it is an error of the program, to be logged.
func reasonOf(err error) (hub.Reason, bool) {
	var (
		own    *CloseError
		reason hub.Reason
	)
	switch {
	case errors.As(err, &own):
		if own.valid() != nil {
			return hub.InternalError, true
		}
		return hub.Reason{Code: own.Code, Text: own.Reason}, false
	case errors.As(err, &reason):
		return reason, reason == hub.TryLater
	case errors.Is(err, session.ErrEnded), errors.Is(err, session.ErrNotFound), errors.Is(err, session.ErrNamespaceEnded):
		return hub.SessionEnded, false
	case errors.Is(err, session.ErrRenewed):
		return hub.SessionRenewed, false
	case errors.Is(err, session.ErrUnavailable):
		return hub.TryLater, true
	}
	return hub.InternalError, true
}

// refused reports whether a message was refused for something that the client
// or the handler did, and that the next message need not do.
func refused(err error) bool {
	for _, e := range []error{
		session.ErrLimit, session.ErrConflict, session.ErrType, session.ErrUnstorable, session.ErrNamespaceEnded,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
