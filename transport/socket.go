package transport

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/session"
)

// socket is one WebSocket: a hub.Conn on one side, a reader, a worker and a
// writer on the other. The reader is the goroutine that an idle socket has; the
// others live while there is something for them to do.
type socket struct {
	e      *Endpoint
	peer   *Peer
	entry  *hub.Entry    // set before the socket is opened
	hold   *session.Hold // nil without a session
	ctx    context.Context
	cancel context.CancelCauseFunc

	opened chan struct{} // closed when ws and conn are set, or never will be
	ws     *websocket.Conn
	conn   *conn
	said   chan struct{} // closed when the close frame was sent

	// ahead holds a token for each message that is read or handled: one of
	// each at the most.
	ahead    chan struct{}
	messages bucket       // the reader's
	controls bucket       // under the library's lock for reading
	flooded  atomic.Bool  // by control frames
	reading  atomic.Int64 // since when the reader waits, in Unix nanoseconds; 0: it does not
	ping     *time.Timer

	inMu  sync.Mutex // guards the following fields
	inbox []task
	works bool // a worker runs, or may not run yet
	idle  sync.Cond
	lost  map[string]bool // namespaces

	known bool // to the handler; the worker's, and run's after it

	outMu   sync.Mutex // guards the following fields
	queue   []frame
	queued  int  // bytes
	writes  bool // a writer runs
	dropped bool // nothing leaves any more
}

// errGone is the cause of a handler's context when the client left.
var errGone = errors.New("transport: the client is gone")

func newSocket(e *Endpoint, peer *Peer) *socket {
	s := &socket{
		e: e, peer: peer,
		messages: newBucket(e.o.Rate, e.o.Burst),
		controls: newBucket(e.o.Rate, e.o.Burst),
		opened:   make(chan struct{}),
		said:     make(chan struct{}),
		ahead:    make(chan struct{}, 2),
		works:    true, // run lets it
	}
	s.idle.L = &s.inMu
	s.ping = time.AfterFunc(math.MaxInt64, s.pingPeer) // run starts it
	s.ping.Stop()
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	return s
}

// Mark implements [hub.Conn].
func (s *socket) Mark(r hub.Reason) {
	s.cancel(endedError{r})
	s.inMu.Lock()
	s.inbox = nil
	s.inMu.Unlock()
	s.mute()
}

// Tell implements [hub.Teller]. Thousands of sockets that end at once all hear of it
// before the first of them is waited for.
func (s *socket) Tell(r hub.Reason, all <-chan struct{}) bool {
	select {
	case <-s.opened:
	default:
		return false
	}
	if s.ws == nil {
		return true
	}
	if !s.conn.tell(newGoodbye(r, s.e.o.CloseGrace, all)) {
		return false
	}
	s.part()
	return true
}

// Close implements [hub.Conn], for a peer that could not be told at once. It sends the
// close frame and returns.
func (s *socket) Close(r hub.Reason) {
	<-s.opened
	if s.ws != nil {
		s.conn.farewell(r, s.e.o.CloseGrace)
		s.part()
	}
}

// part lets run read the answer to the close frame, which was sent. It may be busy with
// a handler that does not return.
func (s *socket) part() {
	close(s.said)
	time.AfterFunc(s.e.o.CloseGrace, s.drop)
}

// Deliver implements [hub.Conn].
func (s *socket) Deliver(_ string, data []byte) {
	s.send(frame{data: data, binary: s.e.o.Binary})
}

// Lose implements [hub.Conn].
func (s *socket) Lose(namespace string) {
	s.inMu.Lock()
	if s.lost == nil {
		s.lost = make(map[string]bool)
	}
	s.lost[namespace] = true
	s.inMu.Unlock()
	// Without any the socket is over, and its end comes next.
	if _, ok := s.e.h.(Ender); ok && s.holds() {
		s.push(task{lost: namespace})
	}
}

func (s *socket) hasLost(namespace string) bool {
	s.inMu.Lock()
	defer s.inMu.Unlock()
	return s.lost[namespace]
}

// holds reports whether the socket holds a namespace still.
func (s *socket) holds() bool {
	for _, name := range s.e.names {
		if !s.hasLost(name) {
			return true
		}
	}
	return false
}

// run lives as long as the socket.
func (s *socket) run() {
	s.ping.Reset(jitter(s.e.o.PingInterval))
	s.begin()
	left := s.read()
	s.ping.Stop()
	if left.Code == int(websocket.StatusAbnormalClosure) {
		s.cancel(errGone)
	} else {
		// Who says goodbye after a message wants it handled all the same.
		late := time.AfterFunc(s.e.o.MessageTimeout, func() { s.cancel(errGone) })
		defer late.Stop()
	}
	over := s.hangUp() // before a handler returns that takes its time
	s.rest()
	over = over || s.hangUp()
	s.entry.Remove()
	if !over {
		_ = s.ws.CloseNow() // the peer is gone
	}
	s.ping.Stop() // a last ping may have set it again
	if r, dead := s.entry.Dead(); dead {
		left = r
	}
	if c, ok := s.e.h.(Closer); ok && s.known {
		if err := recovered(func() error { c.Closed(context.WithoutCancel(s.ctx), s.peer, left); return nil }); err != nil {
			s.e.report(s.peer, err)
		}
	}
	s.release()
	s.e.sockets.give(s.peer.Address)
	s.e.now.Add(-1)
}

// hangUp finishes the closing handshake, if the hub has ended the socket, and reports
// whether it has.
func (s *socket) hangUp() bool {
	r, dead := s.entry.Dead()
	if dead {
		<-s.said // the hub sends the code to what it marked
		s.conn.hangUp(s.ws, r)
	}
	return dead
}

// abandon undoes what was done for a socket that is not opened.
func (s *socket) abandon() {
	s.entry.Remove()
	s.release()
	s.cancel(errGone)
	close(s.opened)
}

// release ends the socket's hold on its session.
func (s *socket) release() {
	if s.hold != nil {
		s.hold.Release()
	}
}
