package prefixes

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// maxName bounds names and prefixes of all kinds, in bytes.
	maxName = 32

	// minTimeout is the resolution of the stores.
	minTimeout = time.Millisecond

	// maxLife is as long as browsers keep a cookie.
	maxLife = 400 * 24 * time.Hour
)

// problems are the reasons to refuse a set, in the order of its namespaces.
type problems []error

// add tells a problem of one namespace.
func (p *problems) add(n Namespace, format string, args ...any) {
	*p = append(*p, fmt.Errorf("prefixes: namespace %.64q: %s", n.Name, fmt.Sprintf(format, args...)))
}

// check applies every rule but those of parents.
func (r *Registry) check(p *problems) {
	for _, n := range r.spaces {
		checkNames(p, n)
		if n.Parent == "" {
			checkRoot(p, n)
		} else {
			r.checkChild(p, n)
		}
	}
	r.checkUnique(p)
	if len(r.Roots()) == 0 {
		*p = append(*p, errors.New("prefixes: no root: every namespace has a parent; leave Parent empty in one"))
	}
}

func checkNames(p *problems, n Namespace) {
	if !lower(n.Name) {
		p.add(n, `bad name; use a to z, 0 to 9, "-" and "_", begin with a letter, at most %d bytes`, maxName)
	}
	// A default that follows from a bad name is not told a second time.
	if n.Prefix != n.Name && !lower(n.Prefix) {
		p.add(n, `bad Prefix %.64q; use a to z, 0 to 9, "-" and "_", begin with a letter, at most %d bytes`, n.Prefix, maxName)
	}
	if n.Prefix == "op" || n.Prefix == "user" {
		p.add(n, "the prefix %q is taken by the store's own keys; set another Prefix", n.Prefix)
	}
	if n.Settings != (Namespace{Name: n.Name}).settings() && !upper(n.Settings) {
		p.add(n, `bad Settings %.64q; use A to Z, 0 to 9 and "_", begin with a letter, at most %d bytes`, n.Settings, maxName)
	}
	if n.Save > SaveAlways {
		p.add(n, "unknown Save %d; use SaveChanges or SaveAlways", n.Save)
	}
	if n.AtMax > RefuseNewest {
		p.add(n, "unknown AtMax %d; use EndOldest or RefuseNewest", n.AtMax)
	}
	if n.Stale > FailOpen {
		p.add(n, "unknown Stale %d; use FailClosed or FailOpen", n.Stale)
	}
}

func checkRoot(p *problems, n Namespace) {
	checkPair(p, n, "", n.IdleTimeout, n.Lifetime)
	checkPair(p, n, "Remember", n.RememberIdleTimeout, n.RememberLifetime)
	if n.MaxSessions < 0 {
		p.add(n, "MaxSessions %d is negative; use 0 for no limit", n.MaxSessions)
	}
	if n.RenewAfter < 0 {
		p.add(n, "RenewAfter %v is negative; use 0 for never", n.RenewAfter)
	}
	n.Cookie.check(func(format string, args ...any) {
		p.add(n, "Cookie %.64q: %s", n.Cookie.Name, fmt.Sprintf(format, args...))
	})
	if !n.Cookie.Insecure && !n.Cookie.prefixed() && n.Cookie.named() {
		p.add(n, `Cookie %q: any host of its domain, and any page over plain http, could set it; name it "__Host-%[1]s", or "__Secure-%[1]s" if it has a Domain or Path`, n.Cookie.Name)
	}
	for _, c := range n.Companions {
		if c.Name == "" {
			p.add(n, "a companion has no Name; give that of the cookie to clear")
			continue
		}
		c.check(func(format string, args ...any) {
			p.add(n, "companion %.64q: %s", c.Name, fmt.Sprintf(format, args...))
		})
	}
}

// checkPair applies the rules of an idle timeout and its lifetime. A zero one,
// as of a child that has no root, is not judged.
func checkPair(p *problems, n Namespace, kind string, idle, life time.Duration) {
	told := false
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"IdleTimeout", idle}, {"Lifetime", life}} {
		if d.value != 0 && d.value < minTimeout {
			p.add(n, "%s%s %v; use at least %v, or 0 for the default", kind, d.field, d.value, minTimeout)
			told = true
		}
	}
	if life > maxLife {
		p.add(n, "%sLifetime %v; use at most %v (400 days): browsers keep no cookie longer", kind, life, maxLife)
	}
	if !told && life != 0 && idle > life {
		p.add(n, "%[1]sIdleTimeout %[2]v is above %[1]sLifetime %[3]v; lower the one or raise the other", kind, idle, life)
	}
}

func (r *Registry) checkChild(p *problems, n Namespace) {
	for _, f := range []struct {
		field string
		set   bool
	}{
		{"Cookie", n.Cookie != Cookie{}},
		{"Companions", len(n.Companions) > 0},
		{"RenewAfter", n.RenewAfter != 0},
		{"MaxSessions", n.MaxSessions != 0},
		{"AtMax", n.AtMax != EndOldest},
		{"Save", n.Save != SaveChanges},
		{"RememberIdleTimeout", n.RememberIdleTimeout != 0},
		{"RememberLifetime", n.RememberLifetime != 0},
	} {
		if f.set {
			p.add(n, "%s is for roots only, and this one lives below %q; set it there, or leave Parent empty", f.field, n.Parent)
		}
	}
	checkPair(p, n, "", n.IdleTimeout, n.Lifetime)
	name, ok := r.root[n.Name]
	if !ok {
		return
	}
	root := r.spaces[r.index[name]]
	if n.IdleTimeout > root.IdleTimeout {
		p.add(n, "IdleTimeout %v is above that of its root %q, %v; lower it or raise the root's", n.IdleTimeout, name, root.IdleTimeout)
	}
	if n.Lifetime > root.Lifetime {
		p.add(n, "Lifetime %v is above that of its root %q, %v; lower it or raise the root's", n.Lifetime, name, root.Lifetime)
	}
}

// checkUnique finds what two namespaces may not share.
func (r *Registry) checkUnique(p *problems) {
	names := make(map[string]bool)
	keys := make(map[string]string) // to the namespace that has it
	settings := make(map[string]string)
	cookies := make(map[string]string)
	for _, n := range r.spaces {
		if names[n.Name] {
			// Its defaults clash too, which would only repeat this.
			p.add(n, "is there twice; rename one")
			continue
		}
		names[n.Name] = true
		if other, ok := keys[n.Prefix]; ok {
			p.add(n, "has the prefix of %q, %q, so their keys could not be told apart; set another Prefix", other, n.Prefix)
		}
		if other, ok := settings[n.Settings]; ok {
			p.add(n, "has the settings prefix of %q, %q; set another Settings", other, n.Settings)
		}
		keys[n.Prefix] = n.Name
		settings[n.Settings] = n.Name
		if n.Parent != "" {
			continue
		}
		if other, ok := cookies[n.Cookie.Name]; ok {
			p.add(n, "has the cookie name of %q, %q; set another Cookie.Name (%s_SESSION_COOKIE_NAME)", other, n.Cookie.Name, n.Settings)
		}
		cookies[n.Cookie.Name] = n.Name
	}
	for _, n := range r.Roots() {
		for _, c := range n.Companions {
			if other, ok := cookies[c.Name]; ok {
				p.add(n, "companion %.64q is the session cookie of %q; a companion is another cookie of the application", c.Name, other)
			}
		}
	}
}

// lower reports whether s has the alphabet of names and prefixes.
func lower(s string) bool {
	return word(s, func(c byte) bool { return 'a' <= c && c <= 'z' }, "-_")
}

// upper reports whether s has the alphabet of settings prefixes.
func upper(s string) bool {
	return word(s, func(c byte) bool { return 'A' <= c && c <= 'Z' }, "_")
}

func word(s string, letter func(byte) bool, others string) bool {
	if s == "" || len(s) > maxName || !letter(s[0]) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !letter(c) && (c < '0' || c > '9') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return true
}
