package session_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/sessionhub/sessionhub/session"
)

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

func TestSession_setDefaultKeepsTheFirst(t *testing.T) {
	b := newBrowser(t)
	sc := b.scope()
	s := b.open(sc, "main")
	for i, want := range []string{"0", "0", "0"} {
		if raw, err := s.SetDefault("a", i); string(raw) != want || err != nil {
			t.Errorf("SetDefault(%d) = %s, %v", i, raw, err)
		}
	}
	if raw, err := s.SetDefault("nothing", nil); string(raw) != "null" || err != nil || !s.Has("nothing") {
		t.Errorf("SetDefault(nil) = %s, %v", raw, err)
	}
	b.mustCommit(sc)
	sc = b.scope()
	s = b.open(sc, "main")
	if raw, err := s.SetDefault("a", 7); string(raw) != "0" || err != nil {
		t.Errorf("in the next request %s, %v", raw, err)
	}
	if err := s.Delete("a"); err != nil {
		t.Fatal(err)
	}
	if raw, err := s.SetDefault("a", 8); string(raw) != "8" || err != nil {
		t.Errorf("after Delete %s, %v", raw, err)
	}
	b.mustCommit(sc)
	if got := b.get("main", "a"); got != "8" {
		t.Errorf("stored %s", got)
	}
	if _, err := s.SetDefault("bad", func() {}); !errors.Is(err, session.ErrUnstorable) {
		t.Errorf("SetDefault = %v, want ErrUnstorable", err)
	}
}

func TestSession_setDefaultOfTwoScopesKeepsTheFirstSaved(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "other", 1)
	one, two, three := b.scope(), b.scope(), b.scope()
	for i, sc := range []*session.Scope{one, two, three} {
		s := b.open(sc, "main")
		if raw, err := s.SetDefault("a", i+1); string(raw) != fmt.Sprint(i+1) || err != nil {
			t.Errorf("SetDefault = %s, %v", raw, err)
		}
	}
	// What comes after rests on the default that stays.
	if err := session.Counter("a").Add(b.open(three, "main"), 10); err != nil {
		t.Fatal(err)
	}
	b.mustCommit(two)
	b.mustCommit(one)
	if raw, _ := b.open(one, "main").Value("a"); string(raw) != "2" {
		t.Errorf("the later one sees %s", raw)
	}
	b.mustCommit(three)
	if got := b.get("main", "a"); got != "12" {
		t.Errorf("stored %s, want the first one's 2, and 10", got)
	}
}

func TestSession_popReturnsAndRemoves(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "a", "x")
	sc := b.scope()
	s := b.open(sc, "main")
	if raw, err := s.Pop("a"); string(raw) != `"x"` || err != nil || s.Has("a") {
		t.Errorf("Pop = %s, %v, Has %v", raw, err, s.Has("a"))
	}
	if raw, err := s.Pop("a"); raw != nil || !errors.Is(err, session.ErrAbsent) {
		t.Errorf("a second Pop = %s, %v, want ErrAbsent", raw, err)
	}
	if err := s.Set("b", 1); err != nil {
		t.Fatal(err)
	}
	if raw, err := s.Pop("b"); string(raw) != "1" || err != nil {
		t.Errorf("Pop of what this scope set = %s, %v", raw, err)
	}
	b.mustCommit(sc)
	if s := b.open(b.scope(), "main"); s.Len() != 0 {
		t.Errorf("left: %q", s.Keys())
	}
}

// As documented: Pop is for one scope what it says, and Update for several.
func TestSession_popOfTwoScopesAndUpdateThatIsExclusive(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "a", 1)
	one, two := b.scope(), b.scope()
	for _, sc := range []*session.Scope{one, two} {
		if raw, err := b.open(sc, "main").Pop("a"); string(raw) != "1" || err != nil {
			t.Errorf("Pop = %s, %v", raw, err)
		}
	}
	b.mustCommit(one)
	b.mustCommit(two)

	b.set("main", "a", 1)
	gone := errors.New("somebody else has it")
	take := func(old json.RawMessage) (any, error) {
		if old == nil {
			return nil, gone
		}
		return nil, nil
	}
	one, two = b.scope(), b.scope()
	if err := errors.Join(b.open(one, "main").Update("a", take), b.open(two, "main").Update("a", take)); err != nil {
		t.Fatal(err)
	}
	b.mustCommit(one)
	if err := b.commit(two); !errors.Is(err, gone) {
		t.Errorf("Commit = %v, want the function's error", err)
	}
}

func TestSession_anUpdateAsksEachFunctionOnce(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "other", 1)
	sc := b.scope()
	calls := 0
	for range 100 {
		err := session.Field[int]("n").Update(b.open(sc, "main"), func(old int) (int, error) {
			calls++
			return old + 1, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	b.mustCommit(sc)
	if got := b.get("main", "n"); got != "100" || calls != 100 {
		t.Errorf("n = %s after %d calls", got, calls)
	}
}

// What another program wrote in its own way stays so, as long as it is the value.
func TestSession_updateThatReturnsWhatItWasGivenLeavesTheText(t *testing.T) {
	const text = `{ "a" : "<b>" }`
	b := newSpoiled(t)
	b.write(map[string]string{"ok": text})
	sc := b.scope()
	s := b.open(sc, "main")
	same := func(old json.RawMessage) (any, error) { return old, nil }
	if _, err := s.SetDefault("late", 1); err != nil {
		t.Fatal(err)
	}
	if err := s.Update("ok", same); err != nil {
		t.Fatal(err)
	}
	b.write(map[string]string{"late": text})
	b.mustCommit(sc)
	values := b.stored().In("main").Map()
	if values["ok"] != text || values["late"] != text {
		t.Errorf("stored %s and %s", values["ok"], values["late"])
	}
}
