package sessiontest

import (
	"maps"
	"slices"
	"strconv"
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
	hash   session.Hash
	former former
	terms  session.Terms
	active time.Duration // the last activity
	start  time.Duration // of the lifetime
	spaces map[string]space
	done   map[string]bool // ops that were carried out
}

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

// operation is one call of a store. One of its fields is set.
type operation struct {
	create *session.Create
	load   *session.Load
	save   *session.Save
	login  *session.Elevation
	end    *session.End
	pass   time.Duration
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
		return m.create(*op.create)
	case op.load != nil:
		return m.load(*op.load)
	case op.save != nil:
		return m.save(*op.save)
	case op.login != nil:
		return m.login(*op.login)
	default:
		return m.end(*op.end)
	}
}

// idle and life are the timeouts of a namespace, by the terms.
func (m model) idle(name string) time.Duration {
	switch {
	case name == "chat":
		return chatIdle
	case name == "code":
		return codeIdle
	case m.terms.Idle > 0:
		return m.terms.Idle
	}
	return mainIdle
}

func (m model) life(name string) time.Duration {
	switch {
	case name == "chat":
		return chatLife
	case name == "code":
		return codeLife
	case m.terms.Life > 0:
		return m.terms.Life
	}
	return mainLife
}

// deadline is when the session, or a namespace of it, is over.
func (m model) deadline(name string) time.Duration {
	root := min(m.active+m.idle("main"), m.start+m.life("main"))
	if name == "main" {
		return root
	}
	p := m.spaces[name]
	return min(root, p.active+m.idle(name), p.start+m.life(name))
}

// settled returns the session without what is over by now.
func (m model) settled() model {
	if m.alive && m.now >= m.deadline("main") {
		return model{now: m.now}
	}
	for _, name := range names {
		if p := m.spaces[name]; p.begun && m.now >= m.deadline(name) {
			m = m.with(name, space{generation: p.generation + 1})
		}
	}
	return m
}

// with returns the session with another namespace.
func (m model) with(name string, p space) model {
	m.spaces = maps.Clone(m.spaces)
	m.spaces[name] = p
	return m
}

// due says whether SlideDue slides.
func (m model) due() bool {
	shortest := m.idle("main")
	for name, p := range m.spaces {
		if p.begun {
			shortest = min(shortest, m.idle(name))
		}
	}
	return m.now-m.active >= shortest/10
}

// slid returns the session after activity.
func (m model) slid(s session.Slide) model {
	if s == session.SlideNever || s == session.SlideDue && !m.due() {
		return m
	}
	m.active = m.now
	for _, name := range names {
		p := m.spaces[name]
		p.active = m.now
		m = m.with(name, p)
	}
	return m
}

// anew returns the session with all its lifetimes beginning now.
func (m model) anew() model {
	m.start = m.now
	for _, name := range names {
		p := m.spaces[name]
		p.start = m.now
		m = m.with(name, p)
	}
	return m
}

// record is the whole session, as loaded.
func (m model) record() session.Record {
	rec := session.Record{Match: session.MatchCurrent, Values: map[string]map[string]string{}, State: session.State{
		Epoch: m.epoch, User: m.user, Hash: m.hash, Terms: m.terms,
		Left: m.deadline("main") - m.now, Life: m.start + m.life("main") - m.now,
		Spaces: map[string]session.SpaceState{},
	}}
	for _, name := range names {
		p := m.spaces[name]
		st := session.SpaceState{Generation: p.generation, Version: p.version}
		if p.begun {
			st.Left = m.deadline(name) - m.now
		}
		rec.Spaces[name], rec.Values[name] = st, p.values
	}
	return rec
}

func (m model) create(c session.Create) (model, answer) {
	if m.alive {
		if m.nonce == c.Nonce {
			return m, answer{rec: m.record()}
		}
		return m, answer{err: session.ErrExists}
	}
	n := model{
		now: m.now, alive: true, nonce: c.Nonce, epoch: 1, user: c.User, hash: c.Hash, terms: c.Terms,
		active: m.now, start: m.now, spaces: map[string]space{},
	}
	n, err := n.changed(c.Deltas)
	if err != nil {
		return m, answer{err: err}
	}
	return n, answer{rec: n.record()}
}

func (m model) load(l session.Load) (model, answer) {
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

func (m model) save(s session.Save) (model, answer) {
	switch {
	case !m.alive:
		return m, answer{err: session.ErrEnded}
	case m.done[s.Op]:
		return m, answer{rec: m.record()}
	case m.epoch != s.Epoch:
		return m, answer{err: session.ErrRenewed}
	}
	n, err := m.slid(s.Slide).changed(s.Deltas)
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

func (m model) login(l session.Elevation) (model, answer) {
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
	n.hash, n.user, n.terms = l.Hash, l.User, l.Terms
	n.epoch++
	n = n.carriedOut(l.Op).slid(session.SlideAlways).anew()
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

func (m model) end(e session.End) (model, answer) {
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

// changed returns the session with the deltas applied, all or none.
func (m model) changed(ds map[string]session.Delta) (model, error) {
	for name, d := range ds {
		if m.spaces[name].generation != d.Generation {
			return m, session.ErrNamespaceEnded
		}
	}
	for _, name := range slices.Sorted(maps.Keys(ds)) {
		p := m.spaces[name]
		values, err := apply(p.values, ds[name])
		if err != nil {
			return m, err
		}
		if !p.begun {
			p.begun, p.start, p.active = true, m.now, m.now
		}
		p.values = values
		p.version++
		m = m.with(name, p)
	}
	return m, nil
}

// apply returns values with a delta applied.
func apply(values map[string]string, d session.Delta) (map[string]string, error) {
	next := map[string]string{}
	if !d.Clear {
		maps.Copy(next, values)
	}
	for _, k := range d.Delete {
		delete(next, k)
	}
	maps.Copy(next, d.Set)
	for k, n := range d.Add {
		old := 0
		if text, ok := next[k]; ok {
			var err error
			if old, err = strconv.Atoi(text); err != nil {
				return nil, session.ErrType
			}
		}
		next[k] = strconv.Itoa(old + int(n))
	}
	for k, s := range d.Swap {
		old, ok := next[k]
		if ok != (s.Old != nil) || ok && old != *s.Old {
			return nil, session.ErrConflict
		}
		if delete(next, k); s.New != nil {
			next[k] = *s.New
		}
	}
	return next, nil
}
