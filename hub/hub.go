package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessionhub/sessionhub/internal/notice"
)

// Options configures a [Hub]. The zero value works within one process.
type Options struct {
	// Broker connects the nodes.
	//
	// Defaults to a [MemoryBroker] of its own: one node, this one.
	Broker Broker

	// Node names this node in what the hub logs, and in what other nodes log of
	// it: up to 64 bytes of it. It needs not be unique.
	//
	// Defaults to none: Logger names it, or there is one.
	Node string

	// Revalidate is how often every session with a connection here is looked
	// up in the store, give or take a tenth. Of more than 50 sessions the look-up
	// spreads over a twentieth of that, but for the one after a gap.
	//
	// Defaults to 60 seconds.
	Revalidate time.Duration

	// StaleLimit is how long the hub may be stale before it closes its
	// connections with [TryLater], spread over half of it again, but for those
	// that go on ([Entry.FailOpen]). It is also
	// how long the store may stay silent: one check, a periodic revalidation
	// with its retries before the hub becomes stale, and the question whether
	// a session has expired before its connections are closed with [TryLater].
	//
	// Defaults to 10 seconds.
	StaleLimit time.Duration

	// Heartbeat is how often this node tells all nodes, itself included, that
	// it lives. When nothing of that has come back that was sent within two and
	// a half of it, the hub is stale, drops the subscription and makes it anew.
	// The others expect it to acknowledge ends until it was silent for three. All
	// nodes have the same, but for the moments of an upgrade.
	//
	// Defaults to 1 second. Above 30 seconds it is 30 seconds.
	Heartbeat time.Duration

	// AckWait is how long [Hub.Acks] waits for other nodes at most. Negative:
	// it does not ask them.
	//
	// Defaults to 250 milliseconds.
	AckWait time.Duration

	// Logger takes what an operator should know. Nothing in it says who is
	// connected.
	//
	// Defaults to [slog.Default].
	Logger *slog.Logger
}

// Hub ends and feeds the connections of one node. Its methods may be called
// from any goroutine.
type Hub struct {
	broker     Broker
	interval   time.Duration
	staleLimit time.Duration
	ackWait    time.Duration
	log        *slog.Logger

	registry *registry
	topics   *topics
	expiry   *expiry
	health   *health
	closers  closers
	polls    *polls
	pulse    *pulse
	owed     *owed
	joined   int // of ownTopics, subscribed to; revalidate's, then Run's

	began    atomic.Bool   // Run was called
	left     chan struct{} // closed when its end has marked everything
	draining atomic.Bool   // connections that come are ended
	suspect  atomic.Bool   // a notice was unreadable and no revalidation has begun since
	gapped   chan struct{} // holds a token when the broker subscribed anew
	doubted  chan struct{} // holds a token when suspect was set

	// For Stats.
	took                                                                            atomic.Int64 // by the last revalidation, in nanoseconds
	gaps, notices, malformed, marked, revalidations, failures, published, delivered atomic.Uint64
	resets, acked, unacked                                                          atomic.Uint64
}

// New returns a Hub. Nothing runs until [Hub.Run], and until then the hub is
// stale.
func New(o Options) *Hub {
	if o.Broker == nil {
		o.Broker = NewMemoryBroker()
	}
	if o.Revalidate <= 0 {
		o.Revalidate = 60 * time.Second
	}
	if o.StaleLimit <= 0 {
		o.StaleLimit = 10 * time.Second
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = time.Second
	}
	o.Heartbeat = min(o.Heartbeat, maxBeat)
	if o.AckWait == 0 {
		o.AckWait = defaultAckWait
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Node != "" {
		o.Logger = o.Logger.With("node", o.Node)
	}
	return &Hub{
		broker:     o.Broker,
		interval:   o.Revalidate,
		staleLimit: o.StaleLimit,
		ackWait:    o.AckWait,
		log:        o.Logger,
		registry:   newRegistry(),
		topics:     newTopics(o.Broker),
		expiry:     newExpiry(),
		health:     newHealth(o.Heartbeat),
		polls:      newPolls(),
		pulse:      newPulse(o.Heartbeat, o.Node),
		owed:       newOwed(),
		left:       make(chan struct{}),
		gapped:     make(chan struct{}, 1),
		doubted:    make(chan struct{}, 1),
	}
}

// ErrRan is returned by [Hub.Run] when it is called a second time.
var ErrRan = errors.New("hub: Run was called before")

// Run receives, revalidates, expires and sends heartbeats until ctx ends, and
// returns nil then, or why the broker gave up before. It ends connections that
// are still registered with [Restart], because nobody would learn of their
// sessions' ends, and tells the other nodes after that that it goes; [Hub.Drain]
// before that ends them gently. All goroutines of the hub have ended when it
// returns. It is called once.
func (h *Hub) Run(ctx context.Context, s Sessions) error {
	if h.began.Swap(true) {
		return ErrRan
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h.health.start()
	h.closers.start()

	// All is marked before the broker is told to stop.
	receiving, deaf := context.WithCancel(context.WithoutCancel(ctx))
	defer deaf()
	var wg sync.WaitGroup
	wg.Go(func() {
		<-ctx.Done()
		h.leave()
		deaf()
	})
	wg.Go(func() { h.revalidate(ctx, s) })
	wg.Go(func() { h.expire(ctx, s) })
	wg.Go(func() { h.watchStale(ctx) })
	wg.Go(func() { h.watchSilence(ctx) })
	wg.Go(func() { h.beat(ctx) })
	wg.Go(func() { h.answer(ctx) })
	wg.Go(func() { h.acknowledge(ctx) })
	err := h.broker.Run(receiving, &receiver{hub: h, answers: answerTopic + h.polls.node})
	if ctx.Err() == nil && err == nil {
		err = errors.New("it returned by itself")
	}
	if err != nil {
		err = fmt.Errorf("hub: broker: %w", err)
	}
	cancel()
	wg.Wait()

	h.closers.stop()
	for _, topic := range h.ownTopics()[:h.joined] {
		h.broker.Unsubscribe(topic)
	}
	return err
}

// leave marks all connections, for good: when it returns nothing is dispatched
// or delivered here any more, and the other nodes need not wait for this one.
func (h *Hub) leave() {
	h.health.stop()
	h.draining.Store(true) // before it looks, as in Drain
	h.end(h.registry.all(), Restart)
	close(h.left)
}

// Register gives a connection of a session its place, PENDING: from now on
// ends of the session reach it. The caller then loads the session and brings
// the answer to [Entry.Admit]; only a load that begins after Register counts.
// The session exists in the store before, or a revalidation could find it
// dead. The namespaces are those that the connection holds.
//
// With an empty id the connection has no session: it is never checked, and
// only [Entry.End], Drain and staleness end it.
//
// A hub that drains, or has run, marks the connection at once with [Restart].
// It does not close it: it is not open yet, and Admit says so to the caller.
//
// c may be called before Register returns. [Entry.Remove] undoes Register.
func (h *Hub) Register(root, id string, namespaces []string, c Conn) *Entry {
	// The gap counter comes first: a gap that begins in between is noticed.
	e := &Entry{hub: h, conn: c, gap: h.gaps.Load(), at: [lists]int{-1, -1}}
	if len(namespaces) > 0 {
		e.spaces = make([]space, len(namespaces))
		for i, name := range namespaces {
			e.spaces[i] = space{name: name, held: true}
		}
	}
	e.place = h.registry.add(key{root, id}, e)
	// Drain sets its mark before it looks: either it sees e, or e the mark.
	if h.draining.Load() {
		e.mark(Restart)
	}
	return e
}

// Gate marks the connections here that a notice concerns, without any I/O, and
// returns how many it newly marked. From its return on none of them
// dispatches. Close follows. A notice that cannot be read counts as a gap.
//
// The end of a session marks with [SessionEnded], a login those with an older
// epoch with [SessionRenewed]. The end of a namespace takes it away from the
// connections ([Conn.Lose]); who then holds none is marked with
// [SessionEnded].
func (h *Hub) Gate(text string) int {
	n, err := notice.Parse(text)
	if err != nil {
		h.unreadable(err)
		return 0
	}
	return h.gate(n)
}

func (h *Hub) gate(n notice.Notice) (marked int) {
	for _, e := range h.registry.find(key{n.Root, n.ID}, nil) {
		var newly bool
		switch n.Kind {
		case notice.Session:
			newly = e.mark(SessionEnded)
		case notice.Epoch:
			newly = e.renew(n.Below)
		case notice.Namespace:
			newly = e.lose(n.Namespace, n.Below)
		}
		if newly {
			marked++
		}
	}
	return marked
}

// Close closes the marked connections of the notice's session, in parallel. It
// does not wait for them, except while Run does not run.
func (h *Hub) Close(text string) {
	if n, err := notice.Parse(text); err == nil {
		h.shut(n)
	}
}

func (h *Hub) shut(n notice.Notice) {
	h.closers.close(h.registry.find(key{n.Root, n.ID}, nil)...)
}

// EndUser marks with [SessionEnded], and closes, the connections that a user
// has on this node in the family of root, but for those of the session except
// ("": none), and returns how many it newly marked. Only connections that were
// admitted are known to be a user's. It is for an end that the store did not
// take; else each session's notice does this, on all nodes.
func (h *Hub) EndUser(root, user, except string) int {
	marked := 0
	entries := h.registry.findUser(key{root, user}, nil)
	entries = slices.DeleteFunc(entries, func(e *Entry) bool { return except != "" && e.session.name == except })
	for _, e := range entries {
		if e.mark(SessionEnded) {
			marked++
		}
	}
	h.closers.close(entries...)
	return marked
}

// unreadable counts a notice of another version, or garbage: something ended,
// and the store has to be asked what. The subscription is sound, so that the
// hub stays fresh while it asks, at most once a second.
func (h *Hub) unreadable(err error) {
	h.malformed.Add(1)
	if !h.suspect.Swap(true) {
		h.gaps.Add(1)
		h.log.Warn("unreadable notice: revalidating", "error", err)
		signal(h.doubted)
	}
}

// Publish sends data to every subscriber of a topic, on all nodes. It returns
// when the broker has taken it: [ErrTopic], or what the broker returned.
// Delivery happens when it comes back, in one order on all nodes.
func (h *Hub) Publish(ctx context.Context, topic string, data []byte) error {
	if err := checkTopic(topic); err != nil {
		return err
	}
	if err := h.broker.Publish(ctx, topic, data); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	h.published.Add(1)
	return nil
}

// Gaps returns how often notices may have been missed: it rises before
// anything that was loaded earlier has to be doubted.
func (h *Hub) Gaps() uint64 { return h.gaps.Load() }

// Fresh reports whether the hub can know of ends: it is subscribed, has looked
// everything up since, and hears its own heartbeats. While it is not, nothing is
// delivered, messages are not to be dispatched, what waits is not to be sent and
// connections are not to be accepted, but for those that fail open. It looks at the clock, so that a process that was stopped does not
// go on where it was. It costs little more than that.
func (h *Hub) Fresh() bool { return h.health.fresh() }

// WaitFresh waits until the hub is fresh, and returns the cause of ctx's end
// when that comes first. It costs nothing while the hub is fresh.
func (h *Hub) WaitFresh(ctx context.Context) error {
	for !h.Fresh() {
		select {
		case <-h.health.wait():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
