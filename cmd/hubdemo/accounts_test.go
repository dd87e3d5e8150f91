package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/sessionhub/sessionhub/internal/redistest"
)

// stores runs a test on both kinds.
func stores(t *testing.T, run func(t *testing.T, s accountStore)) {
	t.Run("memory", func(t *testing.T) { run(t, new(memoryAccounts)) })
	t.Run("redis", func(t *testing.T) {
		run(t, &redisAccounts{redistest.Shared(t).Client(t), redistest.Prefix(t)})
	})
}

func TestAccountStore_insertsOnly(t *testing.T) {
	stores(t, func(t *testing.T, s accountStore) {
		ctx := t.Context()
		if hash, err := s.Hash(ctx, "linus"); hash != nil || err != nil {
			t.Fatalf("Hash of nobody = %q, %v", hash, err)
		}
		for _, c := range []struct {
			name, hash string
			ok         bool
		}{
			{"linus", "first", true},
			{"linus", "second", false},
			{"linus", "first", true}, // a retry
			{"rob", "second", true},
		} {
			if ok, err := s.Insert(ctx, c.name, []byte(c.hash)); ok != c.ok || err != nil {
				t.Errorf("Insert(%s, %s) = %v, %v, want %v", c.name, c.hash, ok, err, c.ok)
			}
		}
		if hash, err := s.Hash(ctx, "linus"); string(hash) != "first" || err != nil {
			t.Errorf("Hash = %q, %v", hash, err)
		}
	})
}

func TestAccounts_fit(t *testing.T) {
	stores(t, func(t *testing.T, s accountStore) {
		a, err := newAccounts(s, bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		long := strings.Repeat("0123456789ab", 6)
		for name, p := range map[string]string{"linus": password, "rob": long} {
			if err := a.Add(ctx, name, p); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Add(ctx, "linus", "another password"); !errors.Is(err, errTaken) {
			t.Errorf("Add = %v, want %v", err, errTaken)
		}
		for _, c := range []struct {
			name, password string
			fits           bool
		}{
			{"linus", password, true},
			{"linus", "another password", false},
			{"linus", "", false},
			{"linus", password + "\x00" + password, false}, // the same key for bcrypt
			{"rob", long, true},
			{"rob", long + "more", false}, // beyond what bcrypt looks at
			{"nobody", password, false},
			{"nobody", "nobody", false}, // the decoy's
			{"", "nobody", false},
		} {
			if fits, err := a.Fits(ctx, c.name, c.password, admitted); fits != c.fits || err != nil {
				t.Errorf("Fits(%q, %q) = %v, %v, want %v", c.name, c.password, fits, err, c.fits)
			}
		}
	})
}

func TestAccounts_tellOfTheStore(t *testing.T) {
	s := redistest.Start(t)
	a, err := newAccounts(&redisAccounts{s.Client(t), "test"}, bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if err := a.Add(t.Context(), "linus", password); err == nil || errors.Is(err, errTaken) {
		t.Errorf("Add = %v", err)
	}
	if fits, err := a.Fits(t.Context(), "linus", password, admitted); fits || err == nil {
		t.Errorf("Fits = %v, %v", fits, err)
	}
}

func TestAccounts_stopWaitingForACoreWithTheClient(t *testing.T) {
	a, err := newAccounts(new(memoryAccounts), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	for range cap(a.slots) {
		if _, err := a.slot(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Fits(ctx, "linus", password, admitted); !errors.Is(err, context.Canceled) {
		t.Errorf("Fits = %v", err)
	}
	if err := a.Add(ctx, "linus", password); !errors.Is(err, context.Canceled) {
		t.Errorf("Add = %v", err)
	}
}

func TestAccountName(t *testing.T) {
	for in, want := range map[string]string{
		"ada": "ada", "Ada_L-1815": "ada_l-1815", strings.Repeat("a", 32): strings.Repeat("a", 32),
		"": "", strings.Repeat("a", 33): "", "a b": "", "a.b": "", "é": "", "\u212a": "", "a\x00": "", "a\n": "",
	} {
		if got, ok := accountName(in); got != want || ok != (want != "") {
			t.Errorf("accountName(%q) = %q, %v, want %q", in, got, ok, want)
		}
	}
}

func admitted() error { return nil }
