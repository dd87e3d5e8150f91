package session

import (
	"context"
	"slices"
)

// denied returns the debt that denies what a credential opens to the user that it
// is, nil for none. It costs next to nothing while nothing is owed.
func (m *Manager) denied(f *family, c Credential, user string) *debt {
	if m.owed.waiting.Load() == 0 || c.ID == "" {
		return nil
	}
	d := m.owed.denies(f, c, user)
	if d != nil {
		m.stats.denied.Add(1)
	}
	return d
}

// deniedSpace reports whether a namespace of what a credential opens is denied, if it
// has not ended since.
func (m *Manager) deniedSpace(f *family, c Credential, name string, generation uint64) bool {
	if m.owed.waiting.Load() == 0 || c.ID == "" || !m.owed.deniesSpace(m, f, c, name, generation) {
		return false
	}
	m.stats.denied.Add(1)
	return true
}

// denies returns the debt that denies what a credential opens, nil for none.
func (o *owed) denies(f *family, c Credential, user string) *debt {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if d := o.ofCredential(f, c); d != nil && slices.ContainsFunc(d.aims, aim.endsThis) {
		return d
	}
	for _, d := range o.ids[liveKey{f.root.Name, c.ID}] {
		if slices.ContainsFunc(d.ends, func(e End) bool { return e.ID == c.ID && e.Namespace == "" }) {
			return d
		}
	}
	if user != "" {
		for _, d := range o.users[liveKey{f.root.Name, user}] {
			if d.user != "" && c.ID != d.keep && !d.spared[c.ID] {
				return d
			}
		}
	}
	return nil
}

// ofCredential returns the debt of a credential, nil for none. An id is not secret, so
// there may be thousands that anybody made up for one: they are not searched. The
// caller holds owed.mu.
func (o *owed) ofCredential(f *family, c Credential) *debt {
	if o.unverified == 0 || c.secret == "" {
		return nil
	}
	return o.byKey[credentialKey(f, c)]
}

// deniesSpace reports whether the end of a namespace's generation is owed.
func (o *owed) deniesSpace(m *Manager, f *family, c Credential, name string, generation uint64) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if d := o.ofCredential(f, c); d != nil && slices.ContainsFunc(d.aims, func(a aim) bool {
		return a.target == namespaceTarget && (a.name == name || slices.Contains(m.registry.Below(a.name), name))
	}) {
		return true
	}
	return slices.ContainsFunc(o.ids[liveKey{f.root.Name, c.ID}], func(d *debt) bool {
		return slices.ContainsFunc(d.ends, func(e End) bool {
			return e.ID == c.ID && e.Namespace == name && generation <= e.Generation
		})
	})
}

// spare lets a login of a user in although the end of the sessions that the user
// had is owed.
func (o *owed) spare(f *family, user, id string) {
	o.eachOf(f, user, func(d *debt) { d.spared[id] = true })
}

// unspare is for a login that came to nothing.
func (o *owed) unspare(f *family, user, id string) {
	o.eachOf(f, user, func(d *debt) { delete(d.spared, id) })
}

// eachOf calls do with the debts of all sessions of a user.
func (o *owed) eachOf(f *family, user string, do func(*debt)) {
	if o.waiting.Load() == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range o.users[liveKey{f.root.Name, user}] {
		if d.user != "" {
			do(d)
		}
	}
}

// spares reports whether a session of the user stays.
func (o *owed) spares(d *debt, id string) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return id == d.keep || d.spared[id]
}

// sparesSome reports whether the user has logged in since.
func (o *owed) sparesSome(d *debt) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return len(d.spared) > 0
}

// aimsOf returns what a visitor asked for, what ends the most first: after the end
// of the session the others would find nothing.
func (o *owed) aimsOf(d *debt) []aim {
	o.mu.RLock()
	defer o.mu.RUnlock()
	aims := slices.Clone(d.aims)
	slices.SortStableFunc(aims, func(a, b aim) int { return a.rank() - b.rank() })
	return aims
}

// deny is what load does with a credential whose session's end is owed: to the
// request there is none, and its cookie goes.
func (p *part) deny(d *debt) {
	p.denied = &denial{d, p.cred}
	p.unknown = true
	p.empty()
	p.loaded = true
}

// denial is a credential that was denied, and why.
type denial struct {
	debt *debt
	cred Credential
}

// verified returns whose session it was, if it is known that the secret fits.
func (d *denial) verified() (user string, ok bool) {
	switch {
	case d.debt.user != "": // it was loaded to find that out
		return d.debt.user, true
	case d.debt.shown != "" && d.debt.shown.equal(d.cred.secret):
		return d.debt.ends[0].User, true
	}
	return "", false
}

// refuse returns [ErrEnded] for a save to a session whose end is owed, and
// [ErrNamespaceEnded] for one of a namespace.
func (p *part) refuse(deltas map[string]Delta) error {
	m := p.sc.m
	if m.owed.waiting.Load() == 0 {
		return nil
	}
	user := p.state.User
	if p.sc.hold != nil {
		user = p.sc.hold.user
	}
	if m.denied(p.f, p.cred, user) != nil {
		return ErrEnded
	}
	for name, d := range deltas {
		if m.deniedSpace(p.f, p.cred, name, d.Generation) {
			return ErrNamespaceEnded
		}
	}
	return nil
}

// logoutAgain answers a visitor whose session's end is owed and who asks for it
// again, or for more.
func (p *part) logoutAgain(ctx context.Context, a aim) (Result, error) {
	m := p.sc.m
	p.end = p.end || a.endsThis()
	user, ok := p.denied.verified()
	switch {
	case !ok:
		return m.owe(ctx, m.debtOfCredential(p.f, p.denied.cred, a), ErrUnavailable)
	case user != "" && (a.target == All || a.target == Others):
		return m.owe(ctx, m.debtOfUser(p.f, user, "", WhyLogout, user, nil), ErrUnavailable)
	}
	if a.target == oneTarget && a.name != p.denied.cred.ID {
		if user == "" {
			return Result{}, errNobody
		}
		return m.owe(ctx, m.debtOfOne(p.f, user, a.name), ErrUnavailable)
	}
	return m.unconfirmed(ctx)
}

// unconfirmed is the answer to who asks for an end that is owed already.
func (m *Manager) unconfirmed(ctx context.Context) (r Result, err error) {
	r.NodesAcked, r.NodesExpected = m.alone(ctx)
	return r, stillOwed(ErrUnavailable)
}

// tries reports whether a session that the store has no more ended with others of its
// user, which the store did not confirm. It looks at all that is owed.
func (o *owed) tries(f *family, id string) bool {
	if o.waiting.Load() == 0 {
		return false
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	for _, d := range o.byKey {
		if d.f == f && d.tried != nil {
			if _, ok := d.tried.logins[id]; ok {
				return true
			}
		}
	}
	return false
}
