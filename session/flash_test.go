package session_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sessionhub/sessionhub/session"
)

const notices = session.Flash[string]("notices")

// add adds notices in a request of their own.
func (b *browser) add(values ...string) {
	b.t.Helper()
	sc := b.scope()
	for _, v := range values {
		if err := notices.Add(b.open(sc, "main"), v); err != nil {
			b.t.Fatal(err)
		}
	}
	b.mustCommit(sc)
}

// taken returns what a Take in a scope returns.
func (b *browser) taken(sc *session.Scope) []string {
	b.t.Helper()
	values, err := notices.Take(b.open(sc, "main"))
	if err != nil {
		b.t.Fatal(err)
	}
	return values
}

// left returns what is there in the next request.
func (b *browser) left() []string {
	b.t.Helper()
	values, err := notices.Peek(b.open(b.scope(), "main"))
	if err != nil {
		b.t.Fatal(err)
	}
	return values
}

func TestFlash_isReadOnce(t *testing.T) {
	b := newBrowser(t)
	if got := b.taken(b.scope()); got != nil {
		t.Errorf("taken before anything was added: %q", got)
	}
	b.add("one", "two")
	b.add("three")
	want := []string{"one", "two", "three"}
	if got := b.left(); !slices.Equal(got, want) {
		t.Errorf("Peek = %q", got)
	}
	sc := b.scope()
	if got := b.taken(sc); !slices.Equal(got, want) {
		t.Errorf("Take = %q", got)
	}
	if got := b.taken(sc); got != nil {
		t.Errorf("a second Take = %q", got)
	}
	b.mustCommit(sc)
	if s := b.open(b.scope(), "main"); s.Has("notices") || b.left() != nil {
		t.Errorf("left %q", b.left())
	}
}

func TestFlash_withinOneScope(t *testing.T) {
	b := newBrowser(t)
	sc := b.scope()
	s := b.open(sc, "main")
	if err := errors.Join(notices.Add(s, "a"), notices.Add(s, "b")); err != nil {
		t.Fatal(err)
	}
	if got := b.taken(sc); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("Take = %q", got)
	}
	if err := notices.Add(s, "c"); err != nil {
		t.Fatal(err)
	}
	b.mustCommit(sc)
	if got := b.left(); !slices.Equal(got, []string{"c"}) {
		t.Errorf("left %q", got)
	}
	sc = b.scope()
	s = b.open(sc, "main")
	if err := errors.Join(s.Clear(), notices.Add(s, "d")); err != nil {
		t.Fatal(err)
	}
	b.mustCommit(sc)
	if got := b.left(); !slices.Equal(got, []string{"d"}) {
		t.Errorf("left after Clear %q", got)
	}
}

func TestFlash_whatIsNotSavedWasNotShown(t *testing.T) {
	b := newBrowser(t)
	b.add("a")
	sc := b.scope()
	if got := b.taken(sc); len(got) != 1 {
		t.Errorf("Take = %q", got)
	}
	sc.Discard() // as for a server error
	if got := b.left(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("left %q", got)
	}
}

func TestFlash_concurrentAddsAllStay(t *testing.T) {
	b := newBrowser(t)
	b.add("first")
	scopes := []*session.Scope{b.scope(), b.scope(), b.scope()}
	for i, sc := range scopes {
		if err := notices.Add(b.open(sc, "main"), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, sc := range slices.Backward(scopes) {
		b.mustCommit(sc)
	}
	if got := b.left(); !slices.Equal(got, []string{"first", "2", "1", "0"}) {
		t.Errorf("left %q", got)
	}
}

func TestFlash_takeLeavesWhatOthersAdd(t *testing.T) {
	b := newBrowser(t)
	b.add("same")
	taking := b.scope()
	if got := b.taken(taking); !slices.Equal(got, []string{"same"}) {
		t.Errorf("Take = %q", got)
	}
	b.add("same", "other")
	b.mustCommit(taking)
	if got := b.left(); !slices.Equal(got, []string{"same", "other"}) {
		t.Errorf("left %q", got)
	}
}

func TestFlash_takeLeavesTheSameTextThatIsAddedAfterAnotherTake(t *testing.T) {
	b := newBrowser(t)
	b.add("same")
	slow, quick := b.scope(), b.scope()
	if a, b := b.taken(slow), b.taken(quick); len(a) != 1 || len(b) != 1 {
		t.Errorf("Take = %q and %q: both may show it", a, b)
	}
	b.mustCommit(quick)
	b.add("same")
	b.mustCommit(slow)
	if got := b.left(); !slices.Equal(got, []string{"same"}) {
		t.Errorf("left %q", got)
	}
}

func TestFlash_takeLeavesAnotherValueThatTookItsPlace(t *testing.T) {
	b := newBrowser(t)
	b.add("a")
	sc := b.scope()
	b.taken(sc)
	b.set("main", "notices", "<something else>")
	b.mustCommit(sc)
	if got, err := session.Field[string]("notices").Get(b.open(b.scope(), "main")); got != "<something else>" || err != nil {
		t.Errorf("left %q, %v", got, err)
	}
}

func TestFlash_ofAnotherTypeIsLeftAlone(t *testing.T) {
	b := newBrowser(t)
	b.add("text")
	s := b.open(b.scope(), "main")
	numbers := session.Flash[int]("notices")
	for name, act := range map[string]func() ([]int, error){
		"Take": func() ([]int, error) { return numbers.Take(s) },
		"Peek": func() ([]int, error) { return numbers.Peek(s) },
	} {
		if v, err := act(); v != nil || !errors.Is(err, session.ErrType) || strings.Contains(err.Error(), "text") {
			t.Errorf("%s = %v, %v, want ErrType", name, v, err)
		}
	}
	for _, other := range []any{"text", 1, []string{"a"}, []any{map[string]any{"id": "x"}}} {
		b := newBrowser(t)
		b.set("main", "notices", other)
		s := b.open(b.scope(), "main")
		if err := notices.Add(s, "b"); !errors.Is(err, session.ErrType) || s.Modified() {
			t.Errorf("Add to %v = %v, want ErrType", other, err)
		}
		if _, err := notices.Take(s); !errors.Is(err, session.ErrType) || s.Modified() {
			t.Errorf("Take from %v = %v, want ErrType", other, err)
		}
	}
}

func TestFlash_keepsNilAndStructs(t *testing.T) {
	type notice struct {
		Level int
		Text  string
	}
	structs := session.Flash[*notice]("structs")
	b := newBrowser(t)
	sc := b.scope()
	s := b.open(sc, "main")
	if err := errors.Join(structs.Add(s, &notice{1, "<ä>"}), structs.Add(s, nil)); err != nil {
		t.Fatal(err)
	}
	b.mustCommit(sc)
	got, err := structs.Take(b.open(b.scope(), "main"))
	if err != nil || len(got) != 2 || *got[0] != (notice{1, "<ä>"}) || got[1] != nil {
		t.Errorf("Take = %v, %v", got, err)
	}
}

func TestFlash_isBounded(t *testing.T) {
	b := newBrowser(t)
	sc := b.scope()
	s := b.open(sc, "main")
	var err error
	added := 0
	for ; err == nil && added < session.MaxValueBytes; added++ {
		err = notices.Add(s, strings.Repeat("x", 100))
	}
	if !errors.Is(err, session.ErrLimit) || added < 100 {
		t.Errorf("Add number %d = %v, want ErrLimit", added, err)
	}
	if again := b.commit(sc); !errors.Is(again, session.ErrLimit) {
		t.Errorf("Commit = %v, want ErrLimit", again)
	}
	if err := session.Flash[func()]("f").Add(b.open(b.scope(), "main"), nil); !errors.Is(err, session.ErrUnstorable) {
		t.Errorf("Add = %v, want ErrUnstorable", err)
	}
}

// Requests that add and take at random: what was added is shown, or there, and
// not lost; what was shown in a request that was saved is not there.
func TestFlash_nothingIsLostAmongManyScopes(t *testing.T) {
	b := newBrowser(t)
	b.add("seed")
	var (
		mu    sync.Mutex // guards the following fields
		added = []string{"seed"}
		shown = make(map[string]bool)
		wg    sync.WaitGroup
	)
	for worker := range 8 {
		wg.Go(func() {
			for round := range 50 {
				sc := b.m.Scope(b.request())
				s, err := sc.Session(t.Context(), "main")
				if err != nil {
					t.Error(err)
					return
				}
				var mine, got []string
				for i := range rand.IntN(3) {
					v := fmt.Sprint(worker, " ", round, " ", i)
					err = errors.Join(err, notices.Add(s, v))
					mine = append(mine, v)
				}
				if rand.IntN(2) == 0 {
					var failed error
					got, failed = notices.Take(s)
					err = errors.Join(err, failed)
				}
				if err != nil {
					t.Error(err)
				}
				switch err := sc.Commit(t.Context()); {
				case errors.Is(err, session.ErrConflict):
					continue // eight rounds lost against the others: nothing was saved or shown
				case err != nil:
					t.Error(err)
				}
				mu.Lock()
				added = append(added, mine...)
				for _, v := range got {
					shown[v] = true
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	left := b.left()
	for _, v := range added {
		if there := slices.Contains(left, v); there == shown[v] {
			t.Errorf("%q: shown %v, there %v", v, shown[v], there)
		}
	}
}
