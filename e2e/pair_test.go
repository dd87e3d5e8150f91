package e2e_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
)

// pair is two nodes on one Redis.
type pair struct {
	a, b   *node
	server *redistest.Server
	redis  *redis.Client
	ada    account
	grace  account
}

// startPair starts a Redis and two nodes, the second when the first one has
// seeded the accounts.
func startPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{server: redistest.Start(t)}
	p.redis = p.server.Client(t)
	// Nobody comes through this proxy, so that addresses are not known: one has fewer
	// handshakes a second than these tests make together.
	const proxies = "127.0.0.1/32"
	p.a = start(t, "a", p.server.URL, "--trusted-proxies", proxies).up(t)
	p.b = start(t, "b", p.server.URL, "--trusted-proxies", proxies).up(t)
	p.ada = account{"ada", p.a.password("ada")}
	p.grace = account{"grace", p.a.password("grace")}
	if p.ada.Password == "" || p.grace.Password == "" {
		t.Fatalf("the first node printed no passwords:\n%s", p.a.stdout)
	}
	return p
}

// nodes returns both.
func (p *pair) nodes() []*node { return []*node{p.a, p.b} }

// cheap makes an account whose password takes no time to check: bcrypt's lowest
// cost. The rounds of a test log in hundreds of times.
func (p *pair) cheap(t *testing.T, user string) account {
	t.Helper()
	const hash = "$2a$04$sx8z7titS3qmjJz3lH7KCu0dzdyz.972W/5kqxuu8HVcHfirbqoXu"
	if err := p.redis.HSet(t.Context(), "sessionhub:account:"+user, "password", hash).Err(); err != nil {
		t.Fatal(err)
	}
	return account{user, "correct horse"}
}

// know waits until both nodes know of each other, and that there is no third: a
// node that has just begun says of no logout that all have marked.
func (p *pair) know(t *testing.T) {
	t.Helper()
	someone := p.cheap(t, "someone")
	for _, n := range p.nodes() {
		var took session.Result
		for deadline := time.Now().Add(20 * time.Second); took.NodesAcked != 2 || took.NodesExpected != 2; time.Sleep(100 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("logout on %s: %+v, want 2 of 2 nodes", n.name, took)
			}
			took = enter(t, n, "/login", someone).logout(t, n, "session")
		}
	}
}

// tabs opens n sockets of a visitor on each node, in a room.
func (p *pair) tabs(t *testing.T, v *visitor, n int, room string) []*tab {
	t.Helper()
	var tabs []*tab
	for range n {
		for _, on := range p.nodes() {
			tb := v.open(t, on)
			if err := tb.join(room); err != nil {
				t.Fatal(err)
			}
			tabs = append(tabs, tb)
		}
	}
	return tabs
}

// TestTwoNodes is what the library is for.
func TestTwoNodes(t *testing.T) {
	p := startPair(t)
	for _, c := range []struct {
		name string
		run  func(*testing.T, *pair)
	}{
		{"the second node finds the accounts", testSeededOnce},
		{"a logout closes every tab on both nodes", testLogout},
		{"logouts of others and of all", testDevices},
		{"the counter is exact", testCounter},
		{"bad frames are answered and leave the socket open", testBadFrames},
		{"upgrades without a good origin or cookie", testUpgrades},
		{"a logout of the chat leaves nothing of it", testChatLogout},
		{"a logout amid messages and new sockets", testStorm},
	} {
		t.Run(c.name, func(t *testing.T) {
			began := time.Now()
			c.run(t, p)
			t.Logf("took %v", time.Since(began).Round(time.Millisecond))
		})
	}
}
