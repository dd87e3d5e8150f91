package transport

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/sessionhub/sessionhub/hub"
)

// Message is one message from the client. A text message is valid UTF-8.
type Message struct {
	Data   []byte // the handler's to keep and change
	Binary bool
}

// Handler handles the messages of sockets, as [net/http.Handler] does requests.
//
// ctx carries the message's scope, for session.Get and the like. It ends when
// the socket is marked dead, with a cause that wraps [ErrEnded], and when the
// client is gone.
//
// To answer an error and stay, send it and return nil. An error that is
// returned drops all that the message changed and sent, and closes the socket:
// a [*CloseError] and a hub.Reason with their code; the errors of a session that
// ended with 4501, of one that was logged in anew with 4409, of a store that
// cannot be asked with 1013; anything else, a panic too, with 1011. The exception is
// session.ErrNamespaceEnded while the socket holds other namespaces: the
// message is dropped and the socket stays.
type Handler interface {
	ServeMessage(ctx context.Context, out *Outbox, in Message) error
}

// HandlerFunc is a function as a [Handler].
type HandlerFunc func(ctx context.Context, out *Outbox, in Message) error

// ServeMessage calls f.
func (f HandlerFunc) ServeMessage(ctx context.Context, out *Outbox, in Message) error {
	return f(ctx, out, in)
}

// Opener is a [Handler] that is called once before a socket's first message,
// with a scope and an outbox like those of a message.
type Opener interface {
	Open(ctx context.Context, out *Outbox) error
}

// Closer is a [Handler] that is called once when a socket is gone, after its
// last message, if Open was called for it or the handler is no [Opener]. For a
// close by the client reason has its code and no text; without a close frame
// the code is 1006. ctx carries no sessions and does not end.
type Closer interface {
	Closed(ctx context.Context, peer *Peer, reason hub.Reason)
}

// Ender is a [Handler] that is called when a namespace ended and the socket
// stays, in turn with the messages, and with a scope and an outbox like
// theirs. Topics of the namespace are gone already.
type Ender interface {
	Ended(ctx context.Context, out *Outbox, namespace string) error
}

// Refuser is a [Handler] that answers messages whose save was refused for
// something that the client or the handler did: session.ErrLimit,
// session.ErrConflict, session.ErrType, session.ErrNamespaceEnded, or a value
// that JSON cannot hold. The socket stays when Refused returns nil. Its own
// changes of sessions are not saved. Without it such an error is like one that
// the handler returned.
type Refuser interface {
	Refused(ctx context.Context, out *Outbox, in Message, err error) error
}

// CloseError closes the socket with a code from 1000 to 1014 that may be sent,
// or from 3000 to 4999 (RFC 6455, section 7.4), and a reason of at most 123
// bytes. From 4500 on the client should not reconnect.
type CloseError struct {
	Code   int
	Reason string
}

// Error returns the reason and the code.
func (e *CloseError) Error() string { return fmt.Sprintf("transport: close %d: %s", e.Code, e.Reason) }

// valid reports what is wrong with e.
func (e *CloseError) valid() error {
	sendable := e.Code >= 1000 && e.Code <= 1014 && e.Code != 1004 && e.Code != 1005 && e.Code != 1006 ||
		e.Code >= 3000 && e.Code <= 4999
	switch {
	case !sendable:
		return fmt.Errorf("transport: close code %d cannot be sent", e.Code)
	case len(e.Reason) > 123:
		return fmt.Errorf("transport: close reason of %d bytes, and 123 are allowed", len(e.Reason))
	case !utf8.ValidString(e.Reason):
		return fmt.Errorf("transport: close reason is not UTF-8")
	}
	return nil
}
