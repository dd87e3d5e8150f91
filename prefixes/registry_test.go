package prefixes_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/sessionhub/sessionhub/prefixes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Short names for the tables.
type (
	space  = prefixes.Namespace
	cookie = prefixes.Cookie
)

var main = space{Name: "main"}

func TestNewRegistry_refuses(t *testing.T) {
	root := func(change func(*space)) []space {
		n := main
		change(&n)
		return []space{n}
	}
	withCookie := func(c cookie) []space { return []space{{Name: "main", Cookie: c}} }
	for _, c := range []struct {
		name string
		ns   []space
		want []string // in the error, each in a line of its own, in order
	}{
		{"empty set", nil, []string{"no namespaces"}},

		{"name", []space{{Name: "Main"}}, []string{`"Main": bad name; use a to z`}},
		{"no name", []space{{}}, []string{`"": bad name`}},
		{"name that begins with a digit", []space{{Name: "1st"}}, []string{`bad name`}},
		{"name with a colon", []space{{Name: "a:b"}}, []string{`bad name`}},
		{"name with a brace", []space{{Name: "a{b}"}}, []string{`bad name`}},
		{"name with a letter that is not ASCII", []space{{Name: "mäin"}}, []string{`bad name`}},
		{"long name", []space{{Name: strings.Repeat("a", 33)}}, []string{`at most 32 bytes`}},
		{"prefix", root(func(n *space) { n.Prefix = "a:b" }), []string{`bad Prefix "a:b"`}},
		{"settings", root(func(n *space) { n.Settings = "main" }), []string{`bad Settings "main"; use A to Z`}},
		{"prefix of the store", []space{{Name: "op"}, {Name: "user", Parent: "op"}}, []string{
			`"op": the prefix "op" is taken by the store's own keys; set another Prefix`,
			`"user": the prefix "user" is taken`,
		}},
		{"save policy", root(func(n *space) { n.Save = 2 }), []string{"unknown Save 2"}},
		{"stale policy", root(func(n *space) { n.Stale = 2 }), []string{"unknown Stale 2"}},

		{"same name", []space{main, main}, []string{`"main": is there twice`}},
		{"same prefix in a family", []space{main, {Name: "chat", Parent: "main", Prefix: "main"}},
			[]string{`"chat": has the prefix of "main", "main", so their keys could not be told apart`}},
		{"same prefix of two roots", []space{main, {Name: "admin", Prefix: "main", Cookie: cookie{Name: "__Host-admin"}}},
			[]string{`"admin": has the prefix of "main"`}},
		{"prefix that is another's name", []space{{Name: "chat", Parent: "main"}, {Name: "main", Prefix: "chat"}},
			[]string{`"main": has the prefix of "chat", "chat"`}},
		{"same settings", []space{{Name: "a-b"}, {Name: "a_b", Parent: "a-b"}},
			[]string{`"a_b": has the settings prefix of "a-b", "A_B"`}},
		{"same cookie by default", []space{main, {Name: "admin"}},
			[]string{`"admin": has the cookie name of "main", "__Host-id"; set another Cookie.Name (ADMIN_SESSION_COOKIE_NAME)`}},
		{"companion that is a session's cookie",
			[]space{{Name: "main", Companions: []cookie{{Name: "__Host-admin"}, {Name: "__Host-id"}}}, {Name: "admin", Cookie: cookie{Name: "__Host-admin"}}},
			[]string{`companion "__Host-admin" is the session cookie of "admin"`, `companion "__Host-id" is the session cookie of "main"`}},

		{"unknown parent", []space{main, {Name: "chat", Parent: "mian"}}, []string{`"chat": unknown parent "mian"`}},
		{"unknown parent, told once", []space{main, {Name: "chat", Parent: "mian"}, {Name: "room", Parent: "chat"}},
			[]string{`"chat": unknown parent "mian"`}},
		{"path of three parts", []space{main, prefixes.Parse("main/chat"), prefixes.Parse("main/chat/room")},
			[]string{`"room": unknown parent "main/chat"; add it to the set, or name one that is in it; a path has two parts, as in "chat/room"`}},
		{"itself as parent", []space{main, {Name: "chat", Parent: "chat"}}, []string{`"chat": lives below itself (chat below chat)`}},
		{"circle of parents, and one below it",
			[]space{main, {Name: "d", Parent: "c"}, {Name: "a", Parent: "b"}, {Name: "b", Parent: "c"}, {Name: "c", Parent: "a"}},
			[]string{`"a": lives below itself (a below b below c below a)`}},
		{"no root", []space{{Name: "a", Parent: "b"}, {Name: "b", Parent: "a"}},
			[]string{`"a": lives below itself`, `no root`}},

		{"child with fields for roots",
			[]space{main, {
				Name: "chat", Parent: "main",
				Cookie: cookie{Scripts: true}, Companions: []cookie{{Name: "x"}}, RenewAfter: 1,
				RememberIdleTimeout: time.Hour, RememberLifetime: time.Hour,
				MaxSessions: 1, AtMax: prefixes.RefuseNewest,
			}},
			[]string{
				`"chat": Cookie is for roots only, and this one lives below "main"`, `Companions is`, `RenewAfter is`,
				`MaxSessions is`, `AtMax is`,
				`RememberIdleTimeout is`, `RememberLifetime is`,
			}},
		{"child above its root",
			[]space{main, {Name: "chat", Parent: "main", IdleTimeout: time.Hour, Lifetime: 9 * time.Hour}},
			[]string{
				`"chat": IdleTimeout 1h0m0s is above that of its root "main", 30m0s`,
				`"chat": Lifetime 9h0m0s is above that of its root "main", 8h0m0s`,
			}},
		{"grandchild above its root",
			[]space{main, prefixes.Parse("main/chat"), {Name: "room", Parent: "chat", IdleTimeout: time.Hour}},
			[]string{`"room": IdleTimeout 1h0m0s is above that of its root "main"`}},

		{"idle timeout above lifetime", root(func(n *space) { n.Lifetime = time.Minute }),
			[]string{`IdleTimeout 30m0s is above Lifetime 1m0s`}},
		{"remembered idle timeout above lifetime", root(func(n *space) { n.RememberLifetime = time.Minute }),
			[]string{`RememberIdleTimeout 336h0m0s is above RememberLifetime 1m0s`}},
		{"idle timeout of a child above its lifetime", []space{main, {Name: "chat", Parent: "main", Lifetime: time.Minute}},
			[]string{`"chat": IdleTimeout 30m0s is above Lifetime 1m0s`}},
		{"negative durations",
			root(func(n *space) {
				n.IdleTimeout, n.Lifetime, n.RememberIdleTimeout, n.RememberLifetime, n.RenewAfter = -1, -2, -3, -4, -5
			}),
			[]string{"IdleTimeout -1ns; use at least 1ms", "Lifetime -2ns", "RememberIdleTimeout -3ns", "RememberLifetime -4ns", "RenewAfter -5ns is negative"}},
		{"limit of sessions", root(func(n *space) { n.MaxSessions, n.AtMax = -1, 7 }),
			[]string{"unknown AtMax 7", "MaxSessions -1 is negative"}},
		{"timeout below the resolution of the stores", root(func(n *space) { n.IdleTimeout = 999 * time.Microsecond }),
			[]string{"IdleTimeout 999µs; use at least 1ms"}},
		{"lifetime that no cookie has",
			root(func(n *space) { n.Lifetime, n.RememberLifetime = 400*24*time.Hour+1, 1<<63-1 }),
			[]string{"Lifetime 9600h0m0.000000001s; use at most 9600h0m0s (400 days)", "RememberLifetime"}},

		{"cookie name", withCookie(cookie{Name: "a b"}), []string{`Cookie "a b": the name is not a token`}},
		{"cookie name with a separator", withCookie(cookie{Name: "a;b"}), []string{`not a token`}},
		{"cookie name that is not ASCII", withCookie(cookie{Name: "sitzüng"}), []string{`not a token`}},
		{"Secure cookie without a prefix", withCookie(cookie{Name: "sid"}),
			[]string{`Cookie "sid": any host of its domain, and any page over plain http, could set it; name it "__Host-sid"`}},
		{"long cookie name", withCookie(cookie{Name: strings.Repeat("a", 129)}), []string{`the name has 129 bytes; use at most 128`}},
		{"path that is not absolute", withCookie(cookie{Path: "chat"}), []string{`Path "chat"; begin it with "/"`}},
		{"path that ends the attribute", withCookie(cookie{Path: "/a; Domain=evil"}), []string{`Path "/a; Domain=evil"`}},
		{"path with a control character", withCookie(cookie{Path: "/a\r\n"}), []string{`Path "/a\r\n"`}},
		{"domain that ends the attribute", withCookie(cookie{Domain: "a.example; Path=/"}), []string{`Domain "a.example; Path=/"; give a host name alone`}},
		{"domain with a port", withCookie(cookie{Domain: "a.example:80"}), []string{`Domain "a.example:80"`}},
		{"domain with a control character", withCookie(cookie{Domain: "a\nb"}), []string{`Domain "a\nb"`}},
		{"__Host- with a domain", withCookie(cookie{Name: "__Host-id", Domain: "a.example"}),
			[]string{`browsers drop a "__Host-" cookie with a Domain ("a.example")`}},
		{"__Host- with a path", withCookie(cookie{Name: "__Host-id", Path: "/chat"}),
			[]string{`browsers drop a "__Host-" cookie with a Path other than "/"`}},
		{"__host- in other letters", withCookie(cookie{Name: "__hOST-id", Domain: "a.example", Path: "/chat", Insecure: true}),
			[]string{"with a Domain", "with a Path", "without Secure"}},
		{"__Secure- without Secure", withCookie(cookie{Name: "__Secure-id", Insecure: true}),
			[]string{`browsers drop a "__Host-" or "__Secure-" cookie without Secure`}},
		{"SameSite=None without Secure", withCookie(cookie{SameSite: http.SameSiteNoneMode, Insecure: true}),
			[]string{"browsers drop a SameSite=None cookie without Secure"}},
		{"SameSite left to the browser", withCookie(cookie{SameSite: http.SameSiteDefaultMode}), []string{"SameSite is left to the browser"}},
		{"SameSite that does not exist", withCookie(cookie{SameSite: 9}), []string{"unknown SameSite 9"}},

		{"companion without a name", root(func(n *space) { n.Companions = []cookie{{Path: "/"}} }), []string{"a companion has no Name"}},
		{"companion that no browser takes", root(func(n *space) { n.Companions = []cookie{{Name: "__Host-x", Path: "/chat"}} }),
			[]string{`companion "__Host-x": browsers drop`}},

		{"several at once", []space{{Name: "A"}, {Name: "main", Cookie: cookie{Name: "a b"}}, {Name: "chat", Parent: "x"}},
			[]string{`"chat": unknown parent`, `"A": bad name`, `"main": Cookie "a b"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := prefixes.NewRegistry(c.ns...)
			if err == nil || r != nil {
				t.Fatalf("NewRegistry = %v, %v, want an error", r, err)
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(c.want) {
				t.Fatalf("NewRegistry = %d lines, want %d:\n%v", len(lines), len(c.want), err)
			}
			for i, line := range lines {
				if !strings.HasPrefix(line, "prefixes: ") || !strings.Contains(line, c.want[i]) {
					t.Errorf("line %d = %s\nwant %s", i+1, line, c.want[i])
				}
			}
		})
	}
}

func TestNewRegistry_accepts(t *testing.T) {
	for _, c := range []struct {
		name string
		ns   []space
	}{
		{"the bounds",
			[]space{{
				Name: strings.Repeat("a", 32), IdleTimeout: time.Millisecond, Lifetime: 400 * 24 * time.Hour,
				RememberIdleTimeout: time.Hour, RememberLifetime: time.Hour,
				Cookie: cookie{Name: "__Secure-" + strings.Repeat("a", 119), Path: "/chat", Domain: ".a.example", SameSite: http.SameSiteNoneMode},
			}}},
		{"a child that has the timeouts of its root", []space{main, {Name: "chat", Parent: "main", IdleTimeout: 30 * time.Minute, Lifetime: 8 * time.Hour}}},
		{"a child before its root", []space{{Name: "chat", Parent: "main"}, main}},
		{"plain http", []space{{Name: "main", Cookie: cookie{Insecure: true}}}},
		{"plain http under another name", []space{{Name: "main", Cookie: cookie{Name: "sid", Insecure: true}}}},
		{"one companion of two roots", []space{
			{Name: "main", Companions: []cookie{{Name: "theme"}}},
			{Name: "admin", Cookie: cookie{Name: "__Host-admin"}, Companions: []cookie{{Name: "theme"}}},
		}},
		{"a name of the store with another prefix", []space{{Name: "user", Prefix: "u"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := prefixes.NewRegistry(c.ns...); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNewRegistry_fillsDefaults(t *testing.T) {
	r := newRegistry(t,
		space{Name: "chat-room", Parent: "chat"},
		space{Name: "chat", Parent: "main", Prefix: "c", Settings: "TALK", IdleTimeout: time.Minute},
		space{Name: "main", Lifetime: time.Hour, Companions: []cookie{{Name: "theme"}}},
	)
	for _, want := range []space{
		{
			Name: "main", Prefix: "main", Settings: "MAIN", IdleTimeout: 30 * time.Minute, Lifetime: time.Hour,
			RememberIdleTimeout: 14 * 24 * time.Hour, RememberLifetime: 30 * 24 * time.Hour,
			Cookie:     cookie{Name: "__Host-id", Path: "/", SameSite: http.SameSiteLaxMode},
			Companions: []cookie{{Name: "theme", Path: "/", SameSite: http.SameSiteLaxMode}},
		},
		{Name: "chat", Prefix: "c", Settings: "TALK", Parent: "main", IdleTimeout: time.Minute, Lifetime: time.Hour},
		// From the root, not from the parent.
		{Name: "chat-room", Prefix: "chat-room", Settings: "CHAT_ROOM", Parent: "chat", IdleTimeout: 30 * time.Minute, Lifetime: time.Hour},
	} {
		got, ok := r.Get(want.Name)
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Errorf("Get(%q) (-want +got):\n%s", want.Name, diff)
		}
	}
}

func TestNewRegistry_namesCookieByItsAttributes(t *testing.T) {
	for _, c := range []struct {
		cookie cookie
		want   string
	}{
		{cookie{}, "__Host-id"},
		{cookie{Path: "/"}, "__Host-id"},
		{cookie{Path: "/chat"}, "__Secure-id"},
		{cookie{Domain: "a.example"}, "__Secure-id"},
		{cookie{Insecure: true}, "id"},
		{cookie{Insecure: true, Domain: "a.example"}, "id"},
		{cookie{Name: "__Host-sid"}, "__Host-sid"},
	} {
		n, _ := newRegistry(t, space{Name: "main", Cookie: c.cookie}).Get("main")
		if got := n.Cookie.Name; got != c.want {
			t.Errorf("name of %+v = %q, want %q", c.cookie, got, c.want)
		}
	}
}

func TestNewRegistry_keepsItsOwnCopy(t *testing.T) {
	ns := []space{{Name: "main", Companions: []cookie{{Name: "theme"}}}}
	r := newRegistry(t, ns...)
	if ns[0].Prefix != "" || ns[0].Companions[0].Path != "" {
		t.Errorf("NewRegistry changed its argument: %+v", ns[0])
	}
	ns[0].Companions[0].Name = "changed"
	if n, _ := r.Get("main"); n.Companions[0].Name != "theme" {
		t.Errorf("a change of the argument reached the registry: %+v", n)
	}
}

func TestRegistry_knowsFamilies(t *testing.T) {
	r := newRegistry(t,
		prefixes.Parse("chat/room"),
		prefixes.Parse("main"),
		space{Name: "admin", Cookie: cookie{Name: "__Host-admin"}},
		prefixes.Parse("main/chat"),
		prefixes.Parse("admin/audit"),
		prefixes.Parse("main/cart"),
	)
	if got, want := names(r.Roots()), []string{"main", "admin"}; !slices.Equal(got, want) {
		t.Errorf("Roots = %q, want %q", got, want)
	}
	for _, c := range []struct {
		name, root    string
		family, below []string
	}{
		{"main", "main", []string{"main", "room", "chat", "cart"}, []string{"room", "chat", "cart"}},
		{"admin", "admin", []string{"admin", "audit"}, []string{"audit"}},
		{"chat", "main", nil, []string{"room"}},
		{"room", "main", nil, nil},
		{"nobody", "", nil, nil},
		{"", "", nil, nil},
	} {
		if got, ok := r.Root(c.name); got != c.root || ok != (c.root != "") {
			t.Errorf("Root(%q) = %q, %v, want %q", c.name, got, ok, c.root)
		}
		if got := names(r.Family(c.name)); !slices.Equal(got, c.family) {
			t.Errorf("Family(%q) = %q, want %q", c.name, got, c.family)
		}
		if got := r.Below(c.name); !slices.Equal(got, c.below) {
			t.Errorf("Below(%q) = %q, want %q", c.name, got, c.below)
		}
		if _, ok := r.Get(c.name); ok != (c.root != "") {
			t.Errorf("Get(%q) = %v", c.name, ok)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ path, name, parent string }{
		{"main", "main", ""},
		{"main/chat", "chat", "main"},
		{"main/chat/room", "room", "main/chat"},
		{"", "", ""},
		{"main/", "", "main"},
		{"/chat", "/chat", ""}, // not a root "chat" by mistake
		{"/", "/", ""},
	} {
		if diff := cmp.Diff(space{Name: c.name, Parent: c.parent}, prefixes.Parse(c.path)); diff != "" {
			t.Errorf("Parse(%q) (-want +got):\n%s", c.path, diff)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"main", "main/chat", "main/chat/room", "/chat", "main/", "", "op", "a:b", "a{", "Main", "mäin/ü"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		n := prefixes.Parse(path)
		back := n.Name
		if n.Parent != "" {
			back = n.Parent + "/" + n.Name
		}
		if back != path {
			t.Fatalf("Parse(%q) = %+v", path, n)
		}
		// What a registry takes can stand in a key, a variable and a log line.
		r, err := prefixes.NewRegistry(n, main)
		if err != nil {
			return
		}
		n, _ = r.Get(n.Name)
		if len(n.Name) == 0 || len(n.Name) > 32 || strings.Trim(n.Name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("NewRegistry took the name %q", n.Name)
		}
		if strings.Trim(n.Settings, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
			t.Errorf("NewRegistry took the settings prefix %q", n.Settings)
		}
		if root, _ := r.Root(n.Name); root != "main" {
			t.Errorf("Root(%q) = %q", n.Name, root)
		}
	})
}

func newRegistry(t *testing.T, ns ...space) *prefixes.Registry {
	t.Helper()
	r, err := prefixes.NewRegistry(ns...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func names(ns []space) []string {
	var out []string
	for _, n := range ns {
		out = append(out, n.Name)
	}
	return out
}
