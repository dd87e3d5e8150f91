package prefixes_test

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionhub/sessionhub/prefixes"
)

// env is a fake environment.
type env map[string]string

func (e env) lookup(name string) (string, bool) {
	v, ok := e[name]
	return v, ok
}

func TestFromEnv_setsFields(t *testing.T) {
	for _, c := range []struct {
		name, value string
		want        space
	}{
		{"SESSION_IDLE_TIMEOUT", "10m", space{IdleTimeout: 10 * time.Minute}},
		{"SESSION_IDLE_TIMEOUT", "1800", space{IdleTimeout: 30 * time.Minute}},
		{"SESSION_LIFETIME", "1h30m", space{Lifetime: 90 * time.Minute}},
		{"SESSION_REMEMBER_IDLE_TIMEOUT", "48h", space{RememberIdleTimeout: 48 * time.Hour}},
		{"SESSION_REMEMBER_LIFETIME", "1209600", space{RememberLifetime: 14 * 24 * time.Hour}},
		{"SESSION_RENEW_AFTER", "15m", space{RenewAfter: 15 * time.Minute}},
		{"SESSION_RENEW_AFTER", "0", space{}},
		{"SESSION_MAX_PER_USER", "5", space{MaxSessions: 5}},
		{"SESSION_MAX_PER_USER", "0", space{}},
		{"SESSION_AT_MAX", "Refuse-Newest", space{AtMax: prefixes.RefuseNewest}},
		{"SESSION_AT_MAX", "end-oldest", space{}},
		{"SESSION_SAVE_EVERY_REQUEST", "True", space{Save: prefixes.SaveAlways}},
		{"SESSION_SAVE_EVERY_REQUEST", "off", space{}},
		{"SESSION_STALE_POLICY", "open", space{Stale: prefixes.FailOpen}},
		{"SESSION_STALE_POLICY", "Closed", space{}},
		{"SESSION_COOKIE_NAME", "sid", space{Cookie: cookie{Name: "sid"}}},
		{"SESSION_COOKIE_DOMAIN", "a.example", space{Cookie: cookie{Domain: "a.example"}}},
		{"SESSION_COOKIE_PATH", "/chat", space{Cookie: cookie{Path: "/chat"}}},
		{"SESSION_COOKIE_SECURE", "no", space{Cookie: cookie{Insecure: true}}},
		{"SESSION_COOKIE_SECURE", "1", space{}},
		{"SESSION_COOKIE_HTTPONLY", "false", space{Cookie: cookie{Scripts: true}}},
		{"SESSION_COOKIE_HTTPONLY", "yes", space{}},
		{"SESSION_COOKIE_SAMESITE", "lax", space{Cookie: cookie{SameSite: http.SameSiteLaxMode}}},
		{"SESSION_COOKIE_SAMESITE", "Strict", space{Cookie: cookie{SameSite: http.SameSiteStrictMode}}},
		{"SESSION_COOKIE_SAMESITE", "NONE", space{Cookie: cookie{SameSite: http.SameSiteNoneMode}}},
		{"SESSION_COOKIE_PERSISTENT", "on", space{Cookie: cookie{Persistent: true}}},
	} {
		c.want.Name = "main"
		for _, name := range []string{c.name, "MAIN_" + c.name} {
			got, err := prefixes.FromEnv(env{name: c.value}.lookup, main)
			if err != nil {
				t.Errorf("%s=%s: %v", name, c.value, err)
				continue
			}
			if diff := cmp.Diff([]space{c.want}, got); diff != "" {
				t.Errorf("%s=%s (-want +got):\n%s", name, c.value, diff)
			}
		}
	}
}

func TestFromEnv_readsPrefixedFirst(t *testing.T) {
	ns := []space{
		{Name: "main", IdleTimeout: time.Hour},
		{Name: "chat", Parent: "main", Settings: "TALK", IdleTimeout: time.Hour},
		{Name: "old-cart", Parent: "main", IdleTimeout: time.Hour},
	}
	idle := func(e env) []time.Duration {
		t.Helper()
		got, err := prefixes.FromEnv(e.lookup, ns...)
		if err != nil {
			t.Fatal(err)
		}
		var out []time.Duration
		for _, n := range got {
			out = append(out, n.IdleTimeout/time.Minute)
		}
		return out
	}
	for _, c := range []struct {
		name string
		env  env
		want []time.Duration
	}{
		{"nothing set: what the program says", env{}, []time.Duration{60, 60, 60}},
		{"one for all", env{"SESSION_IDLE_TIMEOUT": "5m"}, []time.Duration{5, 5, 5}},
		{"one before all", env{"SESSION_IDLE_TIMEOUT": "5m", "TALK_SESSION_IDLE_TIMEOUT": "3m"}, []time.Duration{5, 3, 5}},
		{"a dash is an underscore", env{"OLD_CART_SESSION_IDLE_TIMEOUT": "3m"}, []time.Duration{60, 60, 3}},
		{"empty is not set", env{"SESSION_IDLE_TIMEOUT": "5m", "TALK_SESSION_IDLE_TIMEOUT": ""}, []time.Duration{5, 5, 5}},
		{"Settings replaces the name", env{"CHAT_SESSION_IDLE_TIMEOUT": "3m"}, []time.Duration{60, 60, 60}},
		{"an overridden value is not judged",
			env{"SESSION_IDLE_TIMEOUT": "soon", "MAIN_SESSION_IDLE_TIMEOUT": "1m", "TALK_SESSION_IDLE_TIMEOUT": "2m", "OLD_CART_SESSION_IDLE_TIMEOUT": "3m"},
			[]time.Duration{1, 2, 3}},
	} {
		if got := idle(c.env); !slices.Equal(got, c.want) {
			t.Errorf("%s: idle minutes = %d, want %d", c.name, got, c.want)
		}
	}
	if ns[0].IdleTimeout != time.Hour {
		t.Error("FromEnv changed its argument")
	}
}

func TestFromEnv_keepsRootSettingsFromChildren(t *testing.T) {
	all := env{
		"SESSION_REMEMBER_IDLE_TIMEOUT": "1h", "SESSION_REMEMBER_LIFETIME": "1h", "SESSION_RENEW_AFTER": "1h",
		"SESSION_COOKIE_NAME": "__Secure-sid", "SESSION_COOKIE_DOMAIN": "a.example", "SESSION_COOKIE_PATH": "/chat",
		"SESSION_COOKIE_SECURE": "true", "SESSION_COOKIE_HTTPONLY": "false", "SESSION_COOKIE_SAMESITE": "Strict",
		"SESSION_COOKIE_PERSISTENT": "true", "SESSION_MAX_PER_USER": "3", "SESSION_AT_MAX": "refuse-newest",
	}
	chat := space{Name: "chat", Parent: "main"}
	got, err := prefixes.FromEnv(all.lookup, main, chat)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(chat, got[1]); diff != "" {
		t.Errorf("unprefixed settings for roots reached a child (-want +got):\n%s", diff)
	}
	newRegistry(t, got...)

	for name, value := range all {
		name = "CHAT_" + name
		_, err := prefixes.FromEnv(env{name: value}.lookup, main, chat)
		want := `prefixes: ` + name + `="` + value + `": a setting for roots only, and "chat" lives below "main"; remove it, or set it for the root`
		if err == nil || err.Error() != want {
			t.Errorf("%s = %v, want %s", name, err, want)
		}
	}
}

func TestFromEnv_refuses(t *testing.T) {
	for _, c := range []struct {
		name, value string
		want        string
	}{
		{"SESSION_IDLE_TIMEOUT", "soon", `want a duration above 0, such as "30m" or "8h", or a number of seconds`},
		{"SESSION_IDLE_TIMEOUT", "0", "above 0"},
		{"SESSION_IDLE_TIMEOUT", "-5", "above 0"},
		{"SESSION_LIFETIME", "-5m", "above 0"},
		{"SESSION_LIFETIME", "1.5", "above 0"},
		{"SESSION_LIFETIME", " 5m", "above 0"},
		{"SESSION_LIFETIME", "9223372037", "above 0"}, // seconds that overflow
		{"SESSION_LIFETIME", "99999999999999999999", "above 0"},
		{"SESSION_REMEMBER_LIFETIME", "30d", "above 0"},
		{"SESSION_RENEW_AFTER", "-1s", `or a number of seconds; 0 for never`},
		{"SESSION_SAVE_EVERY_REQUEST", "maybe", `want "true" or "false"`},
		{"SESSION_MAX_PER_USER", "-1", "want a whole number"},
		{"SESSION_MAX_PER_USER", "many", "want a whole number"},
		{"SESSION_AT_MAX", "newest", `want "end-oldest" or "refuse-newest"`},
		{"SESSION_STALE_POLICY", "half", `want "closed" or "open"`},
		{"SESSION_COOKIE_SECURE", "2", `want "true" or "false"`},
		{"SESSION_COOKIE_SAMESITE", "default", `want "Lax", "Strict" or "None"`},
	} {
		_, err := prefixes.FromEnv(env{c.name: c.value}.lookup, main)
		if err == nil || !strings.HasPrefix(err.Error(), "prefixes: "+c.name+`="`+c.value+`": `) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s=%s: %v, want %s", c.name, c.value, err, c.want)
		}
	}
}

func TestFromEnv_joinsProblemsAndTellsEachOnce(t *testing.T) {
	_, err := prefixes.FromEnv(env{
		"SESSION_IDLE_TIMEOUT":      "soon", // read for both namespaces
		"CHAT_SESSION_STALE_POLICY": "half",
		"CHAT_SESSION_COOKIE_NAME":  "chat",
	}.lookup, main, space{Name: "chat", Parent: "main"})
	if err == nil {
		t.Fatal("FromEnv returned no error")
	}
	var got []string
	for line := range strings.Lines(err.Error()) {
		variable, _, _ := strings.Cut(strings.TrimPrefix(line, "prefixes: "), "=")
		got = append(got, variable)
	}
	if want := []string{"SESSION_IDLE_TIMEOUT", "CHAT_SESSION_STALE_POLICY", "CHAT_SESSION_COOKIE_NAME"}; !slices.Equal(got, want) {
		t.Errorf("variables in the error = %q, want %q:\n%v", got, want, err)
	}
}

func TestFromEnv_oneCookieNameForTwoRootsEndsAsClash(t *testing.T) {
	ns, err := prefixes.FromEnv(env{"SESSION_COOKIE_NAME": "__Secure-sid"}.lookup, main, space{Name: "admin", Cookie: cookie{Name: "__Host-admin"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = prefixes.NewRegistry(ns...)
	if want := `"admin": has the cookie name of "main", "__Secure-sid"; set another Cookie.Name (ADMIN_SESSION_COOKIE_NAME)`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("NewRegistry = %v, want %s", err, want)
	}
}

// TestFromEnv_isDocumented compares the variables that are asked for with the
// table in the package's documentation.
func TestFromEnv_isDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(doc)) {
		if f := strings.Fields(strings.TrimPrefix(line, "//\t")); strings.HasPrefix(line, "//\tSESSION_") {
			if f[1] == "*" {
				f[0] += " *"
			}
			want = append(want, f[0])
		}
	}

	// A root asks for everything, a child's set values tell what is for roots.
	ask := func(n space) (asked []string) {
		_, err := prefixes.FromEnv(func(name string) (string, bool) {
			if rest, ok := strings.CutPrefix(name, "X_"); ok {
				asked = append(asked, rest)
			}
			return "", false
		}, n)
		if err != nil {
			t.Fatal(err)
		}
		return asked
	}
	var got []string
	for _, name := range ask(space{Name: "x"}) {
		_, err := prefixes.FromEnv(env{"X_" + name: "?"}.lookup, space{Name: "x", Parent: "main"})
		if err != nil && strings.Contains(err.Error(), "roots only") {
			name += " *"
		}
		got = append(got, name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("variables (-documented +read):\n%s", diff)
	}
}

func FuzzFromEnv(f *testing.F) {
	for _, s := range []string{"", "0", "1800", "30m", "-1s", "1e3", "true", "open", "None", "__Host-id", "a;b", "99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		all := func(string) (string, bool) { return value, true }
		if _, err := prefixes.FromEnv(all, main); value == "" && err != nil {
			t.Errorf("empty values: %v", err)
		}
		for _, name := range []string{"SESSION_IDLE_TIMEOUT", "SESSION_RENEW_AFTER", "SESSION_COOKIE_NAME", "SESSION_COOKIE_PATH", "SESSION_COOKIE_DOMAIN"} {
			ns, err := prefixes.FromEnv(env{name: value}.lookup, main)
			if err != nil {
				continue
			}
			if ns[0].IdleTimeout < 0 || ns[0].RenewAfter < 0 {
				t.Errorf("%s=%q: %+v", name, value, ns[0])
			}
			r, err := prefixes.NewRegistry(ns...)
			if err != nil {
				continue
			}
			// What a registry takes reaches the browser as it stands here.
			n, _ := r.Get("main")
			c := http.Cookie{Name: n.Cookie.Name, Path: n.Cookie.Path, Domain: n.Cookie.Domain}
			if err := c.Valid(); err != nil {
				t.Errorf("%s=%q: %v", name, value, err)
			}
		}
	})
}
