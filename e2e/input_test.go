package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

func testBadFrames(t *testing.T, p *pair) {
	v := enter(t, p.a, "/login", p.cheap(t, "clumsy"))
	tb := v.open(t, p.b)
	tb.greets(t, "frames", "before")
	frames := []string{
		`{"room":"frames","text":`,
		`hello`,
		`null`,
		`[]`,
		`{}`,
		`{"room":"frames","text":"a","colour":"red"}`,
		`{"room":"frames","text":"a"} {}`,
		`{"room":"frames","text":7}`,
		`{"room":"","text":"a"}`,
		`{"room":"Frames","text":"a"}`,
		`{"room":"a room","text":"a"}`,
		`{"room":"` + strings.Repeat("r", 33) + `","text":"a"}`,
		`{"room":"frames","text":""}`,
		`{"room":"frames","text":"` + strings.Repeat("é", 2001) + `"}`,
	}
	for i, f := range frames {
		if err := tb.write(f); err != nil {
			t.Fatalf("write %.40q: %v (%s)", f, err, tb.end())
		}
		t.Logf("%.40q: %s", f, tb.refuses(t, i+1))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := tb.ws.Write(ctx, websocket.MessageBinary, []byte(`{"room":"frames","text":"binary"}`)); err != nil {
		t.Fatal(err)
	}
	tb.refuses(t, len(frames)+1)
	tb.greets(t, "frames", strings.Repeat("é", 2000))
	if got := v.sent(t, p.a); got != 2 {
		t.Errorf("sent = %d, want 2: refused frames do not count", got)
	}
	for _, f := range tb.all() {
		if f.Text != "" && f.Text != "before" && !strings.HasPrefix(f.Text, "é") {
			t.Errorf("a refused frame was published: %+v", f)
		}
	}
	v.logout(t, p.a, "session")
}

func testUpgrades(t *testing.T, p *pair) {
	v := enter(t, p.a, "/login", p.cheap(t, "traveller"))
	port := p.a.addr[strings.LastIndexByte(p.a.addr, ':'):]
	for _, origin := range []string{"", "null", "https://" + p.a.addr, "http://" + p.b.addr, "http://127.0.0.1",
		p.a.origin + ".example", "http://example.com" + port, p.a.origin + "/"} {
		h := v.header(p.a)
		h.Del("Origin")
		if origin != "" {
			h.Set("Origin", origin)
		}
		_, err := dial(t, p.a, h)
		var refused *refusedError
		if !errors.As(err, &refused) || refused.code != http.StatusForbidden {
			t.Errorf("upgrade with origin %q: %v, want 403", origin, err)
		}
	}
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]"} {
		h := v.header(p.a)
		h.Set("Origin", "http://"+host+port)
		tb, err := dial(t, p.a, h)
		if err != nil {
			t.Errorf("upgrade from %s: %v", host, err)
			continue
		}
		tb.greets(t, "travel", "from "+host)
		tb.leave()
	}

	id, secret, _ := strings.Cut(v.cookie, ".")
	for name, cookie := range map[string]string{
		"none":           "",
		"empty":          "id=",
		"garbage":        "id=garbage",
		"truncated":      v.cookie[:len(v.cookie)-1],
		"too long":       v.cookie + "A",
		"wrong alphabet": "id=" + strings.Repeat("!", 22) + "." + secret,
		"twice":          v.cookie + "; " + v.cookie,
		"unknown id":     "id=" + strings.Repeat("A", 22) + "." + secret,
		"another secret": id + "." + strings.Repeat("A", 43),
	} {
		x := &visitor{cookie: cookie}
		tb, err := dial(t, p.b, x.header(p.b))
		if err != nil {
			t.Errorf("upgrade with cookie %s: %v, want a socket that says why not", name, err)
			continue
		}
		tb.closes(t, 4501)
		if err := x.hasStatus(p.b, "/session", http.StatusUnauthorized); err != nil {
			t.Error(fmt.Errorf("cookie %s: %w", name, err))
		}
	}
	if got := v.sent(t, p.b); got != 3 {
		t.Errorf("sent = %d, want 3: nothing harmed the session", got)
	}
	v.logout(t, p.a, "session")
}
