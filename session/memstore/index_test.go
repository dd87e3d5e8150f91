package memstore_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
)

// listedIDs returns the ids of a user, in order.
func listedIDs(t *testing.T, s *memstore.Store, user string) []string {
	t.Helper()
	list, err := s.Raise(t.Context(), newFamily(), user)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, l := range list {
		ids = append(ids, l.ID)
	}
	return ids
}

// Whoever ends all sessions of a user ends those whose login had returned.
func TestStore_raiseMissesNoLogin(t *testing.T) {
	const logins = 2000
	var (
		s        memstore.Store
		f        = newFamily()
		wg       sync.WaitGroup
		loggedIn atomic.Int64
		ended    int64 // all below were ended
	)
	wg.Go(func() {
		for i := range logins {
			id := fmt.Sprint(i)
			if _, err := s.Create(t.Context(), f, session.Create{ID: id, Nonce: "n"}); err != nil {
				t.Errorf("Create = %v", err)
			}
			if _, err := s.Login(t.Context(), f, id, session.Elevation{Op: "op", Epoch: 1, Hash: "h", User: "ann"}); err != nil {
				t.Errorf("Login = %v", err)
			}
			loggedIn.Add(1)
		}
	})
	wg.Go(func() {
		for ended < logins {
			before := loggedIn.Load()
			for _, id := range listedIDs(t, &s, "ann") {
				if err := s.Delete(t.Context(), f, session.End{ID: id, User: "ann"}); err != nil {
					t.Errorf("Delete = %v", err)
				}
			}
			for ; ended < before; ended++ {
				if st, err := s.Check(t.Context(), f, []string{fmt.Sprint(ended)}); err != nil || st[0] != nil {
					t.Errorf("session %d lives, %v", ended, err)
				}
			}
		}
	})
	wg.Wait()
	wantStats(t, &s, memstore.Stats{})
}

// A login again, and a renewed secret, leave no moment without a listing.
func TestStore_loginAgainIsListedAllTheTime(t *testing.T) {
	const logins = 2000
	var (
		f    = newFamily()
		s    = filled(t, f, 1)
		wg   sync.WaitGroup
		done atomic.Bool
	)
	wg.Go(func() {
		defer done.Store(true)
		for i := range uint64(logins) {
			l := session.Elevation{Op: fmt.Sprint(i), Epoch: 1 + i, Hash: session.Hash(fmt.Sprint(i)), User: "0", Keep: i%2 == 0}
			if _, err := s.Login(t.Context(), f, "0", l); err != nil {
				t.Errorf("Login = %v", err)
			}
			save := session.Save{Epoch: 2 + i}
			save.Renew.Old, save.Renew.New = l.Hash, "renewed"
			if _, err := s.Save(t.Context(), f, "0", save); err != nil {
				t.Errorf("Save = %v", err)
			}
		}
	})
	wg.Go(func() {
		for !done.Load() {
			if got := listedIDs(t, s, "0"); !slices.Equal(got, []string{"0"}) {
				t.Errorf("Listed = %q, want the session", got)
			}
		}
	})
	wg.Wait()
}

func TestStore_listsTheOldestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily()
		s := filled(t, f, 0)
		user := strings.Repeat("ann", 100)
		want := func(ids ...string) {
			t.Helper()
			if diff := cmp.Diff(ids, listedIDs(t, s, user)); diff != "" {
				t.Errorf("ids (-want +got):\n%s", diff)
			}
		}
		want()
		for _, id := range []string{"a", "b", "c", "d", "e"} {
			if _, err := s.Create(t.Context(), f, session.Create{ID: id, Nonce: "n", User: user, Address: "10.0.0.0/24"}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		want("a", "b", "c", "d", "e")
		list, err := s.Listed(t.Context(), f, user)
		if err != nil || list[0].Age != 5*time.Minute || list[4].Age != time.Minute {
			t.Errorf("Listed = %v, %v", list, err)
		}
		if _, err := s.Login(t.Context(), f, "a", session.Elevation{Op: "op", Epoch: 1, Hash: "h", User: user}); err != nil {
			t.Fatal(err)
		}
		want("b", "c", "d", "e", "a")
		if err := s.Unlist(t.Context(), f, user, 0, []string{"c", "nobody"}); err != nil {
			t.Fatal(err)
		}
		if err := s.Unlist(t.Context(), f, "bob", 0, []string{"d"}); err != nil {
			t.Fatal(err)
		}
		want("b", "d", "e", "a")
		if err := s.Delete(t.Context(), f, session.End{ID: "b"}, session.End{ID: "a"}, session.End{ID: "c"}); err != nil {
			t.Fatal(err)
		}
		want("d", "e")
		time.Sleep(28 * time.Minute) // d expires
		clearExpired(t, s, 1)
		want("e")
		time.Sleep(time.Minute)
		clearExpired(t, s, 1)
		want()
		wantStats(t, s, memstore.Stats{})
	})
}
