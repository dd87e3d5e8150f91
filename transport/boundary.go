package transport

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/sessionhub/sessionhub/internal/failpoint"
	"github.com/sessionhub/sessionhub/session"
)

// Step handles one message: the handler runs in a scope of sessions, what it
// changed is saved, and only then does the outbox that is returned hold what
// may leave. With an error it holds nothing, and nothing was saved.
//
// It needs no socket, which is how a [Handler] is tested; see package
// transporttest.
func Step(ctx context.Context, h Handler, sc *session.Scope, peer *Peer, in Message) (*Outbox, error) {
	return step(ctx, h, sc, peer, nil, in)
}

func step(ctx context.Context, h Handler, sc *session.Scope, peer *Peer, gate func() error, in Message) (*Outbox, error) {
	out, err := boundary(ctx, sc, peer, gate, func(ctx context.Context, out *Outbox) error {
		return h.ServeMessage(ctx, out, in)
	})
	refuser, ok := h.(Refuser)
	if !ok || !refused(err) {
		return out, err
	}
	// The handler says it in its own words. What it does to sessions is not
	// saved: the scope has already failed once.
	err = recovered(func() error { return refuser.Refused(session.NewContext(ctx, sc), out, in, err) })
	sc.Discard()
	if err != nil {
		out.drop()
	}
	return out, err
}

// boundary is what stands around everything that a handler does for a socket:
// open, message, end of a namespace. gate, if not nil, says why the socket is
// over: an end that comes while the handler runs is seen before its changes are
// saved, and one that comes later by the save itself.
func boundary(ctx context.Context, sc *session.Scope, peer *Peer, gate func() error,
	handle func(context.Context, *Outbox) error) (*Outbox, error) {
	out := &Outbox{peer: peer}
	ctx = session.NewContext(ctx, sc)
	failpoint.Hit(failpoint.MessageRead)
	err := recovered(func() error { return handle(ctx, out) })
	failpoint.Hit(failpoint.MessageHandled)
	if err == nil && gate != nil {
		err = gate()
	}
	if err == nil {
		err = sc.Commit(ctx)
		failpoint.Hit(failpoint.MessageSaved)
	}
	if err == nil {
		err = recovered(func() error { sc.Saved(ctx); return nil })
	}
	if err != nil {
		sc.Discard()
		out.drop()
	}
	return out, err
}

// panicError is what a panic in a handler becomes: it closes one socket, and
// is nobody else's.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("transport: panic in a handler: %v", e.value) }

func recovered(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{p, debug.Stack()}
		}
	}()
	return fn()
}
