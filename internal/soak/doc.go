// Package soak judges long random runs: from a recorded [History] of what
// clients did and saw, and of what handlers did, it knows when each session
// ended, and finds what happened afterwards and should not have. [Check] is a
// pure function; the run itself is in the tests of this package ("make soak").
//
// # When a session ended
//
// A logout that returned without an error ended its sessions at its return. One
// that was told that the store is away is owed: it has to be carried out
// within [OwedRetry] after the fault is over, if its node lives that long. One
// whose answer was lost may have happened or not, and nothing is judged by it.
// A session also ends when its idle timeout, its lifetime or its own expiry has
// passed since the last moment at which somebody may have slid it.
//
// A login in a session that is there ends the sockets that were open before it;
// a handler that returns a close ends its own socket.
//
// # What is promised
//
// At once, whatever is broken, because the store decides: what begins after the
// end of a session does not find it (a request, an upgrade, a save).
//
// For sockets that were open:
//
//   - wherever a logout says that all nodes have acknowledged it, nothing is
//     dispatched [NormalDispatch] after its return;
//   - on the normal path nothing is dispatched [NoticeDispatch] after the end,
//     and the socket is closed within [NormalClose];
//   - when the way from Redis to the socket's node was slow, by so much more;
//   - when it was lost or silent, nothing is dispatched [LostDispatch] after the
//     end, and the socket is closed [Recovery] after the fault is over, or
//     [StaleClose] after the end if that comes first;
//   - what nobody told a node, as that another one shortened a session's
//     expiry, is found within [Revalidation].
//
// When the machine itself stood still, as the history's stalls say, bounds are
// later by as much; when it did so for long that is a fault like another
// ([Busy]), because calls of Redis miss their deadlines then.
//
// # What is counted
//
// Sockets alive after the bound; messages dispatched or delivered after the
// bound; sessions that came back; saves that were acknowledged and are lost, or
// count twice; and what was sent before it was saved. See [Violation].
//
// # What could have been counted
//
// A node that goes on while it is deaf does harm only where its sockets ask the
// store for nothing, where somebody talks to them or publishes to them, and
// where the hole is longer than the bound. So the run has sockets that only
// read and others that only listen, aims ends at a node that has just gone
// deaf, and gives it its subscription back before it can look anything up
// ([Split]). [Chances] says how often that came about; a run of a minute fails
// without.
package soak
