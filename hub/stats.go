package hub

// Stats is what a [Hub] counts. Connections to Subscriptions are of now, all
// others since New.
type Stats struct {
	Connections   int // registered: PENDING, LIVE, and dead ones not removed yet
	Sessions      int // with connections here
	Users         int // with connections here
	Topics        int // with subscribers here
	Subscriptions int

	Fresh         bool
	Gaps          uint64 // see [Hub.Gaps]
	Notices       uint64 // received, of all nodes
	Malformed     uint64 // notices and messages between nodes that could not be read
	Marked        uint64 // connections ended
	Revalidations uint64 // complete ones
	Failures      uint64 // revalidations that did not get an answer
	Published     uint64 // publications and directed messages sent from here
	Delivered     uint64 // calls of [Conn.Deliver]
}

// Stats returns the counts. They are not of one instant. It takes each lock of
// the hub for a moment, and belongs into a scrape, not into a message.
func (h *Hub) Stats() Stats {
	s := Stats{
		Connections:   int(h.registry.entries.Load()),
		Fresh:         h.Fresh(),
		Gaps:          h.gaps.Load(),
		Notices:       h.notices.Load(),
		Malformed:     h.malformed.Load(),
		Marked:        h.marked.Load(),
		Revalidations: h.revalidations.Load(),
		Failures:      h.failures.Load(),
		Published:     h.published.Load(),
		Delivered:     h.delivered.Load(),
	}
	s.Sessions, s.Users = h.registry.count()
	s.Topics, s.Subscriptions = h.topics.count()
	return s
}
