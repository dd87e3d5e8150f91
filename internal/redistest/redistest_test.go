package redistest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/sessionhub/sessionhub/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

func TestStart_keepsDataOverKillAndRestart(t *testing.T) {
	s := redistest.Start(t, "--appendfsync", "always")
	c := s.Client(t)
	if err := c.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if err := c.Ping(t.Context()).Err(); err == nil {
		t.Error("PING after Kill was answered")
	}
	addr := s.Addr
	s.Restart()
	if s.Addr != addr {
		t.Errorf("Addr after Restart = %s, want %s", s.Addr, addr)
	}
	if got, err := c.Get(t.Context(), "k").Result(); got != "v" {
		t.Errorf("GET after Restart = %q, %v, want %q", got, err, "v")
	}
}

func TestStart_appliesArguments(t *testing.T) {
	s := redistest.Start(t, "--maxmemory-policy", "allkeys-lru")
	got, err := s.Client(t).ConfigGet(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"maxmemory-policy": "allkeys-lru",
		"appendonly":       "yes",
		"save":             "",
		"bind":             "127.0.0.1",
	} {
		if got[name] != want {
			t.Errorf("%s = %q, want %q", name, got[name], want)
		}
	}
}

func TestStart_acceptsPassword(t *testing.T) {
	s := redistest.Start(t, "--requirepass", "secret")
	if err := s.Client(t).Ping(t.Context()).Err(); !redis.IsAuthError(err) {
		t.Errorf("PING = %v, want an authentication error", err)
	}
}

func TestStart_manyAtOnceGetServersOfTheirOwn(t *testing.T) {
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			c := redistest.Start(t).Client(t)
			if n, err := c.Incr(t.Context(), "n").Result(); n != 1 {
				t.Errorf("INCR = %d, %v, want 1", n, err)
			}
		})
	}
}

func TestPause_keepsConnectionsButNotAnswers(t *testing.T) {
	s := redistest.Start(t)
	c := s.Client(t)
	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Ping(ctx).Err(); !errors.Is(err, context.DeadlineExceeded) && !os.IsTimeout(err) {
		t.Errorf("PING while paused = %v, want a timeout", err)
	}
	s.Resume()
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Errorf("PING after Resume = %v", err)
	}
}

func TestKill_endsPausedServer(t *testing.T) {
	s := redistest.Start(t)
	s.Pause()
	s.Kill()
	s.Kill() // a second time does nothing
}

func TestStart_leavesNoGoroutine(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	redistest.Start(t)
	goleak.VerifyNone(t, ignore)
}

func TestShared_isOneServer(t *testing.T) {
	a, b := redistest.Shared(t), redistest.Shared(t)
	if a.Addr != b.Addr {
		t.Errorf("Shared twice = %s and %s", a.Addr, b.Addr)
	}
	o, err := redis.ParseURL(a.URL)
	if err != nil || o.Addr != a.Addr {
		t.Errorf("ParseURL(%q) = %v, %v", a.URL, o, err)
	}
}

func TestPrefix_isUniqueAndTame(t *testing.T) {
	a, b := redistest.Prefix(t), redistest.Prefix(t)
	if a == b {
		t.Errorf("Prefix twice = %q", a)
	}
	if strings.Trim(a, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || len(a) > 48 {
		t.Errorf("Prefix = %q", a)
	}
}

// TestShared_endsWithCrashedBinary runs this test binary again, and kills it
// while its shared server runs.
func TestShared_endsWithCrashedBinary(t *testing.T) {
	const env = "REDISTEST_CRASH"
	if os.Getenv(env) != "" {
		fmt.Println("addr=" + redistest.Shared(t).Addr)
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		select {}
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), env+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var addr string
	for in := bufio.NewScanner(out); in.Scan(); {
		if a, ok := strings.CutPrefix(in.Text(), "addr="); ok {
			addr = a
		}
	}
	_ = cmd.Wait()
	if addr == "" {
		t.Fatal("the child printed no address")
	}
	c := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, DialerRetries: 1, DialTimeout: time.Second})
	defer c.Close()
	for deadline := time.Now().Add(10 * time.Second); c.Ping(t.Context()).Err() == nil; {
		if time.Now().After(deadline) {
			t.Fatal("the server outlived its test binary")
		}
	}
}
