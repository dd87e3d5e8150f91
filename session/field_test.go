package session_test

import (
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

func TestField_roundTrip(t *testing.T) {
	type profile struct {
		Name string
		Seen time.Time
	}
	var (
		number = session.Field[int64]("number")
		text   = session.Field[string]("text")
		user   = session.Field[profile]("user")
	)
	alice := profile{"Älice \x00<b>", time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
	b := newBrowser(t)
	sc := b.scope()
	s := b.open(sc, "main")
	if err := errors.Join(number.Set(s, math.MaxInt64), text.Set(s, ""), user.Set(s, alice)); err != nil {
		t.Fatal(err)
	}
	b.mustCommit(sc)
	s = b.open(b.scope(), "main")
	if v, err := number.Get(s); v != math.MaxInt64 || err != nil {
		t.Errorf("number = %d, %v", v, err)
	}
	if v, err := text.Get(s); v != "" || err != nil {
		t.Errorf("text = %q, %v", v, err)
	}
	if v, err := user.Get(s); v != alice || err != nil {
		t.Errorf("user = %+v, %v", v, err)
	}
}

func TestField_absentAndOfAnotherType(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "text", "abc")
	s := b.open(b.scope(), "main")
	absent, wrong := session.Field[int]("none"), session.Field[int]("text")
	if v, err := absent.Get(s); v != 0 || !errors.Is(err, session.ErrAbsent) {
		t.Errorf("Get = %d, %v, want ErrAbsent", v, err)
	}
	if v, err := absent.Or(s, 7); v != 7 || err != nil {
		t.Errorf("Or = %d, %v", v, err)
	}
	if v, err := wrong.Get(s); v != 0 || !errors.Is(err, session.ErrType) || errors.Is(err, session.ErrAbsent) {
		t.Errorf("Get = %d, %v, want ErrType", v, err)
	}
	if v, err := wrong.Or(s, 7); v != 0 || !errors.Is(err, session.ErrType) {
		t.Errorf("Or = %d, %v, want ErrType", v, err)
	}
	if err := wrong.Update(s, func(old int) (int, error) { return old, nil }); !errors.Is(err, session.ErrType) {
		t.Errorf("Update = %v, want ErrType", err)
	}
	if s.Modified() {
		t.Error("modified")
	}
	if err := absent.Delete(s); err != nil || s.Modified() {
		t.Errorf("Delete of nothing = %v, modified %v", err, s.Modified())
	}
}

func TestField_popRemovesOnlyWhatItReturns(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "text", "abc")
	sc := b.scope()
	s := b.open(sc, "main")
	if v, err := session.Field[int]("text").Pop(s); v != 0 || !errors.Is(err, session.ErrType) || s.Modified() {
		t.Errorf("Pop of another type = %d, %v, modified %v; want ErrType", v, err, s.Modified())
	}
	if v, err := session.Field[int]("text").PopOr(s, 7); v != 0 || !errors.Is(err, session.ErrType) || s.Modified() {
		t.Errorf("PopOr of another type = %d, %v, modified %v; want ErrType", v, err, s.Modified())
	}
	field := session.Field[string]("text")
	if v, err := field.Pop(s); v != "abc" || err != nil || s.Has("text") {
		t.Errorf("Pop = %q, %v", v, err)
	}
	if v, err := field.Pop(s); v != "" || !errors.Is(err, session.ErrAbsent) {
		t.Errorf("a second Pop = %q, %v, want ErrAbsent", v, err)
	}
	if v, err := field.PopOr(s, "none"); v != "none" || err != nil {
		t.Errorf("PopOr = %q, %v", v, err)
	}
	b.mustCommit(sc)
	if got := b.get("main", "text"); got != "" {
		t.Errorf("stored %s", got)
	}
}

func TestField_setDefault(t *testing.T) {
	b := newBrowser(t)
	s := b.open(b.scope(), "main")
	names := session.Field[[]string]("names")
	for i, v := range [][]string{{"a"}, {"b"}} {
		if got, err := names.SetDefault(s, v); len(got) != 1 || got[0] != "a" || err != nil {
			t.Errorf("%d: SetDefault = %q, %v", i, got, err)
		}
	}
	if v, err := session.Field[int]("names").SetDefault(s, 1); v != 0 || !errors.Is(err, session.ErrType) {
		t.Errorf("SetDefault over another type = %d, %v, want ErrType", v, err)
	}
	if _, err := session.Field[chan int]("none").SetDefault(s, nil); !errors.Is(err, session.ErrUnstorable) {
		t.Errorf("SetDefault = %v, want ErrUnstorable", err)
	}
}

// secretive is a type whose own errors quote what they were given.
type secretive struct{}

func (*secretive) UnmarshalJSON(text []byte) error { return errors.New("cannot use " + string(text)) }

func TestField_errorsSayWhatWasWantedAndFoundAndShowNoValue(t *testing.T) {
	b := newBrowser(t)
	for key, v := range map[string]any{
		"string": "hunter2", "number": 4711.5, "object": map[string]string{"hunter2": "hunter2"},
		"array": []string{"hunter2"}, "boolean": true, "null": nil,
	} {
		b.set("chat", key, v)
	}
	s := b.open(b.scope(), "chat")
	get := func(_ any, err error) error { return err }
	for _, c := range []struct {
		err  error
		want string
	}{
		{get(session.Field[int]("none").Get(s)), `get "none" of "chat": want int: session: no such value`},
		{get(session.Field[[]string]("none").Pop(s)), `pop "none" of "chat": want []string: session: no such value`},
		{get(s.Pop("none")), `pop "none" of "chat": session: no such value`},
		{get(session.Field[int]("string").Get(s)), `get "string" of "chat": want int, found a string: session: value has another type`},
		{get(session.Field[int]("string").Pop(s)), `pop "string" of "chat": want int, found a string: session: value has another type`},
		{get(session.Field[int]("string").SetDefault(s, 1)), `get "string" of "chat": want int, found a string: session: value has another type`},
		{get(session.Field[int]("number").Get(s)), `get "number" of "chat": want int, found a number: session: value has another type`},
		{get(session.Field[string]("object").Get(s)), `get "object" of "chat": want string, found an object: session: value has another type`},
		{get(session.Field[time.Time]("string").Get(s)), `get "string" of "chat": want time.Time, found a string: session: value has another type`},
		{get(session.Field[int64]("array").Get(s)), `get "array" of "chat": want int64, found an array: session: value has another type`},
		{get(session.Field[string]("boolean").Get(s)), `get "boolean" of "chat": want string, found a boolean: session: value has another type`},
		{get(session.Field[secretive]("null").Get(s)), `get "null" of "chat": want session_test.secretive, found null: session: value has another type`},
		{session.Counter("number").Add(s, 1), `add to "number" of "chat": want int64, found a number: session: value has another type`},
		{session.Field[secretive]("string").Update(s, func(v secretive) (secretive, error) { return v, nil }),
			`update "string" of "chat": want session_test.secretive, found a string: session: value has another type`},
		{get(session.Flash[int]("string").Take(s)), `take "string" of "chat": want session.Flash[int], found a string: session: value has another type`},
	} {
		if c.err == nil || c.err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", c.err, c.want)
		}
	}
}

func TestField_updateBeginsWithTheZeroValue(t *testing.T) {
	b := newBrowser(t)
	sc := b.scope()
	n := session.Field[int]("n")
	if err := n.Update(b.open(sc, "main"), func(old int) (int, error) { return old + 1, nil }); err != nil {
		t.Fatal(err)
	}
	b.mustCommit(sc)
	if got := b.get("main", "n"); got != "1" {
		t.Errorf("n = %s", got)
	}
}

func TestCounter_allWritersCount(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "other", 1)
	hits := session.Counter("hits")
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			sc := b.m.Scope(b.request())
			s, err := sc.Session(t.Context(), "main")
			if err == nil {
				err = errors.Join(hits.Add(s, 1), hits.Add(s, 1), sc.Commit(t.Context()))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n, err := hits.Get(b.open(b.scope(), "main")); n != 100 || err != nil {
		t.Errorf("hits = %d, %v", n, err)
	}
}

func TestCounter_onTopOfOtherChanges(t *testing.T) {
	n := session.Counter("n")
	field := session.Field[int64]("n")
	for name, act := range map[string]func(s *session.Session) error{
		"set":    func(s *session.Session) error { return errors.Join(field.Set(s, 4), n.Add(s, 1)) },
		"delete": func(s *session.Session) error { return errors.Join(field.Delete(s), n.Add(s, 5)) },
		"clear":  func(s *session.Session) error { return errors.Join(s.Clear(), n.Add(s, 5)) },
		"update": func(s *session.Session) error {
			return errors.Join(field.Update(s, func(int64) (int64, error) { return 4, nil }), n.Add(s, 1))
		},
		"add": func(s *session.Session) error { return errors.Join(n.Add(s, -99), n.Add(s, 4)) },
		"then update": func(s *session.Session) error {
			return errors.Join(n.Add(s, 0), field.Update(s, func(int64) (int64, error) { return 5, nil }))
		},
	} {
		b := newBrowser(t)
		b.set("main", "n", 100)
		sc := b.scope()
		s := b.open(sc, "main")
		if err := act(s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := n.Get(s); got != 5 || err != nil {
			t.Errorf("%s: the scope sees %d, %v", name, got, err)
		}
		b.mustCommit(sc)
		if got := b.get("main", "n"); got != "5" {
			t.Errorf("%s: saved %s", name, got)
		}
	}
}

func TestCounter_refusesWhatIsNoNumberAndWhatOverflows(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "text", "abc")
	b.set("main", "float", 1.5)
	b.set("main", "max", int64(math.MaxInt64))
	b.set("main", "min", int64(math.MinInt64))
	s := b.open(b.scope(), "main")
	for _, c := range []struct {
		key  session.Counter
		n    int64
		want error
	}{
		{"text", 1, session.ErrType}, {"float", 1, session.ErrType},
		{"max", 1, session.ErrLimit}, {"min", -1, session.ErrLimit}, {"max", 0, nil}, {"max", -1, nil}, {"min", 1, nil},
	} {
		if err := c.key.Add(s, c.n); !errors.Is(err, c.want) {
			t.Errorf("%s + %d = %v, want %v", c.key, c.n, err, c.want)
		}
	}
	if _, err := session.Counter("text").Get(s); !errors.Is(err, session.ErrType) {
		t.Errorf("Get = %v, want ErrType", err)
	}
}
