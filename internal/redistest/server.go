package redistest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// startTimeout is how long a server may take until it answers. It is generous:
// the race detector and a busy machine are usual.
const startTimeout = 30 * time.Second

// Server is a redis-server process of a test. Its methods belong to the test's
// goroutine; Addr and URL may be read from any.
type Server struct {
	Addr string // "127.0.0.1:port"
	URL  string // "redis://127.0.0.1:port/0"

	fail func(error) // does not return
	dir  string
	port int
	args []string // of the command line
	proc *process // nil while the server is down
}

// commandLine returns the arguments of a server that is to use this directory
// and port. It may write files there, and is called again when somebody else
// had the port.
type commandLine func(dir string, port int) ([]string, error)

// Start runs a server until the end of the test and returns when it answers.
// It keeps an append-only file, evicts nothing and writes no snapshots; args
// are added to the command line, where a later option replaces an earlier one,
// as in Start(t, "--maxmemory-policy", "allkeys-lru").
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return own(t, plain(args))
}

// own starts a server that ends with the test.
func own(t testing.TB, command commandLine) *Server {
	t.Helper()
	s, err := start(command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	s.fail = func(err error) { t.Helper(); t.Fatal(err) }
	return s
}

// plain is the command line of a single server.
func plain(args []string) commandLine {
	return func(dir string, port int) ([]string, error) {
		return slices.Concat([]string{
			"--bind", "127.0.0.1", "--port", strconv.Itoa(port),
			"--dir", dir, "--logfile", logfile(dir), "--daemonize", "no",
			"--appendonly", "yes", "--maxmemory-policy", "noeviction", "--save", "",
		}, args), nil
	}
}

func logfile(dir string) string { return filepath.Join(dir, "redis.log") }

// Kill ends the server as a power cut would: by SIGKILL. It returns when the
// process is gone. What was acknowledged within the last second may be lost
// (appendfsync is everysec), though the page cache usually keeps it.
func (s *Server) Kill() {
	if s.proc != nil {
		s.proc.kill()
		s.proc = nil
	}
}

// Restart kills the server, if it still runs, and starts it again on the same
// port with the same directory and arguments. It returns when the server has
// read its data and answers.
func (s *Server) Restart() {
	s.Kill()
	if err := s.launch(); err != nil {
		s.fail(fmt.Errorf("restart: %w", err))
	}
}

// Pause stops the server by SIGSTOP: connections stay open and nothing
// answers, and the kernel still accepts new ones.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	if s.proc == nil {
		s.fail(fmt.Errorf("redistest: %v to a server that is down", sig))
	}
	if err := s.proc.server.Process.Signal(sig); err != nil {
		s.fail(fmt.Errorf("redistest: %v: %w", sig, err))
	}
}

// Client returns a client that is closed at the end of the test. It obeys the
// deadlines of contexts, gives up after 5 s without one, and does not retry,
// so that a test sees each failure.
func (s *Server) Client(t testing.TB) *redis.Client {
	t.Helper()
	c := s.client()
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *Server) client() *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr:                     s.Addr,
		ContextTimeoutEnabled:    true,
		DialTimeout:              5 * time.Second,
		ReadTimeout:              5 * time.Second,
		WriteTimeout:             5 * time.Second,
		MaxRetries:               -1,
		DialerRetries:            1,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// start makes a directory, finds a port, and launches a server.
func start(command commandLine) (*Server, error) {
	dir, err := os.MkdirTemp("", "redistest-")
	if err != nil {
		return nil, fmt.Errorf("redistest: %w", err)
	}
	s := &Server{dir: dir}
	for range 20 {
		if s.port, err = freePort(); err != nil {
			break
		}
		if s.args, err = command(dir, s.port); err != nil {
			break
		}
		// Somebody else may take the port before Redis does.
		if err = s.launch(); !errors.Is(err, errPortTaken) {
			break
		}
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
	s.URL = "redis://" + s.Addr + "/0"
	return s, nil
}

// launch starts the process and waits until it answers.
func (s *Server) launch() error {
	if err := os.Remove(logfile(s.dir)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("redistest: %w", err)
	}
	p, err := spawn(s.dir, s.args)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := ready(ctx, logfile(s.dir), s.port); err != nil {
		p.kill()
		return err
	}
	s.proc = p
	return nil
}

// stop kills the server and removes its directory.
func (s *Server) stop() {
	s.Kill()
	_ = os.RemoveAll(s.dir)
}

// readyLine is what a server logs when it has started, and a Sentinel.
var readyLine = regexp.MustCompile(`Ready to accept connections|Sentinel ID is`)

var errPortTaken = errors.New("redistest: port taken")

// ready waits for the server that writes to logfile. The log is read first,
// because an answer on the port alone could come from somebody else's server.
func ready(ctx context.Context, logfile string, port int) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		text, _ := os.ReadFile(logfile)
		switch {
		case bytes.Contains(text, []byte("Address already in use")):
			return fmt.Errorf("%w: %d", errPortTaken, port)
		case bytes.Contains(text, []byte("aborting")), bytes.Contains(text, []byte("FATAL CONFIG")):
			return fmt.Errorf("redistest: redis-server refused to start: %s", lastLine(text))
		case readyLine.Match(text) && answers(ctx, port):
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("redistest: no answer from redis-server within %v: %s", startTimeout, lastLine(text))
		case <-tick.C:
		}
	}
}

// answers sends a PING. An error reply is an answer too: the arguments may ask
// for a password.
func answers(ctx context.Context, port int) bool {
	d := net.Dialer{Timeout: time.Second}
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	n, err := c.Read(make([]byte, 64))
	return err == nil && n > 0
}

// freePort finds a port below those that the kernel gives to outgoing
// connections. A port among them could be taken while the server is down, and
// a client that dials it again and again may even be connected to itself. The tests
// of other packages keep off it as long as this process runs.
func freePort() (int, error) {
	var err error
	for range 100 {
		port := 15000 + rand.IntN(17000)
		if err = claim(port); err != nil {
			continue
		}
		var l net.Listener
		l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("redistest: no free port: %w", err)
}

// claimed are the ports of this process.
var claimed struct {
	sync.Mutex
	by map[int]net.Listener // of names that belong to a process as ports do, and need no file
}

// claim takes a port for this process, whether or not a server has it just now.
func claim(port int) error {
	l, err := net.Listen("unix", "@sessionhub-redistest-"+strconv.Itoa(port))
	if err != nil {
		return err
	}
	claimed.Lock()
	defer claimed.Unlock()
	if claimed.by == nil {
		claimed.by = make(map[int]net.Listener)
	}
	claimed.by[port] = l
	return nil
}

func lastLine(text []byte) []byte {
	text = bytes.TrimSpace(text)
	return text[bytes.LastIndexByte(text, '\n')+1:]
}
