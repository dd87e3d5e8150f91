package session_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
)

// newBrowserWith is newBrowser with options of the manager.
func newBrowserWith(t *testing.T, o session.Options, ns ...prefixes.Namespace) *browser {
	t.Helper()
	b := newBrowser(t, ns...)
	if o.Ends == nil {
		o.Ends = b.ends
	}
	b.m = session.New(b.m.Registry(), b.store, o)
	return b
}

// from has a visitor log in with an address and a program.
func (b *browser) from(address, agent, user string) {
	b.t.Helper()
	r := b.request()
	r.RemoteAddr = address
	r.Header.Set("User-Agent", agent)
	sc := b.m.Scope(r)
	if err := sc.Login(b.t.Context(), user, session.LoginOptions{}); err != nil {
		b.t.Fatal(err)
	}
	b.respond(sc)
}

func remote(r *http.Request) netip.Addr {
	a, _ := netip.ParseAddrPort(r.RemoteAddr)
	return a.Addr()
}

const (
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	safari  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)

func TestList_saysWhatItKnowsOfEachTheOldestLoginFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowserWith(t, session.Options{Address: remote})
		phone := b.another()
		began := time.Now()
		b.set("main", "a", 1) // anonymous, from nowhere
		time.Sleep(time.Minute)
		phone.from("[2001:db8:1:2::3]:80", safari, "ann")
		time.Sleep(time.Minute)
		b.from("192.0.2.77:80", firefox, "ann")
		b.set("room", "a", 1)
		b.another().from("198.51.100.1:80", firefox, "bob")
		time.Sleep(5 * time.Minute)
		phone.set("chat", "a", 1)

		got, err := b.scope().List(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		want := []session.Info{{
			ID: phone.id(), User: "ann", Created: began.Add(time.Minute), Authenticated: began.Add(time.Minute),
			Seen: began.Add(7 * time.Minute), Left: 30 * time.Minute,
			Device: "Safari on iPhone", Address: "2001:db8:1::/48", Namespaces: []string{"chat"},
		}, {
			ID: b.id(), User: "ann", Created: began, Authenticated: began.Add(2 * time.Minute),
			Seen: began.Add(7 * time.Minute), Left: 30 * time.Minute, // seen by the request that asks
			Device: "Firefox on Linux", Address: "192.0.2.0/24", Namespaces: []string{"main", "room"}, Current: true,
		}}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("List (-want +got):\n%s", d)
		}
		ctx := session.NewContext(t.Context(), phone.scope())
		got, err = session.List(ctx)
		if err != nil || len(got) != 2 || !got[0].Current || got[1].Current {
			t.Errorf("asked by the phone: %+v, %v", got, err)
		}
		for i := range want {
			want[i].Current = false
		}
		got, err = b.m.Sessions(t.Context(), "", "ann")
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("Sessions = %v (-want +got):\n%s", err, d)
		}
		one, ok, err := b.m.Lookup(t.Context(), "", b.id())
		if d := cmp.Diff(want[1], one); d != "" || !ok || err != nil {
			t.Errorf("Lookup = %v, %v (-want +got):\n%s", ok, err, d)
		}
	})
}

func TestList_theAddressIsANetwork(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.255:1":             "192.0.2.0/24",
		"[::ffff:192.0.2.255]:1":    "192.0.2.0/24",
		"[2001:db8:aaaa:bbbb::1]:1": "2001:db8:aaaa::/48",
		"[fe80::1%eth0]:1":          "fe80::/48",
		"[::1]:1":                   "::/48",
		"not known":                 "",
		"":                          "",
	} {
		b := newBrowserWith(t, session.Options{Address: remote})
		b.from(address, firefox, "ann")
		list, err := b.m.Sessions(t.Context(), "", "ann")
		if err != nil || len(list) != 1 || list[0].Address != want {
			t.Errorf("%q: %+v, %v; want %q", address, list, err, want)
		}
	}
	b := newBrowser(t) // no Options.Address
	b.from("192.0.2.1:1", firefox, "ann")
	if list, err := b.m.Sessions(t.Context(), "", "ann"); err != nil || len(list) != 1 || list[0].Address != "" {
		t.Errorf("without the option: %+v, %v", list, err)
	}
}

func TestList_deviceAndAddressAreThoseOfTheLogin(t *testing.T) {
	b := newBrowserWith(t, session.Options{Address: remote})
	b.from("192.0.2.1:1", firefox, "ann")
	r := b.request()
	r.RemoteAddr = "198.51.100.1:1"
	r.Header.Set("User-Agent", safari)
	sc := b.m.Scope(r)
	if err := errors.Join(b.open(sc, "main").Set("a", 1), sc.Cycle(t.Context(), "")); err != nil {
		t.Fatal(err)
	}
	b.respond(sc)
	one, _, err := b.m.Lookup(t.Context(), "", b.id())
	if err != nil || one.Address != "192.0.2.0/24" || one.Device != "Firefox on Linux" {
		t.Errorf("after other requests: %+v, %v", one, err)
	}
	b.from("198.51.100.1:1", safari, "ann")
	one, _, err = b.m.Lookup(t.Context(), "", b.id())
	if err != nil || one.Address != "198.51.100.0/24" || one.Device != "Safari on iPhone" {
		t.Errorf("after another login: %+v, %v", one, err)
	}
}

func TestList_namespacesAreThoseWithValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t, prefixes.Parse("main"), prefixes.Parse("main/chat"), prefixes.Parse("main/cart"),
			prefixes.Namespace{Name: "brief", Parent: "main", IdleTimeout: time.Minute})
		b.login("ann")
		names := func() []string {
			t.Helper()
			one, ok, err := b.m.Lookup(t.Context(), "", b.id())
			if !ok || err != nil {
				t.Fatal(ok, err)
			}
			return one.Namespaces
		}
		if got := names(); len(got) != 0 {
			t.Errorf("at the beginning %q", got)
		}
		for _, name := range []string{"chat", "cart", "brief", "main"} {
			b.set(name, "a", 1)
		}
		if got := names(); !slices.Equal(got, []string{"brief", "cart", "chat", "main"}) {
			t.Errorf("with all written %q", got)
		}
		if _, err := b.scope().Logout(t.Context(), session.Namespace("cart")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute) // brief's end
		if got := names(); !slices.Equal(got, []string{"chat", "main"}) {
			t.Errorf("with two ended %q", got)
		}
	})
}

func TestList_isEmptyForNobody(t *testing.T) {
	b := newBrowser(t)
	b.another().login("ann")
	for _, visitor := range []string{"new", "anonymous", "a connection without a session"} {
		sc := b.scope()
		switch visitor {
		case "anonymous":
			b.set("main", "a", 1)
			sc = b.scope()
		case "a connection without a session":
			sc = b.m.Anonymous()
		}
		if list, err := sc.List(t.Context(), ""); len(list) != 0 || err != nil {
			t.Errorf("%s: %+v, %v", visitor, list, err)
		}
	}
	if list, err := b.m.Sessions(t.Context(), "", "nobody"); len(list) != 0 || err != nil {
		t.Errorf("a user without sessions: %+v, %v", list, err)
	}
}

func TestList_onAConnection(t *testing.T) {
	b := newBrowser(t)
	b.another().login("ann")
	b.login("ann")
	list, err := b.hold().Scope(session.HoldOptions{}).List(t.Context(), "")
	if err != nil || len(list) != 2 || list[0].Current || !list[1].Current {
		t.Errorf("List = %+v, %v", list, err)
	}
}

func TestList_rootsHaveListsOfTheirOwn(t *testing.T) {
	b := newBrowser(t, prefixes.Parse("main"), prefixes.Namespace{Name: "shop", Cookie: prefixes.Cookie{Name: "__Host-shop"}})
	sc := b.scope()
	err := errors.Join(sc.Login(t.Context(), "ann", session.LoginOptions{}), sc.Login(t.Context(), "ann", session.LoginOptions{Root: "shop"}))
	if err != nil {
		t.Fatal(err)
	}
	b.respond(sc)
	main, err := b.scope().List(t.Context(), "main")
	if err != nil || len(main) != 1 || main[0].ID != b.id() || !main[0].Current {
		t.Errorf("main: %+v, %v", main, err)
	}
	shop, err := b.scope().List(t.Context(), "shop")
	if err != nil || len(shop) != 1 || shop[0].ID == b.id() || !shop[0].Current {
		t.Errorf("shop: %+v, %v", shop, err)
	}
	if ok, err := b.m.Exists(t.Context(), "shop", b.id()); ok || err != nil {
		t.Errorf("main's session exists in shop: %v, %v", ok, err)
	}
	_, _, lookup := b.m.Lookup(t.Context(), "chat", b.id())
	_, exists := b.m.Exists(t.Context(), "chat", b.id())
	_, sessions := b.m.Sessions(t.Context(), "chat", "ann")
	if lookup == nil || exists == nil || sessions == nil {
		t.Errorf("a root that there is not: %v, %v, %v", lookup, exists, sessions)
	}
}

func TestList_takesTwoTripsAndCountsAsNoActivity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t)
		b.login("ann")
		calls := b.count()
		time.Sleep(10 * time.Minute)
		for _, c := range []struct {
			want string
			ask  func() error
		}{
			{"Listed Check", func() error { _, err := b.m.Sessions(t.Context(), "", "ann"); return err }},
			{"Check", func() error { _, _, err := b.m.Lookup(t.Context(), "", b.id()); return err }},
			{"Check", func() error { _, err := b.m.Exists(t.Context(), "", b.id()); return err }},
			{"Load Listed Check", func() error { _, err := b.with(b.cookies[cookieName]).scope().List(t.Context(), ""); return err }},
		} {
			if err := c.ask(); err != nil || calls.drain() != c.want {
				t.Errorf("want the trips %q; %v", c.want, err)
			}
		}
		time.Sleep(29 * time.Minute) // List's own load was activity
		if ok, err := b.m.Exists(t.Context(), "", b.id()); !ok || err != nil {
			t.Errorf("Exists = %v, %v", ok, err)
		}
		time.Sleep(time.Minute)
		if ok, err := b.m.Exists(t.Context(), "", b.id()); ok || err != nil {
			t.Errorf("Exists after the end = %v, %v: it counted as activity", ok, err)
		}
		if one, ok, err := b.m.Lookup(t.Context(), "", b.id()); ok || err != nil || one.ID != "" {
			t.Errorf("Lookup after the end = %+v, %v, %v", one, ok, err)
		}
		if list, err := b.m.Sessions(t.Context(), "", "ann"); len(list) != 0 || err != nil {
			t.Errorf("Sessions after the end = %+v, %v", list, err)
		}
	})
}

func TestList_withoutTheStore(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	b.store.Store = deafList{b.store.Store}
	_, _, lookup := b.m.Lookup(t.Context(), "", b.id())
	_, exists := b.m.Exists(t.Context(), "", b.id())
	_, sessions := b.m.Sessions(t.Context(), "", "ann")
	_, list := b.scope().List(t.Context(), "")
	_, one := b.scope().Logout(t.Context(), session.One(madeUp(1)))
	for name, err := range map[string]error{"Lookup": lookup, "Exists": exists, "Sessions": sessions, "List": list, "Logout One": one} {
		if !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("%s = %v, want ErrUnavailable", name, err)
		}
	}
}

// deafList is a store that answers nothing about many.
type deafList struct{ session.Store }

func (deafList) Check(context.Context, *session.Family, []string) ([]*session.State, error) {
	return nil, session.ErrUnavailable
}

// counting is an ender that knows connections.
type counting struct {
	*ender
	open map[string]int
	err  error
	root string
}

func (c *counting) Connections(_ context.Context, root string, ids []string) (map[string]int, error) {
	c.root = root
	known := maps.Clone(c.open)
	maps.DeleteFunc(known, func(id string, _ int) bool { return !slices.Contains(ids, id) })
	return known, c.err
}

func TestList_connectionsAreThoseThatTheEnderKnows(t *testing.T) {
	ends := &counting{ender: new(ender)}
	var log bytes.Buffer
	b := newBrowserWith(t, session.Options{Ends: ends, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	other := b.another()
	other.login("ann")
	b.login("ann")
	ends.open = map[string]int{b.id(): 3, "stranger": 9}
	for _, partial := range []bool{false, true} {
		if partial {
			ends.err = errors.New("one node of two did not answer")
		}
		list, err := b.m.Sessions(t.Context(), "", "ann")
		if err != nil || len(list) != 2 || list[0].Connections != 0 || list[1].Connections != 3 || ends.root != "main" {
			t.Errorf("Sessions with a partial answer %v = %+v, %v", partial, list, err)
		}
		one, ok, err := b.m.Lookup(t.Context(), "", b.id())
		if err != nil || !ok || one.Connections != 3 {
			t.Errorf("Lookup with a partial answer %v = %+v, %v, %v", partial, one, ok, err)
		}
	}
	if got := strings.Count(log.String(), "one node of two"); got != 2 {
		t.Errorf("%d lines in the log, want 2:\n%s", got, log.String())
	}
	ends.open = nil
	if list, err := b.m.Sessions(t.Context(), "", "ann"); err != nil || len(list) != 2 || list[1].Connections != 0 {
		t.Errorf("with nothing known: %+v, %v", list, err)
	}
}

func TestOne_endsAnotherSessionOfTheUser(t *testing.T) {
	b := newBrowser(t)
	other := b.another()
	other.login("ann")
	b.login("ann")
	b.ends.drain(t)
	calls := b.count()
	sc := b.scope()
	r, err := sc.Logout(t.Context(), session.One(other.id()))
	if err != nil || !r.StoreOK || r.ClosedHere != 1 {
		t.Errorf("Logout = %+v, %v", r, err)
	}
	if got := calls.drain(); got != "Load Check Delete" {
		t.Errorf("trips %q", got)
	}
	if h := b.respond(sc); len(h["Set-Cookie"]) != 0 {
		t.Errorf("cookies %q", h["Set-Cookie"])
	}
	if b.user() != "ann" || other.user() != "" || b.living("ann") != 1 {
		t.Errorf("users %q and %q, %d sessions", b.user(), other.user(), b.living("ann"))
	}
}

func TestOne_ofItselfIsALogout(t *testing.T) {
	b := newBrowser(t)
	b.login("ann")
	sc := b.scope()
	if r, err := sc.Logout(t.Context(), session.One(b.id())); err != nil || !r.StoreOK {
		t.Errorf("Logout = %+v, %v", r, err)
	}
	if ck := oneCookie(t, b.respond(sc)); ck == nil || ck.MaxAge >= 0 || b.living("ann") != 0 {
		t.Errorf("cookie %v, %d sessions", ck, b.living("ann"))
	}
}

func TestOne_ofWhoeverElseIsNoTarget(t *testing.T) {
	b := newBrowser(t)
	bob, visitor := b.another(), b.another()
	bob.login("bob")
	visitor.set("main", "a", 1)
	for _, user := range []string{"ann", ""} {
		if user != "" {
			b.login(user)
		} else {
			b = b.another()
			b.set("main", "a", 1)
		}
		for _, id := range []string{bob.id(), visitor.id(), "unknown", ""} {
			b.ends.drain(t)
			if r, err := b.scope().Logout(t.Context(), session.One(id)); !errors.Is(err, session.ErrTarget) || r != (session.Result{}) {
				t.Errorf("user %q, One(%.8q) = %+v, %v; want ErrTarget", user, id, r, err)
			}
			if got := b.ends.drain(t); len(got) != 0 {
				t.Errorf("user %q, One(%.8q): notices %q", user, id, got)
			}
		}
	}
	if bob.user() != "bob" || visitor.get("main", "a") != "1" {
		t.Error("somebody else's session ended")
	}
	r := httptest.NewRequest("GET", "/", nil)
	if _, err := b.m.Scope(r).Logout(t.Context(), session.One(bob.id())); !errors.Is(err, session.ErrTarget) {
		t.Errorf("a visitor without a session: %v, want ErrTarget", err)
	}
}

func TestOne_onAConnection(t *testing.T) {
	b := newBrowser(t)
	other := b.another()
	other.login("ann")
	b.login("ann")
	if _, err := b.hold().Scope(session.HoldOptions{}).Logout(t.Context(), session.One(other.id())); err != nil {
		t.Errorf("Logout = %v", err)
	}
	if b.user() != "ann" || other.user() != "" {
		t.Errorf("users %q and %q", b.user(), other.user())
	}
}
