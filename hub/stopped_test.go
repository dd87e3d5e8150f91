package hub_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/hub"
)

// stoppedEnv makes TestFresh_afterTheProcessWasStopped the process that is
// stopped.
const stoppedEnv = "HUB_TEST_STOPPED"

// A process that was stopped must not go on with what was true before, not even
// until its timers fire. This test runs its own binary, which looks all the time
// whether it is fresh, and stops it for longer than a proof is good.
func TestFresh_afterTheProcessWasStopped(t *testing.T) {
	if os.Getenv(stoppedEnv) != "" {
		beStopped()
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), stoppedEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for _, want := range []string{"fresh", "stopped: fresh=false"} {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("the process says %q, want %q", lines.Text(), want)
		}
		if want != "fresh" {
			break
		}
		if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		time.Sleep(stoppedLimit) // a real stop takes real time
		if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// stoppedLimit is how old a proof may be in the process that is stopped.
const stoppedLimit = time.Second

func beStopped() {
	l := newLine(hub.NewMemoryBroker())
	h := hub.New(hub.Options{Broker: l, Heartbeat: stoppedLimit * 2 / 5, Logger: slog.New(slog.DiscardHandler)})
	go func() { _ = h.Run(context.Background(), newStore()) }()
	if err := h.WaitFresh(context.Background()); err != nil {
		panic(err)
	}
	l.set(func(l *line) { l.down = true }) // there is no other proof than the last one
	begin := time.Now()
	fmt.Println("fresh")
	for time.Since(begin) < stoppedLimit {
		h.Fresh()
	}
	fmt.Printf("stopped: fresh=%v\n", h.Fresh())
	os.Exit(0)
}
