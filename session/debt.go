package session

import (
	"cmp"
	"container/list"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// debt is an end that the store did not take.
type debt struct {
	f   *family
	key string // the same for the same end
	pay func(ctx context.Context) error

	ends []End      // what is denied: these sessions and namespaces,
	user string     // or all sessions of this user
	keep string     // but this one,
	cred Credential // or what this very credential opens

	of  string // the user whose sessions are to end, where it is known
	one string // the id of the only one, if it is the user's

	// tried is what the store was asked to carry out and did not confirm. It may have
	// done so: then it lists these sessions no more, and they have to be asked for by
	// their ids, for replicas or another server may lack their ends. It never changes,
	// but is replaced; guarded by owed.mu.
	tried *order

	shown  secret          // that asked for ends; empty: somebody else did
	spared map[string]bool // ids of the user, logged in to later; guarded by owed.mu
	aims   []aim           // of cred; guarded by owed.mu

	asked int           // how often; guarded by owed.mu
	place *list.Element // guarded by owed.mu

	paying chan struct{} // holds a token while somebody does
}

// endsBut reports whether d ends sessions but for one, too.
func (d *debt) endsBut(id string) bool {
	return d.user != "" || d.one != "" && d.one != id ||
		slices.ContainsFunc(d.ends, func(e End) bool { return e.ID != id })
}

// settle carries out a debt, and forgets it then, if it was not asked for again
// meanwhile. Who comes while somebody else does waits for that: no end is told twice.
func (m *Manager) settle(ctx context.Context, d *debt) error {
	d.paying <- struct{}{}
	defer func() { <-d.paying }()
	asked, open := m.owed.askedFor(d)
	if !open {
		return nil
	}
	err := d.pay(ctx)
	if away(err) {
		m.owed.postpone(d)
		return err
	}
	if err != nil {
		m.log.Error("an end that was owed cannot be carried out", "root", d.f.root.Name, "error", err)
	}
	m.stats.owedDone.Add(1)
	if n, took := m.owed.remove(d, asked); n > 0 {
		m.log.Info("the store took all ends that were owed", "ends", n, "took", took)
	}
	return nil
}

// settleAll carries out debts before an answer says that nothing is left: the store
// lists no session any more that it ended without confirming it.
func (m *Manager) settleAll(ctx context.Context, debts []*debt) error {
	for _, d := range debts {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.settle(ctx, d); err != nil {
			return stillOwed(err)
		}
	}
	return nil
}

// debtOf returns what is owed of an order.
func (m *Manager) debtOf(o *order) *debt {
	// Ids and secrets may be parts of a request's header, which need not be kept.
	late := &order{f: o.f, ends: slices.Clone(o.ends), why: o.why, by: o.by, logins: make(map[string]time.Time)}
	var key strings.Builder
	key.WriteString("ends")
	for i := range late.ends {
		e := &late.ends[i]
		e.ID = strings.Clone(e.ID)
		key.WriteString(" " + e.Notice)
		if login, ok := o.logins[e.ID]; ok {
			late.logins[e.ID] = login
			fmt.Fprintf(&key, " %d", login.UnixNano())
		}
	}
	return &debt{
		f: o.f, key: key.String(), ends: late.ends, tried: late, shown: secret(strings.Clone(string(o.shown))),
		of:  late.ends[0].User,
		pay: func(ctx context.Context) error { _, err := m.endLate(ctx, late); return err },
	}
}

// with returns an order of what two are of together, of whole sessions. Of a session
// in both the later order, more, says who was logged in to it.
func (o *order) with(more *order) *order {
	if o == nil || more == nil {
		return cmp.Or(o, more)
	}
	both := *more
	both.ends, both.logins = slices.Clone(more.ends), maps.Clone(more.logins)
	for _, e := range o.ends {
		if _, ok := more.logins[e.ID]; !ok {
			both.ends = append(both.ends, e)
			both.logins[e.ID] = o.logins[e.ID]
		}
	}
	return &both
}

// endTried carries out what was tried of d, and forgets it then.
func (m *Manager) endTried(ctx context.Context, d *debt) error {
	for {
		o := m.owed.triedOf(d)
		if o == nil {
			return nil
		}
		if _, err := m.endLate(ctx, o); err != nil {
			return err
		}
		m.owed.ended(d, o)
	}
}

// endLate carries out an order that had to wait. A session that was logged in to
// meanwhile is another one's by now.
func (m *Manager) endLate(ctx context.Context, o *order) (Result, error) {
	ids := make([]string, len(o.ends))
	for i, e := range o.ends {
		ids[i] = e.ID
	}
	cctx, cancel := m.deadline(ctx)
	defer cancel()
	states, err := m.store.Check(cctx, &o.f.Family, ids)
	if err != nil {
		return Result{}, fmt.Errorf("check %d sessions: %w", len(ids), err)
	}
	late := *o
	late.ends = nil
	for i, e := range o.ends {
		if s := states[i]; s != nil {
			login, known := o.logins[e.ID]
			if known && !s.Authenticated.Equal(login) {
				continue
			}
			if e.User == "" {
				e.User = s.User
			}
		}
		late.ends = append(late.ends, e)
	}
	if len(late.ends) == 0 {
		return Result{}, nil
	}
	return m.carryOut(ctx, &late)
}

// debtOfUser returns what is owed of the end of a user's sessions, of which some may
// have been tried.
func (m *Manager) debtOfUser(f *family, user, except string, why Why, by string, tried *order) *debt {
	d := &debt{f: f, user: user, of: user, keep: strings.Clone(except), tried: tried, spared: make(map[string]bool)}
	d.key = fmt.Sprintf("user %s %q %s", f.root.Name, user, except)
	d.pay = func(ctx context.Context) error {
		if err := m.endTried(ctx, d); err != nil {
			return err
		}
		_, o, err := m.carryOutUser(ctx, f, user, why, by, func(id string) bool { return m.owed.spares(d, id) })
		if away(err) {
			m.owed.try(d, o)
		}
		return err
	}
	return d
}

// debtOfOne returns what is owed of the end of another session of a user, if it is
// one. Where it has connections here that is known, else only the store can say.
func (m *Manager) debtOfOne(f *family, user, id string) *debt {
	id = strings.Clone(id)
	d := &debt{f: f, key: fmt.Sprintf("one %s %q %s", f.root.Name, user, id), of: user, one: id}
	if l := m.lives.get(f.root.Name, id); l != nil {
		if snap := l.snap.Load(); snap != nil && snap.User == user {
			e := End{ID: id, User: user}
			e.Notice = f.notice(e)
			d.ends = []End{e}
		}
	}
	d.pay = func(ctx context.Context) error {
		if err := m.endTried(ctx, d); err != nil {
			return err
		}
		s, err := m.check(ctx, f, id)
		if err != nil || s == nil || s.User != user {
			return err
		}
		o := f.order(WhyLogout, user, s)
		_, err = m.carryOut(ctx, o)
		if away(err) {
			m.owed.try(d, o)
		}
		return err
	}
	return d
}

// debtOfCredential returns what is owed of a logout whose secret could not be
// verified. The store is asked first whether it fits.
func (m *Manager) debtOfCredential(f *family, c Credential, a aim) *debt {
	c.ID, c.secret = strings.Clone(c.ID), secret(strings.Clone(string(c.secret)))
	a.name = strings.Clone(a.name)
	d := &debt{f: f, cred: c, aims: []aim{a}}
	d.key = credentialKey(f, c)
	d.pay = func(ctx context.Context) error { return m.logoutLate(ctx, d) }
	return d
}

// credentialKey is the key of the debt of a credential.
func credentialKey(f *family, c Credential) string {
	return "credential " + f.root.Name + " " + c.ID + " " + string(c.secret.hash())
}

// logoutLate carries out what a visitor asked for whose secret could not be
// verified then. One that a login replaced meanwhile opens nothing any more, and
// what the login began is not what was to end.
func (m *Manager) logoutLate(ctx context.Context, d *debt) error {
	lctx, cancel := m.deadline(ctx)
	defer cancel()
	rec, err := m.store.Load(lctx, &d.f.Family, d.cred.ID, Load{Hash: d.cred.secret.hash()})
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrCorrupt):
		return nil
	case err != nil:
		return fmt.Errorf("load %s: %w", Short(d.cred.ID), err)
	case rec.Match != MatchCurrent && rec.Match != MatchRenewed:
		m.stats.unfit.Add(1)
		return nil
	}
	for _, a := range m.owed.aimsOf(d) {
		p := &part{sc: &Scope{m: m}, f: d.f, cred: d.cred, loaded: true, state: rec.State}
		// Verified now, it may be owed as that.
		if _, err := p.logout(ctx, a); away(err) && !errors.Is(err, ErrOwed) {
			return err
		}
		if a.target == All {
			break // that was everything
		}
	}
	return nil
}
