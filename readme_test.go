package sessionhub_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/sessionhub/sessionhub/session"
)

// program returns the Go program that README prints.
func program(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```go\n(package main\n.*?)```").FindSubmatch(readme)
	if m == nil {
		t.Fatal("README.md has no Go program")
	}
	return string(m[1])
}

func TestReadme_programIsTheExample(t *testing.T) {
	file, err := os.ReadFile("examples/lobby/main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(file), "package main\n")
	if want := "package main\n" + code; program(t) != want {
		t.Errorf("README.md prints another program than examples/lobby/main.go:\n%s\nwant\n%s", program(t), want)
	}
}

// TestReadme_programRuns runs the printed program, on another address, as the
// process that a reader would start: a login, two sockets, a message, and a
// logout that closes both.
func TestReadme_programRuns(t *testing.T) {
	addr := freeAddr(t)
	source := strings.Replace(program(t), `":8080"`, fmt.Sprintf("%q", addr), 1)
	if !strings.Contains(source, addr) {
		t.Fatal("the program does not listen on :8080")
	}
	dir := t.TempDir()
	file, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "lobby")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-race", "-o", binary, file).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), "ADA_PASSWORD=countess", "REDIS_URL=")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			t.Log(lines.Text())
		}
		exited <- cmd.Wait()
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill() })

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	awaitListener(t, ctx, addr)

	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	post := func(path, cookie string, form url.Values) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, "POST", "http://"+addr+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "https://chat.example")
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}

	if got := post("/login", "", url.Values{"user": {"ada"}, "password": {"wrong"}}); got.StatusCode != 401 || len(got.Cookies()) != 0 {
		t.Fatalf("wrong password: %d, %v; want 401 and no cookie", got.StatusCode, got.Cookies())
	}
	in := post("/login", "", url.Values{"user": {"ada"}, "password": {"countess"}})
	if in.StatusCode != 303 || len(in.Cookies()) != 1 || in.Cookies()[0].Name != "__Host-id" || !in.Cookies()[0].Secure {
		t.Fatalf("login: %d, %v; want 303 and one Secure cookie __Host-id", in.StatusCode, in.Cookies())
	}
	cookie := "__Host-id=" + in.Cookies()[0].Value
	dial := func() *websocket.Conn {
		t.Helper()
		ws, _, err := websocket.Dial(ctx, "ws://"+addr+"/ws", &websocket.DialOptions{
			HTTPHeader: http.Header{"Cookie": {cookie}, "Origin": {"https://chat.example"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ws.CloseNow() })
		return ws
	}
	one, two := dial(), dial()
	// A socket hears the lobby a moment after it opened: say hello until both do.
	hello := []byte("hello")
	heard := make(chan error, 1)
	go func() {
		_, data, err := two.Read(ctx)
		if err == nil && string(data) != "hello" {
			err = fmt.Errorf("read %q", data)
		}
		heard <- err
	}()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for waiting := true; waiting; {
		if err := one.Write(ctx, websocket.MessageText, hello); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-heard:
			if err != nil {
				t.Fatal(err)
			}
			waiting = false
		case <-tick.C:
		}
	}

	var took session.Result
	if err := json.NewDecoder(post("/logout", cookie, nil).Body).Decode(&took); err != nil {
		t.Fatal(err)
	}
	if want := (session.Result{ClosedHere: 2, NodesAcked: 1, NodesExpected: 1, StoreOK: true}); took != want {
		t.Errorf("logout = %+v, want %+v", took, want)
	}
	for _, ws := range []*websocket.Conn{one, two} {
		var err error
		for err == nil {
			_, _, err = ws.Read(ctx)
		}
		if got := websocket.CloseStatus(err); got != 4501 {
			t.Errorf("after the logout a socket reads %v, want close code 4501", err)
		}
	}

	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-exited:
		if err != nil {
			t.Errorf("after SIGTERM: %v, want exit status 0", err)
		}
	case <-ctx.Done():
		t.Error("SIGTERM did not end the program")
	}
}

// freeAddr returns a loopback address that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// awaitListener waits until somebody listens on addr.
func awaitListener(t *testing.T, ctx context.Context, addr string) {
	t.Helper()
	var d net.Dialer
	for {
		c, err := d.DialContext(ctx, "tcp", addr)
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("nobody listens on %s: %v", addr, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
