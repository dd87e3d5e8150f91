package session

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Info is what a list of sessions shows of one.
type Info struct {
	ID            string        `json:"id"`
	User          string        `json:"user"`
	Created       time.Time     `json:"created"`
	Authenticated time.Time     `json:"authenticated"` // the last login
	Seen          time.Time     `json:"seen"`          // the last activity, give or take a tenth of the idle timeout
	Left          time.Duration `json:"left"`          // until it ends, if nothing happens; in JSON nanoseconds
	Device        string        `json:"device"`        // as in "Firefox on Linux", at the login
	Address       string        `json:"address"`       // the network of the client, as in "192.0.2.0/24", at the login
	Namespaces    []string      `json:"namespaces"`    // those written since they last ended, sorted
	Current       bool          `json:"current"`       // it is the one that asks
	Connections   int           `json:"connections"`   // open at the moment, on all nodes that answered in time
}

// Connected is an [Ender] that can also tell how many connections sessions have
// open, on all nodes. *hub.Hub is one.
type Connected interface {
	// Connections returns the number of open connections by id. With an error
	// it returns what is known: not all nodes have answered in time.
	Connections(ctx context.Context, root string, ids []string) (map[string]int, error)
}

// List returns the sessions of the user of ctx below the first root. Its costs
// and errors are those of [Scope.List], and [ErrNoScope].
func List(ctx context.Context) ([]Info, error) {
	sc := FromContext(ctx)
	if sc == nil {
		return nil, ErrNoScope
	}
	return sc.List(ctx, "")
}

// List returns the living sessions of the scope's user below root ("": the
// first root, or the connection's), and none for an anonymous visitor. Its costs
// and errors are those of [Manager.Sessions], besides the load.
func (sc *Scope) List(ctx context.Context, root string) ([]Info, error) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	p, err := sc.read(ctx, root)
	if err != nil || p.state.User == "" {
		return nil, err
	}
	list, err := sc.m.Sessions(ctx, p.f.root.Name, p.state.User)
	for i := range list {
		list[i].Current = list[i].ID == p.cred.ID
	}
	return list, err
}

// Sessions returns the living sessions of a user below root ("": the first
// root), the oldest login first. Two round trips, and a question to all nodes
// for their connections. What the index lists in vain is taken out of it, unless
// it is so young that its login may still be under way. Errors:
// [ErrUnavailable].
func (m *Manager) Sessions(ctx context.Context, root, user string) ([]Info, error) {
	f, err := m.family(root)
	if err != nil {
		return nil, err
	}
	states, err := m.ofUser(ctx, f, user)
	if err != nil || len(states) == 0 {
		return nil, err
	}
	list, ids := make([]Info, len(states)), make([]string, len(states))
	for i, s := range states {
		list[i], ids[i] = info(f, &s), s.ID
	}
	if c, ok := m.ends.(Connected); ok {
		// Not more than one question can name; who has more has lost count.
		ids = ids[len(ids)-min(len(ids), 1000):]
		open, err := c.Connections(ctx, f.root.Name, ids)
		if err != nil {
			m.log.Warn("count the connections of a user's sessions", "error", err)
		}
		for i := range list {
			list[i].Connections = open[list[i].ID]
		}
	}
	return list, nil
}

// Lookup returns one session below root ("": the first root), and false when
// there is none, without counting as activity. One round trip, and a question
// to all nodes for its connections. Errors: [ErrUnavailable].
func (m *Manager) Lookup(ctx context.Context, root, id string) (Info, bool, error) {
	f, err := m.family(root)
	if err != nil {
		return Info{}, false, err
	}
	s, err := m.check(ctx, f, id)
	if err != nil || s == nil {
		return Info{}, false, err
	}
	one := info(f, s)
	if c, ok := m.ends.(Connected); ok {
		open, err := c.Connections(ctx, f.root.Name, []string{id})
		if err != nil {
			m.log.Warn("count the connections of a session", "error", err)
		}
		one.Connections = open[id]
	}
	return one, true, nil
}

// Exists reports whether a session lives, without counting as activity. One
// round trip. Errors: [ErrUnavailable].
func (m *Manager) Exists(ctx context.Context, root, id string) (bool, error) {
	f, err := m.family(root)
	if err != nil {
		return false, err
	}
	s, err := m.check(ctx, f, id)
	return s != nil, err
}

// check returns the state of one session, nil when it does not live.
func (m *Manager) check(ctx context.Context, f *family, id string) (*State, error) {
	ctx, cancel := m.deadline(ctx)
	defer cancel()
	states, err := m.store.Check(ctx, &f.Family, []string{id})
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", Short(id), err)
	}
	return states[0], nil
}

func info(f *family, s *State) Info {
	i := Info{
		ID: s.ID, User: s.User, Created: s.Created, Authenticated: s.Authenticated, Seen: s.Seen,
		Left: s.Left, Device: s.Device, Address: s.Address,
	}
	for n, sp := range f.Spaces {
		if s.Spaces[n].Version > 0 {
			i.Namespaces = append(i.Namespaces, sp.Name)
		}
	}
	slices.Sort(i.Namespaces)
	return i
}

// ofUser returns the states of a user's living sessions, the oldest login
// first.
func (m *Manager) ofUser(ctx context.Context, f *family, user string) ([]State, error) {
	lctx, cancel := m.deadline(ctx)
	defer cancel()
	listed, err := m.store.Listed(lctx, &f.Family, user)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	states, err := m.owned(ctx, f, user, listed)
	slices.SortFunc(states, func(a, b State) int {
		return cmp.Or(a.Authenticated.Compare(b.Authenticated), strings.Compare(a.ID, b.ID))
	})
	return states, err
}

// owned returns the states of those listed ids that live and are the user's.
func (m *Manager) owned(ctx context.Context, f *family, user string, listed []Listing) ([]State, error) {
	var owned []State
	for some := range slices.Chunk(listed, atOnce) {
		states, err := m.ownedOf(ctx, f, user, some)
		if err != nil {
			return nil, err
		}
		owned = append(owned, states...)
	}
	return owned, nil
}

// atOnce is how many sessions an operation of the store is asked about: as many
// as it has done with well within its deadline.
const atOnce = 500

func (m *Manager) ownedOf(ctx context.Context, f *family, user string, listed []Listing) ([]State, error) {
	cctx, cancel := m.deadline(ctx)
	defer cancel()
	ids := make([]string, len(listed))
	for i, l := range listed {
		ids[i] = l.ID
	}
	states, err := m.store.Check(cctx, &f.Family, ids)
	if err != nil {
		return nil, fmt.Errorf("check sessions: %w", err)
	}
	var (
		owned []State
		vain  []string
	)
	for i, s := range states {
		switch {
		case s != nil && s.User == user:
			owned = append(owned, *s)
		case listed[i].Age > unlistAge:
			vain = append(vain, ids[i])
			if s == nil && !m.tells {
				// An end takes its id out of the list: this one ended by time.
				m.tellExpired(ctx, f.root.Name, ids[i], user)
			}
		}
	}
	if len(vain) > 0 {
		if err := m.store.Unlist(cctx, &f.Family, user, unlistAge, vain); err != nil {
			m.log.Warn("tidy the list of a user's sessions", "error", err)
		}
	}
	return owned, nil
}

// unlistAge is longer than a login takes from its listing to its end.
const unlistAge = time.Minute
