package faults_test

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/internal/redistest"
)

// full asks for the sizes and times of the list of cases where "make test" takes
// smaller ones.
var full = flag.Bool("full", false, "test with the sizes and times of the list of cases, which takes minutes")

// patience is how long anything may take that has no bound of its own. It is
// generous: the race detector and a busy machine are usual.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	if order := os.Getenv(childOrder); order != "" {
		os.Exit(serveChild(order))
	}
	redistest.Main(m)
}

// sized returns a size of the list of cases if that is asked for, and else the
// smaller one.
func sized[T any](smaller, listed T) T {
	if *full {
		return listed
	}
	return smaller
}

// eventually waits until something that no event tells is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	within(t, patience, what, so)
}

// within fails unless something is so in time, and returns how long it took.
func within(t testing.TB, limit time.Duration, what string, so func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !so() {
		if took := time.Since(began); took > limit {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began)
}

// must returns v, unless there is an error.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
