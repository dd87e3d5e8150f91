package protomodel

import (
	"fmt"
	"slices"
)

// Scenario is a part of the world: who may do what, and what may break, how often.
// Several small ones are searched sooner than one that has everything.
type Scenario struct {
	Name  string
	About string

	// Hole is what goes wrong in it with all rules: what is not promised. In
	// most scenarios that is nothing.
	Hole Wrong
	Why  string // it is not promised

	scene scene
	run   func(w *world) Outcome // nil: the scene
}

// scene says what there is in a scenario of one connection.
type scene struct {
	alone     bool // the node that is asked is the one that has the connection
	namespace bool // one namespace ends, and the session goes on
	replicas  bool // an end waits for a replica
	partition bool // nodes may fall silent for each other
	forever   bool // what broke stays broken
	skew      bool // the node that is asked speaks a later version
	neighbour bool // another connection of the session has a peer that does not answer
	slides    bool // the session's end moves away
	shortens  bool // or comes nearer
	periodic  bool // everything is looked up every minute
	blind     bool // nodes may not ask who the server is
	loses     bool // a failover may undo a login
	drain     bool // the node of the connection drains
	newcomer  bool // the node of the connection has begun a moment ago
	beginner  bool // the node that is asked has
	strict    bool // a crash excuses nothing

	tab  tab
	due  uint8
	left left
}

// one is what most scenarios allow once.
var one = left{ends: 1, sockets: 1, messages: 1, publications: 1}

// with returns l with a few changes.
func (l left) with(change func(*left)) left { change(&l); return l }

var scenarios = []Scenario{
	{Name: "logout", About: "a logout on one node, a connection that opens on another, a message, a publication; a crash, a notice that comes twice",
		scene: scene{left: one.with(func(l *left) { l.crashes, l.copies = 1, 1 })}},
	{Name: "logout here", About: "the same on one node alone; the client may leave in the midst of it",
		scene: scene{alone: true, left: one}},
	{Name: "gaps", About: "the subscription is lost twice: noticed, hidden by the library, or silent",
		scene: scene{left: one.with(func(l *left) { l.losses, l.crashes = 2, 1 })}},
	{Name: "gap here", About: "the subscription is lost on the node that ends the session",
		scene: scene{alone: true, left: one.with(func(l *left) { l.losses = 1 })}},
	{Name: "outage in a gap", About: "the store cannot be asked while everything is to be looked up",
		scene: scene{left: one.with(func(l *left) { l.losses, l.outages = 1, 1 })}},
	{Name: "pause", About: "the process of the connection is stopped, and goes on",
		scene: scene{left: one.with(func(l *left) { l.pauses, l.sockets = 1, 2 })}},
	{Name: "alone for good", About: "the node of the connection loses the store and the bus, and they do not come back",
		scene: scene{forever: true, left: one.with(func(l *left) { l.losses = 1 })}},
	{Name: "acknowledgements", About: "nodes fall silent for each other while one asks the other whether it has marked",
		scene: scene{partition: true, left: one.with(func(l *left) { l.losses = 1 })}},
	{Name: "login", About: "two logins while connections are open; notices come late, twice and in another order",
		scene: scene{left: one.with(func(l *left) { l.ends, l.logins, l.sockets, l.copies, l.losses = 0, 2, 2, 1, 1 })}},
	{Name: "login and logout", About: "a login and a logout at the same time",
		scene: scene{left: one.with(func(l *left) { l.logins, l.copies = 1, 1 })}},
	{Name: "namespace", About: "one namespace of a session ends",
		scene: scene{namespace: true, left: one.with(func(l *left) { l.losses, l.copies = 1, 1 })}},
	{Name: "outage", About: "the store cannot be asked at the logout, or its reply is lost",
		scene: scene{left: one.with(func(l *left) { l.outages, l.replies, l.sockets = 1, 1, 2 })}},
	{Name: "outage here", About: "the same on one node alone",
		scene: scene{alone: true, left: one.with(func(l *left) { l.outages, l.replies, l.sockets = 1, 1, 2 })}},
	{Name: "outage for good", About: "the same, and the store does not come back",
		scene: scene{alone: true, forever: true, left: one.with(func(l *left) { l.outages, l.sockets = 1, 2 })}},
	{Name: "failover", About: "a replica takes over that has not heard of the end; the node that ended the session may crash",
		scene: scene{left: one.with(func(l *left) { l.failovers, l.sockets, l.crashes = 1, 2, 1 })}},
	{Name: "failover here", About: "the same on one node alone",
		scene: scene{alone: true, left: one.with(func(l *left) { l.failovers, l.sockets = 1, 2 })}},
	{Name: "failover unseen", About: "the same, and the node may not ask who the server is",
		scene: scene{alone: true, blind: true, left: one.with(func(l *left) { l.failovers = 1 })}},
	{Name: "failover in an outage", About: "a replica takes over that has not heard of the end, and cannot be asked at first",
		scene: scene{left: one.with(func(l *left) { l.failovers, l.outages, l.messages, l.publications = 1, 1, 0, 0 })}},
	{Name: "replicas", About: "a replica takes over that may not have heard of the end, and the end waits for a replica",
		scene: scene{replicas: true, left: one.with(func(l *left) { l.failovers = 1 })}},
	{Name: "another version", About: "the notice is of a version that the node cannot read",
		scene: scene{skew: true, left: one}},
	{Name: "two tabs", About: "another connection of the session leaves while this one comes",
		scene: scene{tab: there, left: one}},
	{Name: "silent neighbour", About: "another connection of the session has a peer that answers no close frame",
		scene: scene{neighbour: true, left: one}},
	{Name: "expiry", About: "the session's time is up, or is not because another tab is active",
		scene: scene{slides: true, due: 1, left: left{sockets: 1, messages: 1, ticks: 3}}},
	{Name: "earlier expiry", About: "another node sets an earlier end, and tells nobody",
		scene: scene{shortens: true, periodic: true, due: 2, left: left{sockets: 1, messages: 1, ticks: 1}}},
	{Name: "all of a user", About: "all sessions of a user end while one more login is in progress",
		run: func(w *world) Outcome { return explore(w.users()) }},
	{Name: "cookies", About: "a login overtakes, and is overtaken by, a request with the cookie from before it, and a page that connects again",
		run: func(w *world) Outcome { return explore(w.browsers()) }},
	{Name: "sent again", About: "the reply to a save is lost, and the save is sent again",
		run: func(w *world) Outcome { return explore(w.repeated()) }},
	{Name: "renewal", About: "a secret is renewed, and the node may crash meanwhile",
		run: func(w *world) Outcome { return explore(w.renewals()) }},

	{Name: "beginner", About: "the node that is asked has begun a moment ago, and has heard of no other yet",
		scene: scene{beginner: true, left: one.with(func(l *left) { l.losses = 1 })}},
	{Name: "drain", About: "the node of the connection drains, and nobody waits for it any more",
		scene: scene{drain: true, left: one}},

	{Name: "crash and failover", About: "a replica takes over that has not heard of the end, and the node that ended the session has crashed",
		Hole: Undone, Why: "nobody else remembers the end; an end that waits for replicas survives",
		scene: scene{strict: true, left: one.with(func(l *left) { l.failovers, l.crashes = 1, 1 })}},
	{Name: "crash in an outage", About: "the store cannot be asked at the logout, and the node that owes the end crashes",
		Hole: Forgotten, Why: "the caller was told that it holds on this node only, and who else would know",
		scene: scene{strict: true, left: one.with(func(l *left) { l.outages, l.crashes = 1, 1 })}},
	{Name: "failover after a login", About: "a replica takes over that has not heard of a login, and the next login gets the same epoch",
		Hole: OlderLogin, Why: "epochs are counted, and a lookup does not look for connections of later ones than the store's",
		scene: scene{loses: true, left: one.with(func(l *left) { l.ends, l.logins, l.failovers, l.messages = 0, 2, 1, 0 })}},
	{Name: "newcomer", About: "a node has begun, and its first heartbeat has not reached the node that is asked",
		Hole: HandledTold, Why: "what the node that is asked hears may lag, by less than it may to be fresh; the notice takes a moment more",
		scene: scene{newcomer: true, left: one}},
}

// Scenarios returns all scenarios.
func Scenarios() []Scenario { return slices.Clone(scenarios) }

// Named returns the scenario of a name. It panics when there is none: names are
// this package's own.
func Named(name string) Scenario {
	for _, s := range scenarios {
		if s.Name == name {
			return s
		}
	}
	panic(fmt.Sprintf("protomodel: no scenario %q", name))
}

// Explore searches the scenario without some rules. It takes milliseconds to a
// second, and some 100 bytes for each state.
func (s Scenario) Explore(without ...ID) Outcome {
	w := &world{scene: &s.scene, without: setOf(without)}
	var o Outcome
	if s.run != nil {
		o = s.run(w)
	} else {
		start := moment{
			store: store{alive: true, due: s.scene.due},
			bus:   bus{expected: !s.scene.newcomer && !s.scene.beginner, unheard: s.scene.beginner},
			node:  node{fresh: true, known: true, beat: true},
			left:  s.scene.left,
		}
		start.socket.tab = s.scene.tab
		o = explore(machine[moment]{start: start, next: w.next, wrong: w.wrong})
	}
	o.Scenario, o.Without, o.alone = s.Name, w.without.all(), s.scene.alone
	return o
}
