package memstore

import "time"

// recent remembers keys for a fixed time, for a [Store], whose shard's
// lock guards it. It forgets them by the generation, without looking at them:
// what is over stays for at most as long again.
type recent[K comparable] struct {
	young, old map[K]instant // until when
	turns      instant       // when the young become the old
}

// has reports whether a key is remembered.
func (m *recent[K]) has(k K, now instant) bool {
	until, ok := m.young[k]
	if !ok && len(m.old) > 0 {
		until, ok = m.old[k]
	}
	return ok && now < until
}

// add remembers a key, for no longer than span, which is the same for all keys.
func (m *recent[K]) add(k K, until, now instant, span time.Duration) {
	m.turn(now, span)
	if m.young == nil {
		m.young = make(map[K]instant)
		m.turns = now.add(span)
	}
	m.young[k] = until
}

// turn forgets what is over when it is time to.
func (m *recent[K]) turn(now instant, span time.Duration) {
	if len(m.young)+len(m.old) == 0 || now < m.turns {
		return
	}
	m.old, m.young = m.young, nil
	if now >= m.turns.add(span) {
		m.old = nil
	}
	m.turns = now.add(span)
}

// len returns how many keys it has, with those that are over and not forgotten
// yet.
func (m *recent[K]) len() int { return len(m.young) + len(m.old) }
