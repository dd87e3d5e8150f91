package transport

import (
	"context"
	"math/rand/v2"
	"time"
)

// pingPeer pings, and drops a peer that does not answer while it is listened to.
func (s *socket) pingPeer() {
	began := time.Now()
	// Not the socket's context: a write whose context ends drops TCP, and the
	// client would not see the code of a close that comes just then.
	ctx, cancel := context.WithTimeout(context.Background(), s.e.o.PongTimeout)
	defer cancel()
	err := s.ws.Ping(ctx)
	// A pong is seen by who reads, and nobody does while a handler is busy and
	// a message waits already.
	if since := s.reading.Load(); err != nil && since != 0 && since <= began.UnixNano() {
		s.drop()
		return
	}
	s.ping.Reset(jitter(s.e.o.PingInterval))
	if s.ctx.Err() != nil {
		s.ping.Stop() // run did so before, or does it after
	}
}

// jitter returns d give or take a tenth, so that sockets which came together do
// not ping together for ever.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}
