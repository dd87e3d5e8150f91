package hubtest

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/sessionhub/sessionhub/hub"
)

// Publication is one call of [hub.Conn.Deliver]; the topic is empty for what
// was sent to a session or user.
type Publication struct {
	Topic string
	Data  string
}

// Conn is a [hub.Conn] that records what it is told, and whether the hub keeps
// its promises. The zero value is ready. The hooks are called after the
// recording, without a lock; they are set before the hub knows the Conn.
type Conn struct {
	OnMark    func(hub.Reason)
	OnClose   func(hub.Reason) // may block, as the closing of a socket does
	OnDeliver func(Publication)
	OnLose    func(namespace string)

	mu        sync.Mutex // guards the following fields
	marked    *hub.Reason
	closed    *hub.Reason
	delivered []Publication
	lost      []string
	broken    []error
}

// Mark implements [hub.Conn].
func (c *Conn) Mark(r hub.Reason) {
	c.mu.Lock()
	if c.marked != nil {
		c.broken = append(c.broken, fmt.Errorf("Mark(%v) after Mark(%v)", r, *c.marked))
	}
	c.marked = &r
	c.mu.Unlock()
	if c.OnMark != nil {
		c.OnMark(r)
	}
}

// Close implements [hub.Conn].
func (c *Conn) Close(r hub.Reason) {
	c.mu.Lock()
	switch {
	case c.closed != nil:
		c.broken = append(c.broken, fmt.Errorf("Close(%v) after Close(%v)", r, *c.closed))
	case c.marked == nil:
		c.broken = append(c.broken, fmt.Errorf("Close(%v) before Mark", r))
	case *c.marked != r:
		c.broken = append(c.broken, fmt.Errorf("Close(%v) after Mark(%v)", r, *c.marked))
	}
	c.closed = &r
	c.mu.Unlock()
	if c.OnClose != nil {
		c.OnClose(r)
	}
}

// Deliver implements [hub.Conn].
func (c *Conn) Deliver(topic string, data []byte) {
	p := Publication{topic, string(data)}
	c.mu.Lock()
	c.delivered = append(c.delivered, p)
	c.mu.Unlock()
	if c.OnDeliver != nil {
		c.OnDeliver(p)
	}
}

// Lose implements [hub.Conn].
func (c *Conn) Lose(namespace string) {
	c.mu.Lock()
	if slices.Contains(c.lost, namespace) {
		c.broken = append(c.broken, fmt.Errorf("Lose(%q) twice", namespace))
	}
	c.lost = append(c.lost, namespace)
	c.mu.Unlock()
	if c.OnLose != nil {
		c.OnLose(namespace)
	}
}

// Marked returns the reason that the connection was marked with.
func (c *Conn) Marked() (hub.Reason, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return value(c.marked)
}

// Closed returns the reason that the connection was closed with. It is there
// when Close begins.
func (c *Conn) Closed() (hub.Reason, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return value(c.closed)
}

// Delivered returns what was delivered so far, in order.
func (c *Conn) Delivered() []Publication {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.delivered)
}

// Lost returns the namespaces that the connection lost, in order.
func (c *Conn) Lost() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.lost)
}

// Err returns the promises of [hub.Conn] that the hub broke, joined.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.broken...)
}

func value(r *hub.Reason) (hub.Reason, bool) {
	if r == nil {
		return hub.Reason{}, false
	}
	return *r, true
}
