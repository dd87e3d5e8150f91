package sessiontest

import (
	"maps"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// model is one session of the suite's family as the contract describes it, in
// the plainest way: it keeps when things happened and works out the rest. It
// knows no limits. It is a value: a step returns another one.
type model struct {
	now    time.Duration // since the beginning of the test
	alive  bool
	nonce  string
	epoch  uint64
	user   string
	login  time.Duration // of the user
	label  label
	hash   session.Hash
	former former
	terms  session.Terms
	expiry expiry
	dated  time.Duration // when the expiry was set
	active time.Duration // the last activity
	start  time.Duration // of the lifetime
	spaces map[string]space
	done   map[string]bool // ops that were carried out
}

// label is what a session's owner sees of it.
type label struct{ device, address string }

// former is the secret before the current one.
type former struct {
	hash    session.Hash
	kind    session.Match
	counted bool          // the grace period has begun
	from    time.Duration // then
}

// space is one namespace.
type space struct {
	generation, version uint64
	begun               bool
	start, active       time.Duration
	values              map[string]string
}

// names are the namespaces of the family.
var names = [...]string{"main", "chat", "cart", "code"}

// operation is one call of a store. One of the pointers is set, or pass.
type operation struct {
	create *session.Create
	load   *session.Load
	save   *session.Save
	login  *session.Elevation
	end    *session.End
	pass   time.Duration

	// until is the end of the expiry that is created, saved or logged in with,
	// after the call. 0: it has none.
	until time.Duration
}

// step returns the session after op, and the answer of op.
func (m model) step(op operation) (model, answer) {
	if op.pass > 0 {
		m.now += op.pass
		return m, answer{}
	}
	m = m.settled()
	switch {
	case op.create != nil:
		return m.created(*op.create, op.until)
	case op.load != nil:
		return m.loaded(*op.load)
	case op.save != nil:
		return m.saved(*op.save, op.until)
	case op.login != nil:
		return m.elevated(*op.login, op.until)
	default:
		return m.ended(*op.end)
	}
}

// instant is a moment of the test as a time, which is not the zero one.
func instant(d time.Duration) time.Time { return time.Unix(0, 0).Add(d) }

// record is the whole session, as loaded, with the namespaces in the order of
// names.
func (m model) record() session.Record {
	rec := session.Record{Match: session.MatchCurrent, State: session.State{
		Epoch: m.epoch, User: m.user, Device: m.label.device, Address: m.label.address, Hash: m.hash,
		Now: instant(m.now), Left: m.deadline("main") - m.now, Life: m.end() - m.now,
		Terms: m.terms, Expiry: m.expiry.Expiry,
	}}
	if m.user != "" {
		rec.Authenticated = instant(m.login)
	}
	if m.expiry.until != 0 {
		rec.Expiry.End = instant(m.dated + m.expiry.until)
	}
	for _, name := range names {
		p := m.spaces[name]
		st := session.SpaceState{Generation: p.generation, Version: p.version}
		if p.begun {
			st.Deadline = instant(m.deadline(name))
		}
		rec.Spaces, rec.Values = append(rec.Spaces, st), append(rec.Values, session.NewValues(p.values))
	}
	return rec
}

func (m model) created(c session.Create, until time.Duration) (model, answer) {
	if m.alive {
		if m.nonce == c.Nonce {
			return m, answer{rec: m.record()}
		}
		return m, answer{err: session.ErrExists}
	}
	n := model{
		now: m.now, alive: true, nonce: c.Nonce, epoch: 1, user: c.User, login: m.now, label: label{c.Device, c.Address},
		hash: c.Hash, terms: c.Terms, expiry: expiry{c.Expiry, until}, dated: m.now,
		active: m.now, start: m.now, spaces: map[string]space{},
	}
	n, err := n.changed(c.Deltas)
	if err != nil {
		return m, answer{err: err}
	}
	return n, answer{rec: n.record()}
}

func (m model) loaded(l session.Load) (model, answer) {
	if !m.alive {
		return m, answer{err: session.ErrNotFound}
	}
	match := session.MatchCurrent
	if l.Hash != "" {
		m, match = m.match(l.Hash)
	}
	if match != session.MatchCurrent && match != session.MatchRenewed {
		return m, answer{rec: session.Record{Match: match}}
	}
	m = m.slid(l.Slide)
	rec := m.record()
	rec.Match = match
	return m, answer{rec: rec}
}

// match says how a hash fits.
func (m model) match(h session.Hash) (model, session.Match) {
	if h == m.hash {
		if !m.former.counted {
			m.former.counted, m.former.from = true, m.now
		}
		return m, session.MatchCurrent
	}
	grace := session.RenewGrace
	if m.former.kind == session.MatchElevated {
		grace = session.ElevateGrace
	}
	if h == m.former.hash && (!m.former.counted || m.now < m.former.from+grace) {
		return m, m.former.kind
	}
	return m, session.MatchNone
}

func (m model) saved(s session.Save, until time.Duration) (model, answer) {
	switch {
	case !m.alive:
		return m, answer{err: session.ErrEnded}
	case m.done[s.Op]:
		return m, answer{rec: m.record()}
	case m.epoch != s.Epoch:
		return m, answer{err: session.ErrRenewed}
	}
	n := m.slid(s.Slide)
	if s.Expiry != nil {
		n = m.expiring(expiry{*s.Expiry, until})
	}
	n, err := n.changed(s.Deltas)
	if err != nil {
		return m, answer{rec: m.record(), err: err}
	}
	if s.Renew.New != "" && s.Renew.Old == n.hash {
		n.former = former{hash: n.hash, kind: session.MatchRenewed}
		n.hash = s.Renew.New
	}
	n = n.carriedOut(s.Op)
	return n, answer{rec: n.record()}
}

func (m model) elevated(l session.Elevation, until time.Duration) (model, answer) {
	switch {
	case !m.alive:
		return m, answer{err: session.ErrEnded}
	case m.epoch == l.Epoch+1 && m.hash == l.Hash:
		return m, answer{rec: m.record()}
	case m.epoch != l.Epoch:
		return m, answer{err: session.ErrRenewed}
	}
	n, err := m.changed(l.Deltas)
	if err != nil {
		return m, answer{rec: m.record(), err: err}
	}
	n.former = former{hash: n.hash, kind: session.MatchElevated, counted: true, from: n.now}
	n.hash = l.Hash
	n.epoch++
	n = n.carriedOut(l.Op).slid(session.SlideAlways)
	if !l.Keep {
		n.user, n.login, n.label, n.terms = l.User, n.now, label{l.Device, l.Address}, l.Terms
		n = n.expiring(expiry{l.Expiry, until}).anew()
	}
	return n, answer{rec: n.record(), notice: l.Notice}
}

func (m model) carriedOut(op string) model {
	m.done = maps.Clone(m.done)
	if m.done == nil {
		m.done = map[string]bool{}
	}
	if op != "" {
		m.done[op] = true
	}
	return m
}

func (m model) ended(e session.End) (model, answer) {
	switch p := m.spaces[e.Namespace]; {
	case !m.alive:
	case e.User != "" && e.User != m.user:
		return m, answer{}
	case e.Namespace == "":
		m = model{now: m.now}
	case p.generation <= e.Generation:
		m = m.with(e.Namespace, space{generation: e.Generation + 1})
	}
	return m, answer{notice: e.Notice}
}
