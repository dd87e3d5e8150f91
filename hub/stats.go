package hub

import "time"

// Stats is what a [Hub] counts. Connections to NodesKnown are of now, all others since
// New.
type Stats struct {
	Connections   int // registered: PENDING, LIVE, and dead ones not removed yet
	Sessions      int // with connections here
	Users         int // with connections here
	Topics        int // with subscribers here
	Subscriptions int

	Fresh    bool
	StaleFor time.Duration // 0 while fresh, and before Run
	Lag      time.Duration // how long ago the newest heartbeat of this node that came back was sent; 0: none yet
	Nodes    int           // expected to acknowledge ends, this one included; the last known number while none is heard

	NodesKnown bool // Nodes are all; false: there may be some that this one has not heard of, see [Hub.Acks]

	Stales        uint64        // how often the hub became stale
	Resets        uint64        // subscriptions dropped because they were silent
	BeatsSent     uint64        // heartbeats of this node that the broker took
	BeatsFailed   uint64        // heartbeats of this node that it did not take
	BeatsReceived uint64        // heartbeats of all nodes
	Acked         uint64        // ends that [Hub.Acks] found marked on all expected nodes
	Unacked       uint64        // ends that it did not
	Gaps          uint64        // see [Hub.Gaps]
	Notices       uint64        // received, of all nodes
	Malformed     uint64        // notices and messages between nodes that could not be read
	Marked        uint64        // connections ended
	Revalidations uint64        // complete ones
	Revalidation  time.Duration // what the last complete one took, without its pauses
	Failures      uint64        // revalidations that did not get an answer
	Published     uint64        // publications and directed messages sent from here
	Delivered     uint64        // calls of [Conn.Deliver]
}

// Stats returns the counts. They are not of one instant. It takes each lock of
// the hub for a moment, and belongs into a scrape, not into a message.
func (h *Hub) Stats() Stats {
	s := Stats{
		Connections:   int(h.registry.entries.Load()),
		Fresh:         h.Fresh(),
		Lag:           h.health.lag(),
		Nodes:         h.pulse.peers.count(),
		NodesKnown:    h.nodesKnown(),
		Stales:        h.health.stales.Load(),
		Resets:        h.resets.Load(),
		BeatsSent:     h.pulse.sent.Load(),
		BeatsFailed:   h.pulse.failed.Load(),
		BeatsReceived: h.pulse.received.Load(),
		Acked:         h.acked.Load(),
		Unacked:       h.unacked.Load(),
		Gaps:          h.gaps.Load(),
		Notices:       h.notices.Load(),
		Malformed:     h.malformed.Load(),
		Marked:        h.marked.Load(),
		Revalidations: h.revalidations.Load(),
		Revalidation:  time.Duration(h.took.Load()),
		Failures:      h.failures.Load(),
		Published:     h.published.Load(),
		Delivered:     h.delivered.Load(),
	}
	if since, stale := h.health.stale(); stale && !since.IsZero() {
		s.StaleFor = time.Since(since)
	}
	s.Sessions, s.Users = h.registry.count()
	s.Topics, s.Subscriptions = h.topics.count()
	return s
}
