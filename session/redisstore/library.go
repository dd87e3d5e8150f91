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
	names                          []string        // of all fields, see fields
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
	lib := &library{spaces: slices.Clone(f.Spaces), names: slices.Clone(fields[:])}
	var spaces strings.Builder
	for i, s := range f.Spaces {
		at := len(lib.names) + 1
		fmt.Fprintf(&spaces, "  {key = KEYS[%d], generation = %d, version = %d, bytes = %d", i+2, at, at+1, at+2)
		lib.names = append(lib.names, s.Prefix+":gen", s.Prefix+":ver", s.Prefix+":len")
		if i > 0 {
			fmt.Fprintf(&spaces, ", idle_at = %d, life_at = %d", at+3, at+4)
			lib.names = append(lib.names, s.Prefix+":idle", s.Prefix+":life")
		}
		// A child without a timeout has the root's.
		if i == 0 || s.Idle != 0 {
			fmt.Fprintf(&spaces, ", idle = %d", s.Idle.Milliseconds())
		}
		if i == 0 || s.Life != 0 {
			fmt.Fprintf(&spaces, ", life = %d", s.Life.Milliseconds())
		}
		spaces.WriteString("},\n")
	}
	var names strings.Builder
	for _, name := range lib.names {
		names.WriteString("  " + quote(name) + ",\n")
	}
	family := "local names = {\n" + names.String() + "}\nlocal spaces = {\n" + spaces.String() + "}\n" + source("family")
	expiry, start, op, delta := source("expiry"), source("start"), source("op"), source("delta")
	lib.create = script("create", family, expiry, start, delta)
	lib.load = script("load", family)
	lib.save = script("save", family, expiry, op, delta)
	lib.login = script("login", family, expiry, start, op, delta)
	lib.end = script("end", family)
	return lib
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
