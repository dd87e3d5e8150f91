package hub

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Limits of a [MemoryBroker].
const (
	memoryQueue = 1 << 14     // publications that wait for one node
	memoryWait  = time.Second // how long Publish waits for a place among them
)

// ErrBusy is returned by [MemoryBroker.Publish] when a node does not keep up.
var ErrBusy = errors.New("hub: a node does not keep up with publications")

// MemoryBroker is a [Broker] within one process. Several hubs may share one:
// nodes in one process. Each has a queue: notices are always taken; a
// publication waits up to a second while 16,384 are in a queue, so that a
// [Conn.Deliver] must not publish. It has no gaps but by Reset. Its zero value
// works, and it starts no goroutine.
type MemoryBroker struct {
	mu      sync.Mutex // guards the following fields, and those of the nodes
	running []*memoryNode
	topics  map[string]int // subscriptions of all nodes
	space   chan struct{}  // closed when a queue was emptied; nil: nobody waits
}

// memoryNode is one Run.
type memoryNode struct {
	queue        []memoryItem
	publications int           // in the queue
	resetting    bool          // a reset is in the queue
	wake         chan struct{} // holds a token when the queue is not empty
}

// memoryItem is a notice, a publication if it has a topic, or a reset if it has
// a cause.
type memoryItem struct {
	topic  string
	data   []byte
	notice string
	cause  error
}

// NewMemoryBroker returns a MemoryBroker.
func NewMemoryBroker() *MemoryBroker { return &MemoryBroker{} }

// Run receives for one node. It may be called once for each.
func (b *MemoryBroker) Run(ctx context.Context, r Receiver) error {
	n := &memoryNode{wake: make(chan struct{}, 1)}
	b.mu.Lock()
	b.running = append(b.running, n)
	b.mu.Unlock()
	defer b.leave(n)

	r.Fresh()
	var items []memoryItem
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.wake:
		}
		items = b.take(n, items)
		for _, it := range items {
			if ctx.Err() != nil {
				return nil
			}
			switch {
			case it.cause != nil:
				r.Stale(it.cause)
				r.Fresh()
			case it.topic != "":
				r.Publication(it.topic, it.data)
			default:
				r.Notice(it.notice)
			}
		}
	}
}

// take exchanges the queue for an empty one that reuses the items of before.
func (b *MemoryBroker) take(n *memoryNode, before []memoryItem) []memoryItem {
	clear(before)
	b.mu.Lock()
	defer b.mu.Unlock()
	items := n.queue
	n.queue, n.publications, n.resetting = before[:0], 0, false
	b.freed()
	return items
}

func (b *MemoryBroker) leave(n *memoryNode) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running = slices.DeleteFunc(b.running, func(other *memoryNode) bool { return other == n })
	b.freed()
}

// nodes returns how many there are: while a hub runs, itself is among them.
func (b *MemoryBroker) nodes() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.running)
}

// freed wakes all that wait for a place.
func (b *MemoryBroker) freed() {
	if b.space != nil {
		close(b.space)
		b.space = nil
	}
}

// Subscribe implements [Broker]. It does not wait and returns nil.
func (b *MemoryBroker) Subscribe(_ context.Context, topic string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.topics == nil {
		b.topics = make(map[string]int)
	}
	b.topics[topic]++
	return nil
}

// Unsubscribe implements [Broker].
func (b *MemoryBroker) Unsubscribe(topic string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.topics[topic]--; b.topics[topic] <= 0 {
		delete(b.topics, topic)
	}
}

// Publish implements [Broker]. It returns [ErrBusy] after a second without a
// place in the queue of some node.
func (b *MemoryBroker) Publish(ctx context.Context, topic string, data []byte) error {
	_, err := b.PublishCounted(ctx, topic, data)
	return err
}

// PublishCounted implements [CountingBroker]. It counts the nodes that run, if
// any of them subscribes to the topic: all of them get the publication then.
func (b *MemoryBroker) PublishCounted(ctx context.Context, topic string, data []byte) (nodes int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, context.Cause(ctx)
	}
	it := memoryItem{topic: topic, data: bytes.Clone(data)}
	nodes, space := b.offer(it)
	if space == nil {
		return nodes, nil
	}
	patience := time.NewTimer(memoryWait)
	defer patience.Stop()
	for space != nil {
		select {
		case <-space:
			nodes, space = b.offer(it)
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-patience.C:
			return 0, ErrBusy
		}
	}
	return nodes, nil
}

// offer puts a publication into every queue and returns how many that are, or
// puts it into none and returns what to wait for: all nodes see one order.
func (b *MemoryBroker) offer(it memoryItem) (nodes int, space <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.topics[it.topic] == 0 {
		return 0, nil
	}
	if slices.ContainsFunc(b.running, func(n *memoryNode) bool { return n.publications >= memoryQueue }) {
		if b.space == nil {
			b.space = make(chan struct{})
		}
		return 0, b.space
	}
	for _, n := range b.running {
		n.publications++
		n.put(it)
	}
	return len(b.running), nil
}

// Notify implements [Broker]. It does not wait and returns nil.
func (b *MemoryBroker) Notify(_ context.Context, notice string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.running {
		n.put(memoryItem{notice: notice})
	}
	return nil
}

// Reset implements [Broker]. It cannot tell the nodes apart: all of them hear of
// a gap, behind what is in their queues. Nothing is lost.
func (b *MemoryBroker) Reset(cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.running {
		if !n.resetting {
			n.resetting = true
			n.put(memoryItem{cause: cause})
		}
	}
}

func (n *memoryNode) put(it memoryItem) {
	n.queue = append(n.queue, it)
	signal(n.wake)
}
