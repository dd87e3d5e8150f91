package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
)

// seed makes two accounts to try the demo with, and prints their passwords. An
// account that is there already stays as it is.
func seed(ctx context.Context, a *accounts, out io.Writer) error {
	known := false
	for _, name := range []string{"ada", "grace"} {
		password := strings.ToLower(rand.Text()[:16])
		err := a.Add(ctx, name, password)
		if errors.Is(err, errTaken) {
			fmt.Fprintf(out, "hubdemo: user %s: seeded already\n", name)
			known = true
			continue
		}
		if err != nil {
			return fmt.Errorf("seed: %w", err)
		}
		fmt.Fprintf(out, "hubdemo: user %s, password %s\n", name, password)
	}
	if known {
		fmt.Fprintln(out, "hubdemo: a password is printed once, by the node that seeds; a new account is made on the page")
	}
	return nil
}
