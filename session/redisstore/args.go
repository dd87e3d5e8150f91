package redisstore

import (
	"fmt"
	"slices"

	"github.com/sessionhub/sessionhub/session"
)

// args are the arguments of a script, in the order in which it takes them.
type args []any

// familyArgs begins the arguments of every script on a family. room is how
// many more are to come, about.
func familyArgs(f *session.Family, room int) args {
	a := make(args, 0, 1+3*len(f.Spaces)+room)
	a = append(a, len(f.Spaces))
	for _, s := range f.Spaces {
		a = append(a, s.Prefix, s.Idle.Milliseconds(), s.Life.Milliseconds())
	}
	return a
}

func (a args) terms(t session.Terms) args {
	return append(a, t.Idle.Milliseconds(), t.Life.Milliseconds(), t.Persistent)
}

func (a args) deltas(f *session.Family, deltas map[string]session.Delta) (args, error) {
	a = append(a, len(deltas))
	for name, d := range deltas {
		i, err := place(f, name)
		if err != nil {
			return nil, err
		}
		a = append(a, i, d.Generation, d.Version, d.Clear)
		a = append(a, len(d.Set))
		for k, v := range d.Set {
			a = append(a, k, v)
		}
		a = append(a, len(d.Delete))
		for _, k := range d.Delete {
			a = append(a, k)
		}
		a = append(a, len(d.Add))
		for k, n := range d.Add {
			a = append(a, k, n)
		}
		a = append(a, len(d.Swap))
		for k, s := range d.Swap {
			a = append(a, k, optional(s.Old), optional(s.New))
		}
	}
	return a, nil
}

// optional writes a value that may be absent.
func optional(v *string) string {
	if v == nil {
		return "-"
	}
	return "+" + *v
}

// place returns where a namespace stands in the family, counted from 1 as Lua
// does. Another name is a mistake of the program.
func place(f *session.Family, name string) (int, error) {
	i := slices.IndexFunc(f.Spaces, func(s session.Space) bool { return s.Name == name })
	if i < 0 {
		return 0, fmt.Errorf("redisstore: namespace %q is not in the family of %q", name, f.Root().Name)
	}
	return i + 1, nil
}
