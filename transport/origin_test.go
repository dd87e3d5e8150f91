package transport_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
	"github.com/sessionhub/sessionhub/transport"
)

func TestEndpoint_letsExactOriginsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		o := transport.Options{Anonymous: transport.Allow, Origins: []string{
			"HTTPS://Chat.Example:443/", "http://localhost:8080", "https://[2001:DB8:0:0::1]:8443", "https://xn--bcher-kva.example",
		}}
		strict := n.endpoint(transport.HandlerFunc(echo), o)
		o.NonBrowser = true
		loose := n.endpoint(transport.HandlerFunc(echo), o)
		for _, c := range []struct {
			name    string
			origins []string
			in      bool
		}{
			{"exact", []string{"https://chat.example"}, true},
			{"exact with a port", []string{"http://localhost:8080"}, true},
			{"exact IPv6", []string{"https://[2001:db8::1]:8443"}, true},
			{"exact punycode", []string{"https://xn--bcher-kva.example"}, true},
			{"empty", []string{""}, false},
			{"null", []string{"null"}, false},
			{"other scheme", []string{"http://chat.example"}, false},
			{"other port", []string{"https://chat.example:444"}, false},
			{"the scheme's own port, which browsers leave out", []string{"https://chat.example:443"}, false},
			{"no port", []string{"http://localhost"}, false},
			{"subdomain", []string{"https://a.chat.example"}, false},
			{"parent domain", []string{"https://example"}, false},
			{"prefix", []string{"https://chat.example.evil.test"}, false},
			{"suffix", []string{"https://evilchat.example"}, false},
			{"case, which browsers lower", []string{"https://Chat.Example"}, false},
			{"trailing dot", []string{"https://chat.example."}, false},
			{"trailing slash", []string{"https://chat.example/"}, false},
			{"user", []string{"https://user@chat.example"}, false},
			{"as user", []string{"https://chat.example@evil.test"}, false},
			{"IPv6 in another spelling", []string{"https://[2001:db8:0:0:0:0:0:1]:8443"}, false},
			{"other IPv6", []string{"https://[2001:db8::2]:8443"}, false},
			{"not punycode", []string{"https://bücher.example"}, false},
			{"space", []string{" https://chat.example"}, false},
			{"two in one", []string{"https://chat.example, https://evil.test"}, false},
			{"two fields", []string{"https://chat.example", "https://evil.test"}, false},
			{"two fields with the same", []string{"https://chat.example", "https://chat.example"}, false},
			{"Host alone", nil, false},
		} {
			h := http.Header{}
			if c.origins != nil {
				h["Origin"] = c.origins
			}
			if !c.in {
				wantStatus(t, strict, h, http.StatusForbidden)
				if c.origins != nil {
					wantStatus(t, loose, h, http.StatusForbidden)
				}
				continue
			}
			ws, resp := dialing{}.try(t, strict, h)
			if ws == nil {
				t.Errorf("%s: %d", c.name, resp.StatusCode)
				continue
			}
			_ = ws.ws.CloseNow()
		}
		ws := dial(t, loose, http.Header{}) // no field at all: no browser
		_ = ws.ws.CloseNow()
	})
}

func TestOrigin(t *testing.T) {
	for in, want := range map[string]string{
		"https://chat.example":           "https://chat.example",
		"HTTPS://CHAT.example":           "https://chat.example",
		"https://chat.example/":          "https://chat.example",
		"https://chat.example:443":       "https://chat.example",
		"http://chat.example:80":         "http://chat.example",
		"http://chat.example:443":        "http://chat.example:443",
		"https://chat.example:080":       "https://chat.example:80",
		"https://chat.example:":          "https://chat.example",
		"http://127.0.0.1:8080":          "http://127.0.0.1:8080",
		"http://[::1]:8080":              "http://[::1]:8080",
		"http://[0:0:0:0:0:0:0:1]":       "http://[::1]",
		"https://[2001:DB8::A]:443":      "https://[2001:db8::a]",
		"https://[::ffff:127.0.0.1]":     "https://[::ffff:7f00:1]",
		"https://chat.example.":          "https://chat.example.",
		"https://xn--bcher-kva.example":  "https://xn--bcher-kva.example",
		"":                               "",
		"null":                           "",
		"*":                              "",
		"chat.example":                   "",
		"//chat.example":                 "",
		"https:chat.example":             "",
		"https://":                       "",
		"https://:443":                   "",
		"ftp://chat.example":             "",
		"wss://chat.example":             "",
		"https://*.example":              "",
		"https://chat.example/path":      "",
		"https://chat.example?":          "",
		"https://chat.example?q":         "",
		"https://chat.example#":          "",
		"https://chat.example/#f":        "",
		"https://user@chat.example":      "",
		"https://@chat.example":          "",
		"https://bücher.example":         "",
		"https://chat.example:65536":     "",
		"https://chat.example:https":     "",
		"https://[fe80::1%25eth0]":       "",
		"https://a,b":                    "",
		"https://chat%2eexample":         "",
		"https://chat.example https://b": "",
	} {
		got, err := transport.Origin(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("Origin(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
}

func TestNew_refuses(t *testing.T) {
	registry, err := prefixes.NewRegistry(prefixes.Namespace{Name: "main"}, prefixes.Namespace{Name: "chat", Parent: "main"},
		prefixes.Namespace{Name: "admin", Cookie: prefixes.Cookie{Name: "__Host-admin"}})
	if err != nil {
		t.Fatal(err)
	}
	m := session.New(registry, new(memstore.Store), session.Options{})
	for want, o := range map[string]transport.Options{
		"no Origins":                {},
		"wildcards":                 {Origins: []string{"https://*.example"}},
		`no namespace "nobody"`:     {NonBrowser: true, Namespaces: []string{"nobody"}},
		"namespaces of one family":  {NonBrowser: true, Namespaces: []string{"chat", "admin"}},
		"RequireUser refuses":       {NonBrowser: true, RequireUser: true, Anonymous: transport.Create},
		`"nobody" is not of "main"`: {NonBrowser: true, Namespaces: []string{"chat", "nobody"}},
	} {
		if _, err := transport.New(transport.HandlerFunc(echo), m, hub.New(hub.Options{}), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, want %q", err, want)
		}
	}
}

// FuzzOrigin compares the endpoint's decision with a plain one, and [Origin]
// with the parts that it is made of.
func FuzzOrigin(f *testing.F) {
	allowed := []string{"https://chat.example", "http://localhost:8080", "http://[::1]:8080"}
	registry, err := prefixes.NewRegistry(prefixes.Namespace{Name: "main"})
	if err != nil {
		f.Fatal(err)
	}
	m := session.New(registry, new(memstore.Store), session.Options{})
	// A hub that does not run answers 503 to those whom the origin lets in.
	e, err := transport.New(transport.HandlerFunc(echo), m, hub.New(hub.Options{}), transport.Options{Origins: allowed})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range append(allowed, "null", "", "https://chat.example:443", "https://CHAT.example", "https://[::ffff:1.2.3.4]",
		"https://bücher.example", "https://chat.example.", "http://a@b", "http://[::1%25lo]:80", "http://a:00", "https://h/?") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := httptest.NewRequest("GET", "/ws", nil)
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
		r.Header.Set("Sec-WebSocket-Version", "13")
		r.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
		r.Header["Origin"] = []string{s}
		w := &pipeWriter{ResponseRecorder: httptest.NewRecorder()}
		e.ServeHTTP(w, r)
		want := http.StatusForbidden
		if slices.Contains(allowed, s) {
			want = http.StatusServiceUnavailable
		}
		if w.Code != want {
			t.Errorf("Origin: %q = %d, want %d", s, w.Code, want)
		}

		origin, err := transport.Origin(s)
		if err != nil {
			return
		}
		if again, err := transport.Origin(origin); err != nil || again != origin {
			t.Errorf("Origin(%q) = %q, and of that %q, %v", s, origin, again, err)
		}
		u, err := url.Parse(origin)
		if err != nil || u.Scheme+"://"+u.Host != origin || origin != strings.ToLower(origin) {
			t.Fatalf("Origin(%q) = %q, which is %v, %v", s, origin, u, err)
		}
		if port := u.Port(); port != "" {
			if n, err := net.LookupPort("tcp", port); err != nil || u.Scheme == "http" && n == 80 || u.Scheme == "https" && n == 443 {
				t.Errorf("Origin(%q) = %q: port %v", s, origin, err)
			}
		}
		in, err := url.Parse(s)
		if err != nil || in.User != nil || !strings.EqualFold(in.Scheme, u.Scheme) || !sameHost(in.Hostname(), u.Hostname()) {
			t.Errorf("Origin(%q) = %q", s, origin)
		}
	})
}

func sameHost(a, b string) bool {
	ipA, errA := netip.ParseAddr(a)
	ipB, errB := netip.ParseAddr(b)
	return strings.EqualFold(a, b) || errA == nil && errB == nil && ipA == ipB
}
