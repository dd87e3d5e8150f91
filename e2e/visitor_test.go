package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// visitor is a browser with its cookie, which is the same on all nodes.
type visitor struct {
	id     string // the session's
	user   string
	cookie string       // "name=value"; "" for none
	set    *http.Cookie // as it came
	device string       // User-Agent
}

// answer is a response that was read.
type answer struct {
	code   int
	header http.Header
	body   []byte
}

// ask sends a request, with in as JSON unless it is nil. It may be called from
// any goroutine.
func (v *visitor) ask(n *node, method, path string, in any) (answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return answer{}, err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, n.origin+path, body)
	if err != nil {
		return answer{}, err
	}
	r.Header = v.header(n)
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := n.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, text}, err
}

// header returns what the page of a node sends with every request.
func (v *visitor) header(n *node) http.Header {
	h := http.Header{"Origin": {n.origin}, "User-Agent": {v.device}}
	if v.cookie != "" {
		h.Set("Cookie", v.cookie)
	}
	return h
}

func (v *visitor) get(t *testing.T, n *node, path string) answer {
	t.Helper()
	return v.must(t, n, "GET", path, nil)
}

func (v *visitor) post(t *testing.T, n *node, path string, in any) answer {
	t.Helper()
	return v.must(t, n, "POST", path, in)
}

func (v *visitor) must(t *testing.T, n *node, method, path string, in any) answer {
	t.Helper()
	a, err := v.ask(n, method, path, in)
	if err != nil {
		t.Fatalf("%s %s on %s: %v", method, path, n.name, err)
	}
	return a
}

// decode reads a JSON answer that has to have the status.
func (a answer) decode(t *testing.T, code int, out any) {
	t.Helper()
	if a.code != code {
		t.Fatalf("answer %d %s, want %d", a.code, a.body, code)
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		t.Fatalf("answer %d %q: %v", a.code, a.body, err)
	}
}

// account is a user and a password.
type account struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

// enter logs in, or signs up, at path.
func enter(t *testing.T, n *node, path string, a account) *visitor {
	t.Helper()
	v := &visitor{device: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
	got := v.post(t, n, path, a)
	var is struct{ ID, User string }
	got.decode(t, http.StatusOK, &is)
	cookies := (&http.Response{Header: got.header}).Cookies()
	if len(cookies) != 1 || is.ID == "" || is.User != a.User {
		t.Fatalf("%s on %s: %s with cookies %v, want %s's id and one cookie", path, n.name, got.body, cookies, a.User)
	}
	v.set = cookies[0]
	v.id, v.user, v.cookie = is.ID, is.User, cookies[0].Name+"="+cookies[0].Value
	return v
}

// logout ends what the scope says and returns what took effect; the answer has
// to be 200.
func (v *visitor) logout(t *testing.T, n *node, scope string) session.Result {
	t.Helper()
	in := map[string]string{"scope": scope}
	if scope == "chat" {
		in = map[string]string{"scope": "namespace", "namespace": scope}
	}
	var took session.Result
	v.post(t, n, "/logout", in).decode(t, http.StatusOK, &took)
	if !took.StoreOK {
		t.Fatalf("logout %s on %s: %+v, want store_ok", scope, n.name, took)
	}
	return took
}

// sent returns the messages that the session counts, as a node tells.
func (v *visitor) sent(t *testing.T, n *node) int64 {
	t.Helper()
	var s struct {
		ID         string
		User       string
		Namespaces map[string]map[string]int64
	}
	v.get(t, n, "/session").decode(t, http.StatusOK, &s)
	chat, ok := s.Namespaces["chat"]
	if s.ID != v.id || s.User != v.user || !ok {
		t.Fatalf("session on %s: %+v, want id %s of %s with a chat", n.name, s, v.id, v.user)
	}
	return chat["sent"]
}

// isOut fails unless the session is gone on all nodes.
func (v *visitor) isOut(t *testing.T, nodes ...*node) {
	t.Helper()
	for _, n := range nodes {
		if got := v.get(t, n, "/session"); got.code != http.StatusUnauthorized {
			t.Errorf("GET /session on %s after the logout: %d %s, want 401", n.name, got.code, got.body)
		}
	}
}

// eventually asks until the answer is right, and fails when it is not within
// patience.
func eventually(t *testing.T, what string, right func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		err := right()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %v", what, patience, err)
		}
	}
}

// hasStatus asks whether a GET has the status.
func (v *visitor) hasStatus(n *node, path string, code int) error {
	got, err := v.ask(n, "GET", path, nil)
	if err == nil && got.code != code {
		err = fmt.Errorf("GET %s on %s: %d %s, want %d", path, n.name, got.code, got.body, code)
	}
	return err
}
