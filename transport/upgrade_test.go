package transport_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
)

// cookies returns the header of a page with these cookies.
func cookies(values ...string) http.Header {
	h := page(nil)
	for _, v := range values {
		h.Add("Cookie", v)
	}
	return h
}

func TestUpgrade_withoutSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		v := n.logIn("ada")
		cookie := v.Header().Get("Cookie")
		name, value, _ := strings.Cut(cookie, "=")
		id, _, _ := strings.Cut(value, ".")
		unknown := name + "=" + strings.Repeat("A", 22) + "." + strings.Repeat("A", 43)
		e := n.endpoint(transport.HandlerFunc(echo), transport.Options{})
		for _, c := range []struct {
			name   string
			header http.Header
			trips  int64
		}{
			{"none", cookies(), 0},
			{"malformed", cookies(name + "=garbage"), 0},
			{"empty", cookies(name + "="), 0},
			{"too long", cookies(name + "=" + strings.Repeat("A", 8000)), 0},
			{"wrong alphabet", cookies(strings.Replace(unknown, "A", "+", 1)), 0},
			{"truncated", cookies(cookie[:len(cookie)-1]), 0},
			{"NUL", cookies(cookie[:len(cookie)-1] + "\x00"), 0},
			{"twice", cookies(cookie, unknown), 0},
			{"twice in one field", cookies(cookie + "; " + unknown), 0},
			{"a thousand", cookies(strings.Repeat(unknown+"; ", 1000)), 0},
			{"unknown", cookies(unknown), 1},
			{"foreign secret", cookies(name + "=" + id + "." + strings.Repeat("A", 43)), 1},
		} {
			before := n.store.trips.Load()
			ws := dial(t, e, c.header)
			ws.wantClose(hub.SessionEnded)
			if got := n.store.trips.Load() - before; got != c.trips {
				t.Errorf("%s: %d trips, want %d", c.name, got, c.trips)
			}
			if got := ws.resp.Cookies(); len(got) > 0 {
				t.Errorf("%s: cookies %v", c.name, got)
			}
		}
		ws := dial(t, e, page(v)) // the session is unharmed
		_ = ws.ws.CloseNow()
	})
}

func TestUpgrade_allowsVisitorsWithoutSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		e := n.endpoint(transport.HandlerFunc(func(ctx context.Context, out *transport.Outbox, _ transport.Message) error {
			s, err := session.Get(ctx, "main")
			if err != nil {
				return err
			}
			user, err := session.User(ctx)
			out.Reply(fmt.Appendf(nil, "%q %q %d %v", user, out.Peer().Session, len(s.Keys()), s.Set("a", 1) != nil))
			return err
		}), transport.Options{Anonymous: transport.Allow})
		unknown := strings.Repeat("A", 22) + "." + strings.Repeat("A", 43)
		for _, h := range []http.Header{cookies(), cookies("__Host-id=garbage"), cookies("__Host-id=" + unknown)} {
			ws := dial(t, e, h)
			ws.send("who")
			ws.wantNext(`"" "" 0 true`)
			_ = ws.ws.CloseNow()
		}
	})
}

func TestUpgrade_createsSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		e := n.endpoint(transport.HandlerFunc(count), transport.Options{Anonymous: transport.Create})
		unknown := strings.Repeat("A", 22) + "." + strings.Repeat("A", 43)
		for _, h := range []http.Header{cookies(), cookies("__Host-id=garbage"), cookies("__Host-id=" + unknown)} {
			ws := dial(t, e, h)
			got := ws.resp.Cookies()
			if len(got) != 1 {
				t.Fatalf("cookies %v", got)
			}
			c := got[0]
			if c.Name != "__Host-id" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" ||
				c.Domain != "" || c.MaxAge != 0 || !c.Expires.IsZero() {
				t.Errorf("cookie %q", c.Raw)
			}
			if got := ws.resp.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control %q", got)
			}
			ws.send("one")
			ws.wantNext("1")
			again := dial(t, e, cookies(c.Name+"="+c.Value))
			again.send("two")
			again.wantNext("2")
			if got := again.resp.Cookies(); len(got) > 0 {
				t.Errorf("cookies of the second socket: %v", got)
			}
			_, _ = ws.ws.CloseNow(), again.ws.CloseNow()
		}
		n.store.down.Store(true)
		wantStatus(t, e, cookies(), http.StatusServiceUnavailable)
	})
}

func TestUpgrade_renewsSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, prefixes.Namespace{Name: "main", RenewAfter: 10 * time.Minute})
		v := n.logIn("ada")
		e := n.endpoint(transport.HandlerFunc(echo), transport.Options{})
		first := dial(t, e, page(v))
		if got := first.resp.Cookies(); len(got) > 0 {
			t.Errorf("cookies at once: %v", got)
		}
		time.Sleep(10 * time.Minute)
		second := dial(t, e, page(v))
		got := second.resp.Cookies()
		if len(got) != 1 || "__Host-id="+got[0].Value == v.Header().Get("Cookie") || !got[0].Secure || !got[0].HttpOnly {
			t.Fatalf("cookies after RenewAfter: %v", got)
		}
		third := dial(t, e, cookies("__Host-id="+got[0].Value))
		if got := third.resp.Cookies(); len(got) > 0 {
			t.Errorf("cookies once renewed: %v", got)
		}
		for _, c := range []*client{first, second, third} {
			c.send("still here")
			c.wantNext("still here")
			_ = c.ws.CloseNow()
		}
	})
}

func TestUpgrade_requiresUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		anyone := n.endpoint(transport.HandlerFunc(echo), transport.Options{Anonymous: transport.Create})
		users := n.endpoint(transport.HandlerFunc(func(_ context.Context, out *transport.Outbox, _ transport.Message) error {
			out.Reply([]byte(out.Peer().User))
			return nil
		}), transport.Options{RequireUser: true})
		ws := dial(t, anyone, cookies())
		visitor := cookies("__Host-id=" + ws.resp.Cookies()[0].Value)
		dial(t, users, visitor).wantClose(hub.SessionEnded)
		_ = ws.ws.CloseNow()
		ws = dial(t, users, page(n.logIn("ada")))
		ws.send("who")
		ws.wantNext("ada")
		_ = ws.ws.CloseNow()
	})
}

func TestUpgrade_storeThatCannotBeAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		e := n.endpoint(transport.HandlerFunc(echo), transport.Options{})
		v := n.logIn("ada")
		n.store.down.Store(true)
		resp := wantStatus(t, e, page(v), http.StatusServiceUnavailable)
		if resp.Header.Get("Retry-After") == "" || len(resp.Cookies()) > 0 {
			t.Errorf("header %v", resp.Header)
		}
		n.store.down.Store(false)
		_ = dial(t, e, page(v)).ws.CloseNow()
		if log := n.log.String(); strings.Contains(log, strings.TrimPrefix(v.Header().Get("Cookie"), "__Host-id=")[23:]) {
			t.Errorf("secret in the log: %s", log)
		}
	})
}

func TestUpgrade_staleHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		b := newDeaf(s.broker)
		n := s.join(b)
		e := n.endpoint(transport.HandlerFunc(echo), transport.Options{Anonymous: transport.Allow})
		b.deafen()
		if got := wantStatus(t, e, cookies(), http.StatusServiceUnavailable).Header.Get("Retry-After"); got == "" {
			t.Error("no Retry-After")
		}
		b.hear()
		synctest.Wait()
		_ = dial(t, e, cookies()).ws.CloseNow()
	})
}

func TestUpgrade_limitByAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		e := n.endpoint(transport.HandlerFunc(echo), transport.Options{Anonymous: transport.Allow, PerAddress: 2})
		at := func(remote string) (*client, *http.Response) { return dialing{remote: remote}.try(t, e, cookies()) }
		var open []*client
		for _, remote := range []string{"192.0.2.1:1", "[::ffff:192.0.2.1]:2", "192.0.2.2:1", "[2001:db8::1]:1", "[2001:db8::ffff]:2", "[2001:db8:0:1::1]:1"} {
			c, resp := at(remote)
			if c == nil {
				t.Fatalf("%s: %d", remote, resp.StatusCode)
			}
			open = append(open, c)
		}
		for _, remote := range []string{"192.0.2.1:3", "[2001:db8::2]:3"} {
			if c, resp := at(remote); c != nil || resp.StatusCode != http.StatusTooManyRequests {
				t.Errorf("%s: let in, or %v", remote, resp)
			}
		}
		_ = open[0].ws.CloseNow()
		synctest.Wait()
		c, resp := at("192.0.2.1:4")
		if c == nil {
			t.Fatalf("after one left: %d", resp.StatusCode)
		}
		for _, c := range append(open, c) {
			_ = c.ws.CloseNow()
		}

		unknown := n.endpoint(transport.HandlerFunc(echo), transport.Options{
			Anonymous: transport.Allow, PerAddress: 1, Address: func(*http.Request) netip.Addr { return netip.Addr{} },
		})
		for range 5 {
			ws := dial(t, unknown, cookies())
			defer func() { _ = ws.ws.CloseNow() }()
		}
	})
}

func TestUpgrade_limitOfBounces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		e := n.endpoint(transport.HandlerFunc(echo), transport.Options{})
		for range 20 { // none reads, so that all stay for the grace
			dialing{silent: true}.dial(t, e, cookies())
		}
		wantStatus(t, e, cookies(), http.StatusTooManyRequests)
		v := n.logIn("ada") // with a session they come in all the same
		_ = dial(t, e, page(v)).ws.CloseNow()
		time.Sleep(time.Second)
		synctest.Wait()
		dial(t, e, cookies()).wantClose(hub.SessionEnded)
		if got := e.Stats(); got.Refused != 22 || got.Accepted != 1 {
			t.Errorf("Stats %+v", got)
		}
	})
}

func TestUpgrade_limitBySession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		e := n.endpoint(transport.HandlerFunc(echo), transport.Options{PerSession: 2})
		v := n.logIn("ada")
		a, b := dial(t, e, page(v)), dial(t, e, page(v))
		dial(t, e, page(v)).wantClose(hub.TooManyConnections)
		other := dial(t, e, page(n.logIn("bob")))
		_ = a.ws.CloseNow()
		synctest.Wait()
		c := dial(t, e, page(v))
		for _, ws := range []*client{b, c, other} {
			ws.send("here")
			ws.wantNext("here")
			_ = ws.ws.CloseNow()
		}
	})
}

func TestUpgrade_refusesOtherRequests(t *testing.T) {
	n := newNode(t)
	e := n.endpoint(transport.HandlerFunc(echo), transport.Options{Anonymous: transport.Create})
	srv := serve(t, e)
	for _, c := range []struct {
		name, method string
		change       func(http.Header)
		want         int
		header       string // of the answer
	}{
		{"method", "POST", func(http.Header) {}, http.StatusMethodNotAllowed, "Allow"},
		{"no upgrade", "GET", func(h http.Header) { h.Del("Upgrade") }, http.StatusUpgradeRequired, "Upgrade"},
		{"other upgrade", "GET", func(h http.Header) { h.Set("Upgrade", "h2c") }, http.StatusUpgradeRequired, "Upgrade"},
		{"no connection", "GET", func(h http.Header) { h.Del("Connection") }, http.StatusUpgradeRequired, "Upgrade"},
		{"no version", "GET", func(h http.Header) { h.Del("Sec-WebSocket-Version") }, http.StatusBadRequest, "Sec-WebSocket-Version"},
		{"version 8", "GET", func(h http.Header) { h.Set("Sec-WebSocket-Version", "8") }, http.StatusBadRequest, "Sec-WebSocket-Version"},
		{"no key", "GET", func(h http.Header) { h.Del("Sec-WebSocket-Key") }, http.StatusBadRequest, ""},
		{"short key", "GET", func(h http.Header) { h.Set("Sec-WebSocket-Key", "AAAA") }, http.StatusBadRequest, ""},
	} {
		r, err := http.NewRequest(c.method, srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = page(nil)
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
		r.Header.Set("Sec-WebSocket-Version", "13")
		r.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
		c.change(r.Header)
		resp, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.want || c.header != "" && resp.Header.Get(c.header) == "" {
			t.Errorf("%s: %d %v, want %d with %s", c.name, resp.StatusCode, resp.Header, c.want, c.header)
		}
		if len(resp.Cookies()) > 0 {
			t.Errorf("%s: a session was created", c.name)
		}
	}
	if got := n.hub.Stats(); got.Connections != 0 {
		t.Errorf("%d entries are left in the hub", got.Connections)
	}
}

func TestUpgrade_leavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		e := n.endpoint(transport.HandlerFunc(echo), transport.Options{PerAddress: 1, PerSession: 1})
		v := n.logIn("ada")
		dial(t, e, cookies()).wantClose(hub.SessionEnded)
		synctest.Wait()
		n.store.down.Store(true)
		wantStatus(t, e, page(v), http.StatusServiceUnavailable)
		n.store.down.Store(false)
		n.store.during("load", func() { n.logOut(v, session.This) })
		dial(t, e, page(v)).wantClose(hub.SessionEnded)
		synctest.Wait()
		if got := n.hub.Stats(); got.Connections != 0 || got.Sessions != 0 {
			t.Errorf("hub %+v", got)
		}
		v = n.logIn("ada")
		ws := dial(t, e, page(v)) // the address has its one place again
		_ = ws.ws.CloseNow()
	})
}

func TestUpgrade_limitOfHandshakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		e := n.endpoint(transport.HandlerFunc(echo), transport.Options{HandshakeRate: 2, Anonymous: transport.Allow})
		try := func(remote string) int {
			c, resp := dialing{remote: remote}.try(t, e, cookies())
			if c != nil {
				_ = c.ws.CloseNow()
			}
			synctest.Wait()
			return resp.StatusCode
		}
		const at, now, then = "192.0.2.1:1", 8, 2
		for i := range now {
			if got := try(at); got != http.StatusSwitchingProtocols {
				t.Errorf("handshake %d of one moment: %d", i, got)
			}
		}
		if got := try(at); got != http.StatusTooManyRequests {
			t.Errorf("one more: %d", got)
		}
		if got := try("192.0.2.2:1"); got != http.StatusSwitchingProtocols {
			t.Errorf("from elsewhere: %d", got)
		}
		time.Sleep(time.Second)
		for i := range then {
			if got := try(at); got != http.StatusSwitchingProtocols {
				t.Errorf("handshake %d a second later: %d", i, got)
			}
		}
		if got := try(at); got != http.StatusTooManyRequests {
			t.Errorf("one more: %d", got)
		}
		if got := e.Stats().Open; got != 0 {
			t.Errorf("%d sockets are open", got)
		}
		// More addresses than are kept for ever.
		for i := range 3000 {
			try(fmt.Sprintf("192.0.%d.%d:1", i/250, i%250))
			time.Sleep(10 * time.Millisecond)
		}
	})
}

func TestUpgrade_limitOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		e := n.endpoint(transport.HandlerFunc(echo), transport.Options{MaxSockets: 2, Anonymous: transport.Allow})
		first, second := dial(t, e, cookies()), dial(t, e, cookies())
		if c, resp := (dialing{remote: "192.0.2.2:1"}).try(t, e, cookies()); c != nil ||
			resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("one more: let in, or %v", resp)
		}
		_ = first.ws.CloseNow()
		synctest.Wait()
		third := dial(t, e, cookies())
		second.wantOpen()
		_, _ = second.ws.CloseNow(), third.ws.CloseNow()
	})
}

// A store or a listener of events that panics is the program's, and costs no place.
func TestUpgrade_panicGivesThePlaceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		e := n.endpoint(transport.HandlerFunc(echo), transport.Options{MaxSockets: 1, PerAddress: 1})
		v := n.logIn("ada")
		boom := func(string) { panic("boom") }
		n.store.before.Store(&boom)
		caught := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				if p := recover(); p != nil { // as net/http does, or a middleware
					w.WriteHeader(http.StatusInternalServerError)
				}
			}()
			e.ServeHTTP(w, r)
		})
		for range 2 {
			if c, resp := (dialing{}).try(t, caught, page(v)); c != nil || resp.StatusCode != http.StatusInternalServerError {
				t.Errorf("let in, or %v", resp)
			}
		}
		n.store.before.Store(nil)
		if got := e.Stats().Open; got != 0 {
			t.Errorf("%d sockets are open", got)
		}
		_ = dial(t, e, page(v)).ws.CloseNow()
	})
}

func TestUpgrade_logsAnAbsentStoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		var log strings.Builder
		e := n.endpoint(transport.HandlerFunc(echo), transport.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		v := n.logIn("ada")
		n.store.down.Store(true)
		for range 30 {
			if c, resp := (dialing{}).try(t, e, page(v)); c != nil || resp.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("let in, or %v", resp)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if got := strings.Count(log.String(), "\n"); got != 3 {
			t.Errorf("%d lines in three seconds:\n%s", got, log.String())
		}
	})
}
