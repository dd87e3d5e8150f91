package session

import "time"

// opMemory remembers for [OpMemory] which saves were carried out, for a
// [MemoryStore], whose lock guards it. All are remembered equally long, so
// they are forgotten in the order in which they came.
type opMemory struct {
	until map[opKey]time.Time
	queue []opKey
}

// opKey names a save of one record.
type opKey struct {
	record recordKey
	op     string
}

// has reports whether a save was carried out already. The empty op is that of
// a save without deltas, which may as well be carried out again.
func (m *opMemory) has(k opKey, now time.Time) bool {
	until, ok := m.until[k]
	return ok && now.Before(until)
}

func (m *opMemory) add(k opKey, now time.Time) {
	if k.op == "" {
		return
	}
	if m.until == nil {
		m.until = make(map[opKey]time.Time)
	}
	m.until[k] = now.Add(OpMemory)
	m.queue = append(m.queue, k)
}

// sweep forgets a few of those whose time is over.
func (m *opMemory) sweep(now time.Time) {
	for range min(sweepPerWrite, len(m.queue)) {
		k := m.queue[0]
		if m.has(k, now) {
			return
		}
		delete(m.until, k)
		m.queue[0] = opKey{} // the array outlives it
		m.queue = m.queue[1:]
	}
}
