package session

import (
	"context"
	"log/slog"
)

// Events gets what happens to sessions, as for an audit log. OnEvent is called
// on the goroutine of the operation, after it took effect, so it should return
// soon; it may not use the [Scope] of ctx, which waits for it. It may be called
// from many goroutines at once.
type Events interface {
	OnEvent(ctx context.Context, e Event)
}

// EventsFunc is a function that is [Events].
type EventsFunc func(ctx context.Context, e Event)

// OnEvent calls f.
func (f EventsFunc) OnEvent(ctx context.Context, e Event) { f(ctx, e) }

// Event is one thing that happened to a session. It has no secrets and no
// values.
type Event struct {
	Kind      EventKind
	Root      string // the root namespace
	Namespace string // of an end: the one that ended alone; else empty
	ID        string // of the session; of [EventUnknown], what the visitor claims
	User      string // empty: anonymous
	Device    string // of the request that caused a creation or a login
	Address   string // likewise
	Why       Why    // of an end
	By        string // of an end: the user who asked for it, or the name given to [Manager.EndSession]
}

// LogValue is for slog: the id shortened, and no empty fields.
func (e Event) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("kind", string(e.Kind)), slog.String("root", e.Root), slog.String("id", Short(e.ID))}
	for _, a := range []slog.Attr{
		slog.String("namespace", e.Namespace), slog.String("user", e.User), slog.String("device", e.Device),
		slog.String("address", e.Address), slog.String("why", string(e.Why)), slog.String("by", e.By),
	} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	return slog.GroupValue(attrs...)
}

// EventKind says what happened.
type EventKind string

const (
	// EventCreated is a new session, of a visitor or of a connection.
	EventCreated EventKind = "created"

	// EventUnknown is a cookie, or token, of the right form whose session does
	// not exist: it ended or expired, or was made up.
	EventUnknown EventKind = "unknown"

	// EventElevated is a login, to a session that was there or to a new one, for
	// which there is an [EventCreated] too.
	EventElevated EventKind = "elevated"

	// EventRenewed is a new secret for the same session, by
	// [prefixes.Namespace.RenewAfter] or [Scope.Cycle].
	EventRenewed EventKind = "renewed"

	// EventEnded is the end of a session, or of a namespace, that somebody asked
	// for.
	EventEnded EventKind = "ended"

	// EventExpired is the end of a session by time. It comes from whoever finds
	// it out, so it may come late, from more than one node, and not at all: the
	// memory store tells of every session; Redis forgets without a word, so that
	// there it is told when a connection closes for it, or when a user's
	// sessions are listed.
	EventExpired EventKind = "expired"
)

// Why says why a session ended.
type Why string

const (
	WhyLogout        Why = "logout"        // of the session itself, or of all but it
	WhyReplaced      Why = "replaced"      // somebody else logged in with its cookie
	WhyMaxSessions   Why = "max sessions"  // of its user, [prefixes.Namespace.MaxSessions]
	WhyAdministrator Why = "administrator" // [Manager.EndSession], [Manager.EndUser]
)

// tell hands an event to the listener, if there is one.
func (m *Manager) tell(ctx context.Context, e Event) {
	if m.events != nil {
		m.events.OnEvent(ctx, e)
	}
}

// tellExpired says that a session ended by time.
func (m *Manager) tellExpired(ctx context.Context, root, id, user string) {
	m.stats.expired.Add(1)
	m.tell(ctx, Event{Kind: EventExpired, Root: root, ID: id, User: user})
}
