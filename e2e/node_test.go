package e2e_test

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// node is a hubdemo process.
type node struct {
	name   string
	addr   string // "127.0.0.1:port"
	origin string // of its page
	client *http.Client

	stdout, stderr *output

	cmd    *exec.Cmd
	guard  *exec.Cmd
	exited chan struct{} // closed when the process is gone
	err    error         // of the process; set before exited is closed
}

var (
	listening = regexp.MustCompile(`(?m)^hubdemo: listening on http://(\S+)$`)
	password  = regexp.MustCompile(`(?m)^hubdemo: user (\S+), password (\S+)$`)
)

// lookAtSources looks at all directories of the module. "go test" remembers a
// result for as long as nothing changes that the test was made of or looked at,
// and what hubdemo is made of is neither otherwise.
var lookAtSources = sync.OnceValue(func() error {
	return filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != ".." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		return err
	})
})

// launch starts a node and does not wait for anything. It ends with the test,
// or with the test binary, however that ends.
func launch(t *testing.T, name string, env []string, args ...string) *node {
	t.Helper()
	n := &node{
		name:   name,
		stdout: newOutput(),
		stderr: newOutput(),
		client: &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: 16},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		cmd:    exec.Command(hubdemo, args...),
		exited: make(chan struct{}),
	}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "HUBDEMO_") && !strings.Contains(v, "SESSION_") {
			n.cmd.Env = append(n.cmd.Env, v)
		}
	}
	n.cmd.Env = append(n.cmd.Env, env...)
	n.cmd.Stdout, n.cmd.Stderr = n.stdout, n.stderr
	if err := lookAtSources(); err != nil {
		t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Cleanups do not run after a panic or a timeout: this shell sees the end
	// of its input then, and ends the node.
	n.guard = exec.Command("/bin/sh", "-c", `read -r _; kill -9 "$1"`, "guard", strconv.Itoa(n.cmd.Process.Pid))
	n.guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // out of reach of Ctrl-C
	_, err := n.guard.StdinPipe()                             // Wait closes it
	if err == nil {
		err = n.guard.Start()
	}
	var waiting sync.WaitGroup
	waiting.Go(func() {
		n.err = n.cmd.Wait()
		close(n.exited)
	})
	t.Cleanup(func() {
		n.client.CloseIdleConnections()
		if n.guard.Process != nil {
			_ = n.guard.Process.Kill()
			_ = n.guard.Wait()
		}
		_ = n.cmd.Process.Kill()
		waiting.Wait()
		if strings.Contains(n.stderr.String(), "DATA RACE") {
			t.Errorf("node %s had a data race:\n%s", n.name, n.stderr.tail(200))
		} else if t.Failed() {
			t.Logf("node %s printed last:\n%s", n.name, n.stderr.tail(40))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// start starts a node on a free port, and stops it by SIGTERM at the end of the
// test: its exit status has to be 0. It does not wait until the node listens.
func start(t *testing.T, name, redisURL string, args ...string) *node {
	t.Helper()
	// The URL stands where its password would.
	n := launch(t, name, []string{"HUBDEMO_REDIS=" + redisURL},
		append([]string{"serve", "--listen", "127.0.0.1:0", "--node", name}, args...)...)
	t.Cleanup(func() { n.stop(t) })
	return n
}

// up waits until the node listens, and returns it.
func (n *node) up(t *testing.T) *node {
	t.Helper()
	m := n.stdout.await(listening, n.exited)
	if m == nil {
		t.Fatalf("node %s does not listen:\n%s", n.name, n.stderr.tail(20))
	}
	n.addr, n.origin = m[1], "http://"+m[1]
	return n
}

// password returns the password that the node printed for a user it seeded, and
// "" when it printed none.
func (n *node) password(user string) string {
	for _, m := range password.FindAllStringSubmatch(n.stdout.String(), -1) {
		if m[1] == user {
			return m[2]
		}
	}
	return ""
}

// stop ends the node by SIGTERM.
func (n *node) stop(t *testing.T) {
	t.Helper()
	_ = n.cmd.Process.Signal(syscall.SIGTERM) // it may be gone
	if err := n.wait(); err != nil {
		t.Errorf("node %s ended with %v, want exit status 0", n.name, err)
	}
}

// wait waits for the end of the process and returns its error.
func (n *node) wait() error {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	select {
	case <-n.exited:
		return n.err
	case <-deadline.C:
		return fmt.Errorf("nothing within %v", patience)
	}
}
