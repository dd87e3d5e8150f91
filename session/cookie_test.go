package session_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
)

func TestCookie_formOfTheValue(t *testing.T) {
	seen := make(map[string]bool)
	for range 100 {
		b := newBrowser(t)
		b.set("main", "a", 1)
		id, secret, _ := strings.Cut(b.cookies["__Host-id"], ".")
		if len(id) != 22 || len(secret) != 43 || seen[id] || seen[secret] {
			t.Fatalf("cookie of %d and %d bytes", len(id), len(secret))
		}
		seen[id], seen[secret] = true, true
	}
}

func TestCookie_identifyAsksTheStoreNothing(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "a", 1)
	b.store.down = true
	c, ok, _ := b.m.Identify(b.request(), "main", false)
	if !ok || c.Root != "main" || c.ID != b.id() {
		t.Errorf("Identify = %+v, %v", c, ok)
	}
	for name, line := range map[string]string{"none": "", "malformed": "__Host-id=x", "twice": "__Host-id=x; __Host-id=x"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", line)
		if _, ok, _ := b.m.Identify(r, "", false); ok {
			t.Errorf("%s: identified", name)
		}
	}
	if got := b.m.Stats().Malformed; got != 2 {
		t.Errorf("Malformed = %d", got)
	}
	if _, ok, _ := b.m.Identify(b.request(), "chat", false); ok {
		t.Error("a child has no cookie of its own")
	}
}

func TestCookie_ofOneFamilyOpensNothingInAnother(t *testing.T) {
	b := newBrowser(t, prefixes.Parse("main"), prefixes.Namespace{Name: "shop", Cookie: prefixes.Cookie{Name: "__Host-shop"}})
	b.set("main", "a", 1)
	b.set("shop", "a", 2)
	main, shop := b.cookies["__Host-id"], b.cookies["__Host-shop"]
	b.cookies["__Host-id"], b.cookies["__Host-shop"] = shop, main
	if got := b.get("main", "a") + b.get("shop", "a"); got != "" {
		t.Errorf("opened %q", got)
	}
}

func TestCookie_secretsShowInNothingPrinted(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "a", "canary")
	id, secret, _ := strings.Cut(b.cookies["__Host-id"], ".")
	c, _, _ := b.m.Identify(b.request(), "", false)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "credential", c, "pointer", &c)
	printed := fmt.Sprintf("%v %+v %#v %s %x %d %+v", c, c, c, c, c, c, &c) + log.String()
	h := b.hold()
	sc := b.scope()
	b.open(sc, "main")
	printed += fmt.Sprintf("%v %+v %#v %s %+v %#v", h, h, h, h, sc, b.open(sc, "main"))
	if strings.Contains(printed, secret) || strings.Contains(printed, "canary") || strings.Contains(printed, fmt.Sprintf("%x", secret)) {
		t.Errorf("printed %s", strings.ReplaceAll(printed, secret, "SECRET"))
	}
	if strings.Contains(log.String(), id) || !strings.Contains(log.String(), session.Short(id)) {
		t.Errorf("log %s", log.String())
	}
}

func TestCookie_stopsAtTheRefusal(t *testing.T) {
	// A response to a save that was refused carries no cookie, not even one
	// that every response carries.
	b := newBrowser(t, prefixes.Namespace{Name: "main", Save: prefixes.SaveAlways})
	b.set("main", "a", 1)
	sc := b.scope()
	if err := b.open(sc, "main").Set("a", 2); err != nil {
		t.Fatal(err)
	}
	b.login("alice")
	if err := sc.Commit(t.Context()); !errors.Is(err, session.ErrRenewed) {
		t.Errorf("Commit = %v, want ErrRenewed", err)
	}
	sc.Discard()
	h := make(http.Header)
	sc.WriteHeader(h)
	if got := h.Get("Set-Cookie"); got != "" {
		t.Error("sent a cookie")
	}
}
