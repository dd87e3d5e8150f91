// Package failpoint stops the program at named places, so that a test can make
// happen what else needs bad luck: a crash between two steps, or an end of a session
// in the middle of its load.
//
// Without the build tag "failpoint" [Hit] is an empty function that costs nothing,
// and nothing else is there. With it a test sets what happens at a place:
//
//	go test -tags failpoint ./...
//
//	failpoint.Set(t, failpoint.EndDeleted, func() { ... })
//
// A process that a test starts takes its orders from FAILPOINTS, a list such as
// "end-deleted=kill,socket-loaded=sleep:50ms": kill ends it by SIGKILL, sleep waits.
package failpoint

// Place is a place in the program. The name says what has just been done.
type Place string

// An upgrade.
const (
	SocketRegistered Place = "socket-registered" // with the hub; the session is not loaded yet
	SocketLoaded     Place = "socket-loaded"     // the session; the hub has not admitted it yet
	SocketAdmitted   Place = "socket-admitted"   // the 101 is not sent yet
	SocketUpgraded   Place = "socket-upgraded"   // 101 sent; not live yet
)

// A message.
const (
	MessageRead    Place = "message-read"    // from the connection; not dispatched yet
	MessageHandled Place = "message-handled" // by the handler; not saved yet
	MessageSaved   Place = "message-saved"   // what waited for it is not sent yet
)

// An end, on the node that was asked for it.
const (
	EndGated   Place = "end-gated"   // connections here; the store was not asked yet
	EndDeleted Place = "end-deleted" // by the store; connections here are not closed yet
)

// An end, on any node.
const (
	NoticeReceived Place = "notice-received" // no connection is marked yet
	NoticeMarked   Place = "notice-marked"   // connections; none is closed yet
)

// What a node does by itself.
const (
	GapSubscribed Place = "gap-subscribed" // anew; nothing is looked up yet
	GapAsked      Place = "gap-asked"      // the store has answered about some sessions; nothing is done about it yet
	EndRetried    Place = "end-retried"    // about to ask the store again for an end that it did not take
)
