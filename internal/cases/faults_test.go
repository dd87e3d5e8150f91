package cases_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/internal/faultproxy"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session/memstore"
	"github.com/sessionhub/sessionhub/session/redisstore"
	"github.com/sessionhub/sessionhub/session/sessiontest"
	"github.com/sessionhub/sessionhub/transport"
)

// visBoth runs a test on each store.
func visBoth(t *testing.T, run func(w *visWorld)) {
	for _, kind := range visKinds {
		t.Run(kind, func(t *testing.T) { visRun(t, kind, run) })
	}
}

// visMemory is the memory store for the conformance kit.
func visMemory(*testing.T) sessiontest.Harness {
	var (
		mu      sync.Mutex // guards notices
		notices []string
	)
	return sessiontest.Harness{
		Store: &memstore.Store{Deliver: func(n string) {
			mu.Lock()
			defer mu.Unlock()
			notices = append(notices, n)
		}},
		Advance: time.Sleep,
		Notices: func() []string {
			mu.Lock()
			defer mu.Unlock()
			drained := notices
			notices = nil
			return drained
		},
		Run: synctest.Test,
	}
}

// putting sets the key and value of a message "key value" in main.
func putting(ctx context.Context, out *transport.Outbox, in transport.Message) error {
	var key, value string
	if _, err := fmt.Sscan(string(in.Data), &key, &value); err != nil {
		return err
	}
	out.Reply([]byte("saved"))
	return visPut(ctx, "main", key, value)
}

// twoSockets returns a session and two sockets of it, each on a node of its own.
func twoSockets(w *visWorld) (v *visVisitor, a, b *visSocket) {
	first, second := w.socketNode(), w.socketNode()
	v = first.visitor().login("alice")
	a = v.dial(first.endpoint(putting, transport.Options{}))
	b = v.at(second).dial(second.endpoint(putting, transport.Options{}))
	return v, a, b
}

func TestD23_twoSocketsWithDifferentKeysKeepBoth(t *testing.T) {
	visBoth(t, func(w *visWorld) {
		v, a, b := twoSockets(w)
		for i := range 10 {
			var wg sync.WaitGroup
			for name, s := range map[string]*visSocket{"a": a, "b": b} {
				wg.Go(func() { s.ask(fmt.Sprint(name, i, " x")) })
			}
			wg.Wait()
		}
		for i := range 10 {
			for _, name := range []string{"a", "b"} {
				if got := v.get("main", fmt.Sprint(name, i)); got != `"x"` {
					w.Errorf("%s%d = %s", name, i, got)
				}
			}
		}
	})
}

func TestD24_twoSocketsWithTheSameKeyKeepOneOfTheTwo(t *testing.T) {
	visBoth(t, func(w *visWorld) {
		v, a, b := twoSockets(w)
		for range 10 {
			var wg sync.WaitGroup
			for name, s := range map[string]*visSocket{"a": a, "b": b} {
				wg.Go(func() { s.ask("k " + name) })
			}
			wg.Wait()
			if got := v.get("main", "k"); got != `"a"` && got != `"b"` {
				w.Errorf("k = %s", got)
			}
		}
	})
	// And there is an order in which all of it happened.
	t.Run("linearizable/memory", func(t *testing.T) { sessiontest.TestLinearizable(t, visMemory, false) })
	t.Run("linearizable/redis", func(t *testing.T) {
		sessiontest.TestLinearizable(t, func(t *testing.T) sessiontest.Harness {
			return sessiontest.Harness{Store: visOpen(t, "redis").spy.Store}
		}, false)
	})
}

// The server is another one than that of the other tests, so that the chunks
// which the proxy counts are replies.
func TestD25_linearizableWhileRepliesAreLost(t *testing.T) {
	proxy := faultproxy.Start(t, redistest.Start(t).Addr)
	store, err := redisstore.Open("redis://"+proxy.Addr+"?dial_timeout=2s&read_timeout=2s&write_timeout=2s", redisstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := make(chan struct{})
	defer close(stop)
	wg.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				proxy.CutOnReply(1 + rand.IntN(8))
			case <-stop:
				return
			}
		}
	})
	sessiontest.TestLinearizable(t, func(*testing.T) sessiontest.Harness { return sessiontest.Harness{Store: store} }, true)
}

// The same machine runs against Redis in package redisstore, whose tests can
// move the time of its records: what equals the model equals the other.
func TestD26_stateMachine(t *testing.T) { sessiontest.TestStore(t, visMemory) }
