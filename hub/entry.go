package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Errors of an [Entry] besides the [Reason] that ended it.
var (
	// ErrGap is returned by [Entry.Admit] when notices may have been missed
	// since [Hub.Register], or since the last ErrGap: the caller loads the
	// session again and calls Admit with that.
	ErrGap = errors.New("hub: notices may have been missed since the session was loaded")

	// ErrNotAdmitted is returned by [Entry.Live] before Admit succeeded.
	ErrNotAdmitted = errors.New("hub: connection not admitted")

	// ErrRemoved is returned by the methods of an Entry after Remove.
	ErrRemoved = errors.New("hub: connection was removed")

	// ErrUnsubscribed is returned by [Entry.Subscribe] when the topic was given
	// up again while the broker was asked for it.
	ErrUnsubscribed = errors.New("hub: unsubscribed meanwhile")

	// ErrNamespace is returned by [Entry.Subscribe] for a namespace that the
	// connection does not hold, or not any more.
	ErrNamespace = errors.New("hub: namespace not held by the connection")
)

// Entry is one connection's place in the hub: first PENDING, while its session
// is loaded, then LIVE, and in the end dead for a [Reason] that nothing
// overwrites. Its methods may be called from any goroutine.
type Entry struct {
	hub     *Hub
	conn    Conn
	session *session
	place   int
	at      [lists]int // guarded by the mu of the shard that has the list

	phase atomic.Uint32 // written under mu
	open  atomic.Bool   // FailOpen was called

	mu       sync.Mutex // guards the following fields
	reason   Reason     // set once, with ended
	ended    bool
	marked   bool // Conn.Mark has returned
	closing  bool // Conn.Close is somebody's
	admitted bool
	gap      uint64 // of the hub, before the load that Admit will bring
	user     string
	epoch    uint64 // once admitted
	below    uint64 // epochs below it are over
	spaces   []space
	subs     map[string]*subscription // by topic
}

// Phases of an Entry.
const (
	pending = iota
	live
	dead
	removed
)

// space is a namespace that a connection holds.
type space struct {
	name       string
	held       bool
	generation uint64 // once admitted
	below      uint64 // generations below it are over
}

// Place says how many living connections of the session were registered on
// this node when this one was, itself included: the newest of them has the
// highest place. Without a session it is 1.
func (e *Entry) Place() int { return e.place }

// Admit brings what the store said to a load that began after Register (or
// after the last [ErrGap]): the session's user (empty: anonymous), its epoch,
// how long it has left, and the generations of its namespaces.
//
// It returns the [Reason] when the session was ended meanwhile, or when the
// load is older than a login that the hub knows of ([SessionRenewed]); Mark
// and Close of the connection are then called like for any end. A namespace
// whose generation is over is lost to the connection before Admit returns.
// After [ErrRemoved] and a Reason the entry is of no use.
//
// Without a session (an empty id at Register) the arguments mean nothing.
func (e *Entry) Admit(user string, epoch uint64, left time.Duration, generations map[string]uint64) error {
	e.mu.Lock()
	if err := e.errLocked(); err != nil {
		e.mu.Unlock()
		return err
	}
	if gaps := e.hub.gaps.Load(); e.gap != gaps {
		e.gap = gaps
		e.mu.Unlock()
		return ErrGap
	}
	if e.session.name == "" {
		e.admitted = true
		e.mu.Unlock()
		return nil
	}
	if epoch < e.below {
		e.mu.Unlock()
		e.End(SessionRenewed)
		return e.err()
	}
	e.admitted, e.user, e.epoch = true, user, epoch
	var over []string
	for i, s := range e.spaces {
		e.spaces[i].generation = generations[s.name]
		if generations[s.name] < s.below {
			over = append(over, s.name)
		}
	}
	e.mu.Unlock()

	if user != "" {
		e.hub.registry.addUser(key{e.session.root, user}, e)
	}
	e.hub.registry.arm(e.session, left, e.hub.expiry)
	for _, name := range over {
		if e.lose(name, 0) {
			e.hub.closers.close(e)
		}
	}
	return e.err()
}

// Live makes an admitted connection LIVE: deliveries begin. It returns the
// [Reason] when the connection was ended meanwhile, and [ErrNotAdmitted]
// before Admit.
func (e *Entry) Live() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.errLocked(); err != nil {
		return err
	}
	if !e.admitted {
		return ErrNotAdmitted
	}
	e.phase.Store(live)
	return nil
}

// Dead returns the reason of the end, once there is one. It stays the same.
func (e *Entry) Dead() (Reason, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.reason, e.ended
}

// End marks and closes this one connection. The first reason counts: later
// ones, and ends of a removed connection, do nothing.
func (e *Entry) End(r Reason) {
	e.mark(r)
	e.hub.closers.close(e)
}

// Remove takes the connection out of the hub, with its subscriptions. The hub
// begins no call of its [Conn] afterwards: who calls Remove before Close was
// called, closes the connection. A second call does nothing.
func (e *Entry) Remove() {
	e.mu.Lock()
	if e.phase.Load() == removed {
		e.mu.Unlock()
		return
	}
	e.phase.Store(removed)
	subs := e.takeLocked(func(*subscription) bool { return true })
	user := key{e.session.root, e.user}
	e.mu.Unlock()
	e.hub.topics.drop(subs)
	e.hub.registry.remove(e, user, e.hub.expiry)
}

// Subscribe asks for the publications of a topic, on behalf of a namespace
// that the connection holds (empty: of the connection itself). When it returns
// nil, all that is published from then on is delivered once the connection is
// LIVE, until Unsubscribe, the loss of the namespace, the end, or a gap. The
// first subscriber of a topic on this node waits for the broker, until ctx
// ends; a topic that the connection has already is no second subscription and
// keeps its namespace.
//
// Errors: the [Reason] of the end, [ErrRemoved], [ErrNamespace], [ErrTopic],
// [ErrUnsubscribed], and what the broker returned.
func (e *Entry) Subscribe(ctx context.Context, topic, namespace string) error {
	if err := checkTopic(topic); err != nil {
		return err
	}
	e.mu.Lock()
	if err := e.errLocked(); err != nil {
		e.mu.Unlock()
		return err
	}
	if !e.holdsLocked(namespace) {
		e.mu.Unlock()
		return fmt.Errorf("%w: %q", ErrNamespace, namespace)
	}
	sub := e.subs[topic]
	if sub == nil {
		if e.subs == nil {
			e.subs = make(map[string]*subscription)
		}
		sub = &subscription{entry: e, topic: topic, namespace: namespace, index: -1}
		e.subs[topic] = sub
	}
	e.mu.Unlock()

	if err := e.hub.topics.add(ctx, sub); err != nil {
		e.unsubscribe(sub)
		if ended := e.err(); ended != nil {
			return ended
		}
		return fmt.Errorf("subscribe: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.errLocked(); err != nil {
		return err
	}
	if !e.holdsLocked(namespace) {
		return fmt.Errorf("%w: %q", ErrNamespace, namespace)
	}
	if sub.gone.Load() {
		return ErrUnsubscribed
	}
	return nil
}

// Unsubscribe undoes Subscribe. A topic that is not subscribed to is ignored.
func (e *Entry) Unsubscribe(topic string) {
	e.mu.Lock()
	sub := e.subs[topic]
	e.mu.Unlock()
	if sub != nil {
		e.unsubscribe(sub)
	}
}

// unsubscribe drops sub, if it is still the entry's.
func (e *Entry) unsubscribe(sub *subscription) {
	e.mu.Lock()
	subs := e.takeLocked(func(s *subscription) bool { return s == sub })
	e.mu.Unlock()
	e.hub.topics.drop(subs)
}

// FailOpen lets the connection go on while the hub is stale: it gets what is
// published, and does not end with [TryLater] when that lasts. An end that was
// missed meanwhile takes effect when a revalidation finds it.
func (e *Entry) FailOpen() { e.open.Store(true) }

// deliver passes data on if the entry is LIVE, and the hub fresh or the entry
// failing open, and reports whether it did.
func (e *Entry) deliver(topic string, data []byte, fresh bool) bool {
	if e.phase.Load() != live || !fresh && !e.open.Load() {
		return false
	}
	e.conn.Deliver(topic, data)
	return true
}

// err returns what stands against going on: a Reason, ErrRemoved or nil.
func (e *Entry) err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.errLocked()
}

func (e *Entry) errLocked() error {
	switch {
	case e.ended:
		return e.reason
	case e.phase.Load() == removed:
		return ErrRemoved
	}
	return nil
}

func (e *Entry) holdsLocked(namespace string) bool {
	return namespace == "" || slices.ContainsFunc(e.spaces, func(s space) bool {
		return s.name == namespace && s.held
	})
}

// takeLocked takes subscriptions out of the entry. Nothing is delivered to
// them any more; the caller drops them from their topics without e.mu.
func (e *Entry) takeLocked(which func(*subscription) bool) []*subscription {
	var taken []*subscription
	for topic, sub := range e.subs {
		if which(sub) {
			sub.gone.Store(true)
			delete(e.subs, topic)
			taken = append(taken, sub)
		}
	}
	return taken
}
