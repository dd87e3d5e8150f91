package faults_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/internal/faultproxy"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
)

// ghost is a connection of a session that has no socket.
type ghost struct {
	marked atomic.Pointer[hub.Reason]
	news   atomic.Int64
}

func (g *ghost) Mark(r hub.Reason)      { g.marked.Store(&r) }
func (g *ghost) Close(hub.Reason)       {}
func (g *ghost) Deliver(string, []byte) { g.news.Add(1) }
func (g *ghost) Lose(string)            {}

// listen returns a connection without a session that hears of a topic.
func listen(n *node, topic string) *ghost {
	n.Helper()
	g := new(ghost)
	e := n.hub.Register("main", "", nil, g)
	n.Cleanup(e.Remove)
	err := e.Admit("", 0, 0, nil)
	if err == nil {
		err = e.Live()
	}
	if err == nil {
		err = e.Subscribe(context.Background(), topic, "")
	}
	if err != nil {
		n.Fatal(err)
	}
	return g
}

// One session in a hundred was deleted without a word, as by a notice that nobody
// heard. The revalidation after the next gap finds exactly those, and another node
// does not notice that it runs. How long it takes is a benchmark's business.
func TestD65_revalidationFindsWhatEndedUnheard(t *testing.T) {
	t.Parallel()
	sessions := sized(5_000, 100_000)
	server, prefix := redistest.Start(t), redistest.Prefix(t)
	proxy := faultproxy.Start(t, server.Addr)
	n := start(t, plan{redis: server.URL, bus: "redis://" + proxy.Addr, prefix: prefix})
	other := start(t, plan{redis: server.URL, prefix: prefix})
	f := &session.Family{Spaces: []session.Space{
		{Name: "main", Prefix: "main", Idle: 30 * time.Minute, Life: 8 * time.Hour}, {Name: "chat", Prefix: "chat"},
	}}
	all := make([]*ghost, sessions)
	ids := make([]string, sessions)
	several(t, sessions, func(i int) error {
		ids[i] = rand.Text()[:22]
		rec, err := n.store.Create(t.Context(), f, session.Create{ID: ids[i], Nonce: rand.Text(), Hash: session.Hash(rand.Text()), User: "somebody"})
		if err != nil {
			return err
		}
		all[i] = new(ghost)
		e := n.hub.Register("main", ids[i], []string{"main"}, all[i])
		t.Cleanup(e.Remove)
		if err := e.Admit(rec.User, rec.Epoch, rec.Left, map[string]uint64{"main": rec.Space("main").Generation}); err != nil {
			return err
		}
		return e.Live()
	})
	listener := listen(other, "lobby")
	c := server.Client(t)
	for part := range slices.Chunk(ids[:sessions/100], 100) {
		_, err := c.Pipelined(t.Context(), func(p redis.Pipeliner) error {
			for _, id := range part {
				p.Del(t.Context(), fmt.Sprintf("%s:main:{%s}", prefix, id))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	publish := func(stop func() bool) (took lags) {
		for !stop() {
			before, began := listener.news.Load(), time.Now()
			if err := other.hub.Publish(t.Context(), "lobby", []byte("news")); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the publication comes back", func() bool { return listener.news.Load() > before })
			took = append(took, time.Since(began))
		}
		return took
	}
	rounds := 0
	calm := publish(func() bool { rounds++; return rounds > 100 })

	revalidated := n.hub.Stats().Revalidations
	began := time.Now()
	proxy.CloseAll() // a gap of this node alone
	busy := publish(func() bool { return n.hub.Stats().Revalidations > revalidated })
	t.Logf("%d sessions were revalidated %v after the gap; publications on another node: %v, meanwhile %v",
		sessions, time.Since(began).Round(time.Millisecond), calm, busy)
	for i, g := range all {
		r := g.marked.Load()
		switch ended := i < sessions/100; {
		case ended && (r == nil || *r != hub.SessionEnded):
			t.Fatalf("session %d ended unheard: its connection was marked with %v", i, r)
		case !ended && r != nil:
			t.Fatalf("session %d lives: its connection was marked with %v", i, r)
		}
	}
	if other.hub.Gaps() != 0 || !other.hub.Fresh() {
		t.Error("the other node had a gap")
	}
}
