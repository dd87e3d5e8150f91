// Package hub ends and feeds connections by key, across nodes.
//
// A connection (a WebSocket, an event stream) is registered under the session
// it belongs to. When the session ends, on whatever node, the hub marks and
// closes it; what is published to its topics, or sent to its session or user,
// the hub delivers to it. A [Broker] connects the nodes.
//
// # Ends
//
// The store is the truth and a notice is a courtesy: it makes an end prompt,
// while looking everything up makes it certain. An end therefore reaches a
// connection in one of these ways, whichever comes first, and the mark that
// the first one leaves is never overwritten:
//
//   - A notice. [Hub.Gate] marks what it concerns, without I/O, and
//     [Hub.Close] closes it in parallel. The node that ends a session calls
//     the two around the deletion; on the others, and there once more, the
//     broker brings the notice. Duplicates, and notices older than a
//     connection, change nothing: epochs and generations only rise.
//   - A question of the node that ended the session ([Hub.Acks]). It brings the
//     notice once more, on another way.
//   - A gap. When the broker has subscribed, at first and after every loss,
//     all sessions with connections here are looked up. Only then the hub is
//     fresh. An unreadable notice has the same effect, but the hub stays fresh
//     while it asks.
//   - Revalidation, every 60 seconds. One that fails is repeated soon, with
//     growing pauses up to 2 seconds; when it has kept failing for the stale
//     limit, the hub becomes stale until one succeeds.
//   - Expiry. At the last known deadline of a session the store is asked. A
//     session that was slid meanwhile goes on; a dead one ends with
//     [SessionExpired]. If the store gives no answer for the stale limit, its
//     connections end with [TryLater].
//   - Staleness. A hub that is stale for longer than the stale limit ends all
//     its connections with [TryLater].
//   - [Entry.End], [Hub.Drain], and the end of [Hub.Run].
//
// Before anything is looked up, [Sessions] may repeat ends that a replaced store
// has lost.
//
// A new connection is registered first and its session loaded afterwards, so
// that an end in between finds it: [Entry.Admit] and [Entry.Live] then return
// the [Reason].
//
// # Delivery
//
// A publication goes to the broker and comes back from it, on the publishing
// node too: all nodes see the publications of a topic in one order. It is
// delivered to connections that are LIVE, not dead, and still hold the
// namespace of their subscription, and only while the hub is fresh. What is
// published while it is not is not made up for.
//
// # Heartbeats
//
// A subscription can fall silent without breaking. So each node tells all
// nodes, itself included, once a second that it lives; it sends that as it sends
// anything, not over the connection that it receives from. A heartbeat of its own
// that came back proves the subscription at the time when it was sent. When the
// newest proof is two and a half heartbeats old, the hub is stale: dispatch and
// delivery stop that long after the last thing that came, if not earlier. The hub
// then drops the subscription ([Broker.Reset]), and is fresh again when there is
// a new one, everything was looked up after that, and a heartbeat sent after that
// came back. Nobody has to notice the time: [Hub.Fresh] looks at the clock, so
// that a process that was stopped does not go on with what was true before.
//
// Connections close with [TryLater] when the hub has been stale for the stale
// limit, spread over half of it again: 10 to 15 seconds after it became stale.
//
// The others' heartbeats tell which nodes can be expected to acknowledge an end:
// those that were not silent for three of their own intervals, and said no
// goodbye: that comes when all connections there are marked. They are looked at
// when this node hears itself. While it does not, it knows the last number.
//
// Who has not heard itself for two and a half heartbeats yet, without a gap, may
// lack some. It never says that all have acknowledged ([Hub.Acks]).
//
// # Questions
//
// What only all nodes together know, such as how many connections a session
// has ([Hub.Connections]), is asked: a question goes to all nodes, and each
// answers the one who asked. Who does not answer within 250 ms is left out, and
// the result says so with [ErrPartial], or in the numbers of [Hub.Acks].
//
// # Versions
//
// Nodes of two versions run side by side during an upgrade. What they say to
// each other begins with the version of its form: notices, and the messages
// between nodes (questions, answers, heartbeats), with "1|"; what is sent to
// sessions and users with the byte 1.
//
// A node takes a notice of another version, or of a kind that it does not know,
// for a gap: it cannot know what ended, and asks the store. It ignores messages
// of another version, and subjects that it does not know: who asked takes it for
// silent. It never acknowledges an end that it could not read.
//
// Within a version nothing that stands there changes its place or its meaning.
// What may be added: subjects of messages, and fields behind those of a
// heartbeat. Anything else, a new kind of notice above all, is a new version. A
// node of a new version goes on understanding the one before, and goes on
// sending the heartbeats and the answers of that, so that both expect each other;
// its notices need not be understood, since to look up is always right.
//
// # Concurrency
//
// All methods may be called from any goroutine. The hub starts no goroutine
// before [Hub.Run], and all of them have ended when Run returns.
//
// No lock is held while a method of a [Conn], of [Sessions] or a method of the
// broker that may block is called; only [Broker.Unsubscribe] is called under a
// lock. Inside, the locks of topics, of the registry's shards, of the expiry,
// of an entry, of the health, of the closers, of the polls, of the heartbeat, of
// the peers and of what is owed to them are each taken alone, but for two pairs, in this order: a registry's shard before the expiry
// (a session and its timer go together), and a topic's shard before whatever
// the broker locks in Unsubscribe.
package hub
