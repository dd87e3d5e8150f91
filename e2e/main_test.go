package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long anything may take that has no bound of its own. It is
// generous: the race detector and a busy machine are usual.
const patience = 20 * time.Second

// hubdemo is the program under test, set by TestMain.
var hubdemo string

func TestMain(m *testing.M) { goleak.VerifyTestMain(tests{m}) }

// tests is the part of TestMain that comes before the search for leaks.
type tests struct{ m *testing.M }

func (t tests) Run() int {
	dir, err := os.MkdirTemp("", "e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	hubdemo = filepath.Join(dir, "hubdemo")
	build := exec.Command("go", "build", raceFlag, "-o", hubdemo, "github.com/sessionhub/sessionhub/cmd/hubdemo")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return t.m.Run()
}
