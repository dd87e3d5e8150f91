package soak

import "time"

// Never is a time that does not come.
const Never = time.Duration(1<<63 - 1)

// History is what was recorded in one run. All times count from its beginning,
// by a monotonic clock that all recorders share. In [Socket] and [Message] the
// time 0 says that something did not happen.
type History struct {
	Rules      Rules
	End        time.Duration // of the recording
	Logins     []Login
	Expiries   []Expiry
	Acts       []Act
	Loads      []Load
	Sockets    []Socket  // by number; 0 is not used
	Messages   []Message // by number; 0 is not used
	Deliveries []Delivery
	News       []int // messages that are published to all sockets that listen, whoever lives
	Nodes      []Node
	Faults     []Fault
	Stalls     []Span
}

// Rules are the timeouts that the sessions of a run have.
type Rules struct{ Idle, Life time.Duration }

// Span is a time from the beginning of something to its end. What is not over
// ends at [Never].
type Span struct{ From, To time.Duration }

// meets reports whether two spans have a moment in common.
func (s Span) meets(o Span) bool { return s.From <= o.To && o.From <= s.To }

// Place is one life of a node: a node that is started anew is another one.
type Place struct{ Slot, Life int }

// Outcome is what the caller of an operation was told.
type Outcome uint8

const (
	Unknown Outcome = iota // nothing: it may have happened, or happen yet
	Done
	Refused // it did not happen
	Owed    // the store is away; its node sees to it that it happens
)

func (o Outcome) String() string { return [...]string{"unknown", "done", "refused", "owed"}[o] }

// Login is a login, or a change of the secret.
type Login struct {
	Span
	At       Place
	Session  string // "": not known
	User     string
	Outcome  Outcome
	Elevates bool // the session was there before: sockets opened before are over
	Keeps    bool // it is a change of the secret: timeouts are as before
}

// Expiry gives a session a timeout of its own. It comes at most once in the
// life of a session, and no login after it.
type Expiry struct {
	Span
	At      Place
	Session string
	Outcome Outcome
	Idle    time.Duration // 0: it has an Until
	Until   time.Duration // by the history's clock
}

// Scope is what an [Act] ends.
type Scope string

const (
	This          Scope = "this"           // the session By
	Others        Scope = "others"         // all of User but By
	All           Scope = "all"            // all of User
	One           Scope = "one"            // the session Target, asked for by By
	Namespace     Scope = "namespace"      // the namespace "chat" of By
	Replaced      Scope = "replaced"       // By, by a login as somebody else
	Administrator Scope = "administrator"  // the session Target
	Disabled      Scope = "user"           // all of User, by an administrator
	Connection    Scope = "connection"     // the socket Socket, by its handler
	elevated      Scope = "login"          // sockets of an older login
	expired       Scope = "expiry"         // by time
	denied        Scope = "owed, its node" // a session that the node which owes its end denies
)

// Act is an operation that ends something.
type Act struct {
	Span
	At              Place
	Scope           Scope
	By              string
	Target          string
	User            string
	Socket          int
	Outcome         Outcome
	Acked, Expected int // nodes, as the result said
}

// Answer is what a [Load] found.
type Answer uint8

const (
	Away  Answer = iota // nobody could tell
	None                // no session
	Found               // the session
)

func (a Answer) String() string { return [...]string{"away", "none", "found"}[a] }

// Load is a look at a session from outside: a request with its cookie, or, with
// Slot -1, the store's own word, which slides nothing.
type Load struct {
	Span
	At      Place
	Session string
	Sure    bool // the cookie is known to be the newest
	Answer  Answer
	Total   int64 // of the counter in the root
	Mark    int   // the message that the register in the root is of; 0: absent
	Chat    int   // likewise, in the namespace "chat"
}

// Socket is one WebSocket, seen from both ends.
type Socket struct {
	At      Place
	Session string        // whose cookie opened it
	Quiet   bool          // its messages, if any, only read and do not keep the session alive
	Listens bool          // to [History.News]
	Dialed  time.Duration // by the client
	Opened  time.Duration // the client has the 101
	Served  time.Duration // the handler was told that it is open
	Left    time.Duration // the handler was told that it is gone
	Closed  time.Duration // the client saw it close, or closed it
	Code    int           // that the client saw
	Reason  int           // that the handler was told
}

// Message is one message of a client, on a socket or, with Socket 0, a request
// that does the same.
type Message struct {
	At         Place
	Session    string
	Socket     int
	Weight     int64 // what it adds to the counter: different for each
	InChat     bool  // it also writes the register in "chat"
	Reads      bool  // it changes nothing, and so is not saved
	Sent       time.Duration
	Dispatched time.Duration // the handler was called
	Saved      time.Duration // its sessions were
	Answered   time.Duration // the client has the answer
}

// Delivery is a publication of a message that a client got.
type Delivery struct {
	Socket  int
	Message int
	At      time.Duration
}

// Node is one life of a node.
type Node struct {
	Place
	Span
}

// Fault is something broken, on one node's way to Redis or for all (Slot -1).
type Fault struct {
	Span
	Kind FaultKind
	Slot int
	Turn time.Duration // of [Split]: since when the node hears its subscription again, and nothing else; 0: it did not come to that
}

// FaultKind names a kind of fault.
type FaultKind string

const (
	Quiet      FaultKind = "none"
	BlackHole  FaultKind = "black hole, both ways"
	DeafUp     FaultKind = "black hole, to Redis"
	DeafDown   FaultKind = "black hole, from Redis"
	Split      FaultKind = "subscription silent, then all else"
	Latency    FaultKind = "latency 200±100 ms"
	Cut        FaultKind = "connections cut"
	KillPubSub FaultKind = "CLIENT KILL pubsub"
	LostReply  FaultKind = "replies lost"
	Stop       FaultKind = "Redis SIGSTOP"
	Kill       FaultKind = "Redis SIGKILL, restart"
	Flush      FaultKind = "SCRIPT FLUSH"
	Crash      FaultKind = "node crash"
	Drain      FaultKind = "node restart"
	Busy       FaultKind = "machine busy"               // found in the stalls, not made
	Untold     FaultKind = "expiry set on another node" // no fault: nobody tells the node
)

// Faults are the kinds that a run can make.
var Faults = []FaultKind{
	BlackHole, DeafUp, DeafDown, Split, Latency, Cut, KillPubSub, LostReply, Stop, Kill, Flush, Crash, Drain,
}
