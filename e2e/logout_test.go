package e2e_test

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

func testSeededOnce(t *testing.T, p *pair) {
	for _, user := range []string{"ada", "grace"} {
		if want := fmt.Sprintf("user %s: seeded already\n", user); !strings.Contains(p.b.stdout.String(), want) {
			t.Errorf("the second node printed\n%swant %q", p.b.stdout, want)
		}
		if got := p.b.password(user); got != "" {
			t.Errorf("the second node printed another password for %s", user)
		}
	}
	// The password that the first node printed is good on the second.
	v := enter(t, p.b, "/login", p.grace)
	v.logout(t, p.a, "session")
	v.isOut(t, p.nodes()...)
}

func testLogout(t *testing.T, p *pair) {
	p.know(t)
	v := enter(t, p.a, "/login", p.ada)
	tabs := p.tabs(t, v, 3, "lobby")
	for i, tb := range tabs {
		tb.greets(t, "lobby", fmt.Sprint("hello ", i))
	}
	for _, n := range p.nodes() {
		if got, want := v.sent(t, n), int64(len(tabs)); got != want {
			t.Errorf("sent on %s = %d, want %d", n.name, got, want)
		}
	}

	began := time.Now()
	took := v.logout(t, p.a, "session")
	answered := time.Since(began)
	if want := (session.Result{ClosedHere: 3, NodesAcked: 2, NodesExpected: 2, StoreOK: true}); took != want {
		t.Errorf("logout = %+v, want %+v", took, want)
	}
	lags := map[*node][]time.Duration{}
	for _, tb := range tabs {
		lags[tb.node] = append(lags[tb.node], tb.closes(t, 4501).Sub(began))
	}
	v.isOut(t, p.nodes()...)
	t.Logf("logout on a: answered after %v; the last of 3 close frames read after %v on a and %v on b",
		answered, slices.Max(lags[p.a]), slices.Max(lags[p.b]))
	if got := v.post(t, p.a, "/logout", nil); got.code != http.StatusOK || !strings.Contains(string(got.body), `"closed_here":0`) {
		t.Errorf("a second logout: %d %s, want 200 and zeros", got.code, got.body)
	}
}

// device is one entry of GET /sessions.
type device struct {
	ID       string
	Created  time.Time
	LastSeen time.Time `json:"last_seen"`
	Device   string
	Current  bool
}

// devices returns what a visitor is told of their sessions, by id.
func (v *visitor) devices(t *testing.T, n *node) []device {
	t.Helper()
	var all []device
	v.get(t, n, "/sessions").decode(t, http.StatusOK, &all)
	for _, d := range all {
		if d.Current != (d.ID == v.id) {
			t.Errorf("sessions on %s: %+v, and the current one is %s", n.name, d, v.id)
		}
		if age := time.Since(d.Created); age < -time.Second || age > time.Hour || d.LastSeen.Before(d.Created) || d.Device == "" {
			t.Errorf("sessions on %s: %+v, want recent times in order and a device", n.name, d)
		}
	}
	slices.SortFunc(all, func(x, y device) int { return cmp.Compare(x.ID, y.ID) })
	return all
}

func testDevices(t *testing.T, p *pair) {
	who := p.cheap(t, "devices")
	visitors := []*visitor{
		enter(t, p.a, "/login", who),
		enter(t, p.b, "/login", who),
		enter(t, p.a, "/login", who),
	}
	tabs := make(map[*visitor][]*tab)
	var ids []string
	for _, v := range visitors {
		tabs[v] = p.tabs(t, v, 1, "devices")
		ids = append(ids, v.id)
	}
	slices.Sort(ids)
	listed := func(all []device) []string {
		ids := make([]string, 0, len(all))
		for _, d := range all {
			ids = append(ids, d.ID)
		}
		return ids
	}
	for _, v := range visitors {
		for _, n := range p.nodes() {
			if got := listed(v.devices(t, n)); !slices.Equal(got, ids) {
				t.Errorf("sessions on %s = %v, want %v", n.name, got, ids)
			}
		}
	}

	mine := visitors[0]
	if took := mine.logout(t, p.b, "others"); took.ClosedHere != 2 {
		t.Errorf("logout of others = %+v, want 2 closed_here", took)
	}
	for _, v := range visitors[1:] {
		for _, tb := range tabs[v] {
			tb.closes(t, 4501)
		}
		v.isOut(t, p.nodes()...)
	}
	for i, tb := range tabs[mine] {
		tb.greets(t, "devices", fmt.Sprint("still here ", i))
	}
	if got := listed(mine.devices(t, p.a)); !slices.Equal(got, []string{mine.id}) {
		t.Errorf("sessions after the logout of others = %v, want %s", got, mine.id)
	}

	other := enter(t, p.b, "/login", who)
	tabs[other] = p.tabs(t, other, 1, "devices")
	if took := other.logout(t, p.a, "all"); took.ClosedHere != 2 {
		t.Errorf("logout of all = %+v, want 2 closed_here", took)
	}
	for _, v := range []*visitor{mine, other} {
		for _, tb := range tabs[v] {
			tb.closes(t, 4501)
		}
		v.isOut(t, p.nodes()...)
	}
	if got := mine.get(t, p.a, "/sessions"); got.code != http.StatusUnauthorized {
		t.Errorf("GET /sessions after the logout of all: %d %s, want 401", got.code, got.body)
	}
}
