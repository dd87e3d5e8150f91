package redisstore

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/session"
)

// library is the scripts on one family, with the family in their text: to hand
// it over as arguments each time would take a script longer than to run.
type library struct {
	spaces                         []session.Space // of the family
	create, load, save, login, end *redis.Script
}

// libraries are those of the families that a store was called with, as many as
// the program has.
type libraries struct {
	known atomic.Pointer[[]*library]
	mu    sync.Mutex // held to add one
}

// of returns the library of a family.
func (l *libraries) of(f *session.Family) *library {
	if lib := l.find(f); lib != nil {
		return lib
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if lib := l.find(f); lib != nil {
		return lib
	}
	lib := newLibrary(f)
	all := []*library{lib}
	if known := l.known.Load(); known != nil {
		all = append(all, *known...)
	}
	l.known.Store(&all)
	return lib
}

func (l *libraries) find(f *session.Family) *library {
	if known := l.known.Load(); known != nil {
		for _, lib := range *known {
			if slices.Equal(lib.spaces, f.Spaces) {
				return lib
			}
		}
	}
	return nil
}

func newLibrary(f *session.Family) *library {
	var spaces strings.Builder
	spaces.WriteString("local spaces = {\n")
	for i, s := range f.Spaces {
		fmt.Fprintf(&spaces, "  {place = %d, key = KEYS[%d], prefix = %s", i+1, i+2, quote(s.Prefix))
		// A child without a timeout has the root's.
		if i == 0 || s.Idle != 0 {
			fmt.Fprintf(&spaces, ", idle = %d", s.Idle.Milliseconds())
		}
		if i == 0 || s.Life != 0 {
			fmt.Fprintf(&spaces, ", life = %d", s.Life.Milliseconds())
		}
		spaces.WriteString("},\n")
	}
	spaces.WriteString("}\n")
	text := spaces.String()
	return &library{
		spaces: slices.Clone(f.Spaces),
		create: script("create", text),
		load:   script("load", text),
		save:   script("save", text),
		login:  script("login", text),
		end:    script("end", text),
	}
}

// quote writes a text for Lua, byte by byte, so that no name of a program's
// namespace can end it.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, c := range []byte(s) {
		if 'a' <= c && c <= 'z' || c == '_' || c == ':' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "\\%03d", c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}
