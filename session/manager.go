package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/sessionhub/sessionhub/prefixes"
)

// Options configures a [Manager]. The zero value works within one process.
type Options struct {
	// Ends closes the connections of sessions that end.
	//
	// Defaults to nil: there are no connections to close.
	Ends Ender

	// Events gets what happens to sessions, for an audit log.
	//
	// Defaults to nil: nobody.
	Events Events

	// Address returns the address of a request's client, for the user's list of
	// sessions, which keeps its network: 24 bits of an IPv4 address, 48 of an
	// IPv6 one. An invalid one is not known.
	//
	// Defaults to nil: addresses are not known.
	Address func(*http.Request) netip.Addr

	// Codec, when not nil, turns values into what the store keeps, and back.
	// *seal.Codec encrypts and compresses.
	//
	// Defaults to nil: JSON text.
	Codec Codec

	// Timeout bounds each operation of the store.
	//
	// Defaults to 500 ms.
	Timeout time.Duration

	// Logger gets what nobody waits for. Ids are shortened in it, secrets and
	// values never written.
	//
	// Defaults to [slog.Default].
	Logger *slog.Logger
}

// Ender ends connections. A notice is the text form of an end, as in
// internal/notice. *hub.Hub is one.
type Ender interface {
	// Gate marks the local connections that the notice ends, so that they
	// handle and receive nothing more, and returns how many. It does no I/O.
	Gate(notice string) int

	// Close closes the connections that Gate marked, without waiting.
	Close(notice string)

	// Acks returns how many nodes have marked the connections that the notices
	// end, and how many there are, this one included. It may wait for them, for a
	// bounded time. Without notices it asks nobody: this node, of those that it
	// knew of last.
	Acks(ctx context.Context, notices ...string) (acked, expected int)
}

// ByUser is an [Ender] that also finds connections by their user. *hub.Hub is one.
type ByUser interface {
	// EndUser marks and closes the local connections of a user, but for those of
	// the session except ("": none), and returns how many. It does no I/O.
	EndUser(root, user, except string) int
}

// Expecting is an [Ender] that closes the connections of a session when its time
// is over. *hub.Hub is one.
type Expecting interface {
	// Expect says that a session now ends after left, if nothing slides it.
	Expect(root, id string, left time.Duration)
}

// Manager creates, loads, saves and ends sessions.
type Manager struct {
	registry *prefixes.Registry
	store    Store
	ends     Ender
	events   Events
	address  func(*http.Request) netip.Addr
	codec    Codec
	timeout  time.Duration
	instant  bool // the store waits for nothing, so it needs no timeout
	tells    bool // the store tells of sessions that expire
	log      *slog.Logger
	families []*family          // in the registry's order
	spaces   map[string]*family // by the name of each namespace
	lives    lives
	owed     owed
	done     done
	stats    counters
}

// family is one identity: the root's settings, and the family as stores see it.
type family struct {
	Family
	root   prefixes.Namespace
	cookie prefixes.Cookie

	// all holds what [Manager.EndAll] tried. Nothing is owed for it, and nobody denied.
	all debt
}

// New returns a Manager for the namespaces of reg.
func New(reg *prefixes.Registry, store Store, o Options) *Manager {
	m := &Manager{
		registry: reg,
		store:    store,
		ends:     o.Ends,
		events:   o.Events,
		address:  o.Address,
		codec:    o.Codec,
		timeout:  o.Timeout,
		log:      o.Logger,
		spaces:   make(map[string]*family),
	}
	_, m.instant = store.(Instant)
	m.done.store, _ = store.(Served)
	m.owed.wake = make(chan struct{}, 1)
	if m.ends == nil {
		m.ends = nobody{}
	}
	if m.timeout == 0 {
		m.timeout = 500 * time.Millisecond
	}
	if m.log == nil {
		m.log = slog.Default()
	}
	for _, root := range reg.Roots() {
		f := &family{root: root, cookie: root.Cookie}
		for _, ns := range reg.Family(root.Name) {
			s := Space{Name: ns.Name, Prefix: ns.Prefix, Idle: ns.IdleTimeout, Life: ns.Lifetime}
			// A child that has its root's timeouts follows the root's, also
			// where a login's [Terms] replace them.
			if ns.Parent != "" && s.Idle == root.IdleTimeout {
				s.Idle = 0
			}
			if ns.Parent != "" && s.Life == root.Lifetime {
				s.Life = 0
			}
			f.Spaces = append(f.Spaces, s)
			m.spaces[ns.Name] = f
		}
		m.families = append(m.families, f)
	}
	if s, ok := store.(interface{ OnExpired(func(string, State)) }); ok {
		m.tells = true
		s.OnExpired(func(root string, s State) { m.tellExpired(context.Background(), root, s.ID, s.User) })
	}
	return m
}

// Registry returns the namespaces that m was made for.
func (m *Manager) Registry() *prefixes.Registry { return m.registry }

// Scope returns the sessions of one HTTP request. It asks the store nothing.
func (m *Manager) Scope(r *http.Request) *Scope {
	return &Scope{m: m, request: r}
}

// family returns the family of a root namespace, or the first for "".
func (m *Manager) family(root string) (*family, error) {
	if root == "" {
		return m.families[0], nil
	}
	if f := m.spaces[root]; f != nil && f.root.Name == root {
		return f, nil
	}
	return nil, fmt.Errorf("session: %q is not a root namespace", root)
}

// ClearExpired frees what has expired, and returns how many sessions. A store
// that expires by itself, as Redis does, has nothing to do. A memory store
// need not be asked, since every write frees a little; a program that reads much
// and writes seldom may do so from time to time.
func (m *Manager) ClearExpired(ctx context.Context) (int, error) {
	s, ok := m.store.(interface {
		ClearExpired(context.Context) (int, error)
	})
	if !ok {
		return 0, nil
	}
	return s.ClearExpired(ctx)
}

// Check reports the state of sessions to a hub: whether each id lives, the
// epoch below which its connections are over, how long it is until its
// deadline, and the generation of each of its namespaces. It also notices
// which of the snapshots that open connections read are out of date. The map of
// generations is the next one's when report has returned.
func (m *Manager) Check(ctx context.Context, root string, ids []string,
	report func(id string, alive bool, epoch uint64, left time.Duration, generations map[string]uint64)) error {
	f, err := m.family(root)
	if err != nil {
		return err
	}
	g := make(map[string]uint64, len(f.Spaces))
	err = m.checkEach(ctx, f, ids, func(id string, s *State) {
		if s == nil {
			m.gone(ctx, f, id)
			report(id, false, 0, 0, nil)
			return
		}
		if m.denied(f, Credential{ID: id}, s.User) != nil {
			report(id, false, 0, 0, nil) // its end is owed
			return
		}
		if l := m.lives.get(root, id); l != nil {
			l.compare(s)
		}
		fillGenerations(g, s)
		report(id, true, s.Epoch, s.Left, g)
	})
	if err != nil {
		return fmt.Errorf("check %d sessions: %w", len(ids), err)
	}
	return nil
}

func (m *Manager) checkEach(ctx context.Context, f *family, ids []string, visit func(id string, s *State)) error {
	if s, ok := m.store.(EachChecker); ok {
		return s.CheckEach(ctx, &f.Family, ids, visit)
	}
	states, err := m.store.Check(ctx, &f.Family, ids)
	if err != nil {
		return err
	}
	for i, s := range states {
		visit(ids[i], s)
	}
	return nil
}

// gone notices that a session with open connections ended by time: its end was
// not told, and the deadline that was known here has passed.
func (m *Manager) gone(ctx context.Context, f *family, id string) {
	l := m.lives.get(f.root.Name, id)
	if l == nil || m.tells {
		return
	}
	snap := l.snap.Load()
	if snap != nil && time.Since(snap.at) >= snap.Left && !l.expired.Swap(true) {
		m.tellExpired(ctx, f.root.Name, id, snap.User)
	}
}

func generations(s *State) map[string]uint64 {
	g := make(map[string]uint64, len(s.Spaces))
	fillGenerations(g, s)
	return g
}

func fillGenerations(g map[string]uint64, s *State) {
	for i, sp := range s.Spaces {
		g[s.Family.Spaces[i].Name] = sp.Generation
	}
}

// deadline gives a store operation its own deadline and keeps it going when
// the client leaves: half a logout must not run. The
// memory store looks at no context, and a timer is a tenth of a read from it.
func (m *Manager) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if m.instant {
		return ctx, func() {}
	}
	return context.WithTimeout(context.WithoutCancel(ctx), m.timeout)
}

// Stats are counts since the start, but for Owed.
type Stats struct {
	Created   uint64 // sessions
	Logins    uint64
	Ended     uint64 // by logout, not by time
	Expired   uint64 // as [EventExpired] says
	Saves     uint64
	Refused   uint64 // saves of sessions, or of namespaces, that had ended or were logged in anew
	Malformed uint64 // cookies of a wrong form, or sent twice
	Unknown   uint64 // ids that do not exist: expired, or made up
	Unfit     uint64 // secrets that do not fit a living session
	Corrupt   uint64 // times that values could not be decoded
	OwedDone  uint64 // ends that the store took later than they were asked for
	Unowed    uint64 // ends that it did not take and that were too many to be repeated, of all or of one user
	Denied    uint64 // requests, messages and connections of sessions whose end is owed
	Repeated  uint64 // ends that another server was told again, [Manager.Recover]
	Forgotten uint64 // ends that were too many to be remembered for that as long as they should

	// Owed is how many ends the store has not taken yet. Above 0 an outage is not
	// over.
	Owed int
}

type counters struct {
	created, logins, ended, expired, saves, refused, malformed, unknown, unfit, corrupt,
	owedDone, unowed, denied, repeated atomic.Uint64
}

// Stats returns the counts of m.
func (m *Manager) Stats() Stats {
	c := &m.stats
	return Stats{
		Created: c.created.Load(), Logins: c.logins.Load(), Ended: c.ended.Load(), Expired: c.expired.Load(),
		Saves: c.saves.Load(), Refused: c.refused.Load(), Malformed: c.malformed.Load(),
		Unknown: c.unknown.Load(), Unfit: c.unfit.Load(), Corrupt: c.corrupt.Load(),
		OwedDone: c.owedDone.Load(), Unowed: c.unowed.Load(), Denied: c.denied.Load(),
		Repeated: c.repeated.Load(), Forgotten: m.done.forgotten(), Owed: int(m.owed.waiting.Load()),
	}
}

// refused counts the errors that say a session was over.
func (m *Manager) refused(err error) {
	if errors.Is(err, ErrEnded) || errors.Is(err, ErrRenewed) || errors.Is(err, ErrNamespaceEnded) {
		m.stats.refused.Add(1)
	}
}

// nobody is the [Ender] of a program without connections.
type nobody struct{}

func (nobody) Gate(string) int                            { return 0 }
func (nobody) Close(string)                               {}
func (nobody) Acks(context.Context, ...string) (int, int) { return 1, 1 }
