package hub

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
)

// directTopic carries what is for the connections of a session or user, and
// the questions to all nodes. Every hub subscribes to it. Its name is none
// that [checkTopic] lets through.
const directTopic = "\x01direct"

// ErrAddress is returned by [Hub.Send] and [Hub.SendUser] for a root of other
// than 1 to 255 bytes, or an id or user of other than 1 to 65,535, and by
// [Hub.Connections] for what is no name.
var ErrAddress = errors.New("hub: not an address")

// Kinds of address.
const (
	toSession = 's'
	toUser    = 'u'
)

// directVersion is the first byte.
const directVersion = 1

// encodeDirect puts the address before the data: version, kind, length of the
// root (1 byte), root, length of the name (2 bytes), name.
func encodeDirect(kind byte, k key, data []byte) ([]byte, error) {
	if k.root == "" || len(k.root) > 0xff || k.name == "" || len(k.name) > 0xffff {
		return nil, fmt.Errorf("%w: root of %d bytes, name of %d", ErrAddress, len(k.root), len(k.name))
	}
	b := make([]byte, 0, 5+len(k.root)+len(k.name)+len(data))
	b = append(b, directVersion, kind, byte(len(k.root)))
	b = append(b, k.root...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(k.name)))
	b = append(b, k.name...)
	return append(b, data...), nil
}

// decodeDirect is the inverse of encodeDirect. The data is a part of b.
func decodeDirect(b []byte) (kind byte, k key, data []byte, ok bool) {
	if len(b) < 3 || b[0] != directVersion || b[1] != toSession && b[1] != toUser {
		return 0, key{}, nil, false
	}
	kind, n, b := b[1], int(b[2]), b[3:]
	if n == 0 || len(b) < n+2 {
		return 0, key{}, nil, false
	}
	k.root, b = string(b[:n]), b[n:]
	n, b = int(binary.BigEndian.Uint16(b)), b[2:]
	if n == 0 || len(b) < n {
		return 0, key{}, nil, false
	}
	k.name, data = string(b[:n]), b[n:]
	return kind, k, data, true
}

// Send delivers data, with an empty topic, to every LIVE connection of a
// session on all nodes. It returns when the broker has taken it: [ErrAddress],
// or what the broker returned.
func (h *Hub) Send(ctx context.Context, root, id string, data []byte) error {
	return h.direct(ctx, toSession, key{root, id}, data)
}

// SendUser is [Hub.Send] to the connections of all sessions that the user has
// in the family of root.
func (h *Hub) SendUser(ctx context.Context, root, user string, data []byte) error {
	return h.direct(ctx, toUser, key{root, user}, data)
}

func (h *Hub) direct(ctx context.Context, kind byte, k key, data []byte) error {
	b, err := encodeDirect(kind, k, data)
	if err != nil {
		return err
	}
	if err := h.broker.Publish(ctx, directTopic, b); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	h.published.Add(1)
	return nil
}
