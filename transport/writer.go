package transport

import "github.com/sessionhub/sessionhub/hub"

// frame is a message that waits to be written, or the end after the last.
type frame struct {
	data   []byte
	binary bool
	last   hub.Reason // ends the socket; the zero value does not
}

// frameCost is what a waiting frame takes besides its data.
const frameCost = 64

// send queues a frame, and starts the writer when there is none: an idle socket
// has no writer.
func (s *socket) send(f frame) {
	s.outMu.Lock()
	if s.dropped {
		s.outMu.Unlock()
		return
	}
	s.queue = append(s.queue, f)
	s.queued += len(f.data) + frameCost
	over := s.queued > s.e.o.QueueBytes
	if !over && !s.writes {
		s.writes = true
		go s.write()
	}
	s.outMu.Unlock()
	if over {
		s.entry.End(hub.TooSlow)
	}
}

// mute drops what waits and all that comes.
func (s *socket) mute() {
	s.outMu.Lock()
	defer s.outMu.Unlock()
	s.queue, s.queued, s.dropped = nil, 0, true
}

// write writes what is queued until nothing is. A peer that takes nothing is
// ended by the queue's limit or by the pong that does not come. What waited for
// such a peer is not written by a node that has become stale meanwhile.
func (s *socket) write() {
	for {
		s.outMu.Lock()
		if len(s.queue) == 0 {
			s.queue, s.writes = nil, false
			s.outMu.Unlock()
			return
		}
		f := s.queue[0]
		s.queue = s.queue[1:]
		s.outMu.Unlock()
		if f.last != (hub.Reason{}) {
			s.entry.End(f.last)
			continue
		}
		if !s.ready() {
			s.mute()
			continue
		}
		if err := s.conn.writeMessage(f.binary, f.data); err != nil {
			s.mute()
			s.drop()
			continue
		}
		s.outMu.Lock()
		s.queued = max(0, s.queued-len(f.data)-frameCost) // Mark may have emptied the queue
		s.outMu.Unlock()
	}
}

// drop ends a connection that does not work any more, without a close frame:
// the reader sees it and does the rest.
func (s *socket) drop() { _ = s.conn.Close() }
