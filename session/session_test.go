package session_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sessionhub/sessionhub/session"
)

// The rules are those of Django's sessions: to read marks a session accessed,
// to change it, modified.
func TestSession_flagsSayWhatWasLookedAtAndChanged(t *testing.T) {
	var (
		number  = session.Field[int]("a")
		nobody  = session.Field[int]("x")
		notices = session.Flash[string]("notices")
	)
	for _, c := range []struct {
		name               string
		act                func(s *session.Session) error
		accessed, modified bool
	}{
		{"nothing", func(s *session.Session) error { return nil }, false, false},
		{"ID, Namespace, New, Empty", func(s *session.Session) error { s.ID(); s.Namespace(); s.New(); s.Empty(); return nil }, false, false},
		{"Value", func(s *session.Session) error { s.Value("a"); return nil }, true, false},
		{"Value of an absent key", func(s *session.Session) error { s.Value("x"); return nil }, true, false},
		{"Field.Or of an absent key", func(s *session.Session) error { _, err := nobody.Or(s, 1); return err }, true, false},
		{"Has", func(s *session.Session) error { s.Has("a"); return nil }, true, false},
		{"Len", func(s *session.Session) error { s.Len(); return nil }, true, false},
		{"Keys", func(s *session.Session) error { s.Keys(); return nil }, true, false},
		{"Values", func(s *session.Session) error { s.Values(); return nil }, true, false},
		{"Items", func(s *session.Session) error { s.Items(); return nil }, true, false},
		{"Set", func(s *session.Session) error { return s.Set("x", 1) }, true, true},
		{"Set to what it is", func(s *session.Session) error { return s.Set("a", 1) }, true, true},
		{"SetAll", func(s *session.Session) error { return s.SetAll(map[string]any{"a": 2, "x": 3}) }, true, true},
		{"SetAll of nothing", func(s *session.Session) error { return s.SetAll(nil) }, true, false},
		{"SetDefault", func(s *session.Session) error { _, err := s.SetDefault("x", 1); return err }, true, true},
		{"SetDefault of a present key", func(s *session.Session) error { _, err := s.SetDefault("a", 2); return err }, true, false},
		{"Field.SetDefault of a present key", func(s *session.Session) error { _, err := number.SetDefault(s, 2); return err }, true, false},
		{"Pop", func(s *session.Session) error { _, err := s.Pop("a"); return err }, true, true},
		{"Pop of an absent key", func(s *session.Session) error { return without(s.Pop("x")) }, true, false},
		{"Field.Pop", func(s *session.Session) error { _, err := number.Pop(s); return err }, true, true},
		{"Field.Pop of an absent key", func(s *session.Session) error { return without(nobody.Pop(s)) }, true, false},
		{"Field.PopOr", func(s *session.Session) error { _, err := number.PopOr(s, 1); return err }, true, true},
		{"Field.PopOr of an absent key", func(s *session.Session) error { _, err := nobody.PopOr(s, 1); return err }, true, false},
		{"Delete", func(s *session.Session) error { return s.Delete("a") }, true, true},
		{"Delete of an absent key", func(s *session.Session) error { return s.Delete("x") }, true, false},
		{"Clear", func(s *session.Session) error { return s.Clear() }, true, true},
		{"Update", func(s *session.Session) error {
			return s.Update("a", func(old json.RawMessage) (any, error) { return old, nil })
		}, true, true},
		{"Counter", func(s *session.Session) error { return session.Counter("a").Add(s, 1) }, true, true},
		{"Flash.Add", func(s *session.Session) error { return notices.Add(s, "hello") }, true, true},
		{"Flash.Peek", func(s *session.Session) error { _, err := notices.Peek(s); return err }, true, false},
		{"Flash.Take of nothing", func(s *session.Session) error { _, err := notices.Take(s); return err }, true, false},
		{"SetTestCookie", func(s *session.Session) error { return s.SetTestCookie() }, true, true},
		{"TestCookieWorked", func(s *session.Session) error { s.TestCookieWorked(); return nil }, true, false},
		{"DeleteTestCookie when there is none", func(s *session.Session) error { return s.DeleteTestCookie() }, true, false},
	} {
		b := newBrowser(t)
		b.set("main", "a", 1)
		sc := b.scope()
		s := b.open(sc, "main")
		if err := c.act(s); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if s.Accessed() != c.accessed || s.Modified() != c.modified {
			t.Errorf("%s: accessed %v, modified %v", c.name, s.Accessed(), s.Modified())
		}
		saves := b.m.Stats().Saves
		b.mustCommit(sc)
		if wrote := b.m.Stats().Saves > saves; wrote != c.modified {
			t.Errorf("%s: saved %v", c.name, wrote)
		}
	}
}

// without returns nil for ErrAbsent, which it wants.
func without(_ any, err error) error {
	if errors.Is(err, session.ErrAbsent) {
		return nil
	}
	return fmt.Errorf("got %v, want ErrAbsent", err)
}

func TestSession_isNotWrittenTwice(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "a", 1)
	sc := b.scope()
	s := b.open(sc, "main")
	if err := s.Set("a", 2); err != nil {
		t.Fatal(err)
	}
	saves := b.m.Stats().Saves
	for range 3 {
		b.mustCommit(sc)
		if s.Accessed() || s.Modified() {
			t.Errorf("after the save: accessed %v, modified %v", s.Accessed(), s.Modified())
		}
	}
	if n := b.m.Stats().Saves - saves; n != 1 {
		t.Errorf("%d saves", n)
	}
	if raw, _ := s.Value("a"); string(raw) != "2" {
		t.Errorf("the saved scope sees %s", raw)
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

func TestSession_setAllSetsAllOrNone(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "a", 1)
	sc := b.scope()
	s := b.open(sc, "main")
	if err := s.SetAll(map[string]any{"a": 2, "b": "two"}); err != nil {
		t.Fatal(err)
	}
	b.mustCommit(sc)
	if got := b.get("main", "a") + b.get("main", "b"); got != `2"two"` {
		t.Errorf("values %s", got)
	}
	for name, c := range map[string]struct {
		bad  any
		want error
	}{
		"unstorable": {func() {}, session.ErrUnstorable},
		"long":       {strings.Repeat("x", session.MaxValueBytes), session.ErrLimit},
	} {
		sc := b.scope()
		s := b.open(sc, "main")
		err := s.SetAll(map[string]any{"a": 3, "b": c.bad, "c": 3})
		if !errors.Is(err, c.want) || s.Modified() || s.Has("c") {
			t.Errorf("%s: SetAll = %v, modified %v", name, err, s.Modified())
		}
		if again := b.commit(sc); again == nil || again.Error() != err.Error() {
			t.Errorf("%s: Commit = %v, want %v", name, again, err)
		}
	}
}

func TestSession_changesThatComeTooLate(t *testing.T) {
	b := newBrowser(t)
	sc := b.scope()
	s := b.open(sc, "main")
	b.mustCommit(sc)
	_, byDefault := s.SetDefault("a", 1)
	for name, err := range map[string]error{
		"Set":        s.Set("a", 1),
		"SetAll":     s.SetAll(map[string]any{"a": 1}),
		"SetDefault": byDefault,
		"Flash.Add":  session.Flash[int]("f").Add(s, 1),
	} {
		if !errors.Is(err, session.ErrCommitted) {
			t.Errorf("%s = %v, want ErrCommitted", name, err)
		}
	}
	if s.Modified() {
		t.Error("modified")
	}
}
