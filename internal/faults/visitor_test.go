package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// visitor is a browser with the cookie of a session, which is good on all nodes.
type visitor struct {
	id     string // the session's
	cookie string // "name=value"
}

// statusError is an answer other than the one that was hoped for.
type statusError struct {
	code int
	body string
}

func (e *statusError) Error() string { return fmt.Sprintf("answered with %d %s", e.code, e.body) }

// status returns the status that an error tells of, and 0 for none.
func status(err error) int {
	var answered *statusError
	if errors.As(err, &answered) {
		return answered.code
	}
	return 0
}

// site is where a node's pages are, for the client that asks for them.
type site struct {
	addr   string
	client *http.Client
}

func (n *node) site() site { return site{n.addr, n.client} }

// ask sends a request and returns what was answered with 200.
func (s site) ask(v *visitor, method, path string) (*http.Response, string, error) {
	r, err := http.NewRequestWithContext(context.Background(), method, "http://"+s.addr+path, nil)
	if err != nil {
		return nil, "", err
	}
	r.Header.Set("Origin", origin)
	if v != nil {
		r.Header.Set("Cookie", v.cookie)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = &statusError{resp.StatusCode, string(text)}
	}
	return resp, string(text), err
}

// login begins a session.
func (s site) login(user string) (*visitor, error) {
	resp, _, err := s.ask(nil, "POST", "/login?user="+user)
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	for _, c := range resp.Cookies() {
		id, _, ok := strings.Cut(c.Value, ".")
		if ok {
			return &visitor{id, c.Name + "=" + c.Value}, nil
		}
	}
	return nil, fmt.Errorf("login: no cookie in %v", resp.Header)
}

// logout ends sessions of a visitor. With 503 the result comes with an error.
func (s site) logout(v *visitor, target session.Target) (result session.Result, err error) {
	_, text, err := s.ask(v, "POST", "/logout?target="+string(target))
	if err != nil {
		var answered *statusError
		if errors.As(err, &answered) {
			text = answered.body
		}
		err = fmt.Errorf("logout: %w", err)
	}
	if text != "" {
		err = errors.Join(err, json.Unmarshal([]byte(text), &result))
	}
	return result, err
}

// me returns who a visitor is. Nobody is an error with status 401.
func (s site) me(v *visitor) (string, error) {
	_, user, err := s.ask(v, "GET", "/me")
	return user, err
}

// sum returns what the sockets of a visitor's session have added up.
func (s site) sum(v *visitor) (n int64, err error) {
	_, text, err := s.ask(v, "GET", "/sum")
	if err == nil {
		_, err = fmt.Sscan(text, &n)
	}
	return n, err
}

// patiently tries again what a node answers with 503: by default it waits for its
// store for half a second, and an App for its heartbeat for two and a half, and on a
// busy machine it may have to wait for longer.
func patiently(try func() error) (err error) {
	for began := time.Now(); time.Since(began) < patience; {
		if err = try(); status(err) != http.StatusServiceUnavailable {
			break
		}
	}
	return err
}

// login begins a session that the test needs.
func (n *node) login(user string) *visitor {
	n.Helper()
	return must(n.site().login(user))(n)
}

// logins begins many sessions of a user, several at once.
func (n *node) logins(user string, many int) []*visitor {
	n.Helper()
	all := make([]*visitor, many)
	several(n, many, func(i int) (err error) {
		all[i], err = n.site().login(user)
		return err
	})
	return all
}

// logout ends sessions of a visitor, which the store has to confirm.
func (n *node) logout(v *visitor, target session.Target) session.Result {
	n.Helper()
	return must(n.site().logout(v, target))(n)
}

// wantOut fails unless nobody comes in with the cookie of a visitor.
func (n *node) wantOut(v *visitor) {
	n.Helper()
	if user, err := n.site().me(v); status(err) != http.StatusUnauthorized {
		n.Errorf("after the end of the session: user %q, %v, want status 401", user, err)
	}
}

// wantIn fails unless the session of a visitor lives.
func (n *node) wantIn(v *visitor) {
	n.Helper()
	if _, err := n.site().me(v); err != nil {
		n.Errorf("a session that nobody ended: %v", err)
	}
}

// wantInPatiently is wantIn for a node whose store has to answer soon.
func (n *node) wantInPatiently(v *visitor) {
	n.Helper()
	err := patiently(func() error {
		_, err := n.site().me(v)
		return err
	})
	if err != nil {
		n.Errorf("a session that nobody ended: %v", err)
	}
}

// several calls fn for 0 to many-1, sixteen at once, and fails with the first
// error.
func several(t testing.TB, many int, fn func(i int) error) {
	t.Helper()
	next := make(chan int)
	errs := make(chan error, 16)
	for range cap(errs) {
		go func() {
			var first error
			for i := range next {
				if first == nil {
					first = fn(i)
				}
			}
			errs <- first
		}()
	}
	for i := range many {
		next <- i
	}
	close(next)
	var first error
	for range cap(errs) {
		if err := <-errs; first == nil {
			first = err
		}
	}
	if first != nil {
		t.Fatal(first)
	}
}
