package memstore_test

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
	"github.com/sessionhub/sessionhub/session/sessiontest"
)

// newFamily returns a family of a root and a child.
func newFamily() *session.Family {
	return &session.Family{Spaces: []session.Space{
		{Name: "main", Prefix: "main", Idle: 30 * time.Minute, Life: 8 * time.Hour},
		{Name: "chat", Prefix: "chat", Idle: 10 * time.Minute, Life: 8 * time.Hour},
	}}
}

func open(*testing.T) sessiontest.Harness {
	var (
		mu      sync.Mutex // guards notices
		notices []string
	)
	return sessiontest.Harness{
		Store: &memstore.Store{Deliver: func(n string) {
			mu.Lock()
			defer mu.Unlock()
			notices = append(notices, n)
		}},
		Advance: time.Sleep,
		Notices: func() []string {
			mu.Lock()
			defer mu.Unlock()
			drained := notices
			notices = nil
			return drained
		},
		Run: synctest.Test,
	}
}

func TestStore(t *testing.T) { sessiontest.TestStore(t, open) }

// forgetful loses replies, as a network does: what it wraps may have carried
// an operation out of which the caller hears ErrUnavailable.
type forgetful struct{ session.Store }

func (s forgetful) Save(ctx context.Context, f *session.Family, id string, v session.Save) (session.Record, error) {
	return lose(func() (session.Record, error) { return s.Store.Save(ctx, f, id, v) })
}

func (s forgetful) Login(ctx context.Context, f *session.Family, id string, l session.Elevation) (session.Record, error) {
	return lose(func() (session.Record, error) { return s.Store.Login(ctx, f, id, l) })
}

func (s forgetful) Create(ctx context.Context, f *session.Family, c session.Create) (session.Record, error) {
	return lose(func() (session.Record, error) { return s.Store.Create(ctx, f, c) })
}

// lose calls do, and again when the first reply is lost, and loses the second
// one too at times.
func lose(do func() (session.Record, error)) (session.Record, error) {
	rec, err := do()
	if mathrand.IntN(3) == 0 {
		rec, err = do()
	}
	if mathrand.IntN(5) == 0 {
		return session.Record{}, fmt.Errorf("%w: reply lost", session.ErrUnavailable)
	}
	return rec, err
}

func TestStore_retriesAfterLostReplies(t *testing.T) {
	sessiontest.TestLinearizable(t, func(t *testing.T) sessiontest.Harness {
		h := open(t)
		h.Store = forgetful{h.Store}
		return h
	}, true)
}

func TestStore_deadlinesAreExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s memstore.Store
		f := newFamily()
		_, err := s.Create(t.Context(), f, session.Create{ID: "a", Nonce: "n", Deltas: map[string]session.Delta{"chat": {}}})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*time.Minute - 1)
		rec, err := s.Load(t.Context(), f, "a", session.Load{})
		if err != nil || rec.Space("chat").Deadline.Sub(rec.Now) != 1 || rec.Left != 20*time.Minute+1 {
			t.Errorf("before the deadline of chat: %+v, %v", rec.State, err)
		}
		time.Sleep(time.Nanosecond)
		rec, err = s.Load(t.Context(), f, "a", session.Load{})
		if got := rec.Space("chat"); err != nil || got.Generation != 1 {
			t.Errorf("at the deadline of chat: %+v, %v", got, err)
		}
		time.Sleep(20*time.Minute - 1)
		if rec, err = s.Load(t.Context(), f, "a", session.Load{}); err != nil || rec.Left != 1 {
			t.Errorf("before the deadline: left %v, %v", rec.Left, err)
		}
		time.Sleep(time.Nanosecond)
		if _, err = s.Load(t.Context(), f, "a", session.Load{}); err != session.ErrNotFound {
			t.Errorf("at the deadline: %v, want ErrNotFound", err)
		}
	})
}

func TestStore_loginAsAnotherUserLeavesTheIndexOfTheFirst(t *testing.T) {
	var s memstore.Store
	f := newFamily()
	rec, err := s.Create(t.Context(), f, session.Create{ID: "a", Nonce: "n", User: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Login(t.Context(), f, "a", session.Elevation{Op: "op", Epoch: rec.Epoch, Hash: "h", User: "bob"}); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats().Users; got != 1 {
		t.Errorf("users in the index = %d, want 1", got)
	}
}

func TestStore_deliversWhenTheChangeIsVisible(t *testing.T) {
	var (
		s     memstore.Store
		f     = newFamily()
		alive []bool
	)
	s.Deliver = func(string) {
		states, err := s.Check(t.Context(), f, []string{"a", "b"})
		if err != nil {
			t.Errorf("Check = %v", err)
		}
		alive = append(alive, states[0] != nil, states[1] != nil)
	}
	for _, id := range []string{"a", "b"} {
		if _, err := s.Create(t.Context(), f, session.Create{ID: id, Nonce: "n"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Delete(t.Context(), f, session.End{ID: "a", Notice: "a"}, session.End{ID: "b", Notice: "b"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]bool{false, false, false, false}, alive); diff != "" {
		t.Errorf("alive during the notices (-want +got):\n%s", diff)
	}
}

func TestStore_concurrentUse(t *testing.T) {
	var (
		s  memstore.Store
		f  = newFamily()
		wg sync.WaitGroup
	)
	rec, err := s.Create(t.Context(), f, session.Create{ID: "a", Nonce: "n"})
	if err != nil {
		t.Fatal(err)
	}
	const writers, each = 8, 200
	for range writers {
		wg.Go(func() {
			for range each {
				save := session.Save{Op: rand.Text(), Epoch: rec.Epoch, Deltas: map[string]session.Delta{"main": {Add: map[string]int64{"n": 1}}}}
				if _, err := s.Save(t.Context(), f, "a", save); err != nil {
					t.Errorf("Save = %v", err)
				}
				if got, err := s.Load(t.Context(), f, "a", session.Load{}); err != nil || got.In("main").Len() != 1 {
					t.Errorf("Load = %v, %v", got.Values, err)
				}
			}
		})
	}
	wg.Wait()
	got, err := s.Load(t.Context(), f, "a", session.Load{})
	if want := fmt.Sprint(writers * each); err != nil || got.In("main").Map()["n"] != want {
		t.Errorf("n = %s, %v, want %s", got.In("main").Map()["n"], err, want)
	}
}

func ExampleStore() {
	s := &memstore.Store{Deliver: func(notice string) { fmt.Println("ended:", notice) }}
	family := &session.Family{Spaces: []session.Space{{Name: "main", Idle: 30 * time.Minute, Life: 8 * time.Hour}}}
	ctx := context.Background()

	rec, err := s.Create(ctx, family, session.Create{ID: "id", Nonce: "nonce", Hash: "hash"})
	if err != nil {
		fmt.Println(err)
		return
	}
	save := session.Save{Op: "op", Epoch: rec.Epoch, Deltas: map[string]session.Delta{
		"main": {Add: map[string]int64{"sent": 1}},
	}}
	for range 2 { // the second one is a retry
		if _, err := s.Save(ctx, family, "id", save); err != nil {
			fmt.Println(err)
		}
	}
	rec, err = s.Load(ctx, family, "id", session.Load{Hash: "hash"})
	fmt.Println(rec.In("main").Map()["sent"], err)

	if err := s.Delete(ctx, family, session.End{ID: "id", Notice: "1|s|main|id||0"}); err != nil {
		fmt.Println(err)
	}
	save.Op = "another"
	_, err = s.Save(ctx, family, "id", save)
	fmt.Println(err)
	// Output:
	// 1 <nil>
	// ended: 1|s|main|id||0
	// session: ended before it could be saved
}

func BenchmarkStore(b *testing.B) {
	const id, hash = "AAAAAAAAAAAAAAAAAAAAAA", "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U"
	f, ctx := newFamily(), context.Background()
	open := func(b *testing.B) (*memstore.Store, uint64) {
		s := new(memstore.Store)
		rec, err := s.Create(ctx, f, session.Create{ID: id, Nonce: "n", Hash: hash, Deltas: map[string]session.Delta{
			"main": {Set: map[string]string{"name": `"ann"`, "sent": "1"}},
		}})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		return s, rec.Epoch
	}
	b.Run("Load", func(b *testing.B) {
		s, _ := open(b)
		for b.Loop() {
			if _, err := s.Load(ctx, f, id, session.Load{Hash: hash, Slide: session.SlideDue}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Save", func(b *testing.B) {
		s, epoch := open(b)
		save := session.Save{Epoch: epoch, Deltas: map[string]session.Delta{"main": {Add: map[string]int64{"sent": 1}}}}
		for b.Loop() {
			save.Op = rand.Text()
			if _, err := s.Save(ctx, f, id, save); err != nil {
				b.Fatal(err)
			}
		}
	})
}
