package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"
)

// accounts are the users and their passwords. They live where the sessions
// live, so that every node knows the same ones.
type accounts struct {
	store accountStore
	cost  int
	slots chan struct{} // one for each hash under way
	decoy []byte        // the hash of no password
}

// accountStore keeps the hashes of passwords.
type accountStore interface {
	// Insert adds an account and reports whether it did: one that exists is
	// never changed. An account that has this very hash is the answer to a
	// retry.
	Insert(ctx context.Context, name string, hash []byte) (bool, error)

	// Hash returns an account's hash, and nil for a name that has none.
	Hash(ctx context.Context, name string) ([]byte, error)
}

// errTaken is returned by [accounts.Add] for a name that somebody has.
var errTaken = errors.New("the name is taken")

// newAccounts returns the accounts in store. cost is bcrypt's.
func newAccounts(store accountStore, cost int) (*accounts, error) {
	decoy, err := bcrypt.GenerateFromPassword([]byte("nobody"), cost)
	if err != nil {
		return nil, fmt.Errorf("hash a password: %w", err)
	}
	return &accounts{
		store: store,
		cost:  cost,
		slots: make(chan struct{}, runtime.GOMAXPROCS(0)),
		decoy: decoy,
	}, nil
}

// Add makes an account. The name and the password must have passed
// [accountName] and [checkPassword]. Errors: [errTaken], and those of the store.
func (a *accounts) Add(ctx context.Context, name, password string) error {
	release, err := a.slot(ctx)
	if err != nil {
		return err
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), a.cost)
	release()
	if err != nil {
		return fmt.Errorf("hash a password: %w", err)
	}
	inserted, err := a.store.Insert(ctx, name, hash)
	if err != nil {
		return fmt.Errorf("add account %q: %w", name, err)
	}
	if !inserted {
		return errTaken
	}
	return nil
}

// Fits reports whether the password is that of the account. It takes as long
// for a name that nobody has. It asks admit first, and returns its error, when
// there is a core for the attempt: few are admitted at once then, whose tokens
// are out before anybody knows whether they fail.
func (a *accounts) Fits(ctx context.Context, name, password string, admit func() error) (bool, error) {
	hash, err := a.store.Hash(ctx, name)
	if err != nil {
		return false, fmt.Errorf("look up account %q: %w", name, err)
	}
	// bcrypt would ignore what is beyond its limit, and takes a password and
	// its repetition after a NUL for the same.
	possible := hash != nil && checkPassword(password) == nil
	if !possible {
		hash = a.decoy
	}
	release, err := a.slot(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	if err := admit(); err != nil {
		return false, err
	}
	return bcrypt.CompareHashAndPassword(hash, []byte(password)) == nil && possible, nil
}

// slot waits until a hash may be computed. One takes a core for about 60 ms:
// with more of them than cores, all else on this node would wait.
func (a *accounts) slot(ctx context.Context) (release func(), err error) {
	select {
	case a.slots <- struct{}{}:
		return func() { <-a.slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// accountName returns the name in the form in which accounts are kept: in
// lower case, 1 to 32 of a to z, 0 to 9, "-" and "_". It returns false for
// anything else.
func accountName(s string) (string, bool) {
	if len(s) < 1 || len(s) > 32 {
		return "", false
	}
	// Not strings.ToLower: it maps other letters to these, as the Kelvin sign.
	name := strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '-', r == '_':
			return r
		}
		return -1
	}, s)
	if len(name) != len(s) {
		return "", false
	}
	return name, true
}

// Limits of a password.
const (
	minPassword = 8  // characters
	maxPassword = 72 // bytes; bcrypt uses no more
)

var errPassword = errors.New("a password has at least 8 characters and at most 72 bytes")

func checkPassword(p string) error {
	if utf8.RuneCountInString(p) < minPassword || len(p) > maxPassword ||
		!utf8.ValidString(p) || strings.ContainsRune(p, 0) {
		return errPassword
	}
	return nil
}
