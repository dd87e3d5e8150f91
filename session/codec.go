package session

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Codec turns the JSON text of a value into what the store keeps, and back. It
// may be called from any goroutine. Package seal has one that encrypts and
// compresses.
//
// Numbers of a [Counter] pass it by, because the store adds to them.
type Codec interface {
	// Encode returns what the store keeps of text. place says where: the root,
	// the id, the namespace and the key. What is stored at one place must not
	// open at another.
	Encode(place, text string) (stored string, err error)

	// Decode returns the text. What cannot be decoded makes the whole namespace
	// empty, and the error is logged: it must not quote what it is about.
	Decode(place, stored string) (text string, err error)

	// Overhead is by how many bytes Encode makes a text longer, at the most.
	Overhead() int
}

// maxText is how long the JSON text of a value may be.
func (m *Manager) maxText() int {
	if m.codec == nil {
		return MaxValueBytes
	}
	return MaxValueBytes - m.codec.Overhead()
}

// place says where a value stands. None of the parts has a line break, but for
// the key, which is the last.
func (s *Session) place(key string) string {
	return s.p.f.root.Name + "\n" + s.p.id() + "\n" + s.name + "\n" + key
}

// seal works out how the store keeps what an edit sets.
func (s *Session) seal(key string, c *edit) (err error) {
	c.put = c.raw
	if codec := s.p.sc.m.codec; codec != nil && c.set && !c.adds {
		if c.put, err = codec.Encode(s.place(key), c.raw); err != nil {
			return fmt.Errorf("encode %q of %q: %w: %w", key, s.name, ErrUnstorable, err)
		}
	}
	s.changes[key] = *c
	return nil
}

// texts returns the JSON texts of what was loaded: with a codec all or none.
func (s *Session) texts() Values {
	codec := s.p.sc.m.codec
	switch {
	case s.plain.Known():
		return s.plain
	case codec == nil || s.base.Len() == 0:
		return s.base
	}
	var plain Pack
	for key, stored := range s.base.All() {
		text, err := stored, error(nil)
		if !number(stored) {
			text, err = codec.Decode(s.place(key), stored)
		}
		if err == nil && !json.Valid([]byte(text)) {
			err = errNotJSON
		}
		if err != nil {
			s.ruined(err)
			// Nothing of it can be kept: the next save writes everything anew.
			s.cleared = true
			plain = nil
			break
		}
		plain = plain.Append(key, text)
	}
	s.plain = plain.Values()
	return s.plain
}

// number reports whether a stored text is a number that the store added to.
func number(stored string) bool {
	n, err := strconv.ParseInt(stored, 10, 64)
	return err == nil && strconv.FormatInt(n, 10) == stored
}
