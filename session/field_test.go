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
