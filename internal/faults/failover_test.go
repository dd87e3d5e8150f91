package faults_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/internal/faultproxy"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
)

// TestD12_whatAFailoverBroughtBackIsEndedAgain promotes a replica that has not
// heard of a logout. One node follows before the one that carried the logout out:
// on it the session lives again, and opens a socket.
func TestD12_whatAFailoverBroughtBackIsEndedAgain(t *testing.T) {
	t.Parallel()
	master, prefix := redistest.Start(t), redistest.Prefix(t)
	link := faultproxy.Start(t, master.Addr)
	replica := redistest.StartReplica(t, link.Addr)
	promoted := replica.Client(t)
	first, second := newJunction(t, master.Addr), newJunction(t, master.Addr)
	options := hub.Options{Heartbeat: beat}
	ends := start(t, plan{redis: "redis://" + first.addr, prefix: prefix, hub: options})
	other := start(t, plan{redis: "redis://" + second.addr, prefix: prefix, hub: options})
	v, stays := ends.login("alice"), ends.login("bob")
	tb, staying := other.open(v), other.open(stays)
	tb.wantAnswer("hello")
	staying.wantAnswer("hello")
	eventually(t, "the replica has the sessions", func() bool {
		return len(keysOf(t, promoted, prefix, v.id)) > 0 && len(keysOf(t, promoted, prefix, stays.id)) > 0
	})

	link.DropDown(true) // the replica lags
	ends.logout(v, session.This)
	tb.wantEnd(hub.SessionEnded)
	ends.wantOut(v)
	if len(keysOf(t, promoted, prefix, v.id)) == 0 {
		t.Fatal("the replica does not lag: this proves nothing")
	}

	// The failover, seen by the other node first.
	master.Kill()
	if err := promoted.ReplicaOf(t.Context(), "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	second.to(replica.Addr)
	eventually(t, "the other node is fresh", func() bool {
		_, err := other.site().me(stays)
		return err == nil && other.hub.Fresh()
	})
	other.wantIn(v) // a zombie, which nobody here can know
	zombie := other.open(v)
	zombie.wantAnswer("I live")

	first.to(replica.Addr)
	began := time.Now()
	zombie.wantEnd(hub.SessionEnded)
	t.Logf("the zombie's socket was closed %v after the node that had ended its session came back", time.Since(began).Round(time.Millisecond))
	eventually(t, "the node that ended it is fresh", ends.hub.Fresh)
	if keys := keysOf(t, promoted, prefix, v.id); len(keys) > 0 {
		t.Errorf("the session was ended again, and Redis has %v", keys)
	}
	for _, n := range []*node{ends, other} {
		n.wantOut(v)
		n.wantIn(stays)
	}
	staying.wantAnswer("and I stay")
	if got := ends.sessions.Stats().Repeated; got == 0 {
		t.Error("no end was repeated")
	}
}

// junction is an address at which one server or another is reached.
type junction struct {
	addr string

	mu     sync.Mutex // guards the following fields
	target string
	conns  map[net.Conn]bool
	closed bool
}

// newJunction returns a junction to a target until the end of the test.
func newJunction(t testing.TB, target string) *junction {
	t.Helper()
	l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	j := &junction{addr: l.Addr().String(), target: target, conns: make(map[net.Conn]bool)}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { j.serve(client) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		j.mu.Lock()
		j.closed = true
		j.mu.Unlock()
		j.to("")
		running.Wait()
	})
	return j
}

// to breaks all connections, and leads those that come to another target.
func (j *junction) to(target string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.target = target
	for c := range j.conns {
		_ = c.Close()
	}
}

func (j *junction) serve(client net.Conn) {
	defer client.Close()
	j.mu.Lock()
	target := j.target
	j.conns[client] = !j.closed
	if j.closed {
		j.mu.Unlock()
		return
	}
	j.mu.Unlock()
	defer func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.conns, client)
	}()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	var up sync.WaitGroup
	defer up.Wait()
	up.Go(func() {
		defer server.Close()
		_, _ = io.Copy(server, client)
	})
	defer client.Close()
	_, _ = io.Copy(client, server)
}
