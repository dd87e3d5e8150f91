package redisstore

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// record decodes the reply of a script on a family: a record, or one of the
// errors of [session.Store].
func record(f *session.Family, id string, reply []any) (session.Record, error) {
	status, _ := at(reply, 0).(string)
	switch status {
	case "ok", "conflict":
	case "missing":
		return session.Record{}, session.ErrNotFound
	case "unfit":
		match, _ := at(reply, 1).(int64)
		return session.Record{Match: session.Match(match)}, nil
	case "exists":
		return session.Record{}, session.ErrExists
	case "ended":
		return session.Record{}, session.ErrEnded
	case "renewed":
		return session.Record{}, session.ErrRenewed
	case "namespace":
		return session.Record{}, refused(session.ErrNamespaceEnded, f, reply)
	case "type":
		return session.Record{}, refused(session.ErrType, f, reply)
	case "limit":
		return session.Record{}, refused(session.ErrLimit, f, reply)
	default:
		return session.Record{}, unexpected(reply)
	}

	now, ok := at(reply, 1).(int64)
	match, _ := at(reply, 2).(int64)
	values, _ := at(reply, 3).([]any)
	fields, _ := at(reply, 4).([]any)
	var room [bookRoom]field
	b := answered(fields, room[:0])
	if !ok || b.text(fieldSecret) == "" {
		return session.Record{}, unexpected(reply)
	}
	rec := session.Record{
		State: b.state(f, id, now, make([]session.SpaceState, len(f.Spaces))),
		Match: session.Match(match),
	}
	if len(values) > 0 {
		rec.Values = make([]session.Values, len(f.Spaces))
	}
	for i := 0; i+1 < len(values); i += 2 {
		place, _ := values[i].(int64)
		list, _ := values[i+1].([]any)
		if place < 1 || int(place) > len(f.Spaces) {
			return session.Record{}, unexpected(reply)
		}
		rec.Values[place-1] = pairs(list)
	}
	if status == "conflict" {
		return rec, session.ErrConflict
	}
	return rec, nil
}

// refused adds to err where a save was refused.
func refused(err error, f *session.Family, reply []any) error {
	place, _ := at(reply, 1).(int64)
	key, _ := at(reply, 2).(string)
	if place < 1 || int(place) > len(f.Spaces) {
		return err
	}
	name := f.Spaces[place-1].Name
	if key == "" {
		return fmt.Errorf("%w: %s", err, name)
	}
	return fmt.Errorf("%w: %.40q in %s", err, key, name)
}

// unexpected is the error for a reply that no script gives, as from another
// program's script under the same name. It does not show it.
func unexpected(reply []any) error {
	return unavailable("decode", errors.New("unexpected reply of "+strconv.Itoa(len(reply))+" parts"))
}

func at(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

// pairs packs keys and values that stand in turn.
func pairs(list []any) session.Values {
	var room [512]byte // most namespaces fit
	p := session.Pack(room[:0])
	for i := 0; i+1 < len(list); i += 2 {
		k, _ := list[i].(string)
		v, _ := list[i+1].(string)
		p = p.Append(k, v)
	}
	return p.Values()
}

// The fields of the bookkeeping of a session, in the order in which they are
// kept: times and durations in milliseconds. The scripts rely on the order of
// those of the terms and of the expiry. The last three are the memory of ops: see
// lua/op.lua.
const (
	fieldSecret = iota
	fieldEpoch
	fieldUser
	fieldDevice
	fieldAddress
	fieldCreated
	fieldSeen
	fieldRenewed
	fieldAuthenticated
	fieldIdle
	fieldLife
	fieldTermsIdle
	fieldTermsLife
	fieldTermsPersistent
	fieldExpiryIdle
	fieldExpiryEnd
	fieldExpiryCookie
	fieldNonce
	fieldPrevious
	fieldPreviousKind
	fieldPreviousUntil
	fieldReplaced
	fieldOps
	fieldOpsAt
	fieldOpsMoved
	fieldCount
)

// fields are their names in the scripts, where they stand in capitals.
var fields = [fieldCount]string{
	fieldSecret:          "secret",
	fieldEpoch:           "epoch",
	fieldUser:            "user",
	fieldDevice:          "device",
	fieldAddress:         "address",
	fieldCreated:         "created",
	fieldSeen:            "seen",
	fieldRenewed:         "renewed",
	fieldAuthenticated:   "authenticated",
	fieldIdle:            "idle",
	fieldLife:            "life",
	fieldTermsIdle:       "terms_idle",
	fieldTermsLife:       "terms_life",
	fieldTermsPersistent: "terms_persistent",
	fieldExpiryIdle:      "expiry_idle",
	fieldExpiryEnd:       "expiry_end",
	fieldExpiryCookie:    "expiry_cookie",
	fieldNonce:           "nonce",
	fieldPrevious:        "previous",
	fieldPreviousKind:    "previous_kind",
	fieldPreviousUntil:   "previous_until",
	fieldReplaced:        "replaced",
	fieldOps:             "ops",
	fieldOpsAt:           "ops_at",
	fieldOpsMoved:        "ops_moved",
}

// The fields of each namespace that is known of, which come after those. It has
// begun when its version is not 0; bytes are an upper bound; idle and life are its own deadlines, which a
// root does not have.
const (
	spacePrefix = iota
	spaceGeneration
	spaceVersion
	spaceBytes
	spaceValues
	spaceIdle
	spaceLife
	spaceFieldCount
)

// spaceFields are their names in the scripts, where they stand in capitals
// after "SPACE_".
var spaceFields = [spaceFieldCount]string{
	spacePrefix:     "prefix",
	spaceGeneration: "generation",
	spaceVersion:    "version",
	spaceBytes:      "bytes",
	spaceValues:     "values",
	spaceIdle:       "idle",
	spaceLife:       "life",
}

// book is the bookkeeping of a session, as it is kept and as scripts answer it.
type book []field

// field is a text, an integer, or neither.
type field struct {
	text   string
	number int64
}

// bookRoom is enough for a session of a few namespaces.
const bookRoom = fieldCount + 4*spaceFieldCount

// kept appends to b the fields of a book as it is kept: none of what is no book.
// The texts share the memory of packed.
func kept(packed string, b book) book {
	p := packet{rest: packed}
	kind, _, n := p.item()
	if kind != list {
		return b[:0]
	}
	for range n {
		kind, t, number := p.item()
		if kind == list { // of which a book has none
			return b[:0]
		}
		b = append(b, field{t, number})
	}
	if p.bad || p.rest != "" {
		return b[:0]
	}
	return b
}

// answered appends to b the fields of a book that a script answered.
func answered(fields []any, b book) book {
	for _, v := range fields {
		t, _ := v.(string)
		n, _ := v.(int64)
		b = append(b, field{t, n})
	}
	return b
}

// settled decodes into s what no script has looked at, as of now, in milliseconds,
// and reports whether the session lives. It knows what the scripts know: deadlines
// count before keys expire, and a namespace whose deadline has passed is in the
// next generation.
func (b book) settled(s *session.State, f *session.Family, id string, now int64, spaces []session.SpaceState) bool {
	if b.text(fieldSecret) == "" {
		return false
	}
	*s = b.state(f, id, now, spaces)
	if s.Left <= 0 {
		return false
	}
	for i, space := range s.Spaces {
		if !space.Deadline.IsZero() && !s.Now.Before(space.Deadline) {
			s.Spaces[i] = session.SpaceState{Generation: space.Generation + 1}
		}
	}
	return true
}

// state decodes it as it is. The state keeps spaces, one for each of the family.
func (b book) state(f *session.Family, id string, now int64, spaces []session.SpaceState) session.State {
	life := b.number(fieldLife)
	deadline := min(b.number(fieldIdle), life)
	s := session.State{
		ID:      id,
		Epoch:   uint64(b.number(fieldEpoch)),
		User:    b.text(fieldUser),
		Device:  b.text(fieldDevice),
		Address: b.text(fieldAddress),
		Hash:    session.Hash(b.text(fieldSecret)),
		Created: time.UnixMilli(b.number(fieldCreated)),
		Seen:    time.UnixMilli(b.number(fieldSeen)),
		Renewed: time.UnixMilli(b.number(fieldRenewed)),
		Now:     time.UnixMilli(now),
		Left:    millis(deadline - now),
		Life:    millis(life - now),
		Terms: session.Terms{
			Idle:       millis(b.number(fieldTermsIdle)),
			Life:       millis(b.number(fieldTermsLife)),
			Persistent: b.number(fieldTermsPersistent) != 0,
		},
		Expiry: session.Expiry{
			Idle:   millis(b.number(fieldExpiryIdle)),
			Cookie: session.Persistence(b.number(fieldExpiryCookie)),
		},
		Family: f,
		Spaces: spaces,
	}
	if end := b.number(fieldExpiryEnd); end != 0 {
		s.Expiry.End = time.UnixMilli(end)
		s.Life = millis(min(end, life) - now)
	}
	if at := b.number(fieldAuthenticated); at != 0 {
		s.Authenticated = time.UnixMilli(at)
	}
	for i, space := range f.Spaces {
		at := b.place(space.Prefix)
		st := session.SpaceState{
			Generation: uint64(b.number(at + spaceGeneration)),
			Version:    uint64(b.number(at + spaceVersion)),
		}
		if st.Version > 0 {
			end := deadline // a namespace ends with the session
			if i > 0 {
				end = min(end, b.number(at+spaceIdle), b.number(at+spaceLife))
			}
			st.Deadline = time.UnixMilli(end)
		}
		s.Spaces[i] = st
	}
	return s
}

// place returns where a namespace stands; beyond the end when it does not.
func (b book) place(prefix string) int {
	at := fieldCount
	for at < len(b) && b.text(at+spacePrefix) != prefix {
		at += spaceFieldCount
	}
	return at
}

// text reads a field; "" when there is none.
func (b book) text(field int) string {
	if field < len(b) {
		return b[field].text
	}
	return ""
}

// number reads an integer; 0 when there is none.
func (b book) number(field int) int64 {
	if field < len(b) {
		return b[field].number
	}
	return 0
}

func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
