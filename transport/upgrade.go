package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/coder/websocket"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/internal/failpoint"
	"github.com/sessionhub/sessionhub/session"
)

// bounced is how many sockets of an address may be accepted at once only to be
// told why not.
const bounced = 20

// errHandshake is a request that the WebSocket library has refused.
var errHandshake = errors.New("transport: handshake")

// upgrade returns the socket of a request, or nil when it has answered
// otherwise. It gives the address its place back then.
func (e *Endpoint) upgrade(w http.ResponseWriter, r *http.Request, peer *Peer) (s *socket) {
	defer func() {
		if s == nil {
			e.sockets.give(peer.Address)
		}
	}()
	s, err := e.admit(w, r, peer)
	if err == nil {
		return s
	}
	switch reason, _ := reasonOf(err); {
	case errors.Is(err, errHandshake):
		e.refused.Add(1)
	case errors.Is(err, session.ErrCredentials):
		e.refuse(w, http.StatusBadRequest, "the cookie and the bearer token differ")
	case reason == hub.TryLater, reason == hub.InternalError:
		e.report(peer, err)
		e.later(w)
	default:
		e.bounce(w, r, peer, reason)
	}
	return nil
}

// admit finds the session of a request, and takes the socket in with it.
func (e *Endpoint) admit(w http.ResponseWriter, r *http.Request, peer *Peer) (*socket, error) {
	cred, shown, err := e.identify(r)
	if err != nil {
		return nil, err
	}
	if shown {
		s, err := e.enter(w, r, peer, cred)
		if !errors.Is(err, session.ErrNotFound) || e.o.Anonymous == Refuse {
			return s, err
		}
		// A cookie that opens nothing is like none.
	}
	switch e.o.Anonymous {
	case Allow:
		return e.enter(w, r, peer, session.Credential{})
	case Create:
		cred, err := e.m.Begin(r.Context(), e.root, r, e.o.Tokens)
		if err != nil {
			return nil, err
		}
		return e.enter(w, r, peer, cred)
	}
	return nil, hub.SessionEnded
}

// identify finds whose request it is. Where the middleware of sessions stands in
// front and a handler has used it, what that did counts, such as a login.
func (e *Endpoint) identify(r *http.Request) (session.Credential, bool, error) {
	if sc := session.FromContext(r.Context()); sc != nil {
		if cred, ok, err := sc.Credential(r.Context(), e.root); ok || err != nil {
			return cred, ok, err
		}
	}
	return e.m.Identify(r, e.root, e.o.Tokens)
}

// enter takes a socket in, with the session of cred if that has an id. The
// order is what closes the window between a look at the session and its end:
// register, look, and be told of ends from then on.
func (e *Endpoint) enter(w http.ResponseWriter, r *http.Request, peer *Peer, cred session.Credential) (*socket, error) {
	s := newSocket(e, peer)
	s.entry = e.hub.Register(e.root, cred.ID, e.names, s)
	if e.open {
		s.entry.FailOpen()
	}
	in := false
	defer func() {
		if !in {
			s.abandon()
		}
	}()
	failpoint.Hit(failpoint.SocketRegistered)
	if err := e.look(r.Context(), s, cred); err != nil {
		return nil, err
	}
	if s.hold != nil {
		peer.Session, peer.User = s.hold.ID(), s.hold.User()
		s.hold.WriteHeader(w.Header())
		if s.entry.Place() > e.o.PerSession {
			return nil, hub.TooManyConnections
		}
	}
	if e.o.RequireUser && peer.User == "" {
		return nil, hub.SessionEnded
	}
	failpoint.Hit(failpoint.SocketAdmitted)
	ws, conn, err := e.accept(w, r, s)
	if err != nil {
		return nil, err
	}
	s.ws, s.conn, peer.Subprotocol = ws, conn, ws.Subprotocol()
	in = true
	failpoint.Hit(failpoint.SocketUpgraded)
	// An end that came meanwhile has marked the socket, and closes it as soon
	// as it is opened. So there is nothing to do if it cannot be LIVE.
	close(s.opened)
	_ = s.entry.Live()
	return s, nil
}

// look loads the session and admits the socket with what it found.
func (e *Endpoint) look(ctx context.Context, s *socket, cred session.Credential) error {
	for {
		var err error
		if cred.ID == "" {
			err = s.entry.Admit("", 0, 0, nil)
		} else {
			var hold *session.Hold
			if hold, err = e.m.Hold(ctx, cred); err != nil {
				return err
			}
			s.release()
			s.hold = hold
			cred = hold.Credential() // renewed, perhaps, and not to be forgotten
			failpoint.Hit(failpoint.SocketLoaded)
			err = s.entry.Admit(hold.User(), hold.Epoch(), hold.Left(), hold.Generations())
		}
		if !errors.Is(err, hub.ErrGap) {
			return err
		}
	}
}

// accept sends the 101. Pings and pongs are counted for s, if not nil.
func (e *Endpoint) accept(w http.ResponseWriter, r *http.Request, s *socket) (*websocket.Conn, *conn, error) {
	o := websocket.AcceptOptions{
		Subprotocols:       e.o.Subprotocols,
		InsecureSkipVerify: true, // allowed has verified more strictly
	}
	if s != nil {
		o.OnPingReceived = func(context.Context, []byte) bool { return s.control() }
		o.OnPongReceived = func(context.Context, []byte) { s.control() }
	}
	hj := &hijacker{ResponseWriter: w}
	ws, err := websocket.Accept(hj, r, &o)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errHandshake, err)
	}
	ws.SetReadLimit(-1) // readMessage has its own, which closes with our reason
	return ws, hj.conn, nil
}

// bounce accepts a socket only to close it with the reason.
func (e *Endpoint) bounce(w http.ResponseWriter, r *http.Request, peer *Peer, reason hub.Reason) {
	if !e.bounces.take(peer.Address, bounced) {
		e.refuse(w, http.StatusTooManyRequests, "too many connections without a session from this address")
		return
	}
	defer e.bounces.give(peer.Address)
	e.refused.Add(1)
	if ws, conn, err := e.accept(w, r, nil); err == nil {
		conn.farewell(reason, e.o.CloseGrace)
		conn.hangUp(ws, reason)
	}
}
