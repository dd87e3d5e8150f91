package session

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"github.com/sessionhub/sessionhub/internal/notice"
)

// Target says which sessions a logout ends: [This], [Others], [All], or those
// of a [Namespace].
type Target string

const (
	This   Target = "session" // this session, all namespaces of its family
	Others Target = "others"  // all sessions of its user but this one
	All    Target = "all"     // all sessions of its user
)

const namespaceTarget = "namespace:"

// Namespace targets one namespace of this session, and those below it. Over
// HTTP it begins anew, empty; connections that are open have lost it for good.
func Namespace(name string) Target { return Target(namespaceTarget + name) }

// ErrTarget is returned by [Scope.Logout] for a target that there is not.
var ErrTarget = errors.New("session: no such target of a logout")

// Result is what a logout has done when it returns.
type Result struct {
	// ClosedHere is how many connections of this node the call ended. One
	// that opened at the same moment may have been ended by the notice first,
	// and is not counted then.
	ClosedHere int `json:"closed_here"`

	// NodesAcked is how many nodes have marked their connections, so that
	// they handle and receive nothing more, out of NodesExpected.
	NodesAcked    int `json:"nodes_acked"`
	NodesExpected int `json:"nodes_expected"`

	// StoreOK is false when the store could not be asked: the connections of
	// this node are closed, the session may live elsewhere.
	StoreOK bool `json:"store_ok"`
}

// Logout ends sessions of the visitor of ctx. Its costs and errors are those of
// [Scope.Logout], and [ErrNoScope].
func Logout(ctx context.Context, t Target) (Result, error) {
	sc := FromContext(ctx)
	if sc == nil {
		return Result{}, ErrNoScope
	}
	return sc.Logout(ctx, t)
}

// Logout ends sessions at once, not with the response: their connections stop
// here, the store deletes them and tells the other nodes. No later save brings
// them back. It acts on the first root, or on the connection's. The cookie is
// cleared when this session ends. Without a session it does nothing and
// returns zeros.
//
// One round trip for [This] and a namespace, besides the load; three for
// [Others] and [All].
//
// The result says what took effect also when there is an error. Errors:
// [ErrUnavailable] when the store could not be asked; the connections of this
// node are closed all the same, if this node can tell that the request may end
// them.
func (sc *Scope) Logout(ctx context.Context, t Target) (Result, error) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	p, err := sc.named("")
	if err != nil {
		return Result{}, err
	}
	name, one := strings.CutPrefix(string(t), namespaceTarget)
	switch {
	case one && name == p.f.root.Name:
		t, one = This, false
	case one && sc.m.spaces[name] != p.f:
		return Result{}, fmt.Errorf("%w: %q has no namespace %.32q", ErrTarget, p.f.root.Name, name)
	case !one && t != This && t != Others && t != All:
		return Result{}, fmt.Errorf("%w: %.32q", ErrTarget, string(t))
	}
	if err := p.load(ctx); err != nil {
		if errors.Is(err, ErrUnavailable) && (t == This || t == All) {
			return p.endBlind(), err
		}
		return Result{}, err
	}
	if t == Others {
		user := p.state.User
		if p.login != nil {
			user = p.login.user
		}
		if user == "" {
			return Result{StoreOK: true}, nil
		}
		return sc.m.endUser(ctx, p.f, user, p.cred.ID)
	}
	if old := p.previous; old != nil {
		// The session that a login in this request was to take the place of is
		// the one that there is.
		p.cred, p.state, p.previous = old.cred, old.state, nil
	}
	p.login = nil
	switch {
	case p.cred.ID == "":
		return Result{StoreOK: true}, nil
	case one:
		return p.endNamespace(ctx, name)
	}
	var r Result
	if user := p.state.User; t == All && user != "" {
		r, err = sc.m.endUser(ctx, p.f, user, "")
	} else { // an anonymous visitor has no others
		r, err = sc.m.end(ctx, p.f, []End{{ID: p.cred.ID, User: user}})
	}
	p.empty()
	p.end, p.send = true, false
	return r, err
}

// EndSession ends one session below root ("": the first root), as an
// administrator does. Two round trips. Errors: [ErrUnavailable].
func (m *Manager) EndSession(ctx context.Context, root, id string) (Result, error) {
	f, err := m.family(root)
	if err != nil {
		return Result{}, err
	}
	e := End{ID: id}
	cctx, cancel := m.deadline(ctx)
	defer cancel()
	// The user is asked for so that the session leaves the user's list too. It
	// is ended even if that fails.
	if states, err := m.store.Check(cctx, &f.Family, []string{id}); err == nil && states[0] != nil {
		e.User = states[0].User
	}
	return m.end(ctx, f, []End{e})
}

// EndUser ends all sessions of a user below root ("": the first root), but for
// the id except ("": none), and those whose login is in progress. Three round
// trips. Errors: [ErrUnavailable].
func (m *Manager) EndUser(ctx context.Context, root, user, except string) (Result, error) {
	f, err := m.family(root)
	if err != nil {
		return Result{}, err
	}
	return m.endUser(ctx, f, user, except)
}

func (m *Manager) endUser(ctx context.Context, f *family, user, except string) (Result, error) {
	lctx, cancel := m.deadline(ctx)
	defer cancel()
	listed, err := m.store.Raise(lctx, &f.Family, user)
	if err != nil {
		return Result{}, fmt.Errorf("end the sessions of a user: %w", err)
	}
	states, err := m.owned(lctx, f, user, listed)
	if err != nil {
		return Result{}, fmt.Errorf("end the sessions of a user: %w", err)
	}
	var ends []End
	for _, s := range states {
		if s.ID != except {
			ends = append(ends, End{ID: s.ID, User: user})
		}
	}
	return m.end(ctx, f, ends)
}

// end carries out ends: connections here stop first, then the store deletes
// and tells, then connections here close, whatever the store said.
func (m *Manager) end(ctx context.Context, f *family, ends []End) (Result, error) {
	r := Result{ClosedHere: m.gate(f, ends)}
	dctx, cancel := m.deadline(ctx)
	defer cancel()
	err := m.store.Delete(dctx, &f.Family, ends...)
	r.StoreOK = err == nil
	r.ClosedHere += m.shut(ends)
	last := ""
	if len(ends) > 0 {
		last = ends[len(ends)-1].Notice
	}
	r.NodesAcked, r.NodesExpected = m.ends.Acks(ctx, last)
	if err != nil {
		return r, fmt.Errorf("end %d sessions: %w", len(ends), err)
	}
	m.stats.ended.Add(uint64(len(ends)))
	return r, nil
}

// gate gives the ends their notices and stops the connections of this node. It
// returns how many.
func (m *Manager) gate(f *family, ends []End) (n int) {
	for i := range ends {
		e := &ends[i]
		text := notice.Notice{Kind: notice.Session, Root: f.root.Name, ID: e.ID}
		if e.Namespace != "" {
			text.Kind, text.Namespace, text.Below = notice.Namespace, e.Namespace, e.Generation+1
		}
		e.Notice = text.String()
		n += m.ends.Gate(e.Notice)
	}
	return n
}

// shut closes the connections that gate stopped, when the store was asked to
// end their sessions. It returns how many more it stopped: one may have been
// opened between gate and the deletion, and the notice may take a moment to
// come back.
func (m *Manager) shut(ends []End) (n int) {
	for _, e := range ends {
		n += m.ends.Gate(e.Notice)
		m.ends.Close(e.Notice)
	}
	return n
}

func (p *part) endNamespace(ctx context.Context, name string) (Result, error) {
	var ends []End
	for _, n := range append([]string{name}, p.sc.m.registry.Below(name)...) {
		generation := p.state.Spaces[n].Generation
		if h := p.sc.hold; h != nil {
			generation = h.generations[n]
		}
		ends = append(ends, End{ID: p.cred.ID, User: p.state.User, Namespace: n, Generation: generation})
	}
	r, err := p.sc.m.end(ctx, p.f, ends)
	for _, e := range ends {
		s := p.opened(e.Namespace)
		if s == nil {
			s = &Session{p: p, name: e.Namespace}
			p.sessions = append(p.sessions, s)
		}
		s.reset()
		s.over = true
	}
	return r, err
}

// endBlind does what can be done while the store cannot be asked. An id is not
// secret, so the connections of this node are closed only if the snapshot that
// they read says that the request's secret is theirs.
func (p *part) endBlind() Result {
	p.end = true
	r := Result{NodesAcked: 0, NodesExpected: 1}
	l := p.sc.m.lives.get(p.f.root.Name, p.cred.ID)
	if l == nil {
		return r
	}
	snap := l.snap.Load()
	fits := p.sc.hold != nil || snap != nil &&
		subtle.ConstantTimeCompare([]byte(snap.Hash), []byte(p.cred.secret.hash())) == 1
	if !fits {
		return r
	}
	n := notice.Notice{Kind: notice.Session, Root: p.f.root.Name, ID: p.cred.ID}.String()
	r.ClosedHere = p.sc.m.ends.Gate(n)
	p.sc.m.ends.Close(n)
	r.NodesAcked = 1
	return r
}
