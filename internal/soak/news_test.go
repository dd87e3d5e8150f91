package soak_test

import (
	"context"
	"time"

	"github.com/sessionhub/sessionhub/internal/soak"
)

// newsroom is the room of all sockets that listen.
const newsroom = "news"

// news is how often a node publishes something to them.
const news = 300 * time.Millisecond

// herald publishes news at the node of a slot until ctx ends. It does without a
// session, and without waiting for anybody: what is published while another node is
// deaf shows whether that node lets it through.
func (c *client) herald(ctx context.Context, slot int) {
	tick := time.NewTicker(news)
	defer tick.Stop()
	for chat := false; ; chat = !chat {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		f := frame{Told: true}
		c.rec.note(func(h *soak.History) {
			f.Message = len(h.Messages)
			h.Messages = append(h.Messages, soak.Message{InChat: chat, Reads: true, Sent: c.rec.now()})
			h.News = append(h.News, f.Message)
		})
		// Where Redis is away nobody gets it.
		_ = c.node(slot).app.Hub().Publish(ctx, roomTopic(newsroom, chat), encode(f))
	}
}
