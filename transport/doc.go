// Package transport is the WebSocket side of sessions: an [Endpoint] takes a
// socket with the visitor's cookie, and gives each of its messages to a
// [Handler] as if it were a request.
//
// # One message
//
// A message gets a fresh scope of sessions. What the handler sends through its
// [Outbox] is held back until the sessions that it changed are saved; if the
// save is refused, nothing leaves. [Step] is all of that, without a socket, and
// the file to read first is boundary.go.
//
// Messages of one socket are handled one at a time, in order. The next one is
// read meanwhile, so that a close or a pong is seen, and no more than that.
//
// # Ends
//
// A socket is registered with the hub before its session is loaded, so that no
// end is missed. When the session ends, on any node, the hub marks the socket:
// messages that wait are dropped, the handler's context ends with [ErrEnded],
// what it sends afterwards goes nowhere, and the socket is closed with the
// reason.
//
// # Errors
//
// What a handler's error does to the socket stands at [Handler]. A connection
// that cannot be let in because of its session is accepted and closed at once
// with the code that says why: a browser's script sees neither a status nor a
// body when an upgrade is refused. A wrong origin, a limit that holds before
// anything is known, and a node that cannot know are refused with a status.
//
// # Concurrency
//
// A handler is called by many sockets at once, and by each of them one message
// at a time. An [Outbox] belongs to one message.
package transport
