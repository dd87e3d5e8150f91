package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Target says which sessions a logout ends: [This], [Others], [All], or those
// of a [Namespace].
type Target string

const (
	This   Target = "session" // this session, all namespaces of its family
	Others Target = "others"  // all sessions of its user but this one
	All    Target = "all"     // all sessions of its user
)

const (
	namespaceTarget = "namespace:"
	oneTarget       = "one:"
	belowTarget     = "@" // in no name and no id
)

// Below targets the same below another root than the first one, or than the
// connection's.
func (t Target) Below(root string) Target { return Target(root) + belowTarget + t }

// One targets one session of this session's user, by its id, as a list of
// devices offers it.
func One(id string) Target { return Target(oneTarget + id) }

// Namespace targets one namespace of this session, and those below it. Over
// HTTP it begins anew, empty; connections that are open have lost it for good.
func Namespace(name string) Target { return Target(namespaceTarget + name) }

// ErrTarget is returned by [Scope.Logout] for a target that there is not, and for
// a session that is not the user's.
var ErrTarget = errors.New("session: no such target of a logout")

// Result is what a logout has done when it returns.
type Result struct {
	// ClosedHere is how many connections of this node the call ended. One
	// that opened at the same moment may have been ended by the notice first,
	// and is not counted then.
	ClosedHere int `json:"closed_here"`

	// NodesAcked is how many nodes have marked their connections, so that
	// they handle and receive nothing more, out of NodesExpected. Where nothing
	// lives that could end, nobody is asked, and this node alone counts: what an
	// earlier call ended may still be on its way to the others. A node that cannot
	// know how many there are, as in its first seconds, expects one more than acked.
	// A node that was silent for three heartbeats is not expected: its sockets that
	// fail closed handle and receive nothing, and those that fail open go on.
	NodesAcked    int `json:"nodes_acked"`
	NodesExpected int `json:"nodes_expected"`

	// StoreOK is false when the store could not be asked: what was to end is over
	// on this node, and may live elsewhere. NodesExpected is then as many as there
	// were when this node heard of them last.
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
// them back. It acts on the first root, or on the connection's, unless the target
// says otherwise ([Target.Below]; a root as a [Namespace] is itself). The cookie is
// cleared when this session ends. Without a session it does nothing and
// returns zeros.
//
// One round trip for [This] and a namespace, besides the load; two for [One];
// three for [Others] and [All], and more while ends of the user are owed. After a change of password a login as the same
// user and a logout of [Others] leave nobody in but the one who changed it.
//
// The result says what took effect also when there is an error. Errors:
// [ErrUnavailable] when the store could not be asked. That is [ErrOwed] too: what
// was to end is over on this node, its connections are closed, its cookie opens
// nothing and nothing is saved to it, and [Manager.Run] asks the store again until
// it holds everywhere. [Others] and [All] are that too while any other end of the
// user's sessions is owed. If this node cannot tell that the request's secret fits,
// because no connection of the session is open here, that is so for this very
// cookie, and the store is asked about it first. A login of the same user on this
// node, later than a logout of [All] or [Others] that is owed, stays; one on another
// node, of which nothing is known here, ends with the rest.
func (sc *Scope) Logout(ctx context.Context, t Target) (Result, error) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	p, a, err := sc.aim(t)
	if err != nil {
		return Result{}, err
	}
	id := p.cred.ID
	err = p.load(ctx)
	switch {
	case p.denied != nil:
		return p.logoutAgain(ctx, a)
	case p.unknown && sc.m.owed.tries(p.f, id):
		return sc.m.unconfirmed(ctx)
	case away(err):
		return p.logoutBlind(ctx, a, err)
	case err != nil:
		return Result{}, err
	}
	return p.logout(ctx, a)
}

// aim is a [Target] below a root: what to end, and the name of the namespace or the
// id of the session if it is one.
type aim struct {
	target Target // This, Others, All, oneTarget or namespaceTarget
	name   string
}

// endsThis reports whether the session of who asks ends too.
func (a aim) endsThis() bool { return a.target == This || a.target == All }

// rank orders several aims of a visitor so that each finds what it is to end.
func (a aim) rank() int {
	return slices.Index([]Target{All, Others, oneTarget, namespaceTarget, This}, a.target)
}

// aim reads a target, and returns the part that it is about.
func (sc *Scope) aim(t Target) (*part, aim, error) {
	root, target, below := strings.Cut(string(t), belowTarget)
	if !below {
		root, target = "", string(t)
	}
	a := aim{target: Target(target)}
	for _, prefix := range []Target{namespaceTarget, oneTarget} {
		if name, ok := strings.CutPrefix(target, string(prefix)); ok {
			a = aim{prefix, name}
		}
	}
	space := a.target == namespaceTarget
	if f := sc.m.spaces[a.name]; space && root == "" && f != nil && f.root.Name == a.name && sc.hold == nil {
		root = a.name
	}
	p, err := sc.named(root)
	switch {
	case err != nil:
		return nil, a, fmt.Errorf("%w: %w", ErrTarget, err)
	case space && a.name == p.f.root.Name:
		a = aim{target: This}
	case space && sc.m.spaces[a.name] != p.f:
		return nil, a, fmt.Errorf("%w: %q has no namespace %.32q", ErrTarget, p.f.root.Name, a.name)
	case a.rank() < 0:
		return nil, a, fmt.Errorf("%w: %.32q", ErrTarget, target)
	case a.target == oneTarget && !isID(a.name):
		return nil, a, fmt.Errorf("%w: %.32q is no id", ErrTarget, a.name)
	}
	return p, a, nil
}

// logout ends what a visitor aims at whose session is loaded.
func (p *part) logout(ctx context.Context, a aim) (Result, error) {
	m := p.sc.m
	switch a.target {
	case Others:
		user := p.state.User
		if p.login != nil {
			user = p.login.user
		}
		if user == "" {
			return Result{StoreOK: true}, nil
		}
		return m.endUser(ctx, p.f, user, p.cred.ID, WhyLogout, user)
	case oneTarget:
		if a.name != p.cred.ID {
			return p.endOne(ctx, a.name)
		}
	case namespaceTarget:
		if p.cred.ID == "" {
			return Result{StoreOK: true}, nil
		}
		return p.endNamespace(ctx, a.name)
	}
	if old := p.previous; old != nil {
		// The session that a login in this request was to take the place of is
		// the one that there is.
		p.cred, p.state, p.previous = old.cred, old.state, nil
	}
	p.login, p.cycle, p.expiry = nil, false, nil
	if p.cred.ID == "" {
		return Result{StoreOK: true}, nil
	}
	var (
		r   Result
		err error
	)
	if user := p.state.User; a.target == All && user != "" {
		r, err = m.endUser(ctx, p.f, user, "", WhyLogout, user)
	} else { // an anonymous visitor has no others
		r, err = m.end(ctx, p.order())
	}
	p.empty()
	p.end, p.send = true, false
	return r, err
}

// order returns the end of this part's session, which its visitor asked for.
func (p *part) order() *order {
	s := p.state
	s.ID = p.cred.ID
	o := p.f.order(WhyLogout, s.User, &s)
	o.shown = p.cred.secret
	return o
}

// logoutBlind ends what a visitor aims at while the store cannot be asked.
func (p *part) logoutBlind(ctx context.Context, a aim, cause error) (Result, error) {
	p.end = p.end || a.endsThis()
	if s, ok := p.verified(); ok {
		return p.logoutAs(ctx, a, s)
	}
	r, err := p.sc.m.owe(ctx, p.sc.m.debtOfCredential(p.f, p.cred, a), cause)
	// A connection that was being opened may say it by now. One that comes later
	// is denied.
	if s, ok := p.verified(); ok {
		return p.logoutAs(ctx, a, s)
	}
	if p.sc.m.lives.get(p.f.root.Name, p.cred.ID) != nil {
		r.NodesAcked = 0 // whether its connections are to close is not known
	}
	return r, err
}

// verified returns the state of the visitor's session without asking the store. An
// id is not secret, so it is known to be the visitor's only if the snapshot that open
// connections read says that the request's secret fits, or if it comes from such a
// connection.
func (p *part) verified() (State, bool) {
	l := p.sc.m.lives.get(p.f.root.Name, p.cred.ID)
	if l == nil {
		return State{}, false
	}
	snap := l.snap.Load()
	if snap == nil || p.sc.hold == nil && !snap.Hash.equal(p.cred.secret.hash()) {
		return State{}, false
	}
	return snap.State, true
}

// logoutAs is logout for a state that was not loaded just now, and is not kept.
func (p *part) logoutAs(ctx context.Context, a aim, s State) (Result, error) {
	p.loaded, p.state = true, s
	r, err := p.logout(ctx, a)
	if p.cred.ID != "" {
		p.loaded, p.state = false, State{}
	}
	return r, err
}

// errNobody says why there is no other session of the same user.
var errNobody = fmt.Errorf("%w: nobody is logged in", ErrTarget)

// endOne ends another session of the same user.
func (p *part) endOne(ctx context.Context, id string) (Result, error) {
	m, f, user := p.sc.m, p.f, p.state.User
	if user == "" {
		return Result{}, errNobody
	}
	other, err := m.check(ctx, f, id)
	switch {
	case away(err):
		return m.owe(ctx, m.debtOfOne(f, user, id), err)
	case err != nil:
		return Result{}, err
	case other == nil || other.User != user:
		// Whose it is is nobody else's business.
		return Result{}, fmt.Errorf("%w: no session %.8q of this user", ErrTarget, id)
	}
	return m.end(ctx, f.order(WhyLogout, user, other))
}

func (p *part) endNamespace(ctx context.Context, name string) (Result, error) {
	o := &order{f: p.f, why: WhyLogout, by: p.state.User, shown: p.cred.secret}
	for _, n := range append([]string{name}, p.sc.m.registry.Below(name)...) {
		generation := p.state.Space(n).Generation
		if h := p.sc.hold; h != nil {
			generation = h.generations[n]
		}
		o.ends = append(o.ends, End{ID: p.cred.ID, User: p.state.User, Namespace: n, Generation: generation})
	}
	r, err := p.sc.m.end(ctx, o)
	for _, e := range o.ends {
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
