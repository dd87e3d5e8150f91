package transport

import (
	"context"
	"errors"
	"io"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/sessionhub/sessionhub/hub"
)

// read reads messages until the connection ends, and returns how: the client's
// close code, or 1006.
func (s *socket) read() hub.Reason {
	for {
		select {
		case s.ahead <- struct{}{}:
		case <-s.ctx.Done():
			// Close reads what is left itself.
			return hub.Reason{Code: int(websocket.StatusAbnormalClosure)}
		}
		s.reading.Store(time.Now().UnixNano())
		in, err := s.readMessage()
		s.reading.Store(0)
		if err == nil && !s.messages.take() {
			err = hub.TooManyMessages
		}
		if s.flooded.Load() {
			err = hub.Policy
		}
		if err == nil {
			s.push(task{in: in})
			continue
		}
		var end hub.Reason
		if errors.As(err, &end) {
			s.entry.End(end)
			return end
		}
		code := websocket.CloseStatus(err)
		if code == -1 {
			code = websocket.StatusAbnormalClosure
		}
		return hub.Reason{Code: int(code)}
	}
}

// readMessage returns the next message, or the [hub.Reason] why it is not taken.
func (s *socket) readMessage() (Message, error) {
	// Background contexts: others cost eleven allocations for each read.
	kind, r, err := s.ws.Reader(context.Background())
	if err != nil {
		return Message{}, err
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(s.e.o.MessageTimeout)) // of a closed connection the read tells
	data, err := io.ReadAll(io.LimitReader(r, int64(s.e.o.MaxMessage)+1))
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return Message{}, hub.Policy
	case err != nil:
		return Message{}, err
	case len(data) > s.e.o.MaxMessage:
		return Message{}, hub.TooBig
	}
	_ = s.conn.SetReadDeadline(time.Time{})
	binary := kind == websocket.MessageBinary
	if !binary && !utf8.Valid(data) {
		return Message{}, hub.NotUTF8 // the library does not check (RFC 6455, section 8.1)
	}
	return Message{Data: data, Binary: binary}, nil
}

// control counts a ping or a pong of the peer, and reports whether to answer.
func (s *socket) control() bool {
	if s.controls.take() {
		return true
	}
	// Not by ending the socket here, within the library's read: its Close may
	// wait for this read.
	if !s.flooded.Swap(true) {
		_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // long ago
	}
	return false
}
