package sessiontest

import (
	"maps"
	"slices"
	"strconv"

	"github.com/sessionhub/sessionhub/session"
)

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
