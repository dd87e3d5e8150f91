package soak_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/sessionhub/sessionhub/internal/soak"
)

var (
	lasts       = flag.Duration("soak.for", 10*time.Second, "how long the run lasts")
	seed        = flag.Uint64("soak.seed", 3, "where all decisions come from; 0: another one each time")
	slots       = flag.Int("soak.nodes", 3, "nodes")
	visitors    = flag.Int("soak.visitors", 200, "visitors, each with a session and its sockets")
	users       = flag.Int("soak.users", 60, "users that the visitors share")
	pace        = flag.Duration("soak.pace", 600*time.Millisecond, "pause of a visitor between two turns, on the average")
	longest     = flag.Duration("soak.longest", 6*time.Second, "the longest fault")
	idleTimeout = flag.Duration("soak.idle", 15*time.Second, "idle timeout of sessions")
	lifetime    = flag.Duration("soak.life", 45*time.Second, "lifetime of sessions")
	logs        = flag.Bool("soak.log", false, "print the logs of the nodes")
	out         = flag.String("soak.out", "", "file for the report, besides the test's log")
)

func TestMain(m *testing.M) {
	redis.SetLogger(silent{}) // it tells of every broken connection
	goleak.VerifyTestMain(m)
}

// silent is a logger of go-redis.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// TestSoak lets visitors come and go while things break, and has the checker
// judge what was seen.
func TestSoak(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("seed %d", *seed)
	t.Setenv("SESSION_IDLE_TIMEOUT", idleTimeout.String())
	t.Setenv("SESSION_LIFETIME", lifetime.String())
	t.Setenv("SESSION_RENEW_AFTER", "3s")

	h := play(t)
	report := soak.Check(h)
	var text strings.Builder
	fmt.Fprintf(&text, "seed %d\n", *seed)
	report.Print(&text)
	long := *lasts >= time.Minute
	if missing := report.Missing(); len(missing) > 0 {
		fmt.Fprintf(&text, "could not have been found in this run: %s\n", strings.Join(missing, ", "))
		if long {
			t.Error("the run could not have found everything")
		}
	}
	if report.Failed() {
		report.Explain(&text, h, 10)
		fmt.Fprintf(&text, "\n%d violations; to replay the decisions:\n  go test -race ./internal/soak -run '^TestSoak$' -timeout 0 "+
			"-soak.seed %d -soak.for %v -soak.nodes %d -soak.visitors %d -soak.users %d -soak.pace %v -soak.longest %v -soak.idle %v -soak.life %v\n",
			len(report.Violations), *seed, *lasts, *slots, *visitors, *users, *pace, *longest, *idleTimeout, *lifetime)
		t.Error("\n" + text.String())
	} else {
		t.Log("\n" + text.String())
		checkChecker(t, h, report, long)
	}
	if *out != "" {
		if err := os.WriteFile(*out, []byte(text.String()), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// play runs everything, and returns what was recorded.
func play(t *testing.T) *soak.History {
	rec := newRecorder(soak.Rules{Idle: *idleTimeout, Life: *lifetime})
	c := newClient(newCluster(t, rec, *slots))

	watching, stopWatching := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	watch.Go(func() { rec.watchStalls(watching) })

	acting, stopActing := context.WithTimeout(context.Background(), *lasts)
	defer stopActing()
	var act sync.WaitGroup
	for i := range *visitors {
		v := &visitor{
			client:  c,
			rng:     rand.New(rand.NewPCG(*seed, uint64(i))),
			weights: rand.New(rand.NewPCG(*seed, 1<<34+uint64(i))),
			user:    fmt.Sprint("user-", i%*users),
			room:    fmt.Sprint(i / 5),
		}
		act.Go(func() { v.run(acting) })
	}
	for i := range 2 {
		act.Go(func() { c.rob(acting, rand.New(rand.NewPCG(*seed, 1<<32+uint64(i)))) })
	}

	for slot := range *slots {
		act.Go(func() { c.herald(acting, slot) })
	}

	// Things break until shortly before the end: what is owed is to be paid.
	breaking, stopBreaking := context.WithTimeout(acting, *lasts-settles)
	defer stopBreaking()
	(&chaos{client: c, rng: rand.New(rand.NewPCG(*seed, 1<<33))}).run(breaking)
	act.Wait()
	c.aimed.Wait()
	c.allReady()

	c.lookInside(rec)
	h := rec.history()
	stopWatching()
	watch.Wait()
	c.http.CloseIdleConnections()
	c.stop()
	c.reading.Wait()
	return h
}

// allReady fails unless all nodes are ready: nothing has been broken for a while, and
// who does nothing does nothing wrong. How soon they are is not the question here: a
// server that was killed reads its log first, and the longer the run, the longer that is.
func (c *client) allReady() {
	deadline := time.Now().Add(30 * time.Second)
	for slot := range c.nodes {
		n := c.node(slot)
		for err := n.app.Ready(); err != nil; err = n.app.Ready() {
			if time.Now().After(deadline) {
				c.t.Errorf("node %v is not ready, and nothing is broken any more: %v", n.place, err)
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// lookInside asks the store itself about all sessions that there ever were.
func (c *client) lookInside(rec *recorder) {
	var ids []string
	rec.note(func(h *soak.History) {
		for _, l := range h.Logins {
			if l.Outcome == soak.Done && !l.Elevates {
				ids = append(ids, l.Session)
			}
		}
	})
	from := rec.now()
	var loads []soak.Load
	err := c.node(0).app.Sessions().Check(context.Background(), "main", ids,
		func(id string, alive bool, _ uint64, _ time.Duration, _ map[string]uint64) {
			l := soak.Load{At: soak.Place{Slot: -1}, Session: id, Sure: true, Answer: soak.None}
			if alive {
				l.Answer = soak.Found
			}
			loads = append(loads, l)
		})
	if err != nil {
		c.t.Error(err)
	}
	now := rec.now()
	rec.note(func(h *soak.History) {
		for _, l := range loads {
			l.Span = soak.Span{From: from, To: now}
			h.Loads = append(h.Loads, l)
		}
	})
}
