package faults_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sessionhub/sessionhub"
	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/transport"
)

// childOrder is the variable whose JSON text tells this binary to be a node, and
// which.
const childOrder = "FAULTS_NODE"

// order is what a child is to do.
type order struct {
	Redis, Prefix, Name string
	Drain               time.Duration
	PerSession          int

	// Unchecked leaves out the check at the start of Serve, which ends a session:
	// a child that is to crash in the middle of an end would crash there.
	Unchecked bool
}

// state is what a child tells about itself, after a collection of its garbage.
type state struct {
	Hub        hub.Stats
	Sockets    transport.Stats
	Goroutines int
	Heap       uint64 // bytes in use
	RSS        uint64 // bytes, as the kernel counts
}

// serveChild is the whole life of a child: an App until SIGTERM, or until the test
// binary that started it is gone, which closes its standard input. It returns the
// exit status: 4 when goroutines are left at the end.
func serveChild(text string) int {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	known := goleak.IgnoreCurrent()
	if err := serveOrder(text); err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		return 1
	}
	if err := goleak.Find(known, goleak.IgnoreTopFunction("os/signal.loop"), goleak.IgnoreTopFunction("os/signal.signal_recv")); err != nil {
		fmt.Fprintln(os.Stderr, "node: goroutines are left:", err)
		return 4
	}
	return 0
}

func serveOrder(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	app, err := sessionhub.New(sessionhub.Options{
		Public: origin, Redis: o.Redis, Prefix: o.Prefix, Namespaces: []string{"main", "main/chat"}, Node: o.Name, Drain: o.Drain,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	socket, err := app.Endpoint(new(talk), transport.Options{PerSession: o.PerSession})
	if err != nil {
		return err
	}
	r := app.Router()
	pages(r, socket)
	r.Get("/ready", func(w http.ResponseWriter, _ *http.Request) {
		if err := app.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	r.Get("/state", func(w http.ResponseWriter, _ *http.Request) {
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		_ = json.NewEncoder(w).Encode(state{
			Hub: app.Hub().Stats(), Sockets: socket.Stats(), Goroutines: runtime.NumGoroutine(), Heap: m.HeapAlloc, RSS: resident(),
		})
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("listening on", ln.Addr())
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if !o.Unchecked {
		return app.Serve(ctx, ln, r)
	}
	server := http.Server{Handler: r}
	defer server.Close()
	go server.Serve(ln)
	return errors.Join(app.Run(ctx), app.Close())
}

// resident returns the resident set of this process, in bytes.
func resident() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages uint64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}

// child is a node that is a process of its own.
type child struct {
	testing.TB
	site
	cmd    *exec.Cmd
	out    *output
	exited chan struct{} // closed when the process is gone
	err    error         // of the process; set before exited is closed
}

var listening = regexp.MustCompile(`listening on (\S+)`)

// begin starts a child and waits until it is ready. env is added to its
// environment. It ends with the test. One that gave up at its start, as when Redis
// took longer than half a second, is started once more, as a supervisor would.
func begin(t testing.TB, o order, env ...string) *child {
	t.Helper()
	for range 3 {
		if c := launch(t, o, env); c != nil {
			return c
		}
	}
	t.Fatalf("node %s does not start", o.Name)
	return nil
}

// launch starts a child once. It returns nil when that is gone before it is ready.
func launch(t testing.TB, o order, env []string) *child {
	t.Helper()
	text := must(json.Marshal(o))(t)
	c := &child{TB: t, cmd: exec.Command(must(os.Executable())(t)), out: new(output), exited: make(chan struct{})}
	c.cmd.Env = append(append(os.Environ(), env...), childOrder+"="+string(text))
	c.cmd.Stdout, c.cmd.Stderr = c.out, c.out
	must(c.cmd.StdinPipe())(t) // Wait closes it
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var waiting sync.WaitGroup
	waiting.Go(func() {
		c.err = c.cmd.Wait()
		close(c.exited)
	})
	t.Cleanup(func() {
		c.kill()
		waiting.Wait()
		said := c.out.String()
		said = said[max(0, len(said)-8000):]
		if strings.Contains(said, "DATA RACE") {
			t.Errorf("node %s had a data race:\n%s", o.Name, said)
		} else if t.Failed() {
			t.Logf("node %s said last:\n%s", o.Name, said)
		}
	})
	eventually(t, "the node listens", func() bool { return !c.alive() || listening.MatchString(c.out.String()) })
	if m := listening.FindStringSubmatch(c.out.String()); m != nil {
		c.site = site{m[1], newClient()}
		t.Cleanup(c.client.CloseIdleConnections)
		eventually(t, "the node is ready", func() bool {
			_, _, err := c.ask(nil, "GET", "/ready")
			return err == nil || !c.alive()
		})
	}
	if !c.alive() {
		return nil
	}
	return c
}

// alive reports whether the process runs.
func (c *child) alive() bool {
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

// kill ends the process as a power cut would.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may be gone
	<-c.exited
}

// terminate asks the process to end.
func (c *child) terminate() {
	c.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.Fatal(err)
	}
}

// wantExit waits for the end of the process, which has to be a good one.
func (c *child) wantExit() {
	c.Helper()
	timeout := time.NewTimer(2 * patience)
	defer timeout.Stop()
	select {
	case <-c.exited:
	case <-timeout.C:
		c.Fatal("the process does not end")
	}
	if c.err != nil {
		c.Errorf("the process ended with %v, want exit status 0", c.err)
	}
}

// state asks the child about itself.
func (c *child) state() (s state) {
	c.Helper()
	_, text, err := c.ask(nil, "GET", "/state")
	if err == nil {
		err = json.Unmarshal([]byte(text), &s)
	}
	if err != nil {
		c.Fatal(err)
	}
	return s
}

// output is what a process prints.
type output struct {
	mu  sync.Mutex // guards the following field
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
