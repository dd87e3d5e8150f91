package cases_test

import (
	"net/http"
	"testing"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
)

func TestD31_fixation(t *testing.T) {
	visBoth(t, func(w *visWorld) {
		n := w.socketNode()
		open := n.endpoint(visEcho, transport.Options{Anonymous: transport.Create})
		attacker := n.visitor()
		planted := attacker.dial(open) // begins the session that is planted
		planted.ask("mine")
		if attacker.cookie() == "" {
			w.Fatal("the socket began no session")
		}
		victim := attacker.copy()
		victim.login("alice")
		planted.wantClose(hub.SessionRenewed)
		if victim.cookie() == attacker.cookie() || victim.id() != attacker.id() {
			w.Error("want a new secret and the same id")
		}
		if got := attacker.guarded(); got != 401 {
			w.Errorf("the planted cookie: %d, want 401", got)
		}
		attacker.copy().dial(open).wantClose(hub.SessionRenewed) // come again, with another cookie
		if got := victim.guarded(); got != 200 {
			w.Errorf("the new cookie: %d", got)
		}
		if got := victim.dial(open).ask("me"); got != "me" {
			w.Errorf("a socket with the new cookie answers %q", got)
		}
	})
}

// family opens sockets that hold main alone, chat alone, and both.
func family(n *visNode, v *visVisitor) (main, chat, both *visSocket) {
	e := func(names ...string) *transport.Endpoint {
		return n.endpoint(visEcho, transport.Options{Namespaces: names})
	}
	main, chat, both = v.dial(e("main")), v.dial(e("chat")), v.dial(e())
	for _, s := range []*visSocket{main, chat, both} {
		s.ask("here")
	}
	return main, chat, both
}

func TestD33_aLogoutOfTheParentEndsTheFamily(t *testing.T) {
	visBoth(t, func(w *visWorld) {
		n := w.socketNode()
		v := n.visitor().login("alice")
		v.set("main", "k", 1)
		v.set("chat", "k", 2)
		main, chat, both := family(n, v)
		id := v.id()
		if r := v.logout(session.This); r.ClosedHere != 3 || !r.StoreOK {
			w.Errorf("%+v", r)
		}
		for _, s := range []*visSocket{main, chat, both} {
			s.wantClose(hub.SessionEnded)
		}
		if _, err := w.spy.Load(w.Context(), visFamily(), id, session.Load{}); err == nil || n.exists(id) {
			w.Error("something of the session is left")
		}
	})
}

func TestD34_aLogoutOfTheChatLeavesMain(t *testing.T) {
	visBoth(t, func(w *visWorld) {
		n := w.socketNode()
		v := n.visitor().login("alice")
		v.set("main", "k", 1)
		v.set("chat", "k", 2)
		main, chat, both := family(n, v)
		if r := v.logout(session.Namespace("chat")); r.ClosedHere != 1 || !r.StoreOK {
			w.Errorf("%+v", r)
		}
		chat.wantClose(hub.SessionEnded)
		for _, s := range []*visSocket{main, both} {
			if got := s.ask("still here"); got != "still here" {
				w.Errorf("answer %q", got)
			}
		}
		if got := v.get("main", "k") + v.get("chat", "k") + v.user(); got != "1alice" {
			w.Errorf("main, chat, user = %q", got)
		}
	})
}

func TestD35_aDisabledUserIsOutEverywhere(t *testing.T) {
	visBoth(t, func(w *visWorld) {
		nodes := []*visNode{w.socketNode(), w.socketNode()}
		endpoints := []*transport.Endpoint{
			nodes[0].endpoint(visEcho, transport.Options{}), nodes[1].endpoint(visEcho, transport.Options{}),
		}
		var (
			all     []*visVisitor
			sockets []*visSocket
		)
		for i := range 20 {
			v := nodes[i%2].visitor().login("alice")
			all = append(all, v)
			sockets = append(sockets, v.dial(endpoints[i%2]))
		}
		bob := nodes[1].visitor().login("bob")
		other := bob.dial(endpoints[1])
		if got := len(nodes[0].sessions("alice")); got != 20 {
			w.Errorf("%d sessions listed, want 20", got)
		}
		r, err := nodes[0].m.EndUser(w.Context(), "", "alice", "", "admin")
		if err != nil || !r.StoreOK || r.ClosedHere != 10 {
			w.Errorf("EndUser = %+v, %v", r, err)
		}
		for i, v := range all {
			sockets[i].wantClose(hub.SessionEnded)
			if got := v.guarded(); got != 401 {
				w.Errorf("session %d: %d, want 401", i, got)
			}
		}
		if got := other.ask("me"); got != "me" || bob.guarded() != 200 || len(nodes[1].sessions("alice")) != 0 {
			w.Errorf("another user: %q, %d", got, bob.guarded())
		}
	})
}

func TestD36_theSessionLimitIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		policy string
		status int // of the login that is one too many
		lives  []bool
	}{
		"theOldestEnds":      {"end-oldest", 200, []bool{false, true, true, true}},
		"theNewestIsRefused": {"refuse-newest", 403, []bool{true, true, true, false}},
	} {
		t.Run(name, func(t *testing.T) {
			visBoth(t, func(w *visWorld) {
				w.Setenv("SESSION_MAX_PER_USER", "3")
				w.Setenv("SESSION_AT_MAX", c.policy)
				nodes := []*visNode{w.socketNode(), w.socketNode()}
				var (
					all     []*visVisitor
					sockets []*visSocket
				)
				for i := range 4 {
					n := nodes[i%2]
					v := n.visitor()
					want := 200
					if i == 3 {
						want = c.status
					}
					resp := v.serve(func(_ http.ResponseWriter, r *http.Request) {
						if err := session.Login(r.Context(), "alice"); err != nil {
							w.Errorf("Login: %v", err)
						}
					})
					if resp.StatusCode != want {
						w.Errorf("login %d: %d, want %d", i, resp.StatusCode, want)
					}
					all = append(all, v)
					if v.cookie() != "" {
						s := v.dial(n.endpoint(visEcho, transport.Options{}))
						s.ask("here")
						sockets = append(sockets, s)
					}
					w.later()
				}
				for i, v := range all {
					if got := v.copy().guarded() == 200; got != c.lives[i] {
						w.Errorf("session %d lives: %v, want %v", i, got, c.lives[i])
					}
				}
				for i, s := range sockets {
					if c.lives[i] {
						s.ask("still here")
					} else {
						s.wantClose(hub.SessionEnded)
					}
				}
				if got := len(nodes[0].sessions("alice")); got != 3 {
					w.Errorf("%d sessions listed, want 3", got)
				}
			})
		})
	}
}
