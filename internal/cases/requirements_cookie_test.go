package cases_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/sessionhub/sessionhub"
	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/web"
)

// cookieRequirements are those of the cookie.
func cookieRequirements() []visRule {
	return []visRule{
		{"R11_everyCookieHasItsAttributes", "ASVS 5.0, 3.3.1 to 3.3.4: Secure, HttpOnly, Path=/, no Domain, SameSite", requireAttributes},
		{"R12_theNamePromisesWhatTheAttributesHold", "RFC 6265bis, 4.1.3: __Host-, or __Secure- with a Domain", requirePrefix},
		{"R13_sameSiteIsNeverLeftToTheBrowser", "RFC 6265bis: Lax by default lets a POST through for two minutes", requireSameSite},
		{"R14_theCookieFitsIntoABrowser", "RFC 6265bis, 5.5 to 5.7: 4096 octets, 400 days", requireSize},
		{"R15_aCookieIsPersistentOnlyOnRequest", "OWASP: Expire and Max-Age", requireBrowserSession},
		{"R16_whatShowsASessionIsNotStored", "OWASP: Cache-Control no-store; Clear-Site-Data never says cookies", requireNoStore},
		{"R17_theDocumentationNamesPorts", "RFC 6265bis, 4.1.3.2: __Host- does not isolate ports", requirePorts},
		{"R18_plainHTTPIsForLoopback", "ASVS 5.0, 13.4.2: an explicit mode, another name, loopback only", requireLoopback},
	}
}

func requireAttributes(w *visWorld) {
	v := w.node().visitor()
	for _, step := range []struct {
		name string
		do   func(r *http.Request) error
	}{
		{"creation", func(r *http.Request) error { return visPut(r.Context(), "main", "k", 1) }},
		{"login", func(r *http.Request) error { return session.Login(r.Context(), "alice") }},
		{"new secret", func(r *http.Request) error { return session.Cycle(r.Context()) }},
		{"remembered login", func(r *http.Request) error {
			return session.FromContext(r.Context()).Login(r.Context(), "alice", session.LoginOptions{Remember: true})
		}},
		{"expiry", func(r *http.Request) error { return session.SetExpiry(r.Context(), session.After(time.Hour)) }},
		{"logout", func(r *http.Request) error { _, err := session.Logout(r.Context(), session.This); return err }},
	} {
		resp := v.serve(func(_ http.ResponseWriter, r *http.Request) {
			if err := step.do(r); err != nil {
				w.Errorf("%s: %v", step.name, err)
			}
		})
		lines := resp.Header["Set-Cookie"]
		if len(lines) != 1 {
			w.Errorf("%s: %d cookies", step.name, len(lines))
			continue
		}
		for _, want := range []string{"__Host-id=", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"} {
			if !strings.Contains(lines[0], want) {
				w.Errorf("%s: %q lacks %q", step.name, lines[0], want)
			}
		}
		if strings.Contains(lines[0], "Domain") {
			w.Errorf("%s: %q has a Domain", step.name, lines[0])
		}
	}
}

func requirePrefix(w *visWorld) {
	for want, c := range map[string]prefixes.Cookie{
		"__Host-id":   {},
		"__Secure-id": {Domain: "chat.example"},
		"id":          {Insecure: true},
	} {
		v := w.node(prefixes.Namespace{Name: "main", Cookie: c}).visitor()
		v.set("main", "k", 1)
		if v.jar[want] == "" {
			w.Errorf("%+v: cookies %v, want %s", c, v.jar, want)
		}
	}
	for _, c := range []prefixes.Cookie{
		{Name: "__Host-x", Domain: "chat.example"}, {Name: "__Host-x", Path: "/chat"},
		{Name: "__Host-x", Insecure: true}, {Name: "__secure-x", Insecure: true},
		{Name: "x"}, {Name: "x", Domain: "chat.example"}, // neither prefix
	} {
		if _, err := prefixes.NewRegistry(prefixes.Namespace{Name: "main", Cookie: c}); err == nil {
			w.Errorf("%+v is accepted, and browsers drop it, or let anybody set it", c)
		}
	}
}

func requireSameSite(w *visWorld) {
	for mode, want := range map[http.SameSite]string{
		0: "SameSite=Lax", http.SameSiteLaxMode: "SameSite=Lax", http.SameSiteStrictMode: "SameSite=Strict",
		http.SameSiteNoneMode: "SameSite=None",
	} {
		v := w.node(prefixes.Namespace{Name: "main", Cookie: prefixes.Cookie{SameSite: mode}}).visitor()
		resp := v.serve(func(_ http.ResponseWriter, r *http.Request) {
			if err := visPut(r.Context(), "main", "k", 1); err != nil {
				w.Error(err)
			}
		})
		if got := resp.Header.Get("Set-Cookie"); !strings.Contains(got, want) {
			w.Errorf("mode %d: %q, want %s", mode, got, want)
		}
	}
	if _, err := prefixes.NewRegistry(prefixes.Namespace{
		Name: "main", Cookie: prefixes.Cookie{SameSite: http.SameSiteDefaultMode},
	}); err == nil {
		w.Error("SameSite may be left to the browser")
	}
}

func requireSize(w *visWorld) {
	const days = 24 * time.Hour
	n := w.node(prefixes.Namespace{
		Name: "main", Lifetime: 400 * days,
		Cookie: prefixes.Cookie{Name: "__Secure-" + strings.Repeat("n", 119), Persistent: true, Domain: strings.Repeat("d.", 100) + "example"},
	})
	resp := n.visitor().serve(func(_ http.ResponseWriter, r *http.Request) {
		if err := visPut(r.Context(), "main", "k", 1); err != nil {
			w.Error(err)
		}
	})
	c := resp.Cookies()[0]
	if len(c.Name)+len(c.Value) > 4096 || len(c.Raw) > 4096 || c.MaxAge > int(400*days/time.Second) || c.MaxAge < int(399*days/time.Second) {
		w.Errorf("%d octets, Max-Age %d", len(c.Raw), c.MaxAge)
	}
	for _, ns := range []prefixes.Namespace{
		{Name: "main", Lifetime: 401 * days}, {Name: "main", RememberLifetime: 401 * days},
		{Name: "main", Cookie: prefixes.Cookie{Name: "__Host-" + strings.Repeat("n", 122)}},
	} {
		if _, err := prefixes.NewRegistry(ns); err == nil {
			w.Errorf("%+v is accepted", ns)
		}
	}
}

func requireBrowserSession(w *visWorld) {
	n := w.node()
	log := func(remember bool) *http.Cookie {
		resp := n.visitor().serve(func(_ http.ResponseWriter, r *http.Request) {
			o := session.LoginOptions{Remember: remember}
			if err := session.FromContext(r.Context()).Login(r.Context(), "alice", o); err != nil {
				w.Error(err)
			}
		})
		return resp.Cookies()[0]
	}
	if c := log(false); c.MaxAge != 0 || !c.Expires.IsZero() {
		w.Errorf("a cookie that nobody asked to keep: %q", c.Raw)
	}
	if c := log(true); c.MaxAge <= 0 {
		w.Errorf("a cookie to keep: Max-Age %d", c.MaxAge)
	}
}

func requireNoStore(w *visWorld) {
	n := w.node()
	v := n.visitor()
	for _, step := range []struct {
		name string
		do   func(r *http.Request) error
	}{
		{"sets the id", func(r *http.Request) error { return visPut(r.Context(), "main", "k", 1) }},
		{"shows a session", func(r *http.Request) error { _, err := visLook(r.Context(), "main", "k"); return err }},
		{"logs in", func(r *http.Request) error { return session.Login(r.Context(), "alice") }},
	} {
		resp := v.serve(func(_ http.ResponseWriter, r *http.Request) {
			if err := step.do(r); err != nil {
				w.Error(err)
			}
		})
		if got := resp.Header.Get("Cache-Control"); got != "no-store" {
			w.Errorf("%s: Cache-Control %q", step.name, got)
		}
	}
	for _, clears := range []bool{false, true} {
		v := n.visitor().login("alice")
		resp := v.request(httptest.NewRequest("POST", visOrigin, nil), web.Logout(web.LogoutOptions{ClearSiteData: clears}).ServeHTTP)
		want := ""
		if clears {
			want = `"storage"`
		}
		if got := resp.Header.Get("Clear-Site-Data"); got != want || resp.Header.Get("Cache-Control") != "no-store" {
			w.Errorf("a logout: Clear-Site-Data %q, want %q; Cache-Control %q", got, want, resp.Header.Get("Cache-Control"))
		}
	}
}

func requirePorts(w *visWorld) {
	text := visRead(w, "docs/*.md", "prefixes/doc.go", "prefixes/namespace.go", "README.md")
	port := regexp.MustCompile(`\bports?\b`)
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		if strings.Contains(paragraph, "__Host-") && port.MatchString(paragraph) {
			return
		}
	}
	w.Error("nothing says that a program on another port of the host can read and set the cookie")
}

func requireLoopback(w *visWorld) {
	serve := func(public, addr string) error {
		app, err := sessionhub.New(sessionhub.Options{Public: public, Redis: w.url, Prefix: w.prefix, Logger: w.node().options.Logger})
		if err != nil {
			w.Fatal(err)
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			w.Fatal(err)
		}
		rec := httptest.NewRecorder()
		r := app.Router()
		r.Get("/", func(_ http.ResponseWriter, r *http.Request) {
			if err := visPut(r.Context(), "main", "k", 1); err != nil {
				w.Error(err)
			}
		})
		r.ServeHTTP(rec, httptest.NewRequest("GET", public, nil))
		if c := rec.Result().Cookies()[0]; (c.Name == "id") == c.Secure {
			w.Errorf("%s: cookie %q", public, c.Raw)
		}
		ctx := visEnded()
		err = app.Serve(ctx, visListener{ln, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))}, r)
		if errors.Is(err, ctx.Err()) {
			err = nil // it would have served
		}
		return err
	}
	if err := serve("http://localhost:8080", "192.0.2.1:80"); err == nil {
		w.Error("cookies go over a network in the clear")
	}
	if err := serve("http://localhost:8080", "127.0.0.1:80"); err != nil {
		w.Errorf("on loopback: %v", err)
	}
	if err := serve("https://chat.example", "192.0.2.1:80"); err != nil {
		w.Errorf("behind TLS: %v", err)
	}
}

// visListener says that it listens elsewhere.
type visListener struct {
	net.Listener
	addr net.Addr
}

func (l visListener) Addr() net.Addr { return l.addr }
