//go:build failpoint

package failpoint_test

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionhub/sessionhub/internal/failpoint"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSet_isCalledUntilTheEndOfTheTest(t *testing.T) {
	n := 0
	t.Run("set", func(t *testing.T) {
		failpoint.Set(t, failpoint.EndGated, func() { n++ })
		failpoint.Hit(failpoint.EndGated)
		failpoint.Hit(failpoint.EndDeleted)
	})
	failpoint.Hit(failpoint.EndGated)
	if n != 1 {
		t.Errorf("called %d times, want once", n)
	}
}

// TestOrders runs this binary again, as a process that is told to end.
func TestOrders(t *testing.T) {
	if os.Getenv("FAILPOINTS") != "" {
		failpoint.Hit(failpoint.SocketLoaded)
		failpoint.Hit(failpoint.EndDeleted)
		os.Exit(0)
	}
	for orders, want := range map[string]syscall.Signal{
		"end-deleted=kill":                         syscall.SIGKILL,
		"socket-loaded=sleep:1ms":                  0,
		"socket-loaded=sleep:1ms,end-deleted=kill": syscall.SIGKILL,
		"end-gated=kill":                           0,
	} {
		cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), "FAILPOINTS="+orders)
		_ = cmd.Run()
		status := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if got := status.Signal(); status.Signaled() && got != want || !status.Signaled() && (want != 0 || status.ExitStatus() != 0) {
			t.Errorf("%s: ended with %v, want signal %d", orders, cmd.ProcessState, want)
		}
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "FAILPOINTS=end-deleted=crash")
	if err := cmd.Run(); err == nil {
		t.Error("an unknown order was taken")
	}
}
