package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
)

// bombs are texts that have broken decoders.
var bombs = []string{
	strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000),
	strings.Repeat("[", 7_000) + strings.Repeat("]", 7_000),
	strings.Repeat("[", 10_000),
	strings.Repeat(`{"a":`, 2_500) + "1" + strings.Repeat("}", 2_500),
	`{"a":1,"a":2,"A":3}`,
	`{"__proto__":{"admin":true},"constructor":null}`,
	`1e999999`, `-1e-999999`, strings.Repeat("9", 10_000), `-0`, `0.` + strings.Repeat("0", 10_000) + `1`,
	`"\ud800"`, `"\udc00\ud800"`, `"\u0000"`, `{"\ud800":1,"\ud801":2}`,
	`"` + strings.Repeat(`\u0000`, 2_000) + `"`,
	"\ufeff{}", `{"a":1}{"b":2}`, `nul`, `"\x"`, ` `, ``,
}

// keep stores a client's text as a value of the session, and reads it back. An error
// is the answer to a text that is none.
func keep(ctx context.Context, text string) error {
	s, err := session.Get(ctx, "main")
	if err != nil {
		return err
	}
	if err := s.Set("bomb", json.RawMessage(text)); err != nil {
		return err
	}
	_, err = session.Field[any]("bomb").Get(s)
	return err
}

// What a client sends is refused or kept, and harms nobody, this socket included.
// What is no text ends the socket.
func TestD58_jsonBombs(t *testing.T) {
	t.Parallel()
	n := start(t, plan{redis: redistest.Shared(t).URL, prefix: redistest.Prefix(t)})
	v := n.login("alice")
	tb, other := n.open(v), n.open(n.login("bob"))
	for i, text := range bombs {
		got, err := tb.ask("keep " + text)
		if err != nil {
			t.Fatalf("after %.40q: %v", text, err)
		}
		if got != "kept" && got != "refused" {
			t.Errorf("%.40q: answer %q", text, got)
		}
		if i%10 == 9 { // within the rate
			tb.drop()
			tb = n.open(v)
		}
		n.wantIn(v)
	}
	other.wantAnswer("still here")
	for _, text := range []string{"keep \"\xff\"", "keep \"\xed\xa0\x80\"", "\xc0\xaf"} {
		bad := n.open(v)
		if err := bad.send(text); err != nil {
			t.Fatal(err)
		}
		bad.wantEnd(hub.NotUTF8)
	}
	if panics := n.log.count("panic"); panics != 0 {
		t.Errorf("%d panics", panics)
	}
}

// A value that was kept is what comes back, and nothing panics.
func FuzzD58_values(f *testing.F) {
	for _, text := range bombs {
		f.Add(text)
	}
	registry, err := prefixes.NewRegistry(prefixes.Parse("main"))
	if err != nil {
		f.Fatal(err)
	}
	m := session.New(registry, new(memstore.Store), session.Options{})
	f.Fuzz(func(t *testing.T, text string) {
		sc := m.Scope(httptest.NewRequest(http.MethodPost, "/", nil))
		ctx := session.NewContext(t.Context(), sc)
		err := keep(ctx, text)
		if err == nil {
			err = sc.Commit(ctx)
		}
		switch {
		case err == nil && !json.Valid([]byte(text)):
			t.Errorf("%.100q was kept", text)
		case err == nil:
		case !errors.Is(err, session.ErrUnstorable) && !errors.Is(err, session.ErrLimit) && !errors.Is(err, session.ErrType):
			t.Errorf("%.100q: %v", text, fmt.Errorf("another error: %w", err))
		}
	})
}
