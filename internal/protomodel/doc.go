// Package protomodel is the protocol by which a session ends everywhere, made
// small enough that a program can look at all that may happen: every order of the
// steps of a store, a bus, a node with a connection, the node that is asked to end
// the session, the people at both ends, and what breaks in between.
//
// Each rule of the protocol is a switch. With all rules nothing goes wrong in any
// state of any [Scenario]. Without one of them something does, and the search, which
// goes breadth first, returns the shortest way there:
//
//	go test ./internal/protomodel -run Counterexamples -v
//
// A rule without which nothing goes wrong is a courtesy, and says what it is good
// for. A scenario in which something goes wrong with all rules is a hole: it says
// what is not promised, and why.
//
// # What must hold
//
// The kinds of [Wrong] say it one by one. In short:
//
//	(a) Where nothing happens any more by itself, no connection is open without a
//	    living session, from before a login, or holding a namespace that ended.
//	(b) Nothing is handled, answered or delivered on a connection after its mark,
//	    nor answered when the save was refused.
//	(c) It is bounded: a node that is fresh, hears its heartbeats and has no
//	    notice on its way to it has no unmarked connection of an ended session;
//	    a node that is not, or whose heartbeat is too old, handles and delivers
//	    nothing of one.
//	(d) A session that was deleted never comes back, but by a failover; then the
//	    node that deleted it does so again before it is fresh.
//	(e) Who counts as having marked has marked, and where a caller was told that
//	    all have, no message is handled.
//
// # What is left out
//
// Time has no length: that a step comes "sooner or later" is all that is known of
// it, and the stale limit is the one deadline. The bounds in seconds are measured
// by other tests.
//
// There are two nodes, one session and one connection at a time. More of each add
// orders, but meet nowhere: what they share is in "two tabs", "silent neighbour",
// "all of a user" and "cookies".
//
// One server gives all that it sends to one subscriber in one order, so that a
// heartbeat overtakes no notice; on a cluster it may, by the time that the servers'
// own bus takes. Then a caller may be told for that long that all nodes have marked
// that were counted on, while a node that was silent before comes back ("newcomer");
// also by a node whose subscription lags, or has broken a moment ago.
//
// A failover breaks or silences the subscription: whoever can still talk to the old
// server is cut off by the operator (min-replicas-to-write).
//
// # Keeping it true
//
// Each rule names the functions and the lines of scripts that carry it out, and a
// test looks them up. Who changes one of them changes the model first.
package protomodel
