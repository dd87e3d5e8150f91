package session

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// part is one family within a scope.
type part struct {
	sc       *Scope
	f        *family
	cred     Credential // ID "" until there is a session
	next     string     // the id that it will have then
	cookie   cookieState
	token    bool // the visitor has a token instead of a cookie, or will have
	loaded   bool
	unknown  bool // the cookie's id does not exist
	match    Match
	state    State
	at       time.Time   // when state came, by this node's clock
	sessions []*Session  // those that were asked for
	room     [2]*Session // for the first of them
	values   []Values    // of each namespace, in the family's order; shared, never changed
	login    *login      // what the commit has to carry out
	cycle    bool        // likewise
	expiry   *Expiry     // likewise
	edits    int         // counts the changes of its sessions
	doubt    *doubt      // the last save may have been carried out, or not
	previous *previously // the session that a login as somebody else ends
	denied   *denial     // the end of the session is owed
	late     bool        // the cookie's secret was replaced by a login a moment ago
	wrote    bool        // state came with this commit
	send     bool        // the credential's cookie goes out
	again    bool        // it does if the commit succeeds
	end      bool        // the cookie and its companions are cleared
}

// writeKind is what a write does besides applying changes.
type writeKind uint8

const (
	saves    writeKind = iota
	elevates           // it gives the session a new secret
)

// doubt is a save whose reply was lost: it may have been carried out, or may be yet.
type doubt struct {
	kind  writeKind
	op    string
	edits int // what it was to save
	err   error
}

// previously is a session that a login takes the place of.
type previously struct {
	cred  Credential
	state State
}

// load fetches the family once.
func (p *part) load(ctx context.Context) error {
	if p.loaded {
		return nil
	}
	m := p.sc.m
	if p.sc.hold != nil {
		rec, at, err := p.sc.hold.read(ctx, p.sc.options)
		if err != nil {
			return err
		}
		p.state, p.at, p.values, p.loaded = rec.State, at, rec.Values, true
		return nil
	}
	if p.cookie != cookieGood {
		p.loaded = true
		return nil
	}
	if d := m.denied(p.f, p.cred, ""); d != nil {
		p.deny(d)
		return nil
	}
	tctx, cancel := m.deadline(ctx)
	defer cancel()
	rec, err := m.store.Load(tctx, &p.f.Family, p.cred.ID, Load{Hash: p.cred.secret.hash(), Slide: SlideDue})
	if errors.Is(err, ErrCorrupt) {
		m.undecodable(p.cred.ID, p.f.root.Name, err)
		err = ErrNotFound
	}
	switch {
	case errors.Is(err, ErrNotFound):
		m.unknown(ctx, p.cred)
		p.unknown = true
		p.cred = Credential{}
	case err != nil:
		return fmt.Errorf("load %s: %w", Short(p.cred.ID), err)
	case rec.Match != MatchCurrent && rec.Match != MatchRenewed:
		// The id lives and this secret is not its own. The cookie stays as it
		// is: it may be about to be replaced by the answer to a login that
		// this request overtook.
		m.stats.unfit.Add(1)
		p.late = rec.Match == MatchElevated
		p.cred = Credential{}
	default:
		if d := m.denied(p.f, p.cred, rec.User); d != nil {
			p.deny(d)
			return nil
		}
		p.state, p.at, p.values, p.match = rec.State, time.Now(), rec.Values, rec.Match
		if l := m.lives.get(p.f.root.Name, p.cred.ID); l != nil {
			l.offer(&rec)
		}
	}
	p.loaded = true
	return nil
}

// unknown notes a credential of the right form whose session does not exist.
func (m *Manager) unknown(ctx context.Context, c Credential) {
	m.stats.unknown.Add(1)
	m.tell(ctx, Event{Kind: EventUnknown, Root: c.Root, ID: c.ID})
}

// session returns the session of a namespace that was loaded.
func (p *part) session(name string) (*Session, error) {
	if s := p.opened(name); s != nil {
		if s.over {
			return nil, fmt.Errorf("%q: %w", name, ErrNamespaceEnded)
		}
		return s, nil
	}
	s := &Session{p: p, name: name}
	if i := p.f.Index(name); i < len(p.values) {
		s.generation, s.version, s.base = p.state.Spaces[i].Generation, p.state.Spaces[i].Version, p.values[i]
	}
	if h := p.sc.hold; h != nil {
		if s.generation != h.generations[name] || p.sc.options.Lost != nil && p.sc.options.Lost(name) {
			return nil, fmt.Errorf("%q: %w", name, ErrNamespaceEnded)
		}
	}
	if p.sc.m.deniedSpace(p.f, p.cred, name, s.generation) {
		return nil, fmt.Errorf("%q: %w", name, ErrNamespaceEnded)
	}
	p.sessions = append(p.sessions, s)
	return s, nil
}

// opened returns the session of a namespace that was asked for before, or nil.
func (p *part) opened(name string) *Session {
	for _, s := range p.sessions {
		if s.name == name {
			return s
		}
	}
	return nil
}

// id returns the id of the session that there is, or that there would be.
func (p *part) id() string {
	if p.cred.ID != "" {
		return p.cred.ID
	}
	if p.next == "" {
		p.next = newID()
	}
	return p.next
}

// empty is what a part becomes when its session is over, or was never there.
func (p *part) empty() {
	p.cred, p.state, p.values, p.match = Credential{}, State{}, nil, MatchNone
	for _, s := range p.sessions {
		s.reset()
	}
}

// vain reports whether the request's cookie is one that will never open
// anything, and was looked at.
func (p *part) vain() bool {
	return p.loaded && !p.token && p.cred.ID == "" && (p.unknown || p.cookie == cookieMalformed)
}

// renewDue reports whether the secret is old enough to be replaced.
func (p *part) renewDue() bool {
	after := p.f.root.RenewAfter
	return after > 0 && p.match == MatchCurrent && !p.sc.committed && p.state.Now.Sub(p.state.Renewed) >= after
}
