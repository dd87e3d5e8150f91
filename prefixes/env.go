package prefixes

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// FromEnv returns ns with the settings of the environment in place of what the
// program says. lookup is asked for each variable; [os.LookupEnv] fits. The
// section "Settings" of this package's documentation lists the variables.
//
// FromEnv checks each value by itself and leaves what values mean together to
// [NewRegistry]. The error has one line for each problem, with the variable,
// its value and what would be accepted. A prefixed setting for roots only is
// refused on a namespace that has a parent; without the prefix it passes such
// namespaces by.
func FromEnv(lookup func(string) (string, bool), ns ...Namespace) ([]Namespace, error) {
	out := make([]Namespace, len(ns))
	var errs []error
	told := make(map[string]bool) // by variable: an unprefixed one is read for each namespace
	fail := func(name, value, format string, args ...any) {
		if !told[name] {
			told[name] = true
			errs = append(errs, fmt.Errorf("prefixes: %s=%.64q: %s", name, value, fmt.Sprintf(format, args...)))
		}
	}
	for i, n := range ns {
		for _, s := range settings {
			name := n.settings() + "_" + s.name
			value, ok := lookup(name)
			if ok && value != "" && s.root && n.Parent != "" {
				fail(name, value, "a setting for roots only, and %q lives below %q; remove it, or set it for the root", n.Name, n.Parent)
				continue
			}
			if s.root && n.Parent != "" {
				continue
			}
			if !ok || value == "" {
				name = s.name
				value, ok = lookup(name)
			}
			if ok && value != "" && !s.set(&n, value) {
				fail(name, value, "want %s", s.want)
			}
		}
		out[i] = n
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return out, nil
}

// setting is one variable, without the namespace's prefix.
type setting struct {
	name string
	root bool                          // for roots only
	want string                        // what is accepted
	set  func(*Namespace, string) bool // false: not accepted
}

const (
	wantDuration = `a duration above 0, such as "30m" or "8h", or a number of seconds`
	wantBool     = `"true" or "false" (or 1 and 0, yes and no, on and off)`
)

// settings are all variables, in the order of the documentation.
var settings = []setting{
	{"SESSION_IDLE_TIMEOUT", false, wantDuration, timeout(func(n *Namespace) *time.Duration { return &n.IdleTimeout })},
	{"SESSION_LIFETIME", false, wantDuration, timeout(func(n *Namespace) *time.Duration { return &n.Lifetime })},
	{"SESSION_REMEMBER_IDLE_TIMEOUT", true, wantDuration, timeout(func(n *Namespace) *time.Duration { return &n.RememberIdleTimeout })},
	{"SESSION_REMEMBER_LIFETIME", true, wantDuration, timeout(func(n *Namespace) *time.Duration { return &n.RememberLifetime })},
	{"SESSION_RENEW_AFTER", true, `a duration, such as "1h", or a number of seconds; 0 for never`, setRenewAfter},
	{"SESSION_MAX_PER_USER", true, "a whole number; 0 for no limit", setMaxSessions},
	{"SESSION_AT_MAX", true, `"end-oldest" or "refuse-newest"`, setAtMax},
	{"SESSION_SAVE_EVERY_REQUEST", true, wantBool, flag(func(n *Namespace, on bool) {
		n.Save = SaveChanges
		if on {
			n.Save = SaveAlways
		}
	})},
	{"SESSION_STALE_POLICY", false, `"closed" or "open"`, setStale},
	{"SESSION_COOKIE_NAME", true, "", text(func(n *Namespace) *string { return &n.Cookie.Name })},
	{"SESSION_COOKIE_DOMAIN", true, "", text(func(n *Namespace) *string { return &n.Cookie.Domain })},
	{"SESSION_COOKIE_PATH", true, "", text(func(n *Namespace) *string { return &n.Cookie.Path })},
	{"SESSION_COOKIE_SECURE", true, wantBool, flag(func(n *Namespace, on bool) { n.Cookie.Insecure = !on })},
	{"SESSION_COOKIE_HTTPONLY", true, wantBool, flag(func(n *Namespace, on bool) { n.Cookie.Scripts = !on })},
	{"SESSION_COOKIE_SAMESITE", true, `"Lax", "Strict" or "None"`, setSameSite},
	{"SESSION_COOKIE_PERSISTENT", true, wantBool, flag(func(n *Namespace, on bool) { n.Cookie.Persistent = on })},
}

func timeout(field func(*Namespace) *time.Duration) func(*Namespace, string) bool {
	return func(n *Namespace, value string) bool {
		d, ok := duration(value)
		// 0 would silently become the default.
		if !ok || d == 0 {
			return false
		}
		*field(n) = d
		return true
	}
}

func text(field func(*Namespace) *string) func(*Namespace, string) bool {
	return func(n *Namespace, value string) bool {
		*field(n) = value
		return true
	}
}

func flag(set func(n *Namespace, on bool)) func(*Namespace, string) bool {
	return func(n *Namespace, value string) bool {
		switch strings.ToLower(value) {
		case "true", "1", "yes", "on":
			set(n, true)
		case "false", "0", "no", "off":
			set(n, false)
		default:
			return false
		}
		return true
	}
}

func setRenewAfter(n *Namespace, value string) (ok bool) {
	n.RenewAfter, ok = duration(value)
	return ok
}

func setMaxSessions(n *Namespace, value string) bool {
	max, err := strconv.Atoi(value)
	n.MaxSessions = max
	return err == nil && max >= 0
}

func setAtMax(n *Namespace, value string) bool {
	switch strings.ToLower(value) {
	case "end-oldest":
		n.AtMax = EndOldest
	case "refuse-newest":
		n.AtMax = RefuseNewest
	default:
		return false
	}
	return true
}

func setStale(n *Namespace, value string) bool {
	switch strings.ToLower(value) {
	case "closed":
		n.Stale = FailClosed
	case "open":
		n.Stale = FailOpen
	default:
		return false
	}
	return true
}

func setSameSite(n *Namespace, value string) bool {
	switch strings.ToLower(value) {
	case "lax":
		n.Cookie.SameSite = http.SameSiteLaxMode
	case "strict":
		n.Cookie.SameSite = http.SameSiteStrictMode
	case "none":
		n.Cookie.SameSite = http.SameSiteNoneMode
	default:
		return false
	}
	return true
}

// duration reads a Go duration or, as Django's settings do, whole seconds. It
// accepts nothing negative.
func duration(value string) (time.Duration, bool) {
	if n, err := strconv.ParseUint(value, 10, 63); err == nil {
		return time.Duration(n) * time.Second, n <= math.MaxInt64/uint64(time.Second)
	}
	d, err := time.ParseDuration(value)
	return d, err == nil && d >= 0
}
