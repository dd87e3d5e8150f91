package transport_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
)

// token logs a client in that has no cookies, and returns its token.
func (n *node) token(user string) string {
	n.t.Helper()
	sc := n.m.Scope(httptest.NewRequest("POST", "/login", nil))
	if err := sc.AllowToken(""); err != nil {
		n.t.Fatal(err)
	}
	if err := sc.Login(n.t.Context(), user, session.LoginOptions{}); err != nil {
		n.t.Fatal(err)
	}
	if err := sc.Commit(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
	h := make(http.Header)
	sc.WriteHeader(h)
	if len(h["Set-Cookie"]) != 0 || h.Get(session.TokenHeader) == "" {
		n.t.Fatalf("header %v", h)
	}
	return h.Get(session.TokenHeader)
}

// bearing adds tokens to the header of a request.
func bearing(h http.Header, tokens ...string) http.Header {
	for _, token := range tokens {
		h.Add("Authorization", "Bearer "+token)
	}
	return h
}

// whoIs answers with the user of the connection.
func whoIs(_ context.Context, out *transport.Outbox, _ transport.Message) error {
	out.Reply([]byte(out.Peer().User))
	return nil
}

// wantUser checks who a socket belongs to, and leaves it.
func (c *client) wantUser(want string) {
	c.t.Helper()
	c.send("who")
	c.wantNext(want)
	_ = c.ws.CloseNow()
}

// handed returns what the 101 hands out: a token, and how many cookies.
func (c *client) handed() (token string, cookies int) {
	return c.resp.Header.Get(session.TokenHeader), len(c.resp.Cookies())
}

func TestTokens_openASocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		token := n.token("ada")
		e := n.endpoint(transport.HandlerFunc(whoIs), transport.Options{Tokens: true, RequireUser: true})
		for _, h := range []http.Header{
			bearing(page(nil), token),
			{"Origin": {origin}, "Authorization": {"bearer  " + token}},
			{"Origin": {origin}, "Authorization": {"Basic YTpi", "BEARER " + token}},
		} {
			trips := n.store.trips.Load()
			ws := dial(t, e, h)
			if got := n.store.trips.Load() - trips; got != 1 {
				t.Errorf("%d trips, want 1", got)
			}
			if token, cookies := ws.handed(); token != "" || cookies != 0 {
				t.Errorf("header %v", ws.resp.Header)
			}
			ws.wantUser("ada")
		}
	})
}

func TestTokens_areNotLookedAtByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		token := n.token("ada")
		e := n.endpoint(transport.HandlerFunc(whoIs), transport.Options{})
		trips := n.store.trips.Load()
		dial(t, e, bearing(page(nil), token)).wantClose(hub.SessionEnded)
		dial(t, e, bearing(page(nil), token, token)).wantClose(hub.SessionEnded)
		if got := n.store.trips.Load() - trips; got != 0 {
			t.Errorf("%d trips", got)
		}
		dial(t, e, bearing(page(n.logIn("bob")), token)).wantUser("bob")
	})
}

func TestTokens_thatOpenNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		token := n.token("ada")
		e := n.endpoint(transport.HandlerFunc(whoIs), transport.Options{Tokens: true})
		for _, c := range []struct {
			name  string
			token string
			trips int64
		}{
			{"malformed", "garbage", 0},
			{"empty", "", 0},
			{"truncated", token[:len(token)-1], 0},
			{"unknown", strings.Repeat("A", 22) + "." + strings.Repeat("A", 43), 1},
			{"another secret", token[:23] + strings.Repeat("A", 43), 1},
		} {
			trips := n.store.trips.Load()
			ws := dial(t, e, bearing(page(nil), c.token))
			ws.wantClose(hub.SessionEnded)
			if got := n.store.trips.Load() - trips; got != c.trips {
				t.Errorf("%s: %d trips, want %d", c.name, got, c.trips)
			}
			if token, cookies := ws.handed(); token != "" || cookies != 0 {
				t.Errorf("%s: header %v", c.name, ws.resp.Header)
			}
		}
	})
}

func TestTokens_besideACookieHaveToBeItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		for _, anonymous := range []transport.Anonymous{transport.Refuse, transport.Allow, transport.Create} {
			token, v := n.token("ada"), n.logIn("ada")
			value := strings.TrimPrefix(v.Header().Get("Cookie"), "__Host-id=")
			e := n.endpoint(transport.HandlerFunc(whoIs), transport.Options{Tokens: true, Anonymous: anonymous})
			trips := n.store.trips.Load()
			for name, h := range map[string]http.Header{
				"two sessions":       bearing(page(v), token),
				"a malformed token":  bearing(page(v), "x"),
				"a malformed cookie": bearing(cookies("__Host-id=x"), token),
				"a token twice":      bearing(page(nil), token, token),
				"two tokens":         bearing(page(nil), token, value),
			} {
				resp := wantStatus(t, e, h, http.StatusBadRequest)
				if text := body(t, resp); len(resp.Cookies()) != 0 || resp.Header.Get(session.TokenHeader) != "" ||
					strings.Contains(text, token[23:]) || strings.Contains(text, value[23:]) {
					t.Errorf("%s: %q, header %v", name, text, resp.Header)
				}
			}
			if got := n.store.trips.Load() - trips; got != 0 {
				t.Errorf("%d trips for requests that were refused", got)
			}
			dial(t, e, bearing(page(v), value)).wantUser("ada")
		}
		time.Sleep(time.Second) // the sockets that were let in have closed by then
		synctest.Wait()
		if got := n.hub.Stats(); got.Connections != 0 {
			t.Errorf("%d entries are left in the hub", got.Connections)
		}
		if log := n.log.String(); log != "" {
			t.Errorf("log %s", log)
		}
	})
}

func TestTokens_createHandsOutWhatTheClientKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		unknown := "__Host-id=" + strings.Repeat("A", 22) + "." + strings.Repeat("A", 43)
		for _, c := range []struct {
			name    string
			tokens  bool
			header  http.Header
			asToken bool
		}{
			{"tokens off", false, cookies(), false},
			{"tokens off, with a token", false, bearing(cookies(), "x"), false},
			{"tokens on", true, cookies(), true},
			{"tokens on, with a token of no form", true, bearing(cookies(), "x"), true},
			{"tokens on, with a token of no session", true, bearing(cookies(), unknown[10:]), true},
			{"tokens on, with a cookie of no session", true, cookies(unknown), false},
			{"tokens on, with a cookie of no form", true, cookies("__Host-id=x"), false},
			{"tokens on, with both of no session", true, bearing(cookies(unknown), unknown[10:]), false},
		} {
			e := n.endpoint(transport.HandlerFunc(count), transport.Options{Tokens: c.tokens, Anonymous: transport.Create})
			ws := dial(t, e, c.header)
			token, got := ws.handed()
			if (token != "") != c.asToken || (got == 1) == c.asToken || ws.resp.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: header %v", c.name, ws.resp.Header)
			}
			ws.send("one")
			ws.wantNext("1")
			_ = ws.ws.CloseNow()
			if token == "" {
				continue
			}
			again := dial(t, e, bearing(cookies(), token))
			again.send("two")
			again.wantNext("2")
			if token, got := again.handed(); token != "" || got != 0 {
				t.Errorf("%s, the second socket: header %v", c.name, again.resp.Header)
			}
			_ = again.ws.CloseNow()
		}
	})
}

func TestTokens_areRenewedWithThe101(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, prefixes.Namespace{Name: "main", RenewAfter: 10 * time.Minute})
		token := n.token("ada")
		e := n.endpoint(transport.HandlerFunc(whoIs), transport.Options{Tokens: true})
		time.Sleep(10 * time.Minute)
		ws := dial(t, e, bearing(page(nil), token))
		next, got := ws.handed()
		if next == "" || next == token || next[:22] != token[:22] || got != 0 {
			t.Fatalf("header %v", ws.resp.Header)
		}
		ws.wantUser("ada")
		ws = dial(t, e, bearing(page(nil), next))
		if token, got := ws.handed(); token != "" || got != 0 {
			t.Errorf("once renewed: header %v", ws.resp.Header)
		}
		ws.wantUser("ada")
	})
}

func TestTokens_theSocketEndsWithItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		e := n.endpoint(transport.HandlerFunc(whoIs), transport.Options{Tokens: true})
		token := n.token("ada")
		act := func(do func(sc *session.Scope) error) {
			t.Helper()
			r := httptest.NewRequest("POST", "/", nil)
			bearing(r.Header, token)
			sc := n.m.Scope(r)
			if err := sc.AllowToken(""); err != nil {
				t.Fatal(err)
			}
			if err := do(sc); err != nil {
				t.Fatal(err)
			}
			if err := sc.Commit(context.WithoutCancel(t.Context())); err != nil {
				t.Fatal(err)
			}
			h := make(http.Header)
			if sc.WriteHeader(h); h.Get(session.TokenHeader) != "" {
				token = h.Get(session.TokenHeader)
			}
		}
		ws := dial(t, e, bearing(page(nil), token))
		old := token
		act(func(sc *session.Scope) error { return sc.Cycle(t.Context(), "") })
		ws.wantClose(hub.SessionRenewed)
		dial(t, e, bearing(page(nil), old)).wantClose(hub.SessionRenewed) // come again with the new one
		ws = dial(t, e, bearing(page(nil), token))
		act(func(sc *session.Scope) error { _, err := sc.Logout(t.Context(), session.This); return err })
		ws.wantClose(hub.SessionEnded)
		dial(t, e, bearing(page(nil), token)).wantClose(hub.SessionEnded)
	})
}

func TestTokens_ofAnotherRootOpenNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, prefixes.Namespace{Name: "main"}, prefixes.Namespace{Name: "shop", Cookie: prefixes.Cookie{Name: "__Host-shop"}})
		token := n.token("ada")
		e := n.endpoint(transport.HandlerFunc(whoIs), transport.Options{Tokens: true, Namespaces: []string{"shop"}})
		dial(t, e, bearing(page(nil), token)).wantClose(hub.SessionEnded)
	})
}

// No page may use a token in place of its origin.
func TestTokens_doNotReplaceTheOrigin(t *testing.T) {
	n := newNode(t)
	e := n.endpoint(transport.HandlerFunc(whoIs), transport.Options{Tokens: true})
	h := bearing(http.Header{}, n.token("ada"))
	wantStatus(t, e, h, http.StatusForbidden)
	h.Set("Origin", "https://evil.example")
	wantStatus(t, e, h, http.StatusForbidden)
}
