package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sessionhub/sessionhub/internal/failpoint"
	"github.com/sessionhub/sessionhub/internal/notice"
)

// LoginOptions configures a login.
type LoginOptions struct {
	// Root names the family to log in to.
	//
	// Defaults to the first root.
	Root string

	// Remember gives the session the namespace's remember-me timeouts, and a
	// cookie that outlives the browser.
	Remember bool
}

// login is a login that waits for the response.
type login struct {
	user  string
	terms Terms
}

// Login logs the visitor of ctx in as user, below the first root. Its costs and
// errors are those of [Scope.Login], and [ErrNoScope].
func Login(ctx context.Context, user string) error {
	sc := FromContext(ctx)
	if sc == nil {
		return ErrNoScope
	}
	return sc.Login(ctx, user, LoginOptions{})
}

// Login logs the visitor in when the response begins, unless it is a server
// error: the session gets a new secret, its lifetime starts anew, and the
// connections that were opened before the login close with 4409, so that
// nobody who planted a session in this browser is logged in with it (session
// fixation). What an anonymous visitor had is kept. When somebody else was
// logged in, that session ends and nothing of it is carried over.
//
// A login takes at most three round trips: one to load the session that the
// request shows, if it shows one, and two at the commit. On a Redis Cluster it
// takes one more, and one as somebody else up to two more than that. With
// [prefixes.Namespace.MaxSessions] it takes two more, and one when a session
// has to end; two more again where the newest is refused.
//
// Errors: [ErrCommitted] when the response has begun, and on a socket;
// [ErrUnavailable]. The commit may return [ErrUserEnded].
func (sc *Scope) Login(ctx context.Context, user string, o LoginOptions) error {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if user == "" {
		return errors.New("session: log in: the user is empty")
	}
	if sc.hold != nil {
		return fmt.Errorf("log in on an open connection, where no cookie can be set: %w", ErrCommitted)
	}
	if sc.committed {
		return fmt.Errorf("log in: %w", ErrCommitted)
	}
	p, err := sc.read(ctx, o.Root)
	if err != nil {
		return err
	}
	if p.state.User != "" && p.state.User != user {
		p.previous = &previously{p.cred, p.state}
		p.empty()
	}
	p.login = &login{user: user}
	if o.Remember {
		p.login.terms = Terms{Idle: p.f.root.RememberIdleTimeout, Life: p.f.root.RememberLifetime, Persistent: true}
	}
	return nil
}

// Cycle gives the session of ctx below the first root a new secret. See
// [Scope.Cycle]. Errors also: [ErrNoScope].
func Cycle(ctx context.Context) error {
	sc := FromContext(ctx)
	if sc == nil {
		return ErrNoScope
	}
	return sc.Cycle(ctx, "")
}

// Cycle gives the session below root ("": the first root) a new secret when the
// response begins, unless it is a server error, as after a change of what its
// user may do (OWASP Session Management, "Renew the Session ID After Any
// Privilege Level Change"). Values, user, timeouts and lifetime stay. From then
// on the old secret opens nothing, and connections that were opened with it
// close with 4409 and come back with the new one. At every moment one of the two
// is good. A visitor without a session has no secret to change, and a login
// changes it by itself.
//
// It loads as [Scope.Session] does, and the commit takes as long as a login's.
// Errors: [ErrCommitted] when the response has begun, and on a socket;
// [ErrUnavailable].
func (sc *Scope) Cycle(ctx context.Context, root string) error {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.hold != nil || sc.committed {
		return fmt.Errorf("change the secret: %w", ErrCommitted)
	}
	p, err := sc.read(ctx, root)
	if err != nil {
		return err
	}
	p.cycle = true
	return nil
}

// Recent reports whether the user of ctx logged in below the first root not
// longer than within ago. See [Scope.Recent]. Errors also: [ErrNoScope].
func Recent(ctx context.Context, within time.Duration) (bool, error) {
	sc := FromContext(ctx)
	if sc == nil {
		return false, ErrNoScope
	}
	return sc.Recent(ctx, "", within)
}

// Recent reports whether the user below root ("": the first root, or the
// connection's) logged in not longer than within ago, by the store's time, as is
// wanted before a change of password or a payment. Another login of the same
// user makes it recent again. It is false for an anonymous visitor. It loads as
// [Scope.Session] does.
func (sc *Scope) Recent(ctx context.Context, root string, within time.Duration) (bool, error) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	p, err := sc.read(ctx, root)
	if err != nil {
		return false, err
	}
	if p.login != nil {
		return true, nil
	}
	// What a message reads may be as old as the last save or revalidation.
	now := p.state.Now.Add(time.Since(p.at))
	return p.state.User != "" && now.Sub(p.state.Authenticated) <= within, nil
}

func (p *part) commitLogin(ctx context.Context, deltas map[string]Delta) error {
	m, l := p.sc.m, p.login
	id := p.cred.ID
	again := p.state.User == l.user // it is no session more
	if !again {
		if err := m.room(ctx, p.f, l.user, p.previous); err != nil {
			return fmt.Errorf("log in: %w", err)
		}
	}
	// Two sessions never live for one cookie: the old one ends first, and if
	// the rest fails, nobody is logged in.
	var ends []End
	if old := p.previous; old != nil {
		ends = []End{{ID: old.cred.ID, User: old.state.User, Replaced: true}}
	}
	if id != "" && len(ends) > 0 { // a Save has begun the new session already
		// If the store does not take it there is no login either, and no end to owe.
		o := &order{f: p.f, ends: ends, why: WhyReplaced, by: l.user}
		if _, err := m.carryOut(ctx, o); err != nil {
			if away(err) {
				m.done.doubt(o)
			}
			return err
		}
		p.previous = nil
	}
	var err error
	next := p.id()
	m.owed.spare(p.f, l.user, next)
	if id == "" {
		err = p.loginNew(ctx, deltas, ends)
	} else {
		err = p.elevate(ctx, deltas, Elevation{User: l.user, Terms: l.terms})
	}
	if err != nil {
		m.owed.unspare(p.f, l.user, next)
		return fmt.Errorf("log in: %w", err)
	}
	p.send, p.end, p.login, p.cycle, p.expiry = true, false, nil, false, nil
	m.stats.logins.Add(1)
	m.tell(ctx, Event{
		Kind: EventElevated, Root: p.f.root.Name, ID: p.cred.ID, User: l.user,
		Device: p.state.Device, Address: p.state.Address,
	})
	if again {
		return nil
	}
	if err := m.enforce(ctx, p.f, l.user, p.cred.ID); err != nil {
		p.empty()
		p.send, p.end = false, true
		return fmt.Errorf("log in: %w", err)
	}
	return nil
}

// loginNew logs in to a session of its own, after ends.
func (p *part) loginNew(ctx context.Context, deltas map[string]Delta, ends []End) error {
	m, l := p.sc.m, p.login
	o := &order{f: p.f, ends: ends, why: WhyReplaced, by: l.user}
	m.gate(p.f, ends)
	if len(ends) > 0 {
		failpoint.Hit(failpoint.EndGated)
	}
	turn := m.done.turn.Load()
	c := Create{User: l.user, Terms: l.terms, Expiry: p.expires(), Deltas: settled(deltas), Ends: ends}
	err := p.create(ctx, c)
	if err == nil && len(ends) > 0 {
		failpoint.Hit(failpoint.EndDeleted)
		if !m.done.add(turn, p.f, ends) {
			err = m.delete(ctx, p.f, ends) // by the server that there is now
		}
	}
	m.shut(ends)
	if err != nil {
		// The ends came first, and what went wrong then undoes none of them.
		if !errors.Is(err, ErrCorrupt) { // which nobody can end
			m.done.doubt(o)
		}
		// The cookie opens nothing any more, but for an error that leaves it
		// unknown.
		p.end = p.end || len(ends) > 0 && !errors.Is(err, ErrUnavailable)
		return err
	}
	m.ended(ctx, o)
	p.previous = nil
	return nil
}

// commitCycle carries out [Scope.Cycle].
func (p *part) commitCycle(ctx context.Context, deltas map[string]Delta) error {
	if err := p.elevate(ctx, deltas, Elevation{User: p.state.User, Keep: true}); err != nil {
		return fmt.Errorf("change the secret of %s: %w", Short(p.cred.ID), err)
	}
	p.send, p.cycle = true, false
	p.sc.m.tell(ctx, Event{Kind: EventRenewed, Root: p.f.root.Name, ID: p.cred.ID, User: p.state.User})
	return nil
}

// elevate gives the session that there is a new secret and the next epoch.
func (p *part) elevate(ctx context.Context, deltas map[string]Delta, order Elevation) error {
	m, next := p.sc.m, p.cred
	next.secret, next.fresh = newSecret(), true
	order.Epoch, order.Hash = p.state.Epoch, next.secret.hash()
	order.Notice = notice.Notice{Kind: notice.Epoch, Root: p.f.root.Name, ID: next.ID, Below: order.Epoch + 1}.String()
	if !order.Keep {
		order.Device, order.Address = device(p.sc.request.Header), m.network(p.sc.request)
		order.Expiry = p.expires()
	}
	rec, err := p.repeat(ctx, elevates, deltas, func(ctx context.Context, op string, deltas map[string]Delta) (Record, error) {
		order.Op, order.Deltas = op, deltas
		return m.store.Login(ctx, &p.f.Family, next.ID, order)
	})
	if err != nil {
		return err
	}
	// The store has delivered the notice; this node need not wait for it.
	m.ends.Gate(order.Notice)
	m.ends.Close(order.Notice)
	p.cred, p.match = next, MatchCurrent
	p.took(&rec)
	return nil
}
