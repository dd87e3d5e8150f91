package e2e_test

import (
	"errors"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// TestProxy puts a node behind a proxy that speaks TLS, as Public says.
func TestProxy(t *testing.T) {
	t.Parallel()
	var target atomic.Pointer[url.URL] // set before the first request
	transport := &http.Transport{}
	proxy := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target.Load())
			r.SetXForwarded()
			r.Out.Host = r.In.Host
		},
		Transport: transport,
		ErrorLog:  log.New(t.Output(), "proxy: ", 0),
	})
	proxy.StartTLS()
	t.Cleanup(func() {
		proxy.Close()
		transport.CloseIdleConnections()
	})
	n := start(t, "behind", "", "--public", proxy.URL, "--trusted-proxies", "127.0.0.1/32").up(t)
	target.Store(&url.URL{Scheme: "http", Host: n.addr})
	n.client.Transport.(*http.Transport).TLSClientConfig = proxy.Client().Transport.(*http.Transport).TLSClientConfig
	n.origin = proxy.URL
	if said := n.stdout.String(); strings.Contains(said, "password") {
		t.Errorf("a node that is not for this machine alone has seeded accounts:\n%s", said)
	}

	v := enter(t, n, "/signup", account{"lovelace", "correct horse"})
	c := v.set
	if c.Name != "__Host-id" || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("cookie %v, want __Host-id, Secure, HttpOnly, Path=/ and SameSite=Lax", c)
	}
	one, two := v.open(t, n), v.open(t, n)
	one.greets(t, "lobby", "over TLS")
	two.greets(t, "lobby", "so do I")
	one.hears(t, "so do I")

	host := strings.TrimPrefix(proxy.URL, "https://")
	port := host[strings.LastIndexByte(host, ':'):]
	for _, origin := range []string{"", "http://" + host, "http://" + n.addr, "https://localhost" + port, "https://127.0.0.1",
		"https://" + n.addr, proxy.URL + "/", proxy.URL + ".example"} {
		h := v.header(n)
		h.Del("Origin")
		if origin != "" {
			h.Set("Origin", origin)
		}
		_, err := dial(t, n, h)
		var refused *refusedError
		if !errors.As(err, &refused) || refused.code != http.StatusForbidden {
			t.Errorf("upgrade with origin %q: %v, want 403", origin, err)
		}
	}

	v.logout(t, n, "session")
	one.closes(t, 4501)
	two.closes(t, 4501)
	v.isOut(t, n)
}
