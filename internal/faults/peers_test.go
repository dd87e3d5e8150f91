package faults_test

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/transport"
)

// A client that stops reading is ended when as much waits for it as may, and is
// nobody else's trouble.
func TestD54_aSlowConsumerIsEndedAlone(t *testing.T) {
	t.Parallel()
	const queue, others = 256 << 10, 10
	n := start(t, plan{
		redis: redistest.Shared(t).URL, prefix: redistest.Prefix(t),
		talk: &talk{topics: []string{"lobby"}}, socket: transport.Options{QueueBytes: queue},
	})
	must(n.site().dial(t, n.login("slow"), manner{silent: true, buffer: 4 << 10}))(t)
	tabs := n.opens(n.logins("good", others), 1, manner{})
	eventually(t, "all have subscribed", func() bool { return n.hub.Stats().Subscriptions == others+1 })
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	news := []byte(strings.Repeat("n", 32<<10))
	var took lags
	most := uint64(0)
	published := 0
	for n.talk.ended(hub.TooSlow) == 0 && published < 2000 {
		began := time.Now()
		if err := n.hub.Publish(t.Context(), "lobby", news); err != nil {
			t.Fatal(err)
		}
		published++
		for _, tb := range tabs {
			if got, err := tb.next(patience); err != nil || len(got) != len(news) {
				t.Fatalf("a socket that reads: %d bytes, %v", len(got), err)
			}
		}
		took = append(took, time.Since(began))
		if published%20 == 0 {
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapInuse)
		}
	}
	if got := n.talk.ended(hub.TooSlow); got != 1 {
		t.Errorf("%d sockets were too slow after %d publications, want 1", got, published)
	}
	eventually(t, "the slow one is gone", func() bool { return n.socket.Stats().Open == others })
	t.Logf("ended after %d KiB; the others were reached after %v; the heap grew by %d KiB",
		published*len(news)>>10, took, (int64(most)-int64(before.HeapInuse))>>10)
	// What is not collected yet is a part of it.
	if grew := int64(most) - int64(before.HeapInuse); grew > 64<<20 {
		t.Errorf("the heap grew by %d MiB, and %d KiB may wait", grew>>20, queue>>10)
	}
	for _, tb := range tabs {
		tb.wantAnswer("still here")
	}
}

// Flooders send ten times what they may, and come again when they are closed.
func TestD56_floodersAreEndedAndOthersGoOn(t *testing.T) {
	t.Parallel()
	const flooders, others, span = 10, 20, 2 * time.Second
	n := start(t, plan{redis: redistest.Shared(t).URL, prefix: redistest.Prefix(t)})
	tabs := n.opens(n.logins("good", others), 1, manner{})
	measure := func() (all lags) {
		var mu sync.Mutex
		var asking sync.WaitGroup
		for _, tb := range tabs {
			asking.Go(func() {
				tick := time.NewTicker(100 * time.Millisecond) // half of what each may
				defer tick.Stop()
				for end := time.Now().Add(span); time.Now().Before(end); <-tick.C {
					began := time.Now()
					if got, err := tb.ask("me"); err != nil || got != "me" {
						t.Errorf("a socket within its limit: %q, %v", got, err)
						return
					}
					mu.Lock()
					all = append(all, time.Since(began))
					mu.Unlock()
				}
			})
		}
		asking.Wait()
		return all
	}
	calm := measure()

	bad := n.logins("bad", flooders)
	var stop atomic.Bool
	var ends atomic.Int64
	var flooding sync.WaitGroup
	for _, v := range bad {
		flooding.Go(func() {
			for !stop.Load() {
				tb, err := n.site().dial(t, v, manner{})
				if err != nil {
					t.Errorf("a flooder comes again: %v", err)
					return
				}
				tick := time.NewTicker(5 * time.Millisecond) // 200 a second, and 20 are allowed
				for tb.open() && tb.send("flood") == nil {
					<-tick.C
				}
				tick.Stop()
				tb.wantEnd(hub.TooManyMessages)
				ends.Add(1)
			}
		})
	}
	wild := measure()
	stop.Store(true)
	flooding.Wait()
	t.Logf("answers to others: %v; with %d flooders, ended %d times: %v", calm, flooders, ends.Load(), wild)
	if ends.Load() < flooders {
		t.Errorf("%d floods were ended by %d flooders", ends.Load(), flooders)
	}
	if got, want := wild.quantile(0.5), 3*calm.quantile(0.5)+slowness*5*time.Millisecond; got > want {
		t.Errorf("others were answered after %v, want at most %v", got, want)
	}
}

// The panic of a handler is one socket's.
func TestD57_aPanicEndsOneSocket(t *testing.T) {
	t.Parallel()
	n := start(t, plan{redis: redistest.Shared(t).URL, prefix: redistest.Prefix(t)})
	v := n.login("alice")
	bad, same, other := n.open(v), n.open(v), n.open(n.login("bob"))
	if got, err := bad.ask("add 1"); err != nil || got != "1" {
		t.Fatalf("%q, %v", got, err)
	}
	if err := bad.send("panic"); err != nil {
		t.Fatal(err)
	}
	bad.wantEnd(hub.InternalError)
	same.wantAnswer("still here")
	other.wantAnswer("still here")
	if got := n.log.count("as it was told"); got != 1 {
		t.Errorf("the panic was logged %d times", got)
	}
	if got, err := n.site().sum(v); err != nil || got != 1 {
		t.Errorf("sum %d, %v, want 1", got, err)
	}
	n.open(v).wantAnswer("back again")
}

// What is known of a session is known after the upgrade; an address is before.
func TestD59_limitsOfSessionAndAddress(t *testing.T) {
	t.Parallel()
	const perSession, perAddress = 3, 8
	n := start(t, plan{
		redis: redistest.Shared(t).URL, prefix: redistest.Prefix(t),
		socket: transport.Options{PerSession: perSession, PerAddress: perAddress, Address: func(r *http.Request) netip.Addr {
			return netip.MustParseAddrPort(r.RemoteAddr).Addr()
		}},
	})
	home, away := manner{from: net.IPv4(127, 0, 0, 2)}, manner{from: net.IPv4(127, 0, 0, 3)}
	dial := func(v *visitor, m manner) (*tab, error) { return n.site().dial(t, v, m) }
	v := n.login("alice")
	var tabs []*tab
	for range perSession {
		tabs = append(tabs, must(dial(v, home))(t))
	}
	must(dial(v, home))(t).wantEnd(hub.TooManyConnections)
	must(dial(v, away))(t).wantEnd(hub.TooManyConnections)
	for i, tb := range tabs {
		tb.wantAnswer(fmt.Sprint("older and open ", i))
	}
	// A place that is left is one for somebody else.
	tabs[0].drop()
	eventually(t, "the place is free", func() bool { return n.socket.Stats().Open == perSession-1 })
	tabs[0] = must(dial(v, home))(t)
	tabs[0].wantAnswer("in its place")

	for i := range perAddress - perSession {
		tabs = append(tabs, must(dial(n.login(fmt.Sprint("user", i)), home))(t))
	}
	late := n.login("late")
	if _, err := dial(late, home); status(err) != http.StatusTooManyRequests {
		t.Errorf("one more from the address: %v, want status 429", err)
	}
	elsewhere := must(dial(late, away))(t)
	elsewhere.wantAnswer("from elsewhere")
	tabs[1].drop()
	eventually(t, "the place is free", func() bool { return n.socket.Stats().Open == perAddress })
	must(dial(late, home))(t).wantAnswer("there is a place again")
}
