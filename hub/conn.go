package hub

// Conn is a connection as the hub sees it: a WebSocket, an event stream, any
// other. The hub holds no lock while it calls one of these methods, so they
// may call back into the hub. They may be called from several goroutines at
// once, and a last call may still arrive while [Entry.Remove] returns.
type Conn interface {
	// Mark says that the connection is dead: it stops dispatching, drops what
	// it queued and cancels the context of its handler. It is called at most
	// once, must not block and does no I/O, because one goroutine marks all
	// connections of a session in turn.
	Mark(Reason)

	// Close comes after Mark has returned, at most once, in a goroutine of its
	// own. It tells the peer and frees the connection, and may block for a
	// bounded time.
	Close(Reason)

	// Deliver takes one publication of a topic, or, with an empty topic, what
	// was sent to the connection's session or user. It must not block. The
	// data is shared with other connections: read only, for as long as wanted.
	Deliver(topic string, data []byte)

	// Lose says that this namespace of the session ended for the connection,
	// for good, while the connection goes on. It is called at most once for
	// each namespace, and must not block.
	Lose(namespace string)
}

// Teller is a [Conn] that can mostly be closed without waiting.
type Teller interface {
	Conn

	// Tell comes after Mark has returned, at most once and before Close. It
	// tells the peer, if that can be done at once, and reports whether it has:
	// then Close is not called. It must not block, because one goroutine tells
	// many in turn. The channel is closed when all that end together were told,
	// which is soon: until then they come before what else is to be done for
	// the connection.
	Tell(r Reason, all <-chan struct{}) bool
}
