package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
)

// Scope is the sessions of one request or one message. See the package's
// documentation.
type Scope struct {
	m       *Manager
	request *http.Request // of HTTP
	hold    *Hold         // or of a message on this connection
	options HoldOptions
	tokens  *family // that a token may stand for

	mu        sync.Mutex // guards the following fields, and those of parts and sessions
	parts     []*part
	room      [1]*part                // for the first of them
	waiting   []func(context.Context) // of OnSaved
	committed bool
	closed    bool // by Close
	dropped   bool // by Discard
}

// ErrNoScope is returned by the functions that take a context, such as [Get],
// for a context without a scope: the middleware is not in front of the handler.
var ErrNoScope = errors.New("session: no scope in the context; is the session middleware in front of this handler?")

// ErrCommitted is returned for what needs a cookie after the header is out.
var ErrCommitted = errors.New("session: too late, the response has begun")

type scopeKey struct{}

// NewContext returns a context that carries sc.
func NewContext(ctx context.Context, sc *Scope) context.Context {
	return context.WithValue(ctx, scopeKey{}, sc)
}

// FromContext returns the scope that ctx carries, or nil.
func FromContext(ctx context.Context) *Scope {
	sc, _ := ctx.Value(scopeKey{}).(*Scope)
	return sc
}

// Anonymous returns the scope of a message on a connection without a session:
// its sessions are empty, and nothing can be set in them ([ErrCommitted]).
func (m *Manager) Anonymous() *Scope { return &Scope{m: m, committed: true} }

// Get returns the session of a namespace in the scope of ctx. Its costs and
// errors are those of [Scope.Session], and [ErrNoScope].
func Get(ctx context.Context, name string) (*Session, error) {
	sc := FromContext(ctx)
	if sc == nil {
		return nil, ErrNoScope
	}
	return sc.Session(ctx, name)
}

// User returns the logged-in user of the first root, and "" for nobody. Its
// costs and errors are those of [Scope.User], and [ErrNoScope].
func User(ctx context.Context) (string, error) {
	sc := FromContext(ctx)
	if sc == nil {
		return "", ErrNoScope
	}
	return sc.User(ctx, "")
}

// OnSaved runs fn after what the scope of ctx changed was saved, before
// anything is sent. See [Scope.OnSaved]. Errors: [ErrNoScope].
func OnSaved(ctx context.Context, fn func(context.Context)) error {
	sc := FromContext(ctx)
	if sc == nil {
		return ErrNoScope
	}
	sc.OnSaved(fn)
	return nil
}

// Session returns the session of a namespace: an empty one when the visitor has
// none, which is created when it is given a value. The first call for any
// namespace of a family loads all of them, in one round trip; on an open
// connection it is none, unless another node wrote meanwhile.
//
// Errors: [ErrUnavailable] when the store cannot be asked; on a connection also
// [ErrEnded], [ErrRenewed], and [ErrNamespaceEnded] for a namespace that ended
// after it was opened.
func (sc *Scope) Session(ctx context.Context, name string) (*Session, error) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	f := sc.m.spaces[name]
	if f == nil {
		return nil, fmt.Errorf("session: no namespace %q", name)
	}
	p, err := sc.part(f)
	if err != nil {
		return nil, err
	}
	if err := p.load(ctx); err != nil {
		return nil, err
	}
	return p.session(name)
}

// User returns the logged-in user below root ("": the first root, or the
// connection's), and "" for nobody. It loads as [Scope.Session] does.
func (sc *Scope) User(ctx context.Context, root string) (string, error) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	p, err := sc.read(ctx, root)
	if err != nil {
		return "", err
	}
	if p.login != nil {
		return p.login.user, nil
	}
	return p.state.User, nil
}

// ID returns the id of the session below root ("": the first root, or the
// connection's), and "" when the visitor has none. It loads as [Scope.Session]
// does.
func (sc *Scope) ID(ctx context.Context, root string) (string, error) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	p, err := sc.read(ctx, root)
	if err != nil {
		return "", err
	}
	return p.cred.ID, nil
}

// OnSaved runs fn after the changes made so far were saved, before anything is
// sent, in the order of the calls. When nothing is saved, as after an error,
// it never runs.
func (sc *Scope) OnSaved(fn func(context.Context)) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.waiting = append(sc.waiting, fn)
}

// Saved runs what [Scope.OnSaved] collected. For those who call
// [Scope.Commit]: after it returned nil.
func (sc *Scope) Saved(ctx context.Context) {
	sc.mu.Lock()
	fns := sc.waiting
	sc.waiting = nil
	sc.mu.Unlock()
	for _, fn := range fns {
		fn(ctx)
	}
}

// read returns the part of a root, loaded.
func (sc *Scope) read(ctx context.Context, root string) (*part, error) {
	p, err := sc.named(root)
	if err != nil {
		return nil, err
	}
	return p, p.load(ctx)
}

// named returns the part of a root.
func (sc *Scope) named(root string) (*part, error) {
	if root == "" && sc.hold != nil {
		return sc.part(sc.hold.f)
	}
	f, err := sc.m.family(root)
	if err != nil {
		return nil, err
	}
	return sc.part(f)
}

// part returns the part of a family, and reads the family's cookie for it.
func (sc *Scope) part(f *family) (*part, error) {
	for _, p := range sc.parts {
		if p.f == f {
			return p, nil
		}
	}
	p := &part{sc: sc, f: f}
	p.sessions = p.room[:0]
	if sc.hold != nil {
		if sc.hold.f != f {
			return nil, fmt.Errorf("session: this connection holds namespaces of %q, not of %q", sc.hold.f.root.Name, f.root.Name)
		}
		p.cred = sc.hold.cred
	} else if sc.request != nil {
		s, err := sc.m.show(sc.request, f, sc.tokens == f)
		if err != nil {
			return nil, err
		}
		p.cred, p.cookie, p.token = s.cred, s.state, s.token
	}
	if sc.parts == nil {
		sc.parts = sc.room[:0]
	}
	sc.parts = append(sc.parts, p)
	return p, nil
}

// Credential carries out what the scope intends below root ("": the first root),
// as [Scope.Commit] does, and returns the credential that the visitor then has,
// for a connection that this request opens: false when the scope was not asked
// for that root, or there is no session. It costs nothing then. Errors: those of
// Commit.
func (sc *Scope) Credential(ctx context.Context, root string) (Credential, bool, error) {
	sc.mu.Lock()
	f, err := sc.m.family(root)
	if err != nil {
		sc.mu.Unlock()
		return Credential{}, false, err
	}
	var p *part
	for _, q := range sc.parts {
		if q.f == f && q.loaded && sc.hold == nil {
			p = q
		}
	}
	sc.mu.Unlock()
	if p == nil {
		return Credential{}, false, nil
	}
	if err := sc.Commit(ctx); err != nil {
		return Credential{}, false, err
	}
	sc.mu.Lock()
	defer sc.mu.Unlock()
	c := p.cred
	c.fresh = false // its cookie goes with the response of the scope
	return c, c.ID != "", nil
}

// WriteHeader writes what the scope has to say into the header of a response:
// Set-Cookie for a session that is new, was logged in or renewed, or ended;
// Vary and Cache-Control when the response may depend on the session. For those
// who call [Scope.Commit]: after it, before the header goes out.
func (sc *Scope) WriteHeader(h http.Header) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	for _, p := range sc.parts {
		sent := true
		switch {
		case p.send && (hasCookie(h, p.f.cookie.Name) || p.token && h.Get(TokenHeader) != ""):
			// A connection that this response opens has renewed the secret.
			p.send = false
		case p.send:
			hand(h, p.f, p.cred, &p.state)
			p.send = false
		case (p.end && p.cookie != cookieAbsent && !p.token || p.vain() && !sc.dropped) && !hasCookie(h, p.f.cookie.Name):
			clearCookie(h, p.f.cookie)
		default:
			sent = false
		}
		if p.end {
			for _, c := range p.f.root.Companions {
				clearCookie(h, c)
				sent = true
			}
		}
		if sent || p.loaded {
			vary(h, "Cookie")
			if sc.tokens == p.f {
				vary(h, "Authorization")
			}
		}
		// What shows a session, or hands one out, is nobody else's to keep.
		if sent || p.loaded && p.cred.ID != "" && h.Get("Cache-Control") == "" {
			h.Set("Cache-Control", "no-store")
		}
	}
}

// Discard drops what was changed, and intended, and not saved.
func (sc *Scope) Discard() {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.committed, sc.dropped = true, true
	sc.waiting = nil
	for _, p := range sc.parts {
		p.login, p.cycle, p.expiry, p.previous = nil, false, nil, nil
		for _, s := range p.sessions {
			s.drop()
		}
	}
}
