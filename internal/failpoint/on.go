//go:build failpoint

package failpoint

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var (
	mu     sync.RWMutex // guards action
	action = orders(os.Getenv("FAILPOINTS"))
)

// Hit says that the program is at a place. It does what was set for it, and returns
// after that.
func Hit(p Place) {
	mu.RLock()
	f := action[p]
	mu.RUnlock()
	if f != nil {
		f()
	}
}

// Set has f called whenever the program is at p, from whichever goroutine is there,
// until the end of the test. One test at a time may set a place.
func Set(t testing.TB, p Place, f func()) {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	if action[p] != nil {
		t.Fatalf("failpoint: %s is set already", p)
	}
	action[p] = f
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		delete(action, p)
	})
}

// orders reads FAILPOINTS. What cannot be read ends the program: a test that asked
// for a crash and gets none would prove nothing.
func orders(list string) map[Place]func() {
	all := make(map[Place]func())
	for order := range strings.SplitSeq(list, ",") {
		if order == "" {
			continue
		}
		place, what, _ := strings.Cut(order, "=")
		verb, arg, _ := strings.Cut(what, ":")
		switch d, err := time.ParseDuration(arg); {
		case verb == "kill":
			all[Place(place)] = func() {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {} // until it arrives
			}
		case verb == "sleep" && err == nil:
			all[Place(place)] = func() { time.Sleep(d) }
		default:
			panic(fmt.Sprintf("failpoint: FAILPOINTS has %q, want place=kill or place=sleep:duration", order))
		}
	}
	return all
}
