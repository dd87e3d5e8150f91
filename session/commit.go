package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"

	"github.com/sessionhub/sessionhub/prefixes"
)

// maxRounds bounds how often a save is repeated after [ErrConflict].
const maxRounds = 8

// Save saves what changed so far, without carrying out a login that waits for
// the response. A session that it has to create gets its cookie with the
// response. Its costs and errors are those of [Scope.Commit].
func (sc *Scope) Save(ctx context.Context) error {
	return sc.save(ctx, false)
}

// Commit carries out what the scope intends: a login, a renewal, the creation
// of a session, and the changes of all namespaces, in one operation of the
// store per family. It costs nothing when nothing changed. After the first
// Commit nothing can be done that needs a cookie ([ErrCommitted]); later ones
// save what changed since.
//
// Errors: those of [Store.Save] and [Store.Login]: [ErrEnded], [ErrRenewed],
// [ErrNamespaceEnded], [ErrConflict], [ErrType], [ErrLimit], [ErrUserEnded],
// [ErrUnavailable]; the first error of [Session.Set]; those of an update's
// function. Nothing of the family was kept then, or, after [ErrUnavailable],
// it is unknown whether. It is carried out even when ctx ends meanwhile.
func (sc *Scope) Commit(ctx context.Context) error {
	err := sc.save(ctx, true)
	sc.mu.Lock()
	sc.committed = true
	sc.mu.Unlock()
	return err
}

func (sc *Scope) save(ctx context.Context, intents bool) error {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.hold == nil && intents && !sc.committed {
		if err := sc.always(ctx); err != nil {
			return err
		}
	}
	if sc.hold != nil && len(sc.parts) == 0 {
		// Nobody asked for a session, but the message is activity.
		if _, err := sc.part(sc.hold.f); err != nil {
			return err
		}
	}
	for _, p := range sc.parts {
		if err := p.commit(ctx, intents); err != nil {
			sc.m.refused(err)
			return err
		}
		// Only now: after a save that was refused, a login may have given the
		// browser another cookie.
		p.send = p.send || p.again && p.match == MatchCurrent
		p.again = false
	}
	return nil
}

// always loads, and sends again, the sessions of [prefixes.SaveAlways].
func (sc *Scope) always(ctx context.Context) error {
	for _, f := range sc.m.families {
		if f.root.Save != prefixes.SaveAlways {
			continue
		}
		p, err := sc.part(f)
		if err != nil {
			return err
		}
		if p.cookie != cookieGood && !p.loaded {
			continue
		}
		if err := p.load(ctx); err != nil {
			return err
		}
		// The previous secret is not sent again: it has little time left.
		p.again = p.match == MatchCurrent
	}
	return nil
}

func (p *part) commit(ctx context.Context, intents bool) error {
	var deltas map[string]Delta
	for _, s := range p.sessions {
		if s.bad != nil {
			return s.bad
		}
		if d, ok := s.delta(); ok {
			if deltas == nil {
				deltas = make(map[string]Delta)
			}
			deltas[s.name] = d
		}
	}
	switch {
	case p.login != nil && intents:
		return p.commitLogin(ctx, deltas)
	case p.sc.hold != nil:
		return p.commitHold(ctx, deltas)
	case p.cred.ID == "":
		return p.commitNew(ctx, deltas)
	case len(deltas) > 0 || intents && p.renewDue():
		return p.commitSave(ctx, deltas, intents && p.renewDue())
	}
	return nil
}

// commitNew creates the session of a visitor who has none, if there is anything
// to keep in it.
func (p *part) commitNew(ctx context.Context, deltas map[string]Delta) error {
	if deltas = settled(deltas); len(deltas) == 0 {
		for _, s := range p.sessions {
			s.drop()
		}
		return nil
	}
	if p.sc.committed {
		return fmt.Errorf("create a session: %w", ErrCommitted)
	}
	if p.late {
		// Its cookie would take the place of the login's.
		return fmt.Errorf("create a session: %w", ErrRenewed)
	}
	return p.create(ctx, Create{Deltas: deltas})
}

// create inserts a new session and makes it this part's.
func (p *part) create(ctx context.Context, c Create) error {
	rec, cred, err := p.sc.m.create(ctx, p.f, c)
	if err != nil {
		return err
	}
	p.cred, p.match = cred, MatchCurrent
	p.took(&rec)
	p.send = true
	return nil
}

// create inserts a new session.
func (m *Manager) create(ctx context.Context, f *family, c Create) (Record, Credential, error) {
	ctx, cancel := m.deadline(ctx)
	defer cancel()
	cred := Credential{Root: f.root.Name, ID: newID(), secret: newSecret(), fresh: true}
	c.ID, c.Hash, c.Nonce = cred.ID, cred.secret.hash(), newOp()
	rec, err := m.store.Create(ctx, &f.Family, c)
	if err != nil {
		return Record{}, Credential{}, fmt.Errorf("create a session: %w", err)
	}
	m.stats.created.Add(1)
	return rec, cred, nil
}

// commitSave writes changes, and a new secret when it is time.
func (p *part) commitSave(ctx context.Context, deltas map[string]Delta, renew bool) error {
	next := p.cred
	s := Save{Epoch: p.state.Epoch, Slide: SlideDue}
	if renew {
		next.secret = newSecret()
		s.Renew.Old, s.Renew.New = p.cred.secret.hash(), next.secret.hash()
	}
	rec, err := p.write(ctx, s, deltas)
	if err != nil {
		return err
	}
	if renew && rec.Hash == s.Renew.New {
		p.cred, p.send = next, true
	}
	p.took(&rec)
	return nil
}

// commitHold writes the changes of a message, or that there was one.
func (p *part) commitHold(ctx context.Context, deltas map[string]Delta) error {
	s := Save{Epoch: p.sc.hold.epoch, Slide: SlideDue}
	if p.sc.options.Quiet {
		s.Slide = SlideNever
	}
	if len(deltas) == 0 && (s.Slide == SlideNever || !p.sc.hold.slideDue()) {
		return nil
	}
	rec, err := p.write(ctx, s, deltas)
	if err != nil {
		return err
	}
	if p.loaded {
		p.took(&rec)
	} else {
		p.sc.hold.l.offer(&rec)
	}
	return nil
}

// write saves.
func (p *part) write(ctx context.Context, s Save, deltas map[string]Delta) (Record, error) {
	rec, err := p.repeat(ctx, deltas, func(ctx context.Context, op string, deltas map[string]Delta) (Record, error) {
		s.Op, s.Deltas = op, deltas
		return p.sc.m.store.Save(ctx, &p.f.Family, p.cred.ID, s)
	})
	if err != nil {
		return Record{}, fmt.Errorf("save %s: %w", Short(p.cred.ID), err)
	}
	if len(deltas) > 0 {
		p.sc.m.stats.saves.Add(1)
	}
	return rec, nil
}

// repeat carries out a write, again while an update has to be applied to
// another value than before.
func (p *part) repeat(ctx context.Context, deltas map[string]Delta,
	write func(context.Context, string, map[string]Delta) (Record, error)) (Record, error) {
	for round := 1; ; round++ {
		tctx, cancel := p.sc.m.deadline(ctx)
		rec, err := write(tctx, newOp(), deltas)
		cancel()
		if !errors.Is(err, ErrConflict) || round == maxRounds {
			return rec, err
		}
		for name := range deltas {
			s := p.opened(name)
			s.version = rec.Spaces[name].Version
			if err := s.rebase(rec.Values[name]); err != nil {
				return Record{}, err
			}
			deltas[name], _ = s.delta()
		}
	}
}

// took takes over what the store holds now, here and for the open connections
// of this session on this node.
func (p *part) took(rec *Record) {
	now := Record{State: rec.State, Values: maps.Clone(rec.Values)}
	if now.Values == nil {
		now.Values = make(map[string]map[string]string)
	}
	for _, s := range p.sessions {
		if s.modified {
			s.saved(rec)
			now.Values[s.name] = s.base
		}
	}
	if l := p.sc.m.lives.get(p.f.root.Name, p.cred.ID); l != nil {
		l.offer(&now)
	}
	// A namespace that somebody else wrote, and whose values did not come
	// along, stays in this scope as it was loaded, with its version.
	for name, was := range p.state.Spaces {
		if _, known := now.Values[name]; known {
			continue
		}
		now.Values[name] = p.values[name]
		if newer(now.Spaces[name], was) {
			now.Spaces = maps.Clone(now.Spaces) // rec's are the store's
			now.Spaces[name] = was
		}
	}
	p.state, p.values = now.State, now.Values
}

// settled turns the changes of a session that does not exist yet into plain
// values, and leaves out what comes to nothing.
func settled(deltas map[string]Delta) map[string]Delta {
	all := make(map[string]Delta, len(deltas))
	for name, d := range deltas {
		set := make(map[string]string, len(d.Set)+len(d.Add)+len(d.Swap))
		maps.Copy(set, d.Set)
		for k, n := range d.Add {
			set[k] = strconv.FormatInt(n, 10)
		}
		for k, s := range d.Swap {
			if s.New != nil {
				set[k] = *s.New
			}
		}
		if len(set) > 0 {
			all[name] = Delta{Set: set}
		}
	}
	return all
}
