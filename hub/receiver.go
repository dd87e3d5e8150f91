package hub

import "github.com/sessionhub/sessionhub/internal/failpoint"

// lookAgain is after how many deliveries the receiver looks at the clock again:
// that costs more than a delivery.
const lookAgain = 16

// receiver is the hub as its broker sees it. Its methods are called from one
// goroutine, which owns the buffers.
type receiver struct {
	hub     *Hub
	answers string // the topic of answers to this node
	subs    []*subscription
	entries []*Entry
}

func (r *receiver) Fresh() {
	r.hub.health.subscribe(true)
	signal(r.hub.pulse.now)
	signal(r.hub.gapped)
}

func (r *receiver) Stale(err error) {
	// Whoever is admitted between these two is in the registry when the gap is
	// over, and looked up with the others.
	had := r.hub.health.subscribe(false)
	r.hub.gaps.Add(1)
	if had { // else its silence was told already
		r.hub.log.Warn("stale: the subscription was lost", "error", err)
	}
}

func (r *receiver) Notice(text string) {
	r.hub.notices.Add(1)
	failpoint.Hit(failpoint.NoticeReceived)
	r.hub.Gate(text)
	failpoint.Hit(failpoint.NoticeMarked)
	r.hub.Close(text)
}

func (r *receiver) Publication(topic string, data []byte) {
	switch topic {
	case directTopic:
		r.direct(data)
		return
	case r.answers:
		if !r.hub.polls.answered(data) {
			r.hub.malformed.Add(1)
		}
		return
	}
	delivered, fresh := uint64(0), false
	r.subs = r.hub.topics.find(topic, r.subs[:0])
	for i, s := range r.subs {
		if i%lookAgain == 0 {
			fresh = r.hub.Fresh()
		}
		if !s.gone.Load() && s.entry.deliver(topic, data, fresh) {
			delivered++
		}
	}
	clear(r.subs) // keeps the buffer, not the entries
	r.hub.delivered.Add(delivered)
}

func (r *receiver) direct(b []byte) {
	if isMessage(b) {
		if !r.message(b) {
			r.hub.malformed.Add(1)
		}
		return
	}
	kind, k, data, ok := decodeDirect(b)
	if !ok {
		r.hub.malformed.Add(1)
		return
	}
	if kind == toUser {
		r.entries = r.hub.registry.findUser(k, r.entries[:0])
	} else {
		r.entries = r.hub.registry.find(k, r.entries[:0])
	}
	delivered, fresh := uint64(0), false
	for i, e := range r.entries {
		if i%lookAgain == 0 {
			fresh = r.hub.Fresh()
		}
		if e.deliver("", data, fresh) {
			delivered++
		}
	}
	clear(r.entries)
	r.hub.delivered.Add(delivered)
}

// message takes in what another node, or this one, told or asked all of them,
// and reports whether it could be read.
func (r *receiver) message(b []byte) bool {
	m, ok := parseMessage(b)
	switch {
	case m.node == "": // of another version, or garbage
	case m.subject == beat, m.subject == bye:
		return r.hub.beatCame(m)
	case m.subject == ended:
		return r.hub.askedEnded(m)
	default:
		r.hub.polls.asked(m)
	}
	return ok
}

// signal leaves a token in c, unless there is one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
