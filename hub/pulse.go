package hub

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Subjects of heartbeats. The body has the sender's interval in milliseconds,
// "|" and its name; what may follow behind another "|" is ignored.
const (
	beat = "beat"
	bye  = "bye" // of a node that goes: nobody waits for its answers any more
)

const (
	// beatsUnderWay is how many heartbeats may wait for the broker at once. One
	// that hangs, on a dead connection of a pool say, must not keep the next
	// one back; a broker that hangs must not pile them up.
	beatsUnderWay = 4

	// byeWait is how long the last heartbeat of all may take.
	byeWait = 250 * time.Millisecond

	// maxNodeName is how much of a node's name the others are told, in bytes.
	maxNodeName = 64
)

// errNoBeat is why a subscription is dropped that brings nothing any more.
var errNoBeat = errors.New("hub: no heartbeat of this node came back")

// pulse is the heartbeat of this node: it tells all nodes, itself included,
// that it lives. What comes back proves that the subscription works, and that
// what was sent before has come.
type pulse struct {
	every time.Duration
	name  string
	peers *peers

	joined chan struct{} // closed when heartbeats can come back
	now    chan struct{} // holds a token when one is to be sent at once
	soon   chan struct{} // holds a token when somebody new should hear of this node

	over                   atomic.Bool // a goodbye was sent
	sent, failed, received atomic.Uint64

	mu    sync.Mutex // guards the following fields
	seq   uint64
	times [32]time.Time // when the newest were sent, by seq
	taken uint64        // the newest that the broker took
	mute  bool          // one after that it did not take
}

func newPulse(every time.Duration, name string) *pulse {
	name = strings.ToValidUTF8(name[:min(len(name), maxNodeName)], "")
	return &pulse{
		every:  every,
		name:   strings.ReplaceAll(name, "|", "/"),
		peers:  newPeers(),
		joined: make(chan struct{}),
		now:    make(chan struct{}, 1),
		soon:   make(chan struct{}, 1),
	}
}

// next begins a heartbeat: its time is the one before it is sent.
func (p *pulse) next() (seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seq++
	p.times[p.seq%uint64(len(p.times))] = time.Now()
	return p.seq
}

// done notes whether the broker took a heartbeat, and reports whether an outage
// begins or ends with that.
func (p *pulse) done(seq uint64, ok bool) (turned bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if seq < p.taken {
		return false // one that hung for long says nothing new
	}
	if ok {
		p.taken = seq
	}
	turned = p.mute == ok
	p.mute = !ok
	return turned
}

// when returns when a heartbeat of this node was sent. It does not know those
// that are so old that they prove nothing.
func (p *pulse) when(nonce string) (sent time.Time, ok bool) {
	n, err := strconv.ParseUint(nonce, 10, 64)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil || n == 0 || n > p.seq || p.seq-n >= uint64(len(p.times)) {
		return time.Time{}, false
	}
	return p.times[n%uint64(len(p.times))], true
}

// body is the text of a heartbeat.
func (p *pulse) body() string {
	return strconv.FormatInt(max(p.every.Milliseconds(), 1), 10) + "|" + p.name
}

// parseBeat reads the body of any node's heartbeat.
func parseBeat(body string) (every time.Duration, name string, ok bool) {
	f := strings.SplitN(body, "|", 3)
	if len(f) < 2 || len(f[1]) > maxNodeName {
		return 0, "", false
	}
	ms, err := strconv.ParseUint(f[0], 10, 22) // little more than an hour
	if err != nil || ms == 0 || strconv.FormatUint(ms, 10) != f[0] {
		return 0, "", false
	}
	return time.Duration(ms) * time.Millisecond, f[1], true
}

// beat sends heartbeats until ctx ends, and says goodbye when nothing is live here
// any more.
func (h *Hub) beat(ctx context.Context) {
	p := h.pulse
	select {
	case <-p.joined:
	case <-ctx.Done():
		return
	}
	var flying sync.WaitGroup
	defer flying.Wait()
	places := make(chan struct{}, beatsUnderWay)
	timer := time.NewTimer(p.every)
	defer timer.Stop()
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			flying.Wait() // none overtakes the goodbye
			<-h.left
			if !p.over.Load() {
				final, cancel := context.WithTimeout(context.WithoutCancel(ctx), byeWait)
				defer cancel()
				h.sendBeat(final, bye)
			}
			return
		case <-timer.C:
		case <-p.now:
		case <-p.soon:
			// Newcomers, and who pretends to be many of them, cost a few more.
			timer.Reset(min(time.Until(last.Add(p.every)), max(time.Until(last.Add(p.every/10)), 0)))
			continue
		}
		last = time.Now()
		timer.Reset(p.every)
		select {
		case places <- struct{}{}:
			flying.Go(func() {
				defer func() { <-places }()
				// Longer than one interval: a broker that is slow, but not too
				// slow, is not given up while it connects.
				bounded, cancel := context.WithTimeout(ctx, p.every*3/2)
				defer cancel()
				subject := beat
				if h.goodbye() {
					subject = bye
				}
				h.sendBeat(bounded, subject)
			})
		default:
			p.failed.Add(1)
		}
	}
}

// goodbye reports whether nobody need wait for this node any more: it has no
// connections, and whatever comes is marked at once.
func (h *Hub) goodbye() bool { return h.draining.Load() && h.registry.entries.Load() == 0 }

func (h *Hub) sendBeat(ctx context.Context, subject string) {
	p := h.pulse
	seq := p.next()
	m := message{subject: subject, node: h.polls.node, nonce: strconv.FormatUint(seq, 10), body: p.body()}
	err := h.broker.Publish(ctx, directTopic, []byte(m.String()))
	switch {
	case err == nil:
		p.sent.Add(1)
		if subject == bye {
			p.over.Store(true)
		}
		if p.done(seq, true) {
			h.log.Info("heartbeats are sent again")
		}
	case !errors.Is(ctx.Err(), context.Canceled): // but for the end of Run
		p.failed.Add(1)
		if p.done(seq, false) {
			h.log.Warn("heartbeat not sent; more of this is not logged", "error", err)
		}
	}
}

// beatCame takes in a heartbeat, and reports whether it could be read. It is
// called by the receiver.
func (h *Hub) beatCame(m message) bool {
	every, name, ok := parseBeat(m.body)
	if !ok {
		return false
	}
	p := h.pulse
	p.received.Add(1)
	switch {
	case m.node != h.polls.node && m.subject == bye:
		p.peers.forget(m.node)
	case m.node != h.polls.node:
		if p.peers.heard(m.node, name, every) && !h.draining.Load() {
			signal(p.soon)
		}
	default:
		sent, known := p.when(m.nonce)
		if !known {
			break
		}
		proof := h.health.beat(sent)
		if proof.fresh {
			h.log.Info("fresh: the subscription is proved")
		}
		if proof.good {
			for _, lost := range p.peers.tick(proof.first) {
				h.log.Warn("a node fell silent", "silent", lost)
			}
		}
	}
	return true
}

// watchSilence drops the subscription when no heartbeat of this node has come
// back for too long, until ctx ends.
func (h *Hub) watchSilence(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		left, over := h.health.silence()
		if over {
			h.gaps.Add(1)
			h.resets.Add(1)
			h.log.Warn("stale: the subscription is silent", "for", h.health.limit)
			h.broker.Reset(errNoBeat)
			continue
		}
		var fire <-chan time.Time
		if left > 0 {
			timer.Reset(left)
			fire = timer.C
		}
		select {
		case <-ctx.Done():
			return
		case <-h.health.armed:
		case <-fire:
		}
	}
}
