package memstore

import (
	"cmp"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// policy is what one session has of its own in place of its root's timeouts.
type policy struct {
	terms  session.Terms
	idle   time.Duration // as in [session.Expiry]
	end    instant       // of the expiry; 0: none
	endAt  int64         // the same in Unix milliseconds
	cookie session.Persistence
}

// setPolicy replaces terms and expiry. Its caller then touches the record.
func (r *record) setPolicy(t session.Terms, x session.Expiry, k clock) {
	if t == (session.Terms{}) && x == (session.Expiry{}) {
		r.policy = nil
		return
	}
	r.policy = &policy{terms: t, idle: x.Idle, cookie: x.Cookie}
	if !x.End.IsZero() {
		r.policy.endAt = x.End.UnixMilli()
		r.policy.end = k.instant(time.UnixMilli(r.policy.endAt))
	}
}

func (r *record) terms() session.Terms {
	if r.policy == nil {
		return session.Terms{}
	}
	return r.policy.terms
}

func (r *record) expiry() session.Expiry {
	if r.policy == nil {
		return session.Expiry{}
	}
	x := session.Expiry{Idle: r.policy.idle, Cookie: r.policy.cookie}
	if r.policy.end != 0 {
		x.End = time.UnixMilli(r.policy.endAt)
	}
	return x
}

// timeouts returns those of a namespace. The record's policy stands for the
// root's; a child without timeouts has the root's. Where the session ends at a
// fixed time, the lifetime is the idle timeout.
func (r *record) timeouts(f *session.Family, s session.Space) (idle, life time.Duration) {
	root := f.Root()
	idle, life = root.Idle, root.Life
	if p := r.policy; p != nil {
		life = cmp.Or(p.terms.Life, life)
		idle = cmp.Or(p.terms.Idle, idle)
		if p.end != 0 {
			idle = life
		}
		idle = cmp.Or(p.idle, idle)
	}
	if s.Name == root.Name {
		return idle, life
	}
	return cmp.Or(s.Idle, idle), cmp.Or(s.Life, life)
}
