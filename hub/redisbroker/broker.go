package redisbroker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/hub"
)

// Pauses before a new connection, doubled with each failure, give or take half.
const (
	pauseMin = 50 * time.Millisecond
	pauseMax = time.Second
)

// Options configures a [Broker]. The zero value works.
type Options struct {
	// Prefix begins the names of all channels. It is the one of the store.
	//
	// Defaults to "sessionhub".
	Prefix string

	// Logger takes what an operator should know.
	//
	// Defaults to [slog.Default].
	Logger *slog.Logger
}

// Broker is a [hub.Broker] for one node. It takes one connection of its own
// for receiving; what it sends goes through the client's pool, within the
// caller's context.
type Broker struct {
	client redis.UniversalClient
	prefix string
	log    *slog.Logger
	wake   chan struct{} // holds a token when dirty is not empty
	done   chan struct{} // closed when Run returned

	mu       sync.Mutex // guards the following fields, and those of the channels
	channels map[string]*channel
	dirty    map[string]struct{} // channels that may not be as wanted
	missing  int                 // acknowledgements until the connection is complete
	broken   bool                // the states of the channels are of a connection that is lost

	// cut ends the present connection. Nil: it is not complete yet, or is being
	// ended.
	cut context.CancelCauseFunc
}

// New returns a Broker. Nothing runs until [Broker.Run].
func New(client redis.UniversalClient, o Options) *Broker {
	if o.Prefix == "" {
		o.Prefix = "sessionhub"
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	b := &Broker{
		client:   client,
		prefix:   o.Prefix,
		log:      o.Logger,
		wake:     make(chan struct{}, 1),
		done:     make(chan struct{}),
		channels: make(map[string]*channel),
		dirty:    make(map[string]struct{}),
	}
	b.channels[b.noticeChannel()] = &channel{wanted: 1} // for good
	return b
}

func (b *Broker) noticeChannel() string { return b.prefix + ":notice" }

func (b *Broker) topicChannel(topic string) string { return b.prefix + ":topic:" + topic }

// ErrStopped is returned by [Broker.Subscribe] after Run has returned.
var ErrStopped = errors.New("redisbroker: stopped")

// Run implements [hub.Broker]. It always returns nil.
func (b *Broker) Run(ctx context.Context, r hub.Receiver) error {
	defer close(b.done)
	pause := pauseMin
	for {
		fresh, err := b.listen(ctx, r)
		if ctx.Err() != nil {
			return nil
		}
		if fresh {
			pause = pauseMin
		} else {
			b.log.Warn("no subscription at Redis", "error", err)
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		pause = min(2*pause, pauseMax)
	}
}

// Publish implements [hub.Broker].
func (b *Broker) Publish(ctx context.Context, topic string, data []byte) error {
	return b.publish(ctx, b.topicChannel(topic), data)
}

// PublishCounted implements [hub.CountingBroker], in one trip. It counts who
// subscribes to the topic at a single Redis server. It returns -1 where one
// server does not know all of them (any client but a [redis.Client]: a cluster
// counts per server), and where PUBSUB is not allowed. With a [redis.Client]
// that speaks to one server of a cluster, it counts the nodes at that server
// alone.
func (b *Broker) PublishCounted(ctx context.Context, topic string, data []byte) (nodes int, err error) {
	client, single := b.client.(*redis.Client)
	if !single {
		return -1, b.Publish(ctx, topic, data)
	}
	// Not the reply of PUBLISH, which counts those who look on by pattern too.
	channel := b.topicChannel(topic)
	pipe := client.Pipeline()
	subscribers := pipe.PubSubNumSub(ctx, channel)
	publish := pipe.Publish(ctx, channel, data)
	_, _ = pipe.Exec(ctx) // each command has its own error
	if err := publish.Err(); err != nil {
		return 0, fmt.Errorf("redis publish: %w", err)
	}
	if subscribers.Err() != nil {
		return -1, nil
	}
	return int(subscribers.Val()[channel]), nil
}

// Notify implements [hub.Broker].
func (b *Broker) Notify(ctx context.Context, notice string) error {
	return b.publish(ctx, b.noticeChannel(), notice)
}

// Reset implements [hub.Broker]: it ends the connection and has Run dial anew,
// after the pause that follows any loss.
func (b *Broker) Reset(cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cut != nil {
		b.cut(cause)
		b.cut = nil
	}
}

func (b *Broker) publish(ctx context.Context, channel string, message any) error {
	cmd := redis.NewIntCmd(ctx, "publish", channel, message)
	// As if the channel were a key: on a cluster go-redis would send one to this
	// master and the next to another, and they would overtake each other.
	cmd.SetFirstKeyPos(1)
	if err := b.client.Process(ctx, cmd); err != nil {
		return fmt.Errorf("redis publish: %w", err)
	}
	return nil
}

// dispatch hands a message to the hub.
func (b *Broker) dispatch(m *redis.Message, r hub.Receiver) {
	if m.Channel == b.noticeChannel() {
		r.Notice(m.Payload)
	} else if topic, ok := strings.CutPrefix(m.Channel, b.topicChannel("")); ok {
		r.Publication(topic, []byte(m.Payload))
	}
}
