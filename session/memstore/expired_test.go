package memstore_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
)

func TestStore_OnExpired(t *testing.T) {
	f := newFamily()
	for name, find := range map[string]func(context.Context, *memstore.Store) error{
		"Load": func(ctx context.Context, s *memstore.Store) error {
			_, err := s.Load(ctx, f, "a", session.Load{Hash: "h"})
			return err
		},
		"Save": func(ctx context.Context, s *memstore.Store) error {
			_, err := s.Save(ctx, f, "a", session.Save{Epoch: 1})
			return err
		},
		"Login": func(ctx context.Context, s *memstore.Store) error {
			_, err := s.Login(ctx, f, "a", session.Elevation{Op: "op", Epoch: 1, Hash: "g", User: "ann"})
			return err
		},
		"Create": func(ctx context.Context, s *memstore.Store) error {
			_, err := s.Create(ctx, f, session.Create{ID: "a", Nonce: "another"})
			return err
		},
		"Check": func(ctx context.Context, s *memstore.Store) error {
			_, err := s.Check(ctx, f, []string{"a"})
			return err
		},
		"Delete": func(ctx context.Context, s *memstore.Store) error {
			return s.Delete(ctx, f, session.End{ID: "a"})
		},
		"a write of others": func(ctx context.Context, s *memstore.Store) error {
			for i := range 64 {
				if _, err := s.Create(ctx, f, session.Create{ID: fmt.Sprint(i), Nonce: "n"}); err != nil {
					return err
				}
			}
			return nil
		},
		"ClearExpired": func(ctx context.Context, s *memstore.Store) error {
			_, err := s.ClearExpired(ctx)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := new(memstore.Store)
				var told []session.State
				s.OnExpired(func(root string, st session.State) {
					if states, err := s.Check(t.Context(), f, []string{st.ID}); root != "main" || err != nil || name != "Create" && states[0] != nil {
						t.Errorf("told of %s, which is %v, %v", root, states, err)
					}
					told = append(told, st)
				})
				rec, err := s.Create(t.Context(), f, session.Create{ID: "a", Nonce: "n", Hash: "h", User: "ann", Device: "a phone", Deltas: map[string]session.Delta{"chat": {}}})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := s.Create(t.Context(), f, session.Create{ID: "deleted", Nonce: "n"}); err != nil {
					t.Fatal(err)
				}
				if err := s.Delete(t.Context(), f, session.End{ID: "deleted"}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(30*time.Minute + 15*time.Second)
				if err := find(t.Context(), s); err != nil && !slices.Contains([]error{session.ErrNotFound, session.ErrEnded}, err) {
					t.Error(err)
				}
				if _, err := s.ClearExpired(t.Context()); err != nil {
					t.Error(err)
				}
				want := rec.State
				want.Now, want.Left, want.Life = want.Now.Add(30*time.Minute+15*time.Second), -15*time.Second, want.Life-30*time.Minute-15*time.Second
				if diff := cmp.Diff([]session.State{want}, told); diff != "" {
					t.Errorf("told (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestStore_OnExpiredIsToldOfAnExpiryThatHasPassed(t *testing.T) {
	f := newFamily()
	s := new(memstore.Store)
	var told []string
	s.OnExpired(func(_ string, st session.State) { told = append(told, st.ID) })
	past := session.Expiry{Idle: -1}
	if _, err := s.Create(t.Context(), f, session.Create{ID: "a", Nonce: "n", Expiry: past}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), f, session.Create{ID: "b", Nonce: "n", User: "bob"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Save(t.Context(), f, "b", session.Save{Epoch: 1, Expiry: &past}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	wantStats(t, s, memstore.Stats{})
}
