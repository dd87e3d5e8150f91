package redisbroker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/hub"
)

const (
	// ackTimeout is how long the server may take to acknowledge something
	// while commands are under way.
	ackTimeout = 5 * time.Second

	// perCommand is how many channels one SUBSCRIBE names at most.
	perCommand = 1000
)

// dialTimeout is how long a new connection may take until it is there.
const dialTimeout = 5 * time.Second

// listen receives from one connection until it breaks, is cut, or ctx ends, and
// reports whether it was ever complete. The hub hears of the gap before anything
// else is done about it.
func (b *Broker) listen(ctx context.Context, r hub.Receiver) (fresh bool, err error) {
	ps := b.client.Subscribe(ctx)
	conn, cut := context.WithCancelCause(ctx)
	var closing sync.WaitGroup
	defer closing.Wait()
	defer cut(nil)
	closing.Go(func() {
		// Receive has no deadline and does not see that a context ends. Close
		// ends it, even if the server is silent.
		<-conn.Done()
		_ = ps.Close()
	})

	b.reset()
	dial, cancel := context.WithTimeout(conn, dialTimeout)
	err = ps.Subscribe(dial, b.noticeChannel())
	cancel()
	if err != nil {
		return false, err
	}
	w := newWriter(b, ps, cut)
	defer w.stop()
	for {
		complete, err := b.receive(w, r)
		if err != nil {
			b.lose()
			if cause := context.Cause(conn); cause != nil {
				err = fmt.Errorf("%w: %w", cause, err)
			}
			if fresh && ctx.Err() == nil {
				r.Stale(err)
			}
			return fresh, err
		}
		if complete {
			fresh = true
			b.allowCut(cut)
			r.Fresh()
		}
	}
}

// receive takes one message, and reports whether it was the last
// acknowledgement that the connection lacked.
func (b *Broker) receive(w *writer, r hub.Receiver) (complete bool, err error) {
	m, err := w.ps.Receive(w.noDial)
	if err != nil {
		return false, err
	}
	switch m := m.(type) {
	case *redis.Message:
		b.dispatch(m, r)
	case *redis.Subscription:
		if complete, err = b.acknowledge(m); err == nil {
			w.acknowledged()
		}
	}
	return complete, err
}

// writer sends what the broker wants of a connection, and ends it when the
// server does not acknowledge.
type writer struct {
	broker *Broker
	ps     *redis.PubSub
	cut    context.CancelCauseFunc // ends the connection, and with it the reader's Receive
	quit   chan struct{}
	wg     sync.WaitGroup

	// noDial has ended. Reading and writing do not care, as they look at a
	// context's deadline only; but after an error go-redis would dial anew
	// before it returns that error, and hide the gap until then (for as long
	// as the dialer likes). With this context that fails at once; only the
	// dialer for TLS does not look at contexts and takes up to DialTimeout.
	noDial context.Context

	mu   sync.Mutex // guards the following fields
	owed int        // acknowledgements under way
	late *time.Timer
}

// newWriter begins with the acknowledgement of the notice channel owed.
func newWriter(b *Broker, ps *redis.PubSub, cut context.CancelCauseFunc) *writer {
	noDial, cancel := context.WithCancel(context.Background())
	cancel()
	w := &writer{broker: b, ps: ps, cut: cut, quit: make(chan struct{}), noDial: noDial, owed: 1}
	w.late = time.AfterFunc(ackTimeout, func() { cut(errLate) })
	w.wg.Go(w.run)
	return w
}

var errLate = errors.New("redis did not acknowledge in time")

func (w *writer) run() {
	for {
		select {
		case <-w.quit:
			return
		case <-w.broker.wake:
		}
		join, leave := w.broker.plan()
		w.send(join, w.ps.Subscribe)
		w.send(leave, w.ps.Unsubscribe)
	}
}

func (w *writer) send(names []string, command func(context.Context, ...string) error) {
	for part := range slices.Chunk(names, perCommand) {
		w.expect(len(part))
		if err := command(w.noDial, part...); err != nil {
			w.cut(err)
			return
		}
	}
}

// expect notes acknowledgements that are due from now on.
func (w *writer) expect(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.owed += n
	w.late.Reset(ackTimeout)
}

// acknowledged notes one that came.
func (w *writer) acknowledged() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.owed--; w.owed > 0 {
		w.late.Reset(ackTimeout)
	} else {
		w.late.Stop()
	}
}

func (w *writer) stop() {
	w.mu.Lock()
	w.late.Stop()
	w.mu.Unlock()
	close(w.quit)
	w.wg.Wait()
}
