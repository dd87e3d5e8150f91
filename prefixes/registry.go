package prefixes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Defaults of a root.
const (
	defaultIdle         = 30 * time.Minute
	defaultLife         = 8 * time.Hour
	defaultRememberIdle = 14 * 24 * time.Hour
	defaultRememberLife = 30 * 24 * time.Hour
)

// Registry is a checked set of namespaces. It never changes; all methods may
// be called from any goroutine. [NewRegistry] makes one.
type Registry struct {
	spaces []Namespace       // as given, with defaults
	index  map[string]int    // name to place in spaces
	root   map[string]string // name to the name of its root
}

// NewRegistry fills in the defaults of ns and returns the set, or refuses it
// when two of its members could be taken for one another or a setting could
// not mean what it says. The error has one line for each problem, which names
// the namespaces and fields and says what to change.
//
// Refused are:
//
//   - an empty set, and one without a root;
//   - a name, prefix or settings prefix outside its alphabet, and the prefixes
//     "op" and "user";
//   - two equal names, prefixes, settings prefixes, or cookie names (a
//     companion must not be a session's cookie either);
//   - an unknown parent, and a circle of parents;
//   - a child with a field for roots only, and one whose idle timeout or
//     lifetime is above its root's;
//   - a timeout that is negative or below 1 ms, an idle timeout above its
//     lifetime, and a lifetime above 400 days, which is as long as browsers
//     keep a cookie (RFC 6265bis, section 5.5);
//   - a cookie that a browser would ignore or treat in another way than it
//     says: a name that is not a token or has more than 128 bytes, a Domain
//     or Path that cannot be sent, a "__Host-" name (in any case of letters)
//     with a Domain or another Path than "/", a "__Host-" or "__Secure-" name
//     or SameSite=None without Secure, a SameSite left to the browser, and a
//     Secure session cookie with neither prefix.
func NewRegistry(ns ...Namespace) (*Registry, error) {
	if len(ns) == 0 {
		return nil, errors.New(`prefixes: no namespaces; give a root, as in Namespace{Name: "main"}`)
	}
	r := &Registry{
		spaces: slices.Clone(ns),
		index:  make(map[string]int, len(ns)),
		root:   make(map[string]string, len(ns)),
	}
	for i, n := range ns {
		if _, ok := r.index[n.Name]; !ok {
			r.index[n.Name] = i
		}
	}
	var p problems
	r.findRoots(&p)
	r.fillDefaults()
	r.check(&p)
	if len(p) > 0 {
		return nil, errors.Join(p...)
	}
	return r, nil
}

// Parse returns the namespace that a path of the form "root" or "parent/name"
// stands for: "main" is a root, "main/chat" is "chat" below "main". A name is
// unique in its set, so a path never has more than two parts: what is below
// "chat" is "chat/room".
//
// Parse checks nothing: what is not of this form becomes a name or a parent
// that [NewRegistry] refuses.
func Parse(path string) Namespace {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return Namespace{Name: path[i+1:], Parent: path[:i]}
	}
	return Namespace{Name: path}
}

// Get returns a namespace with its defaults filled in, and whether there is
// one of that name. Its Companions are shared and not to be changed. One map
// look-up.
func (r *Registry) Get(name string) (Namespace, bool) {
	i, ok := r.index[name]
	if !ok {
		return Namespace{}, false
	}
	return r.spaces[i], true
}

// Roots returns the roots, in the order given to [NewRegistry].
func (r *Registry) Roots() []Namespace {
	return r.filter(func(n Namespace) bool { return n.Parent == "" })
}

// Family returns a root and then all below it, in the order given to
// [NewRegistry]. It returns nil for a name that is not a root's.
func (r *Registry) Family(root string) []Namespace {
	n, ok := r.Get(root)
	if !ok || n.Parent != "" {
		return nil
	}
	return append([]Namespace{n}, r.filter(func(n Namespace) bool {
		return n.Parent != "" && r.root[n.Name] == root
	})...)
}

// Root returns the name of the root of a namespace, which is its own for a
// root, and whether there is such a namespace.
func (r *Registry) Root(name string) (string, bool) {
	root, ok := r.root[name]
	return root, ok
}

// Below returns the names of the namespaces below one, their children
// included and itself not, in the order given to [NewRegistry].
func (r *Registry) Below(name string) []string {
	var names []string
	for _, n := range r.spaces {
		for p := n.Parent; p != ""; p = r.spaces[r.index[p]].Parent {
			if p == name {
				names = append(names, n.Name)
				break
			}
		}
	}
	return names
}

func (r *Registry) filter(keep func(Namespace) bool) []Namespace {
	var out []Namespace
	for _, n := range r.spaces {
		if keep(n) {
			out = append(out, n)
		}
	}
	return out
}

// findRoots follows the parents of each namespace. One that leads nowhere is a
// problem and has no root.
func (r *Registry) findRoots(p *problems) {
	for i, n := range r.spaces {
		seen := []int{i}
		for n.Parent != "" {
			next, ok := r.index[n.Parent]
			if !ok {
				// Told once, at the namespace that has this parent.
				if len(seen) == 1 {
					p.add(n, "unknown parent %q; add it to the set, or name one that is in it%s", n.Parent, hint(n))
				}
				break
			}
			if next == i && i == slices.Min(seen) {
				p.add(r.spaces[i], "lives below itself (%s); leave Parent empty in one of them", r.circle(append(seen, next)))
			}
			if slices.Contains(seen, next) {
				break
			}
			seen = append(seen, next)
			n = r.spaces[next]
		}
		if n.Parent == "" {
			r.root[r.spaces[i].Name] = n.Name
		}
	}
}

// hint explains a path with more than two parts.
func hint(n Namespace) string {
	if i := strings.LastIndexByte(n.Parent, '/'); i >= 0 {
		return fmt.Sprintf("; a path has two parts, as in %q", n.Parent[i+1:]+"/"+n.Name)
	}
	return ""
}

// circle renders places in spaces as "a below b below a".
func (r *Registry) circle(places []int) string {
	names := make([]string, len(places))
	for i, at := range places {
		names[i] = r.spaces[at].Name
	}
	return strings.Join(names, " below ")
}

// fillDefaults fills roots first: a child takes over from its root.
func (r *Registry) fillDefaults() {
	for i := range r.spaces {
		n := &r.spaces[i]
		n.Prefix = orDefault(n.Prefix, n.Name)
		n.Settings = n.settings()
		if n.Parent != "" {
			continue
		}
		n.IdleTimeout = orDefault(n.IdleTimeout, defaultIdle)
		n.Lifetime = orDefault(n.Lifetime, defaultLife)
		n.RememberIdleTimeout = orDefault(n.RememberIdleTimeout, defaultRememberIdle)
		n.RememberLifetime = orDefault(n.RememberLifetime, defaultRememberLife)
		n.Cookie = n.Cookie.withDefaults()
		n.Cookie.Name = orDefault(n.Cookie.Name, n.Cookie.defaultName())
		n.Companions = slices.Clone(n.Companions)
		for i, c := range n.Companions {
			n.Companions[i] = c.withDefaults()
		}
	}
	for i := range r.spaces {
		n := &r.spaces[i]
		if root, ok := r.root[n.Name]; ok && n.Parent != "" {
			root := r.spaces[r.index[root]]
			n.IdleTimeout = orDefault(n.IdleTimeout, root.IdleTimeout)
			n.Lifetime = orDefault(n.Lifetime, root.Lifetime)
		}
	}
}

func orDefault[T comparable](v, byDefault T) T {
	var zero T
	if v == zero {
		return byDefault
	}
	return v
}

// settings returns the prefix of the namespace's settings, which is also
// needed before there is a registry.
func (n Namespace) settings() string {
	return orDefault(n.Settings, strings.ToUpper(strings.ReplaceAll(n.Name, "-", "_")))
}
