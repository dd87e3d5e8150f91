package session_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sessionhub/sessionhub/session"
)

// edit is one thing that a handler does to the key "k", and what it comes to.
type edit struct {
	name  string
	do    func(*session.Session, int64) error
	model func(old *int64, n int64) *int64
}

var edits = []edit{
	{"set", func(s *session.Session, n int64) error { return s.Set("k", n) },
		func(_ *int64, n int64) *int64 { return &n }},
	{"add", func(s *session.Session, n int64) error { return session.Counter("k").Add(s, n) },
		func(old *int64, n int64) *int64 { return sum(old, n) }},
	{"update", func(s *session.Session, n int64) error {
		return session.Field[int64]("k").Update(s, func(old int64) (int64, error) { return 2*old + n, nil })
	}, func(old *int64, n int64) *int64 { return sum(old, *sum(old, n)) }},
	{"remove", func(s *session.Session, _ int64) error {
		return s.Update("k", func(json.RawMessage) (any, error) { return nil, nil })
	}, func(*int64, int64) *int64 { return nil }},
	{"clear", func(s *session.Session, _ int64) error { return s.Clear() },
		func(*int64, int64) *int64 { return nil }},
}

// byDefault is one that reads only, and promises nothing, where it finds a value
// that was loaded. So it is tried where there is none.
var byDefault = edit{"default",
	func(s *session.Session, n int64) error { _, err := s.SetDefault("k", n); return err },
	func(old *int64, n int64) *int64 {
		if old != nil {
			return old
		}
		return &n
	}}

func sum(old *int64, n int64) *int64 {
	if old != nil {
		n += *old
	}
	return &n
}

// TestSession_mergesLikeOneAfterTheOther lets two scopes do random things to
// one key at the same time: the store must then hold what one of them after the
// other would have left, and whoever saved last, and an open connection, must
// see just that.
func TestSession_mergesLikeOneAfterTheOther(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	type step struct {
		edit
		n int64
	}
	for range 2000 {
		b := newBrowser(t)
		var start *int64
		choice := append(slices.Clone(edits), byDefault)
		b.set("main", "other", 1)
		if rnd.IntN(3) > 0 {
			start, choice = sum(nil, 1000), edits
			b.set("main", "k", *start)
		}
		h := b.hold()
		scopes := []*session.Scope{b.scope(), h.Scope(session.HoldOptions{})}
		if rnd.IntN(2) == 0 {
			scopes[0], scopes[1] = scopes[1], scopes[0]
		}
		var steps [2][]step
		story := fmt.Sprintf("seed %d: from %v", seed, show(start))
		var last *session.Session
		for i, sc := range scopes {
			last = b.open(sc, "main")
			for range 1 + rnd.IntN(3) {
				s := step{choice[rnd.IntN(len(choice))], 1 + rnd.Int64N(50)}
				steps[i] = append(steps[i], s)
				story += fmt.Sprintf("; %d %s %d", i, s.name, s.n)
				if err := s.do(last, s.n); err != nil {
					t.Fatalf("%s: %v", story, err)
				}
			}
		}
		for _, sc := range scopes {
			if err := sc.Commit(t.Context()); err != nil {
				t.Fatalf("%s: %v", story, err)
			}
		}
		after := func(order ...int) string {
			v := start
			for _, i := range order {
				for _, s := range steps[i] {
					v = s.model(v, s.n)
				}
			}
			return show(v)
		}
		stored := b.get("main", "k")
		if stored != after(0, 1) && stored != after(1, 0) {
			t.Fatalf("%s: stored %q, want %q or %q", story, stored, after(0, 1), after(1, 0))
		}
		if raw, _ := last.Value("k"); string(raw) != stored {
			t.Fatalf("%s: the last to save sees %q, stored %q", story, raw, stored)
		}
		if got := b.hear(h, session.HoldOptions{}, "main", "k"); got != stored {
			t.Fatalf("%s: a connection sees %q, stored %q", story, got, stored)
		}
		h.Release()
	}
}

func show(v *int64) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(*v)
}

// A save that is repeated for the sake of one key must count another key's sum
// from what is there, in what it shows as well as in what it stores.
func TestSession_repeatedSaveSeesForeignSums(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "n", 10)
	h := b.hold()
	sc := b.scope()
	s := b.open(sc, "main")
	if err := errors.Join(
		session.Counter("n").Add(s, 1),
		session.Field[int]("u").Update(s, func(old int) (int, error) { return old + 1, nil }),
	); err != nil {
		t.Fatal(err)
	}
	foreign := b.scope()
	f := b.open(foreign, "main")
	if err := errors.Join(session.Counter("n").Add(f, 100), f.Set("u", 5)); err != nil {
		t.Fatal(err)
	}
	b.mustCommit(foreign)
	b.mustCommit(sc)
	if n, err := session.Counter("n").Get(s); n != 111 || err != nil {
		t.Errorf("the scope sees %d, %v; want 111", n, err)
	}
	if got := b.hear(h, session.HoldOptions{}, "main", "n") + " " + b.get("main", "n") + " " + b.get("main", "u"); got != "111 111 6" {
		t.Errorf("a connection sees, and stored are, %q", got)
	}
}

func TestCounter_sumsThatOverflowAreRefused(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "n", int64(math.MinInt64))
	s := b.open(b.scope(), "main")
	if err := session.Counter("n").Add(s, math.MaxInt64); err != nil {
		t.Fatal(err)
	}
	if err := session.Counter("n").Add(s, math.MaxInt64); !errors.Is(err, session.ErrLimit) {
		t.Errorf("Add = %v, want ErrLimit: no save could add it", err)
	}
}
