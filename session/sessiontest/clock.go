package sessiontest

import (
	"maps"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// idle and life are the timeouts of a namespace, by the expiry and the terms.
func (m model) idle(name string) time.Duration {
	switch {
	case name == "chat":
		return chatIdle
	case name == "code":
		return codeIdle
	case m.expiry.Idle != 0:
		return m.expiry.Idle
	case m.expiry.until != 0:
		return m.life("main")
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

// end is when the session is over whatever the activity.
func (m model) end() time.Duration {
	end := m.start + m.life("main")
	if m.expiry.until != 0 {
		end = min(end, m.dated+m.expiry.until)
	}
	return end
}

// deadline is when the session, or a namespace of it, is over.
func (m model) deadline(name string) time.Duration {
	root := min(m.active+m.idle("main"), m.end())
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

// expiring returns the session with another expiry, which is activity.
func (m model) expiring(e expiry) model {
	m.expiry, m.dated = e, m.now
	return m.slid(session.SlideAlways)
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
