package session_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
)

// hold opens a connection.
func (b *browser) hold() *session.Hold {
	b.t.Helper()
	c, ok, _ := b.m.Identify(b.request(), "", false)
	if !ok {
		b.t.Fatal("no credential")
	}
	h, err := b.m.Hold(b.t.Context(), c)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(h.Release)
	return h
}

// say handles a message that sets a value.
func (b *browser) say(h *session.Hold, name, key string, value any) error {
	sc := h.Scope(session.HoldOptions{})
	s, err := sc.Session(b.t.Context(), name)
	if err != nil {
		return err
	}
	if err := s.Set(key, value); err != nil {
		return err
	}
	return sc.Commit(b.t.Context())
}

// hear handles a message that reads a value.
func (b *browser) hear(h *session.Hold, o session.HoldOptions, name, key string) string {
	b.t.Helper()
	raw, _ := b.open(h.Scope(o), name).Value(key)
	return string(raw)
}

func TestHold_describesTheSession(t *testing.T) {
	b := newBrowser(t)
	b.login("alice")
	h := b.hold()
	if h.Root() != "main" || h.ID() != b.id() || h.User() != "alice" || h.Epoch() != 1 || len(h.Generations()) != 3 {
		t.Errorf("%s %s %s %d %v", h.Root(), h.ID(), h.User(), h.Epoch(), h.Generations())
	}
	if h.Left() <= 29*time.Minute || h.Left() > 30*time.Minute {
		t.Errorf("Left = %v", h.Left())
	}
	header := make(http.Header)
	h.WriteHeader(header)
	if len(header) != 0 {
		t.Errorf("header %v", header)
	}
}

func TestHold_beginMakesASessionWhoseCookieTheHoldWrites(t *testing.T) {
	b := newBrowser(t)
	c, err := b.m.Begin(t.Context(), "", b.request(), false)
	if err != nil {
		t.Fatal(err)
	}
	h, err := b.m.Hold(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Release()
	header := make(http.Header)
	h.WriteHeader(header)
	cookies := (&http.Response{Header: header}).Cookies()
	if len(cookies) != 1 || header.Get("Cache-Control") != "no-store" {
		t.Fatalf("header %v", header)
	}
	b.cookies[cookies[0].Name] = cookies[0].Value
	if err := b.say(h, "chat", "a", 1); err != nil {
		t.Fatal(err)
	}
	if got := b.get("chat", "a"); got != "1" {
		t.Errorf("value %q", got)
	}
}

func TestHold_refusesWhatOpensNothing(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "a", 1)
	was := b.request()
	b.login("alice")
	c, _, _ := b.m.Identify(was, "", false)
	if _, err := b.m.Hold(t.Context(), c); !errors.Is(err, session.ErrRenewed) {
		t.Errorf("Hold with the secret before the login = %v, want ErrRenewed", err)
	}
	c, _, _ = b.m.Identify(b.request(), "", false)
	b.store.down = true
	if _, err := b.m.Hold(t.Context(), c); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("Hold without the store = %v, want ErrUnavailable", err)
	}
	b.store.down = false
	if _, err := b.m.EndSession(t.Context(), "", c.ID, "admin"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.m.Hold(t.Context(), c); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Hold of an ended session = %v, want ErrNotFound", err)
	}
}

func TestHold_messagesThatReadAskTheStoreNothing(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "a", 1)
	h := b.hold()
	b.store.down = true
	sc := h.Scope(session.HoldOptions{})
	if got, _ := b.open(sc, "main").Value("a"); string(got) != "1" {
		t.Errorf("value %s", got)
	}
	if err := sc.Commit(t.Context()); err != nil {
		t.Errorf("Commit = %v", err)
	}
	if _, err := h.Scope(session.HoldOptions{Fresh: true}).Session(t.Context(), "main"); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("a fresh scope = %v, want ErrUnavailable", err)
	}
}

func TestHold_seesWhatThisNodeSavesAtOnce(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "a", 1)
	h, other := b.hold(), b.hold()
	b.set("main", "a", 2)
	if got := b.hear(h, session.HoldOptions{}, "main", "a"); got != "2" {
		t.Errorf("after an HTTP save: %s", got)
	}
	if err := b.say(other, "chat", "a", 3); err != nil {
		t.Fatal(err)
	}
	if got := b.hear(h, session.HoldOptions{}, "chat", "a"); got != "3" {
		t.Errorf("after a message of another connection: %q", got)
	}
}

func TestHold_seesWhatAnotherNodeSavesWhenFreshOrRevalidated(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "a", 1)
	h := b.hold()
	node := session.New(b.m.Registry(), b.store, session.Options{})
	elsewhere := *b
	elsewhere.m = node
	elsewhere.set("main", "a", 2)

	if got := b.hear(h, session.HoldOptions{}, "main", "a"); got != "1" {
		t.Errorf("before anything said so: %s", got)
	}
	if got := b.hear(h, session.HoldOptions{Fresh: true}, "main", "a"); got != "2" {
		t.Errorf("fresh: %s", got)
	}
	elsewhere.set("main", "a", 3)
	reported := false
	err := b.m.Check(t.Context(), "main", []string{b.id(), "none"},
		func(id string, alive bool, epoch uint64, _ time.Duration, generations map[string]uint64) {
			if id == b.id() {
				reported = alive && epoch == 1 && len(generations) == 3
			} else if alive {
				t.Errorf("%q lives", id)
			}
		})
	if err != nil || !reported {
		t.Errorf("Check = %v, reported %v", err, reported)
	}
	if got := b.hear(h, session.HoldOptions{}, "main", "a"); got != "3" {
		t.Errorf("after the revalidation: %s", got)
	}
	// A save here learns of what was saved there in the same namespace.
	elsewhere.set("main", "b", 4)
	if err := b.say(h, "main", "c", 5); err != nil {
		t.Fatal(err)
	}
	if got := b.hear(h, session.HoldOptions{}, "main", "b"); got != "4" {
		t.Errorf("after a save here: %q", got)
	}
}

func TestHold_aMessageSavesNothingAfterTheEnd(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(b *browser, h *session.Hold)
		want error
	}{
		{"logout", func(b *browser, h *session.Hold) { b.scope().Logout(t.Context(), session.This) }, session.ErrEnded},
		{"its own logout", func(b *browser, h *session.Hold) {
			h.Scope(session.HoldOptions{}).Logout(t.Context(), session.This)
		}, session.ErrEnded},
		{"login", func(b *browser, h *session.Hold) { b.login("alice") }, session.ErrRenewed},
		{"end of the namespace", func(b *browser, h *session.Hold) {
			b.scope().Logout(t.Context(), session.Namespace("chat"))
		}, session.ErrNamespaceEnded},
	} {
		b := newBrowser(t)
		b.login("alice")
		b.set("chat", "a", 1)
		h := b.hold()
		during := h.Scope(session.HoldOptions{})
		if err := b.open(during, "chat").Set("a", 2); err != nil {
			t.Fatal(err)
		}
		c.end(b, h)
		if err := during.Commit(t.Context()); !errors.Is(err, c.want) {
			t.Errorf("%s during a message: Commit = %v, want %v", c.name, err, c.want)
		}
		if err := b.say(h, "chat", "a", 3); !errors.Is(err, c.want) {
			t.Errorf("%s before a message: %v, want %v", c.name, err, c.want)
		}
		if got := b.get("chat", "a"); got == "2" || got == "3" {
			t.Errorf("%s: value %s", c.name, got)
		}
	}
}

func TestHold_aNamespaceThatBeganAnewStaysLostForOpenConnections(t *testing.T) {
	b := newBrowser(t)
	b.set("chat", "a", 1)
	b.set("main", "a", 1)
	h := b.hold()
	if _, err := b.scope().Logout(t.Context(), session.Namespace("chat")); err != nil {
		t.Fatal(err)
	}
	b.set("chat", "a", 2)
	if err := b.say(h, "chat", "a", 3); !errors.Is(err, session.ErrNamespaceEnded) {
		t.Errorf("message = %v, want ErrNamespaceEnded", err)
	}
	if err := b.say(h, "main", "a", 3); err != nil {
		t.Errorf("message to another namespace = %v", err)
	}
	if err := b.say(b.hold(), "chat", "a", 4); err != nil {
		t.Errorf("message on a new connection = %v", err)
	}
}

func TestHold_lostIsKnownBeforeTheStoreSaysSo(t *testing.T) {
	b := newBrowser(t)
	b.set("chat", "a", 1)
	sc := b.hold().Scope(session.HoldOptions{Lost: func(name string) bool { return name == "chat" }})
	if _, err := sc.Session(t.Context(), "chat"); !errors.Is(err, session.ErrNamespaceEnded) {
		t.Errorf("Session = %v, want ErrNamespaceEnded", err)
	}
	b.open(sc, "main")
}

func TestHold_logsNobodyInAndHoldsOneFamily(t *testing.T) {
	b := newBrowser(t, prefixes.Parse("main"), prefixes.Namespace{Name: "shop", Cookie: prefixes.Cookie{Name: "__Host-shop"}})
	b.set("main", "a", 1)
	sc := b.hold().Scope(session.HoldOptions{})
	if err := sc.Login(t.Context(), "alice", session.LoginOptions{}); !errors.Is(err, session.ErrCommitted) {
		t.Errorf("Login = %v, want ErrCommitted", err)
	}
	if _, err := sc.Session(t.Context(), "shop"); err == nil {
		t.Error("opened another family")
	}
}

func TestHold_messagesAreActivityUnlessQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, quiet := range []bool{false, true} {
			b := newBrowser(t)
			b.set("main", "a", 1)
			h := b.hold()
			for range 5 { // 50 minutes; the idle timeout is 30
				time.Sleep(10 * time.Minute)
				err := h.Scope(session.HoldOptions{Quiet: quiet}).Commit(t.Context())
				if err != nil && !quiet {
					t.Error(err)
				}
			}
			if got := b.get("main", "a") == "1"; got == quiet {
				t.Errorf("quiet %v: lives %v", quiet, got)
			}
		}
	})
}

func TestHold_renewsAnOldSecretWithTheUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t, prefixes.Namespace{Name: "main", RenewAfter: 10 * time.Minute})
		b.set("main", "a", 1)
		was := b.cookies["__Host-id"]
		first := b.hold()
		time.Sleep(10 * time.Minute)
		header := make(http.Header)
		b.hold().WriteHeader(header)
		cookies := (&http.Response{Header: header}).Cookies()
		if len(cookies) != 1 || cookies[0].Value == was {
			t.Fatalf("cookies %v", cookies)
		}
		b.cookies[cookies[0].Name] = cookies[0].Value
		// The connections that were open stay.
		if err := b.say(first, "main", "a", 2); err != nil {
			t.Error(err)
		}
		if got := b.get("main", "a"); got != "2" {
			t.Errorf("value %q", got)
		}
	})
}

// The snapshot has the secret that a connection was just given: with it a logout
// closes the connections here although the store is away.
func TestHold_renewedSecretMayLogOutWithoutTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t, prefixes.Namespace{Name: "main", RenewAfter: time.Minute})
		b.login("ann")
		time.Sleep(time.Minute)
		header := make(http.Header)
		b.hold().WriteHeader(header)
		for _, c := range (&http.Response{Header: header}).Cookies() {
			b.cookies[c.Name] = c.Value
		}
		if len(header["Set-Cookie"]) != 1 {
			t.Fatalf("header %v, want a renewed cookie", header)
		}
		b.ends.drain(t)
		b.store.down = true
		if r, err := b.scope().Logout(t.Context(), session.This); r.ClosedHere != 1 || !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("Logout = %+v, %v; want one connection closed", r, err)
		}
		b.ends.drain(t)
	})
}
