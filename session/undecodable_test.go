package session_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
)

// tapped remembers the family that it was last asked about.
type tapped struct {
	session.Store
	f *session.Family
}

func (s *tapped) Load(ctx context.Context, f *session.Family, id string, l session.Load) (session.Record, error) {
	s.f = f
	return s.Store.Load(ctx, f, id, l)
}

// garbage is what another program may leave where JSON should be.
var garbage = map[string]string{
	"empty": "", "cut": `{"hunter2":`, "two": `1 2`, "bare": "hunter2", "gob": "\x0c\xff\x81\x02", "php": `a:1:{s:1:"a";i:1;}`,
}

// spoiled is a browser beside another program that writes to the same store.
type spoiled struct {
	*browser
	tapped *tapped
	logged bytes.Buffer
}

// newSpoiled returns a browser whose session has the value "ok", and garbage.
func newSpoiled(t *testing.T) *spoiled {
	t.Helper()
	reg, err := prefixes.NewRegistry(prefixes.Parse("main"))
	if err != nil {
		t.Fatal(err)
	}
	b := &spoiled{browser: newBrowser(t)}
	b.tapped = &tapped{Store: b.store}
	b.m = session.New(reg, b.tapped, session.Options{Ends: b.ends, Logger: slog.New(slog.NewTextHandler(&b.logged, nil))})
	b.set("main", "ok", 1)
	b.get("main", "ok")
	b.write(garbage)
	return b
}

// stored returns what lies in the store.
func (b *spoiled) stored() session.Record {
	b.t.Helper()
	rec, err := b.store.Load(b.t.Context(), b.tapped.f, b.id(), session.Load{})
	if err != nil {
		b.t.Fatal(err)
	}
	return rec
}

// write writes as another program does.
func (b *spoiled) write(texts map[string]string) {
	b.t.Helper()
	rec := b.stored()
	sp := rec.Space("main")
	_, err := b.store.Save(b.t.Context(), b.tapped.f, b.id(), session.Save{
		Op: rand.Text(), Epoch: rec.Epoch,
		Deltas: map[string]session.Delta{"main": {Generation: sp.Generation, Version: sp.Version, Set: texts}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func TestSession_garbageCountsAsAbsentAndStays(t *testing.T) {
	b := newSpoiled(t)
	sc := b.scope()
	s := b.open(sc, "main")
	for key := range garbage {
		if raw, ok := s.Value(key); ok || s.Has(key) {
			t.Errorf("%s: Value = %q", key, raw)
		}
		if v, err := session.Field[any](key).Get(s); v != nil || !errors.Is(err, session.ErrAbsent) {
			t.Errorf("%s: Get = %v, %v, want ErrAbsent", key, v, err)
		}
		if n, err := session.Counter(key).Get(s); n != 0 || err != nil {
			t.Errorf("%s: Counter.Get = %d, %v", key, n, err)
		}
		if v, err := session.Flash[any](key).Take(s); v != nil || err != nil {
			t.Errorf("%s: Take = %v, %v", key, v, err)
		}
		if _, err := s.Pop(key); !errors.Is(err, session.ErrAbsent) {
			t.Errorf("%s: Pop = %v, want ErrAbsent", key, err)
		}
		if err := s.Delete(key); err != nil {
			t.Errorf("%s: Delete = %v", key, err)
		}
	}
	if s.Len() != 1 || len(s.Keys()) != 1 || len(s.Values()) != 1 || s.Modified() {
		t.Errorf("Len %d, keys %q, modified %v", s.Len(), s.Keys(), s.Modified())
	}
	for key := range s.Items() {
		if key != "ok" {
			t.Errorf("an item %s", key)
		}
	}
	if err := s.Set("ok", 2); err != nil {
		t.Fatal(err)
	}
	b.mustCommit(sc)
	if s.Len() != 1 {
		t.Errorf("after the save the scope sees %q", s.Keys())
	}
	values := b.stored().In("main").Map()
	for key, raw := range garbage {
		if values[key] != raw {
			t.Errorf("%s: stored %.40q", key, values[key])
		}
	}
	lines := strings.Split(strings.TrimSpace(b.logged.String()), "\n")
	want := `level=WARN msg="session data corrupted" security=true id=` + session.Short(b.id()) + " namespace=main reason=\"no JSON\""
	if len(lines) != 1 || !strings.HasSuffix(lines[0], want) {
		t.Errorf("logged %q, want one line %s", lines, want)
	}
	if n := b.m.Stats().Corrupt; n != 1 {
		t.Errorf("Stats.Corrupt = %d", n)
	}
	if strings.Contains(b.logged.String(), "hunter2") {
		t.Error("the log has a value")
	}
}

func TestSession_garbageGivesWayToAValue(t *testing.T) {
	for name, c := range map[string]struct {
		act  func(s *session.Session) error
		want string
	}{
		"Set":        {func(s *session.Session) error { return s.Set("bare", 5) }, "5"},
		"SetAll":     {func(s *session.Session) error { return s.SetAll(map[string]any{"bare": 5}) }, "5"},
		"SetDefault": {func(s *session.Session) error { _, err := s.SetDefault("bare", 5); return err }, "5"},
		"Counter":    {func(s *session.Session) error { return session.Counter("bare").Add(s, 5) }, "5"},
		"Counter twice": {func(s *session.Session) error {
			return errors.Join(session.Counter("bare").Add(s, 2), session.Counter("bare").Add(s, 3))
		}, "5"},
		"Update": {func(s *session.Session) error {
			return s.Update("bare", func(old json.RawMessage) (any, error) {
				if old != nil {
					return nil, errors.New("the function was given garbage")
				}
				return 5, nil
			})
		}, "5"},
		"Field.Update": {func(s *session.Session) error {
			return session.Field[int]("bare").Update(s, func(old int) (int, error) { return old + 5, nil })
		}, "5"},
		"Clear": {func(s *session.Session) error { return s.Clear() }, ""},
	} {
		b := newSpoiled(t)
		sc := b.scope()
		if err := c.act(b.open(sc, "main")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		b.mustCommit(sc)
		if got := b.stored().In("main").Map()["bare"]; got != c.want {
			t.Errorf("%s: stored %q, want %q", name, got, c.want)
		}
	}

	b := newSpoiled(t)
	notices := session.Flash[string]("bare")
	sc := b.scope()
	if err := notices.Add(b.open(sc, "main"), "hello"); err != nil {
		t.Fatal(err)
	}
	b.mustCommit(sc)
	if got, err := notices.Take(b.open(b.scope(), "main")); len(got) != 1 || got[0] != "hello" || err != nil {
		t.Errorf("Take = %q, %v", got, err)
	}
}

// A save that has to be repeated may meet garbage that was not there before.
func TestSession_garbageThatComesBetweenLoadAndSave(t *testing.T) {
	notices := session.Flash[string]("notices")
	for name, c := range map[string]struct {
		act  func(s *session.Session) error
		want string
	}{
		"Update": {func(s *session.Session) error {
			return session.Field[int]("ok").Update(s, func(old int) (int, error) { return old + 5, nil })
		}, "5"},
		"SetDefault": {func(s *session.Session) error {
			if _, err := s.SetDefault("new", 7); err != nil {
				return err
			}
			return s.Set("ok", 7)
		}, "7"},
		"Flash.Take": {func(s *session.Session) error {
			_, err := notices.Take(s)
			return errors.Join(err, s.Set("ok", 1))
		}, "1"},
	} {
		b := newSpoiled(t)
		sc := b.scope()
		if err := notices.Add(b.open(sc, "main"), "hello"); err != nil {
			t.Fatal(err)
		}
		b.mustCommit(sc)
		sc = b.scope()
		if err := c.act(b.open(sc, "main")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		b.write(map[string]string{"ok": "{", "new": "{", "notices": "["})
		b.mustCommit(sc)
		if got := b.stored().In("main").Map()["ok"]; got != c.want {
			t.Errorf("%s: stored %q, want %q", name, got, c.want)
		}
	}
}
