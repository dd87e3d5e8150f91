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
// # Questions
//
// What only all nodes together know, such as how many connections a session
// has ([Hub.Connections]), is asked: a question goes to all nodes, and each
// answers the one who asked. Who does not answer within 250 ms is left out, and
// the result says so with [ErrPartial].
//
// # Concurrency
//
// All methods may be called from any goroutine. The hub starts no goroutine
// before [Hub.Run], and all of them have ended when Run returns.
//
// No lock is held while a method of a [Conn], a [Check] or a method of the
// broker that may block is called; only [Broker.Unsubscribe] is called under a
// lock. Inside, the locks of topics, of the registry's shards, of the expiry,
// of an entry, of the health, of the closers and of the polls are each taken
// alone, but for two pairs, in this order: a registry's shard before the expiry
// (a session and its timer go together), and a topic's shard before whatever
// the broker locks in Unsubscribe.
package hub
