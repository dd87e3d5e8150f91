package hub

import "context"

// Broker carries publications and notices between nodes. What it sends does not
// take the connection that it receives from, or heartbeats would prove less.
// Package hubtest has this contract as a test suite. All methods may be called from any goroutine.
type Broker interface {
	// Run receives for one node, and calls r from one goroutine, until ctx
	// ends; then it returns nil, and r is not called any more. A connection
	// that breaks does not end Run: it makes a new one, as often as it takes.
	// Only what can never work is returned as an error. Run is called once.
	Run(ctx context.Context, r Receiver) error

	// Subscribe asks for the publications of a topic. When it returns nil,
	// everything that any node publishes from then on comes, until the
	// matching Unsubscribe or a gap; when the gap is over, which
	// [Receiver.Fresh] says, the topic is subscribed to again. While there is
	// no connection Subscribe waits for one, until ctx ends; an error leaves
	// the topic as it was.
	//
	// Subscriptions are counted: a topic comes as long as fewer Unsubscribes
	// were called than Subscribes returned nil.
	Subscribe(ctx context.Context, topic string) error

	// Unsubscribe undoes one Subscribe. It does not block. Publications may
	// still come for a moment.
	Unsubscribe(topic string)

	// Publish sends data to all nodes that subscribe to the topic, this one
	// included, in one order for all of them. It does not keep data. Nil says
	// that it was sent, not that it arrived.
	Publish(ctx context.Context, topic string, data []byte) error

	// Notify sends a notice (see package notice) to all nodes, this one
	// included. A broker drops publications rather than notices.
	Notify(ctx context.Context, notice string) error

	// Reset drops what carries messages to this node, because it brings
	// nothing, and makes it anew: the receiver hears Stale with the cause, then
	// Fresh. While that is under way already, and while Run does not run, it
	// does nothing. It does not block, even when the connection hangs.
	Reset(cause error)
}

// CountingBroker is a [Broker] that knows how many nodes it reaches. That is
// optional: with a broker that does not, the hub waits for answers of all
// nodes as long as it may.
type CountingBroker interface {
	Broker

	// PublishCounted is Publish, and returns to how many nodes the publication
	// was sent: all that subscribe to the topic, this one included. When that
	// cannot be told, or not of all nodes, it returns a negative number.
	PublishCounted(ctx context.Context, topic string, data []byte) (nodes int, err error)
}

// Receiver is what a [Broker] calls, from one goroutine. Its methods return
// soon and do no I/O.
type Receiver interface {
	// Fresh says that the node is subscribed to the notices and to all
	// topics, acknowledged by the bus: at first, and again after every gap.
	// Whatever is sent from then on comes.
	Fresh()

	// Stale says that something may have been missed, and may go on being
	// missed until Fresh.
	Stale(err error)

	// Notice is one notice, as it came.
	Notice(text string)

	// Publication is one publication. The receiver may keep data and does not
	// change it. Topics that this node did not subscribe to may come too.
	Publication(topic string, data []byte)
}
