package soak_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/sessionhub/sessionhub/internal/soak"
)

// client is what all visitors of a run share.
type client struct {
	*cluster
	http    *http.Client
	reading sync.WaitGroup // sockets
	aimed   sync.WaitGroup // what [client.aim] began

	mu     sync.Mutex        // guards the following fields
	living map[string]string // the user of each session that lives, as its visitor believes
	order  []string          // the ids of them, sorted
	graves []grave
	tabs   map[*tab]struct{} // that are open
}

func newClient(c *cluster) *client {
	return &client{
		cluster: c,
		http: &http.Client{
			Timeout:   patience,
			Transport: &http.Transport{MaxIdleConnsPerHost: 256},
		},
		living: make(map[string]string),
		tabs:   make(map[*tab]struct{}),
	}
}

// begins says that a session of a user began.
func (c *client) begins(id, user string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.living[id] = user
	i, _ := slices.BinarySearch(c.order, id)
	c.order = slices.Insert(c.order, i, id)
}

// other returns a living session of a user, or with "" of anybody; which one the
// number says. It returns "" when there is none.
func (c *client) other(user string, pick uint64) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	of := c.order
	if user != "" {
		of = slices.DeleteFunc(slices.Clone(of), func(id string) bool { return c.living[id] != user })
	}
	if len(of) == 0 {
		return ""
	}
	return of[pick%uint64(len(of))]
}

// opens says that a socket is open.
func (c *client) opens(tb *tab) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tabs[tb] = struct{}{}
}

// closes says that it is not any more.
func (c *client) closes(tb *tab) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.tabs, tb)
}

// reply is the answer to a request; code 0: there was none.
type reply struct {
	code   int
	body   []byte
	cookie string // set by it, with a value
}

// ask sends a request. The body is form data, or JSON.
func (c *client) ask(n *node, method, path, cookie string, body any) reply {
	var (
		data []byte
		kind string
	)
	switch b := body.(type) {
	case url.Values:
		data, kind = []byte(b.Encode()), "application/x-www-form-urlencoded"
	case frame:
		data, kind = encode(b), "application/json"
	}
	req, err := http.NewRequest(method, n.url+path, bytes.NewReader(data))
	if err != nil {
		c.t.Error(err)
		return reply{}
	}
	req.Header.Set("Content-Type", kind)
	if cookie != "" {
		req.Header.Set("Cookie", "id="+cookie)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return reply{}
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{}
	}
	return reply{resp.StatusCode, got, cookieOf(resp)}
}

// cookieOf returns the session's cookie that a response sets, and "" for none
// or one that is cleared.
func cookieOf(resp *http.Response) string {
	for _, c := range resp.Cookies() {
		if c.Name == "id" {
			return c.Value
		}
	}
	return ""
}

// idOf returns the public part of a cookie.
func idOf(cookie string) string {
	id, _, _ := strings.Cut(cookie, ".")
	return id
}

// look loads a session, and notes what it finds. A visitor is sure that the cookie
// is the newest: where a response with a new one was lost, the session is buried.
func (c *client) look(n *node, id, cookie string, sure bool) (soak.Load, reply) {
	l := soak.Load{At: n.place, Session: id, Sure: sure}
	l.From = c.rec.now()
	got := c.ask(n, "GET", "/look", cookie, nil)
	l.To = c.rec.now()
	var seen looked
	if got.code == http.StatusOK && json.Unmarshal(got.body, &seen) == nil {
		l.Answer, l.Total, l.Mark, l.Chat = soak.None, seen.Total, seen.Mark, seen.Chat
		if seen.ID == id {
			l.Answer = soak.Found
		}
	}
	c.rec.note(func(h *soak.History) { h.Loads = append(h.Loads, l) })
	return l, got
}

// end sends a request that ends something, and notes what became of it.
func (c *client) end(n *node, path, cookie string, body url.Values, a soak.Act) soak.Act {
	a.At = n.place
	a.From = c.rec.now()
	got := c.ask(n, "POST", path, cookie, body)
	a.To = c.rec.now()
	var took took
	answered := json.Unmarshal(got.body, &took) == nil
	a.Acked, a.Expected = took.NodesAcked, took.NodesExpected
	switch {
	case got.code == http.StatusOK && answered && took.StoreOK:
		a.Outcome = soak.Done
		if a.Expected == 0 {
			a.Outcome = soak.Refused // the cookie opens nothing
		}
	case answered && took.Owed:
		a.Outcome = soak.Owed
	case got.code == http.StatusNotFound:
		a.Outcome = soak.Refused
	}
	c.rec.note(func(h *soak.History) { h.Acts = append(h.Acts, a) })
	return a
}
