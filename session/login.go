package session

import (
	"context"
	"errors"
	"fmt"

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
// takes one more, and one as somebody else up to two more than that.
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

func (p *part) commitLogin(ctx context.Context, deltas map[string]Delta) error {
	m, l := p.sc.m, p.login
	label := device(p.sc.request.Header)
	// Two sessions never live for one cookie: the old one ends first, and if
	// the rest fails, nobody is logged in.
	var ends []End
	if old := p.previous; old != nil {
		ends = []End{{ID: old.cred.ID, User: old.state.User, Replaced: true}}
	}
	if p.cred.ID != "" && len(ends) > 0 { // a Save has begun the new session already
		if _, err := m.end(ctx, p.f, ends); err != nil {
			return err
		}
		p.previous = nil
	}
	if p.cred.ID == "" {
		m.gate(p.f, ends)
		c := Create{User: l.user, Device: label, Terms: l.terms, Deltas: settled(deltas), Ends: ends}
		err := p.create(ctx, c)
		m.shut(ends)
		if err != nil {
			// The cookie opens nothing any more, but for an error that leaves
			// it unknown.
			p.end = p.end || len(ends) > 0 && !errors.Is(err, ErrUnavailable)
			return err
		}
		m.stats.ended.Add(uint64(len(ends)))
		p.previous = nil
	} else {
		next := p.cred
		next.secret, next.fresh = newSecret(), true
		text := notice.Notice{Kind: notice.Epoch, Root: p.f.root.Name, ID: next.ID, Below: p.state.Epoch + 1}.String()
		order := Elevation{Epoch: p.state.Epoch, Hash: next.secret.hash(), User: l.user, Device: label, Terms: l.terms, Notice: text}
		rec, err := p.repeat(ctx, deltas, func(ctx context.Context, op string, deltas map[string]Delta) (Record, error) {
			order.Op, order.Deltas = op, deltas
			return m.store.Login(ctx, &p.f.Family, next.ID, order)
		})
		if err != nil {
			return fmt.Errorf("log in %s: %w", Short(next.ID), err)
		}
		// The store has delivered the notice; this node need not wait for it.
		m.ends.Gate(text)
		m.ends.Close(text)
		p.cred, p.match = next, MatchCurrent
		p.took(&rec)
	}
	p.send, p.end, p.login = true, false, nil
	m.stats.logins.Add(1)
	return nil
}
