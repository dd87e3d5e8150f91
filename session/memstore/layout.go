package memstore

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sessionhub/sessionhub/session"
)

// layout is where the records of a root have the namespaces of a family: in the
// order of the first family that the root was asked for with, and behind those
// what others have besides.
type layout struct {
	root   *root
	family *session.Family
	at     []int // the places of its namespaces; nil: the first ones, in the same order
	size   int   // more than the last of these places
}

// fits reports whether a family has the same namespaces in the same order.
func (l *layout) fits(f *session.Family) bool {
	return l.family == f || slices.EqualFunc(l.family.Spaces, f.Spaces, func(a, b session.Space) bool { return a.Name == b.Name })
}

// place returns the place in records of a family's namespace.
func (l *layout) place(i int) int {
	if l.at == nil {
		return i
	}
	return l.at[i]
}

// layouts are a copy-on-write list: there are few, and they stay.
type layouts struct {
	list  atomic.Pointer[[]*layout]
	mu    sync.Mutex // held to make another list, and guards the following field
	names map[*root][]string
}

func (x *layouts) all() []*layout {
	if list := x.list.Load(); list != nil {
		return *list
	}
	return nil
}

// of returns the layout of a family, and makes it, and the root, the first time.
func (x *layouts) of(f *session.Family) *layout {
	for _, l := range x.all() {
		if l.fits(f) {
			return l
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	list := x.all()
	var m *root
	for _, l := range list {
		if l.fits(f) {
			return l
		}
		if l.root.name == f.Root().Name {
			m = l.root
		}
	}
	if m == nil {
		m = newRoot(f.Root().Name)
	}
	l := x.lay(m, f)
	list = append(list[:len(list):len(list)], l)
	x.list.Store(&list)
	return l
}

// lay makes a layout.
func (x *layouts) lay(m *root, f *session.Family) *layout {
	if x.names == nil {
		x.names = make(map[*root][]string)
	}
	l := &layout{root: m, family: f}
	same := true
	for i, s := range f.Spaces {
		place := slices.Index(x.names[m], s.Name)
		if place < 0 {
			place = len(x.names[m])
			x.names[m] = append(x.names[m], s.Name)
		}
		same = same && place == i
		l.at, l.size = append(l.at, place), max(l.size, place+1)
	}
	if same {
		l.at = nil
	}
	return l
}

// firsts returns the first layout of each root.
func (x *layouts) firsts() []*layout {
	var firsts []*layout
	for _, l := range x.all() {
		if !slices.ContainsFunc(firsts, func(o *layout) bool { return o.root == l.root }) {
			firsts = append(firsts, l)
		}
	}
	return firsts
}
