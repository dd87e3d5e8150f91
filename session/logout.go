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
// them back. It acts on the first root, or on the connection's, unless the target
// says otherwise ([Target.Below]; a root as a [Namespace] is itself). The cookie is
// cleared when this session ends. Without a session it does nothing and
// returns zeros.
//
// One round trip for [This] and a namespace, besides the load; two for [One];
// three for [Others] and [All]. After a change of password a login as the same
// user and a logout of [Others] leave nobody in but the one who changed it.
//
// The result says what took effect also when there is an error. Errors:
// [ErrUnavailable] when the store could not be asked; the connections of this
// node are closed all the same, if this node can tell that the request may end
// them.
func (sc *Scope) Logout(ctx context.Context, t Target) (Result, error) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	root, target, below := strings.Cut(string(t), belowTarget)
	if !below {
		root, target = "", string(t)
	}
	t = Target(target)
	name, one := strings.CutPrefix(target, namespaceTarget)
	if f := sc.m.spaces[name]; one && root == "" && f != nil && f.root.Name == name && sc.hold == nil {
		root = name
	}
	p, err := sc.named(root)
	if err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrTarget, err)
	}
	switch {
	case one && name == p.f.root.Name:
		t, one = This, false
	case one && sc.m.spaces[name] != p.f:
		return Result{}, fmt.Errorf("%w: %q has no namespace %.32q", ErrTarget, p.f.root.Name, name)
	case !one && t != This && t != Others && t != All && !strings.HasPrefix(string(t), oneTarget):
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
		return sc.m.endUser(ctx, p.f, user, p.cred.ID, WhyLogout, user)
	}
	if id, ok := strings.CutPrefix(string(t), oneTarget); ok && (id == "" || id != p.cred.ID) {
		return p.endOne(ctx, id)
	}
	if one {
		if p.cred.ID == "" {
			return Result{StoreOK: true}, nil
		}
		return p.endNamespace(ctx, name)
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
	var r Result
	if user := p.state.User; t == All && user != "" {
		r, err = sc.m.endUser(ctx, p.f, user, "", WhyLogout, user)
	} else { // an anonymous visitor has no others
		r, err = sc.m.end(ctx, p.f, []End{{ID: p.cred.ID, User: user}}, WhyLogout, user)
	}
	p.empty()
	p.end, p.send = true, false
	return r, err
}

// endOne ends another session of the same user.
func (p *part) endOne(ctx context.Context, id string) (Result, error) {
	user := p.state.User
	if user == "" {
		return Result{}, fmt.Errorf("%w: nobody is logged in", ErrTarget)
	}
	other, err := p.sc.m.check(ctx, p.f, id)
	if err != nil {
		return Result{}, err
	}
	if other == nil || other.User != user {
		// Whose it is is nobody else's business.
		return Result{}, fmt.Errorf("%w: no session %.8q of this user", ErrTarget, id)
	}
	return p.sc.m.end(ctx, p.f, []End{{ID: id, User: user}}, WhyLogout, user)
}

func (p *part) endNamespace(ctx context.Context, name string) (Result, error) {
	var ends []End
	for _, n := range append([]string{name}, p.sc.m.registry.Below(name)...) {
		generation := p.state.Space(n).Generation
		if h := p.sc.hold; h != nil {
			generation = h.generations[n]
		}
		ends = append(ends, End{ID: p.cred.ID, User: p.state.User, Namespace: n, Generation: generation})
	}
	r, err := p.sc.m.end(ctx, p.f, ends, WhyLogout, p.state.User)
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
