package redistest

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"syscall"
)

// process is a running redis-server and its guard: a shell that waits for the
// end of its standard input, which comes when the test binary is gone, and then
// kills the server and removes its files. Nothing else would end the server
// after a panic or a timeout, which run no cleanups.
type process struct {
	server *exec.Cmd
	guard  *exec.Cmd
}

// spawn starts a server and its guard. No goroutine is left behind, so that
// tests may look for leaks while it runs.
func spawn(dir string, args []string) (*process, error) {
	path, err := redisServer()
	if err != nil {
		return nil, err
	}
	p := &process{server: exec.Command(path, args...)}
	// A group of its own takes the server's children along, such as one that
	// rewrites the append-only file, when the group is killed.
	p.server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.server.Start(); err != nil {
		return nil, fmt.Errorf("redistest: %w", err)
	}
	p.guard = exec.Command("/bin/sh", "-c", `read -r _; kill -s KILL -- "-$1"; rm -rf -- "$2"`,
		"redistest-guard", strconv.Itoa(p.server.Process.Pid), dir)
	// Out of reach of Ctrl-C, which would end the guard before its time.
	p.guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// The pipe closes with the guard's Wait.
	if _, err = p.guard.StdinPipe(); err == nil {
		err = p.guard.Start()
	}
	if err != nil {
		p.killServer()
		return nil, fmt.Errorf("redistest: guard: %w", err)
	}
	return p, nil
}

// kill ends both and returns when they are gone. The guard goes first: while
// the server is not waited for, its process id belongs to nobody else.
func (p *process) kill() {
	_ = p.guard.Process.Kill()
	_ = p.guard.Wait()
	p.killServer()
}

func (p *process) killServer() {
	_ = syscall.Kill(-p.server.Process.Pid, syscall.SIGKILL)
	_ = p.server.Wait()
}

// redisServer finds the program and checks its version, once.
var redisServer = sync.OnceValues(func() (string, error) {
	found := "none"
	for _, name := range []string{"redis-server", "/usr/bin/redis-server"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		out, _ := exec.Command(path, "--version").Output()
		if m := version.FindSubmatch(out); m != nil {
			if major, _ := strconv.Atoi(string(m[1])); major >= 7 {
				return path, nil
			}
		}
		found = fmt.Sprintf("%s (%.40q)", path, out)
	}
	return "", fmt.Errorf("redistest: need redis-server 7 or newer on the PATH or in /usr/bin, found %s", found)
})

var version = regexp.MustCompile(`v=(\d+)\.`)
