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
	fields, _ := at(reply, 3).([]any)
	values, _ := at(reply, 4).([]any)
	if !ok {
		return session.Record{}, unexpected(reply)
	}
	state := book(pairs(fields)).state(f, id, now)
	if state == nil {
		return session.Record{}, unexpected(reply)
	}
	rec := session.Record{State: *state, Match: session.Match(match)}
	rec.Values = make(map[string]map[string]string, len(values)/2)
	for i := 0; i+1 < len(values); i += 2 {
		place, _ := values[i].(int64)
		list, _ := values[i+1].([]any)
		if place < 1 || int(place) > len(f.Spaces) {
			return session.Record{}, unexpected(reply)
		}
		rec.Values[f.Spaces[place-1].Name] = pairs(list)
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

// pairs makes a map of names and values in turn, nil when there are none.
func pairs(list []any) map[string]string {
	if len(list) == 0 {
		return nil
	}
	m := make(map[string]string, len(list)/2)
	for i := 0; i+1 < len(list); i += 2 {
		k, _ := list[i].(string)
		v, _ := list[i+1].(string)
		m[k] = v
	}
	return m
}

// book is the bookkeeping of a session, as the scripts write it: times and
// durations in milliseconds.
type book map[string]string

// state decodes it as of now, in milliseconds: nil when the session does not
// live. It knows what the scripts know: deadlines count before keys expire,
// and a namespace whose deadline has passed is in the next generation.
func (b book) state(f *session.Family, id string, now int64) *session.State {
	life := b.number("life")
	deadline := min(b.number("idle"), life)
	if b["secret"] == "" || deadline <= now {
		return nil
	}
	s := &session.State{
		ID:      id,
		Epoch:   b.count("epoch"),
		User:    b["user"],
		Device:  b["device"],
		Hash:    session.Hash(b["secret"]),
		Created: time.UnixMilli(b.number("created")),
		Seen:    time.UnixMilli(b.number("seen")),
		Renewed: time.UnixMilli(b.number("renewed")),
		Now:     time.UnixMilli(now),
		Left:    millis(deadline - now),
		Life:    millis(life - now),
		Terms: session.Terms{
			Idle:       millis(b.number("terms_idle")),
			Life:       millis(b.number("terms_life")),
			Persistent: b["terms_persistent"] != "",
		},
		Spaces: make(map[string]session.SpaceState, len(f.Spaces)),
	}
	for i, space := range f.Spaces {
		s.Spaces[space.Name] = b.space(space.Prefix, i == 0, now, deadline)
	}
	return s
}

// space decodes the state of one namespace, which ends with the session.
func (b book) space(prefix string, root bool, now, deadline int64) session.SpaceState {
	s := session.SpaceState{Generation: b.count(prefix + ":gen"), Version: b.count(prefix + ":ver")}
	if s.Version == 0 {
		return s
	}
	if !root {
		deadline = min(deadline, b.number(prefix+":idle"), b.number(prefix+":life"))
	}
	if deadline <= now {
		return session.SpaceState{Generation: s.Generation + 1}
	}
	s.Left = millis(deadline - now)
	return s
}

// number reads an integer that a script wrote; 0 when there is none.
func (b book) number(field string) int64 {
	n, _ := strconv.ParseInt(b[field], 10, 64)
	return n
}

func (b book) count(field string) uint64 {
	n, _ := strconv.ParseUint(b[field], 10, 64)
	return n
}

func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
