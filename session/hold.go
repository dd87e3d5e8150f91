package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// Hold is one open connection's hold on a family of namespaces. It remembers
// which login and which generation of each namespace the connection was opened
// with, and reads the snapshot that all connections of the session on this
// node share.
type Hold struct {
	m           *Manager
	f           *family
	l           *live
	cred        Credential
	user        string
	epoch       uint64
	left        time.Duration
	generations map[string]uint64
	state       State // as loaded
	released    atomic.Bool
}

// HoldOptions says how a message uses its sessions.
type HoldOptions struct {
	// Fresh loads the sessions from the store for this message, one round trip
	// more, instead of reading the snapshot. Without it a message may not see
	// what another node saved since this node's last save of the session or
	// the hub's last revalidation.
	Fresh bool

	// Quiet says that the message is not activity: it slides no timeout.
	Quiet bool

	// Lost reports whether the connection lost a namespace, as the hub told
	// it, before the store did.
	//
	// Defaults to nil: none.
	Lost func(namespace string) bool
}

// Identify reads the credential of a family's root from a request's cookie, and
// with tokens also from "Authorization: Bearer", as [Scope.AllowToken] does. It
// asks the store nothing. It returns false for none, and for one of a wrong form
// or sent twice, which is counted. Errors: [ErrCredentials] when cookie and token
// differ.
func (m *Manager) Identify(r *http.Request, root string, tokens bool) (Credential, bool, error) {
	f, err := m.family(root)
	if err != nil {
		return Credential{}, false, err
	}
	s, err := m.show(r, f, tokens)
	return s.cred, s.state == cookieGood, err
}

// Begin creates an anonymous session for a connection that is being opened
// without one. Its cookie, or token for a request without the cookie if tokens
// are allowed, is written by the [Hold] made from the credential. One round trip.
// Errors: [ErrUnavailable], [ErrCredentials].
func (m *Manager) Begin(ctx context.Context, root string, r *http.Request, tokens bool) (Credential, error) {
	f, err := m.family(root)
	if err != nil {
		return Credential{}, err
	}
	_, cred, err := m.create(ctx, f, r, Create{ID: newID()})
	if err != nil {
		return Credential{}, err
	}
	_, cookie := readCookie(r.Header, f)
	cred.token = tokens && cookie == cookieAbsent
	return cred, nil
}

// Hold loads the session of a credential, always from the store, and holds it
// until [Hold.Release]. One round trip; two when the secret is renewed.
//
// Errors: [ErrNotFound] for an id that does not exist, or a secret that does
// not fit, or an end that is owed ([ErrOwed]); [ErrRenewed] when a login replaced the secret a moment ago and its
// cookie must be about to arrive; [ErrUnavailable].
func (m *Manager) Hold(ctx context.Context, c Credential) (*Hold, error) {
	f, err := m.family(c.Root)
	if err != nil {
		return nil, err
	}
	key := liveKey{f.root.Name, c.ID}
	l := m.lives.acquire(key)
	held := false
	defer func() { // also when what the program brought along panics
		if !held {
			m.lives.release(key, l)
		}
	}()
	h, err := m.hold(ctx, f, l, c)
	if err != nil {
		return nil, fmt.Errorf("hold %s: %w", Short(c.ID), err)
	}
	held = true
	return h, nil
}

func (m *Manager) hold(ctx context.Context, f *family, l *live, c Credential) (*Hold, error) {
	load := func(o Load) (Record, error) {
		ctx, cancel := m.deadline(ctx)
		defer cancel()
		return m.store.Load(ctx, &f.Family, c.ID, o)
	}
	shown := c
	if m.denied(f, shown, "") != nil {
		return nil, ErrNotFound
	}
	rec, err := load(Load{Hash: c.secret.hash(), Slide: SlideDue})
	if errors.Is(err, ErrCorrupt) {
		m.undecodable(c.ID, c.Root, err)
		err = ErrNotFound
	}
	if errors.Is(err, ErrNotFound) {
		m.unknown(ctx, c)
	}
	if err != nil {
		return nil, err
	}
	switch rec.Match {
	case MatchCurrent, MatchRenewed:
	case MatchElevated:
		m.stats.unfit.Add(1)
		return nil, ErrRenewed
	default:
		m.stats.unfit.Add(1)
		return nil, ErrNotFound
	}
	if after := f.root.RenewAfter; after > 0 && rec.Match == MatchCurrent && rec.Now.Sub(rec.Renewed) >= after {
		next := newSecret()
		s := Save{Epoch: rec.Epoch, Slide: SlideDue}
		s.Renew.Old, s.Renew.New = c.secret.hash(), next.hash()
		ctx, cancel := m.deadline(ctx)
		defer cancel()
		renewed, err := m.store.Save(ctx, &f.Family, c.ID, s)
		if err != nil {
			return nil, err
		}
		if renewed.Hash == s.Renew.New {
			c.secret, c.fresh = next, true
			rec.Hash, rec.Renewed = renewed.Hash, renewed.Renewed
			m.tell(ctx, Event{Kind: EventRenewed, Root: f.root.Name, ID: c.ID, User: rec.User})
		}
	}
	l.offer(&rec)
	// An end that the store does not take meanwhile finds the snapshot, or is seen
	// here.
	if m.denied(f, shown, rec.User) != nil {
		return nil, ErrNotFound
	}
	return &Hold{
		m: m, f: f, l: l, cred: c,
		user: rec.User, epoch: rec.Epoch, left: rec.Left,
		generations: generations(&rec.State),
		state:       rec.State,
	}, nil
}

// Format prints h as its [Credential].
func (h *Hold) Format(s fmt.State, verb rune) { h.cred.Format(s, verb) }

// Root returns the name of the family's root.
func (h *Hold) Root() string { return h.f.root.Name }

// ID returns the session's id.
func (h *Hold) ID() string { return h.cred.ID }

// User returns the logged-in user, "" for an anonymous session. It cannot
// change: every login ends the connections opened before it.
func (h *Hold) User() string { return h.user }

// Epoch returns the login that the connection was opened with.
func (h *Hold) Epoch() uint64 { return h.epoch }

// Left returns how long after the load the session ends if nothing slides it.
func (h *Hold) Left() time.Duration { return h.left }

// Generations returns the generation of each namespace of the family. The
// caller may not change the map.
func (h *Hold) Generations() map[string]uint64 { return h.generations }

// Scope returns the sessions of one message.
func (h *Hold) Scope(o HoldOptions) *Scope { return &Scope{m: h.m, hold: h, options: o} }

// WriteHeader adds the cookie, or token, of a session that is new or renewed to the
// header of the response that opens the connection.
func (h *Hold) WriteHeader(header http.Header) {
	if h.cred.fresh {
		hand(header, h.f, h.cred, &h.state)
		header.Set("Cache-Control", "no-store")
	}
}

// Credential returns what [Manager.Hold] needs to hold the same session again:
// after a renewal it has the new secret.
func (h *Hold) Credential() Credential { return h.cred }

// Release ends the hold. It may be called more than once.
func (h *Hold) Release() {
	if !h.released.Swap(true) {
		h.m.lives.release(liveKey{h.f.root.Name, h.cred.ID}, h.l)
	}
}

// read returns the record that a message reads, and when it came.
func (h *Hold) read(ctx context.Context, o HoldOptions) (*Record, time.Time, error) {
	if h.m.denied(h.f, h.cred, h.user) != nil {
		return nil, time.Time{}, fmt.Errorf("load %s: %w", Short(h.cred.ID), ErrEnded)
	}
	if h.l.stale.Swap(false) || o.Fresh {
		slide := SlideDue
		if o.Quiet {
			slide = SlideNever
		}
		ctx, cancel := h.m.deadline(ctx)
		defer cancel()
		rec, err := h.m.store.Load(ctx, &h.f.Family, h.cred.ID, Load{Slide: slide})
		if err != nil {
			h.l.stale.Store(true)
			if errors.Is(err, ErrNotFound) || errors.Is(err, ErrCorrupt) {
				err = ErrEnded
			}
			return nil, time.Time{}, fmt.Errorf("load %s: %w", Short(h.cred.ID), err)
		}
		h.l.offer(&rec)
		return h.current(&rec, time.Now())
	}
	snap := h.l.snap.Load()
	return h.current(&snap.Record, snap.at)
}

// current returns rec if it is of the login that the connection was opened with.
func (h *Hold) current(rec *Record, at time.Time) (*Record, time.Time, error) {
	if rec.Epoch != h.epoch {
		return nil, at, fmt.Errorf("load %s: %w", Short(h.cred.ID), ErrRenewed)
	}
	return rec, at, nil
}

// slideDue reports whether [SlideDue] would slide now.
func (h *Hold) slideDue() bool {
	snap := h.l.snap.Load()
	root := cmp.Or(snap.Expiry.Idle, snap.Terms.Idle, h.f.root.IdleTimeout)
	if snap.Expiry.Idle == 0 && !snap.Expiry.End.IsZero() {
		root = cmp.Or(snap.Terms.Life, h.f.root.Lifetime) // it has no idle timeout
	}
	shortest := root
	for i, sp := range h.f.Spaces {
		if i > 0 && sp.Idle != 0 && !snap.Spaces[i].Deadline.IsZero() {
			shortest = min(shortest, sp.Idle)
		}
	}
	return snap.Now.Sub(snap.Seen)+time.Since(snap.at) >= shortest/10
}
