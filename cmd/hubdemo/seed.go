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
	for _, name := range []string{"ada", "grace"} {
		password := strings.ToLower(rand.Text()[:16])
		err := a.Add(ctx, name, password)
		if errors.Is(err, errTaken) {
			fmt.Fprintf(out, "hubdemo: user %s: seeded already\n", name)
			continue
		}
		if err != nil {
			return fmt.Errorf("seed: %w", err)
		}
		fmt.Fprintf(out, "hubdemo: user %s, password %s\n", name, password)
	}
	return nil
}
