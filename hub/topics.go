package hub

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"unicode"
	"unicode/utf8"
)

// ErrTopic is returned for a topic that is not 1 to 255 bytes of UTF-8 without
// control characters.
var ErrTopic = errors.New("hub: not a topic")

// checkTopic returns an error that wraps [ErrTopic] and says what is wrong.
func checkTopic(topic string) error {
	switch {
	case topic == "":
		return fmt.Errorf("%w: empty", ErrTopic)
	case len(topic) > 255:
		return fmt.Errorf("%w: %d bytes", ErrTopic, len(topic))
	case !utf8.ValidString(topic):
		return fmt.Errorf("%w: not UTF-8", ErrTopic)
	}
	for _, c := range topic {
		if unicode.IsControl(c) {
			return fmt.Errorf("%w: control character in %q", ErrTopic, topic)
		}
	}
	return nil
}

// topics knows the subscriptions of each topic on this node.
type topics struct {
	broker Broker
	seed   maphash.Seed
	shards [shards]topicShard
}

type topicShard struct {
	mu sync.RWMutex // guards the following field and all in its topics
	m  map[string]*topic
}

// topic is in its shard while somebody subscribes to it. It holds one
// subscription of the broker's once that acknowledged. As the broker counts,
// a topic that went and one of the same name that came do not need to agree
// on who calls first.
type topic struct {
	subs   []*subscription
	asking chan struct{} // closed when the broker answers the one who asks it; nil: nobody does
	acked  bool
}

// subscription is one entry's in one topic.
type subscription struct {
	entry     *Entry
	topic     string
	namespace string
	gone      atomic.Bool // set when the entry gives it up
	index     int         // in topic.subs, or -1; guarded by the shard's mu
}

func newTopics(b Broker) *topics { return &topics{broker: b, seed: maphash.MakeSeed()} }

func (t *topics) shard(name string) *topicShard {
	return &t.shards[maphash.String(t.seed, name)%shards]
}

// add puts sub into its topic and returns when the broker has acknowledged
// that. One subscriber asks the broker and the others wait for the same
// answer; if the one gives up, the next asks. After an error the caller drops
// sub.
func (t *topics) add(ctx context.Context, sub *subscription) error {
	sh := t.shard(sub.topic)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for {
		// gone is set before drop takes the lock: either drop finds the
		// subscription in its place, or it is not put there.
		if sub.gone.Load() {
			return nil
		}
		tp := sh.m[sub.topic]
		if tp == nil {
			if sh.m == nil {
				sh.m = make(map[string]*topic)
			}
			tp = new(topic)
			sh.m[sub.topic] = tp
		}
		if sub.index < 0 {
			sub.index = len(tp.subs)
			tp.subs = append(tp.subs, sub)
		}
		if tp.acked {
			return nil
		}
		var err error
		if tp.asking != nil {
			err = t.wait(ctx, sh, tp.asking)
		} else {
			err = t.ask(ctx, sh, tp, sub.topic)
		}
		if err != nil {
			return err
		}
	}
}

// wait waits without the lock for the one who asks.
func (t *topics) wait(ctx context.Context, sh *topicShard, answered <-chan struct{}) error {
	sh.mu.Unlock()
	defer sh.mu.Lock()
	select {
	case <-answered:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ask subscribes at the broker, without the lock.
func (t *topics) ask(ctx context.Context, sh *topicShard, tp *topic, name string) error {
	answered := make(chan struct{})
	tp.asking = answered
	sh.mu.Unlock()
	err := t.broker.Subscribe(ctx, name)
	sh.mu.Lock()
	tp.asking, tp.acked = nil, err == nil
	close(answered)
	t.sweep(sh, tp, name)
	return err
}

// drop takes subscriptions out of their topics. They are gone already.
func (t *topics) drop(subs []*subscription) {
	for _, sub := range subs {
		sh := t.shard(sub.topic)
		sh.mu.Lock()
		if sub.index >= 0 {
			tp := sh.m[sub.topic]
			last := len(tp.subs) - 1
			tp.subs[sub.index] = tp.subs[last]
			tp.subs[sub.index].index = sub.index
			tp.subs[last] = nil
			tp.subs = tp.subs[:last]
			sub.index = -1
			t.sweep(sh, tp, sub.topic)
		}
		sh.mu.Unlock()
	}
}

// sweep forgets a topic without subscribers, unless somebody is asking for it:
// then that one sweeps.
func (t *topics) sweep(sh *topicShard, tp *topic, name string) {
	if len(tp.subs) > 0 || tp.asking != nil {
		return
	}
	delete(sh.m, name)
	if tp.acked {
		t.broker.Unsubscribe(name)
	}
}

// find appends the subscriptions of a topic to buf.
func (t *topics) find(name string, buf []*subscription) []*subscription {
	sh := t.shard(name)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	if tp := sh.m[name]; tp != nil {
		buf = append(buf, tp.subs...)
	}
	return buf
}

// count returns how many topics and subscriptions there are.
func (t *topics) count() (names, subs int) {
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.RLock()
		names += len(sh.m)
		for _, tp := range sh.m {
			subs += len(tp.subs)
		}
		sh.mu.RUnlock()
	}
	return names, subs
}
