package session_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionhub/sessionhub/session"
)

func TestSession_flagsSayWhatWasLookedAtAndChanged(t *testing.T) {
	for _, c := range []struct {
		name               string
		act                func(s *session.Session) error
		accessed, modified bool
	}{
		{"nothing", func(s *session.Session) error { return nil }, false, false},
		{"ID, Namespace, New", func(s *session.Session) error { s.ID(); s.Namespace(); s.New(); return nil }, false, false},
		{"Value", func(s *session.Session) error { s.Value("a"); return nil }, true, false},
		{"Value of an absent key", func(s *session.Session) error { s.Value("x"); return nil }, true, false},
		{"Has", func(s *session.Session) error { s.Has("a"); return nil }, true, false},
		{"Keys", func(s *session.Session) error { s.Keys(); return nil }, true, false},
		{"Values", func(s *session.Session) error { s.Values(); return nil }, true, false},
		{"Set", func(s *session.Session) error { return s.Set("x", 1) }, true, true},
		{"Set to what it is", func(s *session.Session) error { return s.Set("a", 1) }, true, true},
		{"Delete", func(s *session.Session) error { return s.Delete("a") }, true, true},
		{"Delete of an absent key", func(s *session.Session) error { return s.Delete("x") }, true, false},
		{"Clear", func(s *session.Session) error { return s.Clear() }, true, true},
		{"Update", func(s *session.Session) error {
			return s.Update("a", func(old json.RawMessage) (any, error) { return old, nil })
		}, true, true},
		{"Counter", func(s *session.Session) error { return session.Counter("a").Add(s, 1) }, true, true},
	} {
		b := newBrowser(t)
		b.set("main", "a", 1)
		s := b.open(b.scope(), "main")
		if err := c.act(s); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if s.Accessed() != c.accessed || s.Modified() != c.modified {
			t.Errorf("%s: accessed %v, modified %v", c.name, s.Accessed(), s.Modified())
		}
	}
}

func TestSession_valuesAsTheScopeSeesThem(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "a", 1)
	b.set("main", "b", "two")
	sc := b.scope()
	s := b.open(sc, "main")
	if s.New() || s.ID() != b.id() || s.Namespace() != "main" {
		t.Errorf("New %v, ID %q", s.New(), s.ID())
	}
	if err := errors.Join(s.Set("c", []int{3}), s.Delete("a")); err != nil {
		t.Fatal(err)
	}
	want := map[string]json.RawMessage{"b": json.RawMessage(`"two"`), "c": json.RawMessage(`[3]`)}
	check := func(when string) {
		t.Helper()
		if d := cmp.Diff(want, s.Values()); d != "" {
			t.Errorf("%s: %s", when, d)
		}
		if got := s.Keys(); !slices.Equal(got, []string{"b", "c"}) || s.Has("a") || !s.Has("c") {
			t.Errorf("%s: keys %q", when, got)
		}
	}
	check("before the save")
	b.mustCommit(sc)
	check("after the save")
	s = b.open(b.scope(), "main")
	check("in the next request")
}

func TestSession_aValueReadIsACopy(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "a", "xyz")
	s := b.open(b.scope(), "main")
	raw, _ := s.Value("a")
	raw[1] = 'X'
	s.Values()["a"][1] = 'X'
	if got := b.get("main", "a"); got != `"xyz"` {
		t.Errorf("value %s", got)
	}
	if raw, _ := s.Value("a"); string(raw) != `"xyz"` {
		t.Errorf("value in the scope %s", raw)
	}
}

func TestSession_emptyUntilSomethingIsSaved(t *testing.T) {
	b := newBrowser(t)
	s := b.open(b.scope(), "chat")
	if _, ok := s.Value("a"); ok || s.ID() != "" || !s.New() || len(s.Keys()) != 0 || len(s.Values()) != 0 {
		t.Errorf("ID %q, keys %q", s.ID(), s.Keys())
	}
	b.set("main", "a", 1)
	if s := b.open(b.scope(), "chat"); !s.New() || s.ID() != b.id() {
		t.Errorf("a namespace that has not begun: New %v, ID %q", s.New(), s.ID())
	}
}

func TestSession_clearIsAbsolute(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "a", 1)
	clearing, other := b.scope(), b.scope()
	s := b.open(clearing, "main")
	if err := errors.Join(s.Clear(), s.Set("kept", 1), b.open(other, "main").Set("b", 2)); err != nil {
		t.Fatal(err)
	}
	b.mustCommit(other)
	b.mustCommit(clearing)
	if got := b.open(b.scope(), "main").Keys(); !slices.Equal(got, []string{"kept"}) {
		t.Errorf("keys %q", got)
	}
}

func TestSession_updateIsAskedAgainAfterAConflict(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "list", []string{})
	add := func(s *session.Session, item string) error {
		return session.Field[[]string]("list").Update(s, func(old []string) ([]string, error) {
			return append(old, item), nil
		})
	}
	one, two := b.scope(), b.scope()
	if err := errors.Join(add(b.open(one, "main"), "a"), add(b.open(two, "main"), "b"), add(b.open(two, "main"), "c")); err != nil {
		t.Fatal(err)
	}
	b.mustCommit(one)
	b.mustCommit(two)
	if got := b.get("main", "list"); got != `["a","b","c"]` {
		t.Errorf("list %s", got)
	}
}

func TestSession_updateGivesUpAgainstAWriterThatNeverRests(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "n", 0)
	sc := b.scope()
	rounds := 0
	err := b.open(sc, "main").Update("n", func(json.RawMessage) (any, error) {
		if rounds++; rounds > 1 {
			b.set("main", "n", rounds) // a conflict for the next round
		}
		return -rounds, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b.set("main", "n", 1)
	if err := b.commit(sc); !errors.Is(err, session.ErrConflict) {
		t.Errorf("Commit = %v, want ErrConflict", err)
	}
	if rounds != 8 {
		t.Errorf("%d rounds", rounds)
	}
}

func TestSession_updateOfItsOwnChangeAndRemoval(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "gone", 1)
	sc := b.scope()
	s := b.open(sc, "main")
	double := func(old json.RawMessage) (any, error) {
		var n int
		if old != nil {
			if err := json.Unmarshal(old, &n); err != nil {
				return nil, err
			}
		}
		return 2*n + 1, nil
	}
	none := func(json.RawMessage) (any, error) { return nil, nil }
	if err := errors.Join(
		s.Set("set", 5), s.Update("set", double), // 11
		s.Update("twice", double), s.Update("twice", double), // 1, 3
		s.Update("gone", none),
	); err != nil {
		t.Fatal(err)
	}
	if s.Has("gone") {
		t.Error("the scope still sees what an update removed")
	}
	b.mustCommit(sc)
	if got := b.get("main", "set") + " " + b.get("main", "twice") + " " + b.get("main", "gone"); got != "11 3 " {
		t.Errorf("values %q", got)
	}
}

func TestSession_anErrorOfAnUpdateIsReturnedAndChangesNothing(t *testing.T) {
	b := newBrowser(t)
	boom := errors.New("boom")
	s := b.open(b.scope(), "main")
	if err := s.Update("a", func(json.RawMessage) (any, error) { return 1, boom }); !errors.Is(err, boom) || s.Modified() {
		t.Errorf("Update = %v, modified %v", err, s.Modified())
	}
}

func TestSession_aValueThatCannotBeStoredRefusesTheSave(t *testing.T) {
	for name, c := range map[string]struct {
		value any
		want  error
	}{
		"channel": {make(chan int), nil},
		"long":    {strings.Repeat("x", session.MaxValueBytes), session.ErrLimit},
	} {
		b := newBrowser(t)
		b.set("main", "a", 1)
		sc := b.scope()
		s := b.open(sc, "main")
		err := s.Set("bad", c.value)
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: Set = %v", name, err)
		}
		if err := s.Set("a", 2); err != nil {
			t.Error(err)
		}
		if again := b.commit(sc); again == nil || again.Error() != err.Error() {
			t.Errorf("%s: Commit = %v, want %v", name, again, err)
		}
		if got := b.get("main", "a"); got != "1" {
			t.Errorf("%s: half was saved: %s", name, got)
		}
	}
}

func TestSession_limitsOfANamespace(t *testing.T) {
	for name, fill := range map[string]func(s *session.Session, i int) error{
		"values": func(s *session.Session, i int) error { return s.Set(fmt.Sprint("key", i), i) },
		"bytes": func(s *session.Session, i int) error {
			return s.Set(fmt.Sprint("key", i%5), strings.Repeat("x", session.MaxValueBytes-2))
		},
	} {
		b := newBrowser(t)
		sc := b.scope()
		s := b.open(sc, "main")
		for i := range session.MaxValues + 1 {
			if err := fill(s, i); err != nil {
				t.Fatal(name, err)
			}
		}
		if err := b.commit(sc); !errors.Is(err, session.ErrLimit) {
			t.Errorf("%s: Commit = %v, want ErrLimit", name, err)
		}
		if len(b.cookies) != 0 {
			t.Errorf("%s: cookies %v", name, b.cookies)
		}
	}
}
