package hub

import "github.com/sessionhub/sessionhub/internal/failpoint"

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
	signal(r.hub.gapped)
}

func (r *receiver) Stale(err error) {
	// Whoever is admitted between these two is in the registry when the gap is
	// over, and looked up with the others.
	r.hub.health.subscribe(false)
	r.hub.gaps.Add(1)
	r.hub.log.Warn("stale: the subscription was lost", "error", err)
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
	delivered := uint64(0)
	r.subs = r.hub.topics.find(topic, r.subs[:0])
	for _, s := range r.subs {
		if !s.gone.Load() && s.entry.deliver(topic, data) {
			delivered++
		}
	}
	clear(r.subs) // keeps the buffer, not the entries
	r.hub.delivered.Add(delivered)
}

func (r *receiver) direct(b []byte) {
	if isMessage(b) {
		if !r.hub.polls.asked(b) {
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
	delivered := uint64(0)
	for _, e := range r.entries {
		if e.deliver("", data) {
			delivered++
		}
	}
	clear(r.entries)
	r.hub.delivered.Add(delivered)
}

// signal leaves a token in c, unless there is one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
