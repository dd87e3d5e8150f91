package hubtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/hub"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// node is a running broker, and the receiver that records what it brings.
type node struct {
	broker hub.Broker
	stop   context.CancelFunc
	ended  chan error

	mu      sync.Mutex // guards the following fields
	log     []string
	changed chan struct{} // closed at the next event
}

// join runs a node until the end of the test, and returns when it is fresh.
func join(t *testing.T, h Harness) *node {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	n := &node{broker: h.Node(), stop: cancel, ended: make(chan error, 1), changed: make(chan struct{})}
	go func() { n.ended <- n.broker.Run(ctx, n) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-n.ended:
		case <-time.After(patience):
			t.Error("Run did not return")
		}
	})
	n.awaitEvent(t, "fresh")
	return n
}

func (n *node) Fresh()             { n.record("fresh") }
func (n *node) Stale(err error)    { n.record(fmt.Sprint("stale ", err)) }
func (n *node) Notice(text string) { n.record("notice " + text) }
func (n *node) Publication(topic string, data []byte) {
	n.record("publication " + topic + " " + string(data))
}

func (n *node) record(event string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.log = append(n.log, event)
	close(n.changed)
	n.changed = make(chan struct{})
}

func (n *node) events() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.log)
}

// await waits until the events so far fulfil a condition.
func (n *node) await(t *testing.T, what string, fulfil func([]string) bool) {
	t.Helper()
	timeout := time.After(patience)
	for {
		n.mu.Lock()
		ok, changed := fulfil(n.log), n.changed
		n.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("%s did not come; events: %.2000q", what, n.events())
		}
	}
}

func (n *node) awaitEvent(t *testing.T, event string) {
	t.Helper()
	n.await(t, fmt.Sprintf("%.60q", event), func(e []string) bool { return slices.Contains(e, event) })
}

func (n *node) subscribe(t *testing.T, topic string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := n.broker.Subscribe(ctx, topic); err != nil {
		t.Errorf("Subscribe(%q): %v", topic, err)
	}
}

func (n *node) publish(t *testing.T, topic, data string) {
	t.Helper()
	if err := n.broker.Publish(t.Context(), topic, []byte(data)); err != nil {
		t.Errorf("Publish(%q): %v", topic, err)
	}
}

func (n *node) publishCounted(t *testing.T, topic, data string) (nodes int) {
	t.Helper()
	nodes, err := n.broker.(hub.CountingBroker).PublishCounted(t.Context(), topic, []byte(data))
	if err != nil {
		t.Errorf("PublishCounted(%q): %v", topic, err)
	}
	return nodes
}

// count returns how many events begin with prefix.
func count(events []string, prefix string) (n int) {
	for _, e := range events {
		if strings.HasPrefix(e, prefix) {
			n++
		}
	}
	return n
}
