package redisbroker

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// channel is what the node wants of a Redis channel, and how far the present
// connection is with that. A channel has at most one command under way, so
// that it is never in doubt which command an acknowledgement is for.
type channel struct {
	wanted int // Subscribes without their Unsubscribe
	state  state
	first  bool          // counted in Broker.missing
	joined chan struct{} // closed at the acknowledgement; nil: nobody waits
}

// state is a channel's state at the server, as far as it is known.
type state uint8

const (
	off     state = iota
	joining       // SUBSCRIBE sent
	on
	leaving // UNSUBSCRIBE sent
)

// Subscribe implements [hub.Broker]. After Run has returned, it returns
// [ErrStopped].
func (b *Broker) Subscribe(ctx context.Context, topic string) error {
	name := b.topicChannel(topic)
	b.mu.Lock()
	c := b.channels[name]
	if c == nil {
		c = new(channel)
		b.channels[name] = c
	}
	c.wanted++
	if c.state == on && !b.broken {
		b.mu.Unlock()
		return nil
	}
	if c.joined == nil {
		c.joined = make(chan struct{})
	}
	joined := c.joined
	b.touch(name)
	b.mu.Unlock()

	var err error
	select {
	case <-joined:
		return nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-b.done:
		err = ErrStopped
	}
	b.Unsubscribe(topic)
	return err
}

// Unsubscribe implements [hub.Broker].
func (b *Broker) Unsubscribe(topic string) {
	name := b.topicChannel(topic)
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.channels[name]
	if c == nil || c.wanted == 0 {
		return
	}
	c.wanted--
	b.touch(name)
}

// touch has the connection look at a channel.
func (b *Broker) touch(name string) {
	b.dirty[name] = struct{}{}
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// reset forgets what the previous connection had, and counts what the next one
// needs. The notice channel is joined together with dialing.
func (b *Broker) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.missing, b.broken = 0, false
	clear(b.dirty) // what is wanted is touched below; the rest is forgotten
	for name, c := range b.channels {
		c.state, c.first = off, false
		if c.wanted == 0 {
			delete(b.channels, name)
			continue
		}
		c.first = true
		b.missing++
		b.touch(name)
	}
	b.channels[b.noticeChannel()].state = joining
}

// lose says that the connection is lost: what is subscribed to from now on
// waits for the next one.
func (b *Broker) lose() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken, b.cut = true, nil
}

// allowCut lets Reset end the connection, which is complete now.
func (b *Broker) allowCut(cut context.CancelCauseFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cut = cut
}

// plan returns what to send now, and takes it as sent.
func (b *Broker) plan() (join, leave []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name := range b.dirty {
		c := b.channels[name]
		switch {
		case c == nil:
		case c.state == off && (c.wanted > 0 || c.first):
			// The first ones are joined even if nobody wants them any more:
			// the connection is complete when all of them are acknowledged.
			c.state = joining
			join = append(join, name)
		case c.state == on && c.wanted == 0:
			c.state = leaving
			leave = append(leave, name)
		case c.state == off:
			delete(b.channels, name)
		}
	}
	clear(b.dirty)
	return join, leave
}

// acknowledge takes a reply to SUBSCRIBE or UNSUBSCRIBE, and reports whether
// it completes the connection. A reply to what was not sent is an error.
func (b *Broker) acknowledge(s *redis.Subscription) (complete bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.channels[s.Channel]
	switch {
	case c != nil && s.Kind == "subscribe" && c.state == joining:
		c.state = on
		if c.joined != nil {
			close(c.joined)
			c.joined = nil
		}
		if c.first {
			c.first = false
			b.missing--
			complete = b.missing == 0
		}
	case c != nil && s.Kind == "unsubscribe" && c.state == leaving:
		c.state = off
	default:
		return false, fmt.Errorf("unexpected %s of %q", s.Kind, s.Channel)
	}
	b.touch(s.Channel) // it may be wanted otherwise by now
	return complete, nil
}
