package memstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
)

// filled returns a memory store with sessions "0", "1" and so on, each of a user
// of the same name.
func filled(t *testing.T, f *session.Family, sessions int) *memstore.Store {
	t.Helper()
	s := new(memstore.Store)
	fill(t, s, f, sessions)
	return s
}

func fill(t *testing.T, s *memstore.Store, f *session.Family, sessions int) {
	t.Helper()
	for i := range sessions {
		id := fmt.Sprint(i)
		if _, err := s.Create(t.Context(), f, session.Create{ID: id, Nonce: "n", User: id}); err != nil {
			t.Fatal(err)
		}
	}
}

// clearExpired sweeps, and fails when the sessions freed are not so many.
func clearExpired(t *testing.T, s *memstore.Store, want int) {
	t.Helper()
	if n, err := s.ClearExpired(t.Context()); n != want || err != nil {
		t.Errorf("ClearExpired = %d, %v, want %d", n, err, want)
	}
}

func wantStats(t *testing.T, s *memstore.Store, want memstore.Stats) {
	t.Helper()
	if diff := cmp.Diff(want, s.Stats()); diff != "" {
		t.Errorf("Stats (-want +got):\n%s", diff)
	}
}

func TestStore_writesFreeWhatExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sessions = 1000
		f := newFamily()
		s := filled(t, f, sessions)
		wantStats(t, s, memstore.Stats{Sessions: sessions, Users: sessions})
		time.Sleep(30*time.Minute + 15*time.Second)
		rec, err := s.Create(t.Context(), f, session.Create{ID: "new", Nonce: "n"})
		if err != nil {
			t.Fatal(err)
		}
		for range sessions {
			if _, err := s.Load(t.Context(), f, "new", session.Load{Slide: session.SlideAlways}); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.Stats().Sessions; got < sessions-4 {
			t.Errorf("sessions after as many loads = %d, want them untouched", got)
		}
		for range sessions { // all of one session
			save := session.Save{Op: rand.Text(), Epoch: rec.Epoch, Deltas: map[string]session.Delta{"main": {Add: map[string]int64{"n": 1}}}}
			if _, err := s.Save(t.Context(), f, "new", save); err != nil {
				t.Fatal(err)
			}
		}
		wantStats(t, s, memstore.Stats{Sessions: 1, Ops: sessions - 1})
	})
}

func TestStore_forgetsSavesAfterOpMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily()
		s := filled(t, f, 1)
		for i := range 10 {
			save := session.Save{Op: fmt.Sprint(i), Epoch: 1, Deltas: map[string]session.Delta{"main": {Add: map[string]int64{"n": 1}}}}
			for range 2 {
				if _, err := s.Save(t.Context(), f, "0", save); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Second)
		}
		rec, err := s.Load(t.Context(), f, "0", session.Load{})
		if err != nil || rec.In("main").Map()["n"] != "10" {
			t.Errorf("n = %s, %v, want 10", rec.In("main").Map()["n"], err)
		}
		wantStats(t, s, memstore.Stats{Sessions: 1, Users: 1, Ops: 9})
		time.Sleep(2 * session.OpMemory)
		clearExpired(t, s, 0)
		wantStats(t, s, memstore.Stats{Sessions: 1, Users: 1})
	})
}

func TestStore_ClearExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sessions = 2000
		f := newFamily()
		s := filled(t, f, sessions)
		clearExpired(t, s, 0)
		time.Sleep(20 * time.Minute)
		for i := range sessions / 2 {
			if _, err := s.Load(t.Context(), f, fmt.Sprint(i), session.Load{Slide: session.SlideDue}); err != nil {
				t.Fatal(err)
			}
		}
		long := session.Create{ID: "remembered", Nonce: "n", Terms: session.Terms{Idle: 14 * 24 * time.Hour, Life: 30 * 24 * time.Hour}}
		if _, err := s.Create(t.Context(), f, long); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*time.Minute - 1)
		clearExpired(t, s, 0)
		time.Sleep(time.Nanosecond)
		clearExpired(t, s, sessions/2)
		wantStats(t, s, memstore.Stats{Sessions: sessions/2 + 1, Users: sessions / 2})
		time.Sleep(13 * 24 * time.Hour)
		clearExpired(t, s, sessions/2)
		wantStats(t, s, memstore.Stats{Sessions: 1})
		time.Sleep(24 * time.Hour)
		clearExpired(t, s, 1)
		wantStats(t, s, memstore.Stats{})
	})
}

// Deadlines move both ways, and time passes in steps of all sizes.
func TestStore_ClearExpiredFreesExactlyWhatExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seed := mathrand.Uint64()
		t.Logf("seed %#x", seed)
		random := mathrand.New(mathrand.NewPCG(seed, 0))
		f := newFamily()
		s := new(memstore.Store)
		deadlines := make(map[string]time.Time)
		for i := range 3000 {
			idle := time.Duration(1 + random.ExpFloat64()*float64(20*time.Minute))
			x := session.Expiry{Idle: idle}
			id := fmt.Sprint(i)
			if rec, err := s.Create(t.Context(), f, session.Create{ID: id, Nonce: "n", Expiry: x}); err != nil {
				t.Fatal(err)
			} else {
				deadlines[id] = rec.Now.Add(rec.Left)
			}
			for id := range deadlines { // any one
				x.Idle = time.Duration(1 + random.ExpFloat64()*float64(20*time.Minute))
				rec, err := s.Save(t.Context(), f, id, session.Save{Epoch: 1, Expiry: &x})
				if err == nil {
					deadlines[id] = rec.Now.Add(rec.Left)
				} else {
					delete(deadlines, id) // freed by this save
				}
				break
			}
			time.Sleep(time.Duration(random.ExpFloat64() * float64(time.Second) * float64(1+i%10*10)))
			if i%10 == 0 {
				if _, err := s.ClearExpired(t.Context()); err != nil {
					t.Fatal(err)
				}
				now := time.Now()
				for id, at := range deadlines {
					if !now.Before(at) {
						delete(deadlines, id)
					}
				}
				if got := s.Stats().Sessions; got != len(deadlines) {
					t.Fatalf("sessions = %d, want %d", got, len(deadlines))
				}
			}
		}
	})
}

// patience is a context that ends when it was looked at so many times.
type patience struct {
	context.Context
	looks int
}

func (p *patience) Err() error {
	if p.looks--; p.looks < 0 {
		return context.Canceled
	}
	return nil
}

func TestStore_ClearExpiredLooksAtItsContextBetweenSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sessions = 64 * 300 // about 300 in each shard: several steps
		s := filled(t, newFamily(), sessions)
		time.Sleep(time.Hour)
		freed, tries := 0, 0
		for {
			n, err := s.ClearExpired(&patience{t.Context(), tries})
			freed += n
			if n > 32*tries {
				t.Errorf("ClearExpired freed %d in %d steps, want 32 in each at most", n, tries)
			}
			if err == nil {
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			tries++
		}
		if freed != sessions || tries < 10 {
			t.Errorf("freed %d of %d in %d tries", freed, sessions, tries)
		}
	})
}
