package session

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// Expiry replaces the idle timeout of one session, whatever its [Terms]. The
// zero value leaves it. Children without an idle timeout of their own follow
// it; all are capped by it.
type Expiry struct {
	// Idle ends the session after so long without activity. Below 0 it ends at
	// once. 0: as the terms or the root say.
	Idle time.Duration

	// End ends the session then. It does not lengthen the lifetime. No idle
	// timeout counts besides, but Idle if it is set. Zero: none. Stores keep
	// milliseconds.
	End time.Time

	// Cookie says how long the cookie lasts.
	Cookie Persistence
}

// Persistence says how long a cookie lasts.
type Persistence uint8

const (
	PersistDefault Persistence = iota // as the terms and the namespace's cookie say
	PersistNever                      // until the browser closes
	PersistAlways                     // until the session's lifetime ends
)

// After ends a session after d without activity, whatever its namespace says.
// The lifetime still ends it, and its cookie outlives the browser. With d not
// above 0 the session ends when it is saved.
func After(d time.Duration) Expiry {
	if d <= 0 {
		d = -1
	}
	return Expiry{Idle: d, Cookie: PersistAlways}.bounded()
}

// At ends a session at t, active or not, unless its lifetime ends before. Its
// cookie outlives the browser.
func At(t time.Time) Expiry {
	// The zero time is long ago, and would be none.
	if epoch := time.UnixMilli(1); t.Before(epoch) {
		t = epoch
	}
	return Expiry{End: t, Cookie: PersistAlways}.bounded()
}

// Nothing lives longer than 400 days, and stores need not count further.
const longest = 401 * 24 * time.Hour

// bounded cuts off what is past any lifetime, and what stores do not keep.
func (e Expiry) bounded() Expiry {
	e.Idle = min(e.Idle, longest)
	if !e.End.IsZero() {
		if far := time.Now().Add(2 * longest); e.End.After(far) {
			e.End = far
		}
		e.End = time.UnixMilli(e.End.UnixMilli())
	}
	return e
}

// AtBrowserClose lets a session's cookie go with the browser, whatever its
// namespace or its login says. Its timeouts are theirs.
func AtBrowserClose() Expiry { return Expiry{Cookie: PersistNever} }

// equal compares two expiries, of which one may have come from a store.
func (e Expiry) equal(o Expiry) bool {
	return e.Idle == o.Idle && e.Cookie == o.Cookie && e.End.Equal(o.End)
}

// SetExpiry gives the session of ctx below the first root an expiry. See
// [Scope.SetExpiry]. Errors also: [ErrNoScope].
func SetExpiry(ctx context.Context, e Expiry) error {
	sc := FromContext(ctx)
	if sc == nil {
		return ErrNoScope
	}
	return sc.SetExpiry(ctx, "", e)
}

// SetExpiry gives the session below root ("": the first root, or the
// connection's) an expiry of its own, with the next save: one of [After], [At]
// and [AtBrowserClose], or the zero Expiry to go back to the namespace's policy,
// which is harmless when there is nothing to go back from. It is kept for later
// requests and until the next login. By itself it does not begin a session.
//
// Connections that are open on this node close when it says. Those on other nodes
// may learn of a shorter one only with their next message that is saved, or with
// the hub's revalidation (60 s).
//
// It loads as [Scope.Session] does. Errors: [ErrCommitted] when the cookie would
// have to be sent again and the response has begun, or on a connection;
// [ErrUnavailable].
func (sc *Scope) SetExpiry(ctx context.Context, root string, e Expiry) error {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	p, err := sc.read(ctx, root)
	if err != nil {
		return err
	}
	if sc.closed {
		return fmt.Errorf("set an expiry: %w", ErrCommitted)
	}
	if (sc.hold != nil || sc.committed) && !e.equal(p.expires()) {
		if p.cred.ID == "" || p.keeps(e) != p.keeps(p.expires()) || p.keeps(e) && p.endUnder(e).After(p.endUnder(p.expires())) {
			return fmt.Errorf("set an expiry: the cookie would have to be sent again: %w", ErrCommitted)
		}
	}
	e = e.bounded()
	p.expiry = &e
	p.edits++
	return nil
}

// Expires says when a session ends.
type Expires struct {
	// Idle is how long it lasts without activity. 0: it ends at End, active or
	// not.
	Idle time.Duration

	// End is when it ends in any case. Zero for a session that is not in the
	// store yet and has no such end: its lifetime begins when it is created.
	End time.Time

	// AtBrowserClose says that its cookie goes with the browser.
	AtBrowserClose bool

	life time.Duration // that begins with the session; 0 when it has begun
}

// Date returns when a session ends whose last activity is at active. The
// lifetime of one that is not in the store yet is taken to begin then.
func (e Expires) Date(active time.Time) time.Time {
	end := e.End
	if e.life > 0 && (end.IsZero() || active.Add(e.life).Before(end)) {
		end = active.Add(e.life)
	}
	if e.Idle == 0 {
		return end
	}
	if idle := active.Add(e.Idle); idle.Before(end) {
		return idle
	}
	return end
}

// Age returns how long after its last activity, which is at active, a session
// ends.
func (e Expires) Age(active time.Time) time.Duration { return e.Date(active).Sub(active) }

// Expires says when the session below root ("": the first root, or the
// connection's) ends, with what this scope has set and not saved yet. It loads
// as [Scope.Session] does.
func (sc *Scope) Expires(ctx context.Context, root string) (Expires, error) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	p, err := sc.read(ctx, root)
	if err != nil {
		return Expires{}, err
	}
	e, terms := p.expires(), p.terms()
	x := Expires{
		Idle:           cmp.Or(e.Idle, terms.Idle, p.f.root.IdleTimeout),
		End:            e.End,
		AtBrowserClose: !p.keeps(e),
		life:           cmp.Or(terms.Life, p.f.root.Lifetime),
	}
	if !e.End.IsZero() && e.Idle == 0 {
		x.Idle = 0
	}
	if p.cred.ID != "" && p.login == nil {
		x.End, x.life = p.endUnder(e), 0
	}
	return x, nil
}

// expires is the expiry that the session has, or is about to have.
func (p *part) expires() Expiry {
	switch {
	case p.expiry != nil:
		return *p.expiry
	case p.login != nil:
		return Expiry{} // a login goes back to the policy
	}
	return p.state.Expiry
}

// terms are those that the session has, or is about to have.
func (p *part) terms() Terms {
	if p.login != nil {
		return p.login.terms
	}
	return p.state.Terms
}

// lifetimeEnd is when the session ends whatever its expiry. The lifetime began
// with the last login, or without one with the session.
func (p *part) lifetimeEnd() time.Time {
	began := p.state.Created
	if !p.state.Authenticated.IsZero() {
		began = p.state.Authenticated
	}
	return began.Add(cmp.Or(p.terms().Life, p.f.root.Lifetime))
}

// endUnder is when the session ends under an expiry, active or not.
func (p *part) endUnder(e Expiry) time.Time {
	if life := p.lifetimeEnd(); e.End.IsZero() || life.Before(e.End) {
		return life
	}
	return e.End
}

// keeps reports whether the cookie outlives the browser under an expiry.
func (p *part) keeps(e Expiry) bool {
	return p.f.persistent(Terms{Persistent: p.terms().Persistent}, e)
}

// persistent reports whether the cookie of a session outlives the browser.
func (f *family) persistent(t Terms, e Expiry) bool {
	switch e.Cookie {
	case PersistNever:
		return false
	case PersistAlways:
		return true
	}
	return t.Persistent || f.cookie.Persistent
}
