package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
)

const (
	maxRoomName = 32   // bytes
	maxText     = 2000 // characters
	maxRooms    = 50   // that one socket may be in
)

// sent counts the messages of a chat that were accepted.
var sent = session.Counter("sent")

// chat is the handler of the socket. Frames are JSON text: {"room","text"} in,
// {"room","user","text","at"} out to all in the room, {"error"} to the sender.
type chat struct {
	log *slog.Logger

	mu    sync.Mutex // guards the following fields
	rooms map[*transport.Peer]map[string]bool
}

func newChat(log *slog.Logger) *chat {
	return &chat{log: log, rooms: make(map[*transport.Peer]map[string]bool)}
}

// incoming is a frame from a client. The one that brings it into a room may
// have no text.
type incoming struct {
	Room string  `json:"room"`
	Text *string `json:"text"`
}

// outgoing is a message in a room.
type outgoing struct {
	Room string `json:"room"`
	User string `json:"user"`
	Text string `json:"text"`
	At   string `json:"at"` // RFC 3339 with milliseconds, UTC
}

// refusal answers a frame that was not accepted.
type refusal struct {
	Error string `json:"error"`
}

// farewell tells that a namespace ended and the socket goes on.
type farewell struct {
	Ended string `json:"ended"`
}

// ServeMessage handles one frame. A refused one changes nothing, counts
// nothing, and leaves the socket open.
func (c *chat) ServeMessage(ctx context.Context, out *transport.Outbox, m transport.Message) error {
	in, refused := parseFrame(m)
	if refused != "" {
		return reply(out, refusal{refused})
	}
	s, err := session.Get(ctx, "chat")
	if err != nil {
		return err
	}
	room := in.Room
	switch rooms, already := c.isIn(out.Peer(), room); {
	case already:
	case rooms == maxRooms:
		return reply(out, refusal{"this connection is in too many rooms"})
	default:
		out.Subscribe(topic(room), "chat")
		if err := session.OnSaved(ctx, func(context.Context) { c.join(out.Peer(), room) }); err != nil {
			return err
		}
	}
	if in.Text == nil {
		return nil
	}
	user, err := session.User(ctx)
	if err != nil {
		return err
	}
	if err := sent.Add(s, 1); err != nil {
		return err
	}
	data, err := json.Marshal(outgoing{
		Room: room, User: user, Text: *in.Text,
		At: time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
	})
	if err != nil {
		return err
	}
	out.Publish(topic(room), data) // leaves when the counter is saved, or not at all
	return nil
}

// Refused answers a frame that could not be saved, most likely because the chat
// was logged out meanwhile.
func (c *chat) Refused(_ context.Context, out *transport.Outbox, _ transport.Message, err error) error {
	if errors.Is(err, session.ErrNamespaceEnded) {
		return reply(out, refusal{"chat ended"})
	}
	return reply(out, refusal{"not accepted"})
}

// Open notes that a socket opened.
func (c *chat) Open(ctx context.Context, out *transport.Outbox) error {
	p := out.Peer()
	c.log.InfoContext(ctx, "socket opened", "user", p.User, "session", session.Short(p.Session),
		"address", p.Address, "origin", p.Origin)
	return nil
}

// Closed notes that a socket closed, and forgets its rooms.
func (c *chat) Closed(ctx context.Context, p *transport.Peer, reason hub.Reason) {
	c.mu.Lock()
	delete(c.rooms, p)
	c.mu.Unlock()
	c.log.InfoContext(ctx, "socket closed", "user", p.User, "session", session.Short(p.Session),
		"address", p.Address, "origin", p.Origin, "code", reason.Code, "reason", reason.Text)
}

// Ended tells the client that a namespace ended and the socket did not. Its
// rooms went with it.
func (c *chat) Ended(_ context.Context, out *transport.Outbox, namespace string) error {
	return reply(out, farewell{namespace})
}

// isIn reports how many rooms a socket is in, and whether this is one of them.
func (c *chat) isIn(p *transport.Peer, room string) (rooms int, already bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.rooms[p]), c.rooms[p][room]
}

// join puts a room into the list of a socket's rooms.
func (c *chat) join(p *transport.Peer, room string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rooms[p] == nil {
		c.rooms[p] = make(map[string]bool)
	}
	c.rooms[p][room] = true
}

// topic is the hub's name of a room.
func topic(room string) string { return "room:" + room }

// parseFrame reads a frame, or says why it is refused.
func parseFrame(m transport.Message) (in incoming, refused string) {
	switch {
	case m.Binary:
		return in, "send text frames"
	case !utf8.Valid(m.Data) || strictJSON(m.Data, &in) != nil:
		return in, `send {"room","text"} as JSON`
	case !roomName(in.Room):
		return in, `a room name has 1 to 32 of a to z, 0 to 9 and "-"`
	}
	if in.Text == nil {
		return in, ""
	}
	if n := utf8.RuneCountInString(*in.Text); n < 1 || n > maxText {
		return in, "a text has 1 to 2000 characters"
	}
	return in, ""
}

func roomName(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-':
		default:
			return false
		}
	}
	return 1 <= len(s) && len(s) <= maxRoomName
}

// reply answers with a JSON frame.
func reply(out *transport.Outbox, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	out.Reply(data)
	return nil
}
