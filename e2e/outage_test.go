package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
)

func TestStart_withoutRedisSaysWhere(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	s.Kill() // nobody listens there now
	n := launch(t, "lost", []string{"HUBDEMO_REDIS=redis://user:s3cret@" + s.Addr + "/0"}, "--listen", "127.0.0.1:0")
	if err := n.wait(); n.cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("without Redis: %v, want exit status 1", err)
	}
	said := n.stderr.String()
	if !regexp.MustCompile(`\Ahubdemo: [^\n]*` + regexp.QuoteMeta(s.Addr) + `[^\n]*\n\z`).MatchString(said) {
		t.Errorf("without Redis it says\n%swant one line with %s", said, s.Addr)
	}
	if strings.Contains(said+n.stdout.String(), "s3cret") {
		t.Errorf("the password is told:\n%s%s", n.stdout, said)
	}
}

// TestOutage loses Redis under two nodes that nobody restarts.
func TestOutage(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	v := enter(t, p.a, "/login", p.ada)
	held := p.tabs(t, v, 1, "outage")
	for i, tb := range held {
		tb.greets(t, "outage", fmt.Sprint("before ", i))
	}
	leaving := enter(t, p.b, "/login", p.grace)
	left := leaving.open(t, p.b)
	left.greets(t, "outage", "leaving soon")

	p.server.Kill()
	p.isDown(t, v)
	leavesBlindly(t, p.b, leaving, left)
	for _, n := range p.nodes() {
		if err := v.hasStatus(n, "/livez", http.StatusOK); err != nil {
			t.Error(err)
		}
		eventually(t, "a node without Redis is not ready", func() error {
			return v.hasStatus(n, "/readyz", http.StatusServiceUnavailable)
		})
	}
	for i, tb := range held {
		_ = tb.say("outage", fmt.Sprint("during ", i)) // it may be closed
	}

	// Nobody is anonymous while it comes back.
	stop := make(chan struct{})
	var asking sync.WaitGroup
	for _, n := range p.nodes() {
		asking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				got, err := v.ask(n, "GET", "/session", nil)
				if err != nil || got.code != http.StatusOK && got.code != http.StatusServiceUnavailable {
					t.Errorf("GET /session on %s while Redis comes back: %d %s, %v, want 200 or 503", n.name, got.code, got.body, err)
					return
				}
			}
		})
	}
	p.server.Restart()
	p.isBack(t, v)
	close(stop)
	asking.Wait()
	for i, tb := range held {
		// It was closed for what it sent, or that waited.
		f, _, err := tb.wait(0, func(f frame) bool { return f.Text == fmt.Sprint("during ", i) }, nil)
		if err == nil {
			t.Logf("socket on %s was held: %q was accepted at %v", tb.node.name, f.Text, f.At)
			continue
		}
		if !errors.Is(err, errGone) {
			t.Errorf("socket on %s: %q: %v", tb.node.name, fmt.Sprint("during ", i), err)
			continue
		}
		tb.closes(t, 1013)
	}

	// The second time nobody sends: the sockets are held until it takes too long.
	waiting := p.tabs(t, v, 2, "outage")
	for i, tb := range waiting {
		tb.greets(t, "outage", fmt.Sprint("between ", i))
	}
	p.server.Kill()
	began := time.Now()
	var last time.Duration
	for _, tb := range waiting {
		code, at, err := tb.code(2 * patience)
		if err != nil || code != 1013 {
			t.Errorf("socket on %s, Redis being away: close code %d, %v, want 1013", tb.node.name, code, err)
		}
		last = max(last, at.Sub(began))
	}
	t.Logf("Redis away: the last of %d idle sockets was closed with 1013 after %v", len(waiting), last.Round(time.Millisecond))
	p.isDown(t, v)
	p.server.Restart()
	p.isBack(t, v)

	// A Redis that keeps its connections and answers nothing is away as well.
	p.server.Pause()
	p.isDown(t, v)
	p.server.Resume()
	p.isBack(t, v)

	for _, n := range p.nodes() {
		x := enter(t, n, "/login", p.grace)
		tabs := p.tabs(t, x, 1, "outage")
		for i, tb := range tabs {
			tb.greets(t, "outage", fmt.Sprint("after, ", n.name, " ", i))
		}
		x.logout(t, n, "session")
		for _, tb := range tabs {
			tb.closes(t, 4501)
		}
		x.isOut(t, p.nodes()...)
	}
}

// isDown fails unless what needs the store is answered with 503.
func (p *pair) isDown(t *testing.T, v *visitor) {
	t.Helper()
	for _, n := range p.nodes() {
		for _, path := range []string{"/session", "/sessions", "/"} {
			if err := v.hasStatus(n, path, http.StatusServiceUnavailable); err != nil {
				t.Error(err)
			}
		}
		if got := v.post(t, n, "/login", p.ada); got.code != http.StatusServiceUnavailable || got.header.Get("Set-Cookie") != "" {
			t.Errorf("login on %s: %d %s, want 503 and no cookie", n.name, got.code, got.body)
		}
		_, err := dial(t, n, v.header(n))
		var refused *refusedError
		if !errors.As(err, &refused) || refused.code != http.StatusServiceUnavailable {
			t.Errorf("upgrade on %s: %v, want 503", n.name, err)
		}
	}
}

// isBack waits until both nodes work again.
func (p *pair) isBack(t *testing.T, v *visitor) {
	t.Helper()
	for _, n := range p.nodes() {
		for _, path := range []string{"/session", "/readyz"} {
			eventually(t, "Redis is back", func() error { return v.hasStatus(n, path, http.StatusOK) })
		}
	}
}

// leavesBlindly logs out while the store cannot be asked.
func leavesBlindly(t *testing.T, n *node, v *visitor, tb *tab) {
	t.Helper()
	got := v.post(t, n, "/logout", map[string]string{"scope": "session"})
	var took session.Result
	got.decode(t, http.StatusServiceUnavailable, &took)
	if took.StoreOK || took.ClosedHere != 1 {
		t.Errorf("logout without the store = %+v, want 1 closed_here and not store_ok", took)
	}
	cookies := (&http.Response{Header: got.header}).Cookies()
	if len(cookies) != 1 || cookies[0].Name != "id" || cookies[0].Value != "" || cookies[0].MaxAge >= 0 {
		t.Errorf("logout without the store: cookies %v, want id cleared", cookies)
	}
	tb.closes(t, 4501)
}
