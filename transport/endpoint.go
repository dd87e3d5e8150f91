package transport

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/session"
)

// Endpoint is a [http.Handler] that turns requests into sockets. It lets go of
// the request at once: middleware in front of it sees a handler that returned,
// and a deadline that it put on the request is not the socket's. A middleware
// that takes the connection out of the handler's reach, as [http.TimeoutHandler]
// does, makes it answer 500 and say so in the log.
type Endpoint struct {
	h          Handler
	m          *session.Manager
	hub        *hub.Hub
	o          Options
	root       string
	names      []string
	open       bool // sockets go on while the hub is stale
	origins    map[string]bool
	sockets    limits
	bounces    limits
	handshakes rates
	away       seldom // said that the store is

	accepted, refused, now, messages atomic.Int64
}

// New returns an endpoint. It returns an error when the options cannot be
// meant: no origin, one that is not exact, namespaces of several families, or
// RequireUser with another Anonymous than [Refuse].
func New(h Handler, m *session.Manager, hb *hub.Hub, o Options) (*Endpoint, error) {
	e := &Endpoint{h: h, m: m, hub: hb, o: o.withDefaults(), origins: make(map[string]bool)}
	if len(o.Origins) == 0 && !o.NonBrowser {
		return nil, errors.New(`transport: no Origins: name those whose pages may connect, as in "https://chat.example"`)
	}
	for _, s := range o.Origins {
		origin, err := Origin(s)
		if err != nil {
			return nil, err
		}
		e.origins[origin] = true
	}
	if o.RequireUser && o.Anonymous != Refuse {
		return nil, errors.New("transport: RequireUser refuses all whom Anonymous would let in")
	}
	if err := e.hold(o.Namespaces); err != nil {
		return nil, err
	}
	return e, nil
}

// hold says which namespaces a socket holds.
func (e *Endpoint) hold(names []string) error {
	reg := e.m.Registry()
	e.root = reg.Roots()[0].Name
	if len(names) > 0 {
		root, ok := reg.Root(names[0])
		if !ok {
			return fmt.Errorf("transport: no namespace %q", names[0])
		}
		e.root = root
	}
	e.open = true
	for _, ns := range reg.Family(e.root) {
		if len(names) == 0 || slices.Contains(names, ns.Name) {
			e.names = append(e.names, ns.Name)
			// One namespace that must not go on stops the socket.
			e.open = e.open && ns.Stale.GoesOn()
		}
	}
	for _, name := range names {
		if !slices.Contains(e.names, name) {
			return fmt.Errorf("transport: a socket holds namespaces of one family, and %q is not of %q", name, e.root)
		}
	}
	return nil
}

// ServeHTTP accepts a socket, or says why not.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	peer := newPeer(r, e.o.Address(r))
	if status, text := handshake(r, w.Header()); status != 0 {
		e.refuse(w, status, text)
		return
	}
	switch {
	case !e.allowed(r):
		e.refuse(w, http.StatusForbidden, "origin not allowed")
		return
	case !hijacks(w):
		e.o.Logger.Error("a middleware in front of the WebSocket endpoint hides http.Hijacker, as http.TimeoutHandler does")
		e.refuse(w, http.StatusInternalServerError, "no connection to upgrade")
		return
	case !e.hub.Fresh() && !e.open:
		e.later(w)
		return
	}
	var s *socket
	defer func() { // also when what the program brought along panics
		if s == nil {
			e.now.Add(-1)
		}
	}()
	switch {
	case e.now.Add(1) > int64(e.o.MaxSockets):
		e.later(w)
		return
	case !e.handshakes.take(peer.Address, e.o.HandshakeRate):
		w.Header().Set("Retry-After", "1")
		e.refuse(w, http.StatusTooManyRequests, "too many connections at once from this address")
		return
	case !e.sockets.take(peer.Address, e.o.PerAddress):
		e.refuse(w, http.StatusTooManyRequests, "too many connections from this address")
		return
	}
	if s = e.upgrade(w, r, peer); s != nil {
		e.accepted.Add(1)
		go s.run()
	}
}

// refuse answers instead of upgrading.
func (e *Endpoint) refuse(w http.ResponseWriter, status int, text string) {
	e.refused.Add(1)
	http.Error(w, text, status)
}

// later refuses on a node that cannot know.
func (e *Endpoint) later(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "2")
	e.refuse(w, http.StatusServiceUnavailable, "try again later")
}

// report logs an error of the program.
func (e *Endpoint) report(peer *Peer, err error) {
	if _, ours := reasonOf(err); !ours {
		return
	}
	if errors.Is(err, session.ErrUnavailable) && !e.away.due() {
		return // the same for every socket of the node
	}
	args := []any{"session", session.Short(peer.Session), "error", err}
	var p *panicError
	if errors.As(err, &p) {
		args = append(args, "stack", string(p.stack))
	}
	e.o.Logger.Error("socket", args...)
}

// Stats are counts since the start, but for Open.
type Stats struct {
	Open     int64 // sockets now, those included that are just being let in or refused
	Accepted int64
	Refused  int64 // by a status, or by an immediate close
	Messages int64
}

// Stats returns the counts of e.
func (e *Endpoint) Stats() Stats {
	return Stats{Open: e.now.Load(), Accepted: e.accepted.Load(), Refused: e.refused.Load(), Messages: e.messages.Load()}
}
