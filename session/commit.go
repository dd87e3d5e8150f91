package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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
// function. Nothing of the family was kept then, or, after [ErrUnavailable], it is
// unknown whether. Then the same changes may be saved again, which keeps them
// once; after others, or with a login, the save is refused with the same error.
// It is carried out even when ctx ends meanwhile.
func (sc *Scope) Commit(ctx context.Context) error {
	err := sc.save(ctx, true)
	sc.mu.Lock()
	sc.committed = true
	sc.mu.Unlock()
	return err
}

// Close saves what changed so far, and ends the scope: nothing can be changed
// any more ([ErrCommitted]). It is for those who take the connection away from
// the response, so that it can set no cookie: before the response has begun it
// refuses a login and a new secret that wait for it, and the creation of a
// session, also with [ErrCommitted]. Its other costs and errors are those of
// [Scope.Commit].
func (sc *Scope) Close(ctx context.Context) error {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	for _, p := range sc.parts {
		if (p.login != nil || p.cycle) && !sc.committed {
			return fmt.Errorf("a login or another secret needs a cookie: %w", ErrCommitted)
		}
	}
	was := sc.committed
	sc.committed = true
	if err := sc.saveLocked(ctx, false); err != nil {
		sc.committed = was
		return err
	}
	sc.closed = true
	return nil
}

func (sc *Scope) save(ctx context.Context, intents bool) error {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	return sc.saveLocked(ctx, intents)
}

func (sc *Scope) saveLocked(ctx context.Context, intents bool) error {
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
		p.wrote = false
		if err := p.commit(ctx, intents); err != nil {
			sc.m.refused(err)
			return err
		}
		if p.again && p.cred.ID != "" && !p.send {
			if err := p.confirm(ctx); err != nil {
				return err
			}
		}
		p.again = false
	}
	return nil
}

// confirm slides the session of [prefixes.SaveAlways] and sends its cookie again,
// if it is still good: since it was loaded a login or a renewal may have given
// the browser another one, which this response must not take the place of.
func (p *part) confirm(ctx context.Context) error {
	if p.wrote { // and so know
		p.send = p.current(p.state.Hash)
		return nil
	}
	if p.refuse(nil) != nil {
		return nil // as if it were gone
	}
	tctx, cancel := p.sc.m.deadline(ctx)
	defer cancel()
	rec, err := p.sc.m.store.Save(tctx, &p.f.Family, p.cred.ID, Save{Epoch: p.state.Epoch, Slide: SlideAlways})
	switch {
	case errors.Is(err, ErrEnded), errors.Is(err, ErrRenewed):
		return nil // and nothing was to be saved
	case err != nil:
		return fmt.Errorf("save %s: %w", Short(p.cred.ID), err)
	}
	p.send = p.current(rec.Hash)
	return nil
}

// current reports whether the visitor's secret is the one whose hash the store
// has.
func (p *part) current(stored Hash) bool { return stored.equal(p.cred.secret.hash()) }

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
		p.again = p.match == MatchCurrent && !p.token
	}
	return nil
}

func (p *part) commit(ctx context.Context, intents bool) error {
	var deltas map[string]Delta
	for _, s := range p.sessions {
		if s.bad != nil {
			return s.bad
		}
		d, ok, err := s.delta()
		if err != nil {
			return err
		}
		if ok {
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
	case p.cycle && intents:
		if err := p.commitCycle(ctx, deltas); err != nil {
			return err
		}
		deltas = nil // and then an expiry, which a new secret leaves as it is
	}
	renew := intents && p.renewDue()
	if len(deltas) > 0 || renew || p.newExpiry() != nil {
		return p.commitSave(ctx, deltas, renew)
	}
	return nil
}

// newExpiry is the expiry to save, nil for none.
func (p *part) newExpiry() *Expiry {
	// What a message reads may be old: there the store has to judge.
	if p.expiry != nil && p.sc.hold == nil && p.expiry.equal(p.state.Expiry) {
		return nil
	}
	return p.expiry
}

// commitSave writes changes, and a new secret when it is time.
func (p *part) commitSave(ctx context.Context, deltas map[string]Delta, renew bool) error {
	next := p.cred
	s := Save{Epoch: p.state.Epoch, Slide: SlideDue, Expiry: p.newExpiry()}
	if p.f.root.Save == prefixes.SaveAlways {
		s.Slide = SlideAlways
	}
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
		p.sc.m.tell(ctx, Event{Kind: EventRenewed, Root: p.f.root.Name, ID: p.cred.ID, User: p.state.User})
	}
	if s.Expiry != nil {
		// The cookie may have to last longer, or less long.
		p.send = p.send || !p.sc.committed && !p.token && p.current(rec.Hash)
	}
	p.tookExpiry(s.Expiry, &rec)
	p.took(&rec)
	return nil
}

// tookExpiry notes that an expiry was saved, if one was: connections here may
// have to close earlier than their hub expects.
func (p *part) tookExpiry(e *Expiry, rec *Record) {
	if p.login == nil { // which has to set it again
		p.expiry = nil
	}
	if x, ok := p.sc.m.ends.(Expecting); ok && e != nil {
		x.Expect(p.f.root.Name, p.cred.ID, rec.Left)
	}
}

// commitHold writes the changes of a message, or that there was one.
func (p *part) commitHold(ctx context.Context, deltas map[string]Delta) error {
	s := Save{Epoch: p.sc.hold.epoch, Slide: SlideDue, Expiry: p.newExpiry()}
	if p.sc.options.Quiet {
		s.Slide = SlideNever
	}
	if len(deltas) == 0 && s.Expiry == nil && (s.Slide == SlideNever || !p.sc.hold.slideDue()) {
		return nil
	}
	rec, err := p.write(ctx, s, deltas)
	if err != nil {
		return err
	}
	p.tookExpiry(s.Expiry, &rec)
	if p.loaded {
		p.took(&rec)
	} else {
		p.sc.hold.l.offer(&rec)
	}
	return nil
}

// write saves.
func (p *part) write(ctx context.Context, s Save, deltas map[string]Delta) (Record, error) {
	rec, err := p.repeat(ctx, saves, deltas, func(ctx context.Context, op string, deltas map[string]Delta) (Record, error) {
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
func (p *part) repeat(ctx context.Context, w writeKind, deltas map[string]Delta,
	write func(context.Context, string, map[string]Delta) (Record, error)) (Record, error) {
	if err := p.refuse(deltas); err != nil {
		return Record{}, err
	}
	op := newOp()
	if d := p.doubt; d != nil && len(deltas) > 0 {
		// The same save again happens once, whatever became of it. Another one
		// could repeat a part of it, and a login under its name would be taken for
		// it and not be carried out.
		if d.edits != p.edits || d.kind != saves || w != saves {
			return Record{}, fmt.Errorf("whether an earlier save took effect is unknown: %w", d.err)
		}
		op = d.op
	}
	for round := 1; ; round++ {
		tctx, cancel := p.sc.m.deadline(ctx)
		rec, err := write(tctx, op, deltas)
		cancel()
		p.doubt = nil
		if errors.Is(err, ErrUnavailable) && len(deltas) > 0 {
			p.doubt = &doubt{w, op, p.edits, err}
		}
		op = newOp()
		if errors.Is(err, ErrCorrupt) {
			p.sc.m.undecodable(p.cred.ID, p.f.root.Name, err)
			err = ErrEnded
		}
		if !errors.Is(err, ErrConflict) || round == maxRounds {
			return rec, err
		}
		for name := range deltas {
			s := p.opened(name)
			s.version = rec.Space(name).Version
			if err := s.rebase(rec.In(name)); err != nil {
				return Record{}, err
			}
			if deltas[name], _, err = s.delta(); err != nil {
				return Record{}, err
			}
		}
	}
}

// took takes over what the store holds now, here and for the open connections
// of this session on this node.
func (p *part) took(rec *Record) {
	now := Record{State: rec.State, Values: make([]Values, len(rec.Spaces))}
	copy(now.Values, rec.Values)
	for _, s := range p.sessions {
		if s.modified {
			i := p.f.Index(s.name)
			s.saved(rec, i)
			now.Values[i] = s.base
		}
	}
	if l := p.sc.m.lives.get(p.f.root.Name, p.cred.ID); l != nil {
		l.offer(&now) // which keeps the slice only if all is known, and nothing follows
	}
	// A namespace that somebody else wrote, and whose values did not come
	// along, stays in this scope as it was loaded, with its version.
	shared := true
	for i, was := range p.state.Spaces {
		if now.Values[i].Known() {
			continue
		}
		if i < len(p.values) {
			now.Values[i] = p.values[i]
		}
		if newer(now.Spaces[i], was) {
			if shared {
				now.Spaces, shared = slices.Clone(now.Spaces), false
			}
			now.Spaces[i] = was
		}
	}
	p.wrote = true
	p.state, p.at, p.values = now.State, time.Now(), now.Values
}
