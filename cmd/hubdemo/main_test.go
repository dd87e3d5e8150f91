package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/sessionhub/sessionhub"
	"github.com/sessionhub/sessionhub/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// node is a running chat server, whose passwords are hashed fast.
type node struct {
	url  string
	demo *demo
	logs *buffer
}

// start runs a server until the end of the test: in memory, or on Redis below
// a prefix.
func start(t *testing.T, redisURL, keys, public string) *node {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &node{url: "http://" + l.Addr().String(), logs: new(buffer)}
	log := slog.New(slog.NewJSONHandler(n.logs, nil))
	secure := public != ""
	if !secure {
		public = n.url
	}
	app, err := sessionhub.New(sessionhub.Options{
		Public: public, Redis: redisURL, Prefix: keys, Namespaces: []string{"main", "main/chat"}, Logger: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	var store accountStore = new(memoryAccounts)
	if redisURL != "" {
		store = &redisAccounts{app.Redis(), keys}
	}
	a, err := newAccounts(store, bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	if n.demo, err = newDemo(app, a, log); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	serving := &announced{Listener: l, out: io.Discard}
	go func() { served <- app.Serve(ctx, serving, n.demo.routes(secure)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
	return n
}

// buffer is a bytes.Buffer that goroutines share.
type buffer struct {
	mu sync.Mutex // guards the following field
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// browser is one visitor with cookies. It follows no redirects.
type browser struct {
	t    *testing.T
	node *node
	http *http.Client
}

func (n *node) browser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t, n, &http.Client{
		Jar: jar, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// response is a response that was read.
type response struct {
	*http.Response
	body string
}

func (b *browser) do(method, path, media, body string) response {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.node.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	r.Header.Set("Accept", "text/html") // which decides nothing
	resp, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return response{resp, strings.TrimSpace(string(text))}
}

func (b *browser) get(path string) response { b.t.Helper(); return b.do("GET", path, "", "") }

func (b *browser) post(path, body string) response {
	b.t.Helper()
	return b.do("POST", path, "application/json", body)
}

func (b *browser) form(path string, fields url.Values) response {
	b.t.Helper()
	return b.do("POST", path, "application/x-www-form-urlencoded", fields.Encode())
}

const password = "correct horse"

// signup makes an account and returns the id of its session.
func (b *browser) signup(user string) string {
	b.t.Helper()
	return b.enter("/signup", user)
}

func (b *browser) login(user string) string {
	b.t.Helper()
	return b.enter("/login", user)
}

func (b *browser) enter(path, user string) string {
	b.t.Helper()
	r := b.post(path, `{"user":"`+user+`","password":"`+password+`"}`)
	want(b.t, r, http.StatusOK)
	var who identity
	decode(b.t, r.body, &who)
	if who.ID == "" || who.User != user {
		b.t.Fatalf("POST %s = %s", path, r.body)
	}
	return who.ID
}

func want(t *testing.T, r response, status int) {
	t.Helper()
	if r.StatusCode != status {
		t.Fatalf("%s %s = %d %s, want %d", r.Request.Method, r.Request.URL.Path, r.StatusCode, r.body, status)
	}
}

func decode(t *testing.T, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// nothing is an environment without variables.
func nothing(string) (string, bool) { return "", false }

func TestRun_saysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name   string
		args   []string
		status int
		says   string
	}{
		{"unknown command", []string{"dance"}, 2, `unknown command "dance"`},
		{"more than a command", []string{"serve", "now"}, 2, `unknown command "now"`},
		{"unknown flag", []string{"--dance"}, 2, "-dance"},
		{"malformed proxies", []string{"--trusted-proxies", "10.0.0.0"}, 2, `trusted proxies: "10.0.0.0" is no network`},
		{"malformed address", []string{"--listen", "nowhere"}, 1, "nowhere: missing port in address; --listen"},
		{"public is no origin", []string{"--listen", "127.0.0.1:0", "--public", "ftp://x"}, 1, "Public"},
		{"in the clear on all interfaces", []string{"--listen", "0.0.0.0:0"}, 1, "loopback"},
		{"no Redis there", []string{"--listen", "127.0.0.1:0", "--redis", "redis://ada:hush@127.0.0.1:1/0"}, 1, "refused; without --redis"},
		{"malformed Redis", []string{"--listen", "127.0.0.1:0", "--redis", "ada:hush@127.0.0.1:1"}, 1, "redis://"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			if got := run(t.Context(), c.args, nothing, &stdout, &stderr); got != c.status {
				t.Errorf("exit status %d, want %d", got, c.status)
			}
			if !strings.Contains(stderr.String(), c.says) || strings.Contains(stderr.String(), "hush") {
				t.Errorf("stderr = %s, want %q and no password", stderr.String(), c.says)
			}
			if strings.Contains(stdout.String(), "listening") || strings.Contains(stdout.String(), "password") {
				t.Errorf("stdout = %s", stdout.String())
			}
		})
	}
}

func TestRun_helpShowsNoSettings(t *testing.T) {
	env := func(string) (string, bool) { return "redis://ada:hush@h", true }
	var stdout, stderr strings.Builder
	if got := run(t.Context(), []string{"serve", "-h"}, env, &stdout, &stderr); got != 0 {
		t.Errorf("exit status %d", got)
	}
	if !strings.Contains(stdout.String(), "-listen") || strings.Contains(stdout.String()+stderr.String(), "hush") {
		t.Errorf("stdout = %s, stderr = %s", stdout.String(), stderr.String())
	}
}

func TestParseConfig_flagsComeBeforeTheEnvironment(t *testing.T) {
	env := map[string]string{
		"HUBDEMO_LISTEN": "127.0.0.1:1", "HUBDEMO_NODE": "env", "HUBDEMO_REDIS": "redis://env",
		"HUBDEMO_PUBLIC": "", "HUBDEMO_TRUSTED_PROXIES": "10.0.0.0/8, ::1/128",
	}
	lookup := func(k string) (string, bool) { v, ok := env[k]; return v, ok }
	c, err := parseConfig([]string{"serve", "--node", "flag", "--listen", "127.0.0.1:2"}, lookup, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if c.listen != "127.0.0.1:2" || c.node != "flag" || c.redis != "redis://env" || c.public != "" || len(c.proxies) != 2 {
		t.Errorf("config = %+v", c)
	}
	if c, _ = parseConfig(nil, nothing, io.Discard); c.listen != "127.0.0.1:8080" {
		t.Errorf("listen = %q by default", c.listen)
	}
}

// program runs the program until the end of the test, and returns what it
// printed up to the line that says where it listens.
func program(t *testing.T, args ...string) (lines []string, address string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	status := make(chan int, 1)
	go func() {
		status <- run(ctx, append(args, "--listen", "127.0.0.1:0"), nothing, w, io.Discard)
		w.Close()
	}()
	t.Cleanup(func() {
		cancel()
		if got := <-status; got != 0 {
			t.Errorf("exit status %d after a drain", got)
		}
	})
	in := bufio.NewScanner(r)
	for in.Scan() {
		if a, ok := strings.CutPrefix(in.Text(), "hubdemo: listening on "); ok {
			return lines, a
		}
		lines = append(lines, in.Text())
	}
	t.Fatalf("the program ended: %q", lines)
	return nil, ""
}

func TestRun_seedsOnce(t *testing.T) {
	s := redistest.Start(t)
	first, address := program(t, "--redis", s.URL, "--node", "a")
	if len(first) != 2 {
		t.Fatalf("printed %q", first)
	}
	second, other := program(t, "--redis", s.URL, "--node", "b")
	if got := strings.Join(second, "\n"); strings.Count(got, "seeded already") != 2 || strings.Contains(got, ", password ") {
		t.Errorf("the second node printed %q", second)
	}
	_, secret, ok := strings.Cut(first[0], "user ada, password ")
	if !ok {
		t.Fatalf("printed %q", first)
	}
	for _, url := range []string{address, other} {
		b := (&node{url: url}).browser(t)
		want(t, b.post("/login", `{"user":"ada","password":"`+secret+`"}`), http.StatusOK)
		want(t, b.get("/readyz"), http.StatusOK)
	}
}

func TestRun_logsTheDrainAndDurationsThatCanBeRead(t *testing.T) {
	s := redistest.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	defer r.Close()
	logs := new(buffer)
	status := make(chan int, 1)
	go func() {
		defer w.Close()
		status <- run(ctx, []string{"--redis", s.URL, "--listen", "127.0.0.1:0"}, nothing, w, logs)
	}()
	for in := bufio.NewScanner(r); in.Scan() && !strings.Contains(in.Text(), "listening"); {
	}
	s.Pause() // how long the subscription is silent is told
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(logs.String(), "stale"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("logs %s", logs)
		}
	}
	s.Resume()
	cancel()
	if got := <-status; got != 0 {
		t.Errorf("exit status %d", got)
	}
	lines := strings.Split(strings.TrimSpace(logs.String()), "\n")
	if last := lines[len(lines)-1]; !strings.Contains(last, `"msg":"stopped"`) {
		t.Errorf("the last line is %s", last)
	}
	if !strings.Contains(logs.String(), `"msg":"draining"`) || !strings.Contains(logs.String(), `"for":"2.5s"`) {
		t.Errorf("logs %s", logs)
	}
}

func TestRun_httpsSeedsNobody(t *testing.T) {
	if lines, _ := program(t, "--public", "https://chat.example"); len(lines) != 0 {
		t.Errorf("printed %q", lines)
	}
}
