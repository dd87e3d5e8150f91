package faults_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/internal/redistest"
)

// openAt opens several sockets for each visitor at a child, many at once.
func (c *child) openAt(visitors []*visitor, each int) []*tab {
	c.Helper()
	all := make([]*tab, len(visitors)*each)
	several(c, len(all), func(i int) error {
		return patiently(func() (err error) {
			all[i], err = c.dial(c.TB, visitors[i/each], manner{})
			return err
		})
	})
	return all
}

// logins begins many sessions, several at once.
func (c *child) logins(user string, many int) []*visitor {
	c.Helper()
	all := make([]*visitor, many)
	several(c, many, func(i int) (err error) {
		all[i], err = c.enter(fmt.Sprint(user, i))
		return err
	})
	return all
}

// enter begins a session.
func (c *child) enter(user string) (v *visitor, err error) {
	err = patiently(func() error {
		v, err = c.login(user)
		return err
	})
	return v, err
}

// Five thousand take ten seconds to be opened under the race detector on two
// processors, so there are fewer by default.
func TestD60_shutdownOfManySockets(t *testing.T) {
	t.Parallel()
	const each, drain = 10, 4 * time.Second
	sockets := sized(1500, 5000)
	c := begin(t, order{Redis: redistest.Shared(t).URL, Prefix: redistest.Prefix(t), Name: "drains", Drain: drain})
	tabs := c.openAt(c.logins("user", sockets/each), each)
	began := time.Now()
	c.terminate()
	var waves lags
	for _, tb := range tabs {
		tb.wantEnd(hub.Restart)
		closed, _ := tb.times()
		waves = append(waves, closed.Sub(began))
	}
	c.wantExit()
	took := time.Since(began)
	t.Logf("%d sockets were closed after %v; the process ended after %v", sockets, waves, took.Round(time.Millisecond))
	if took > drain+slowness*100*time.Millisecond {
		t.Errorf("the shutdown took %v, want at most %v", took, drain)
	}
	if spread := waves.quantile(0.95) - waves.quantile(0.05); spread < drain/2 {
		t.Errorf("most sockets were closed within %v, want them spread", spread)
	}
}

// TestD61_rollingRestartLosesNothing restarts two nodes, one after the other, under
// clients that count and come back wherever somebody listens. What was answered was
// saved: the sum of a session is at least that, and at most what was sent.
func TestD61_rollingRestartLosesNothing(t *testing.T) {
	t.Parallel()
	const clients, drain = 40, 4 * time.Second
	redis, prefix := redistest.Shared(t).URL, redistest.Prefix(t)
	node := func(name string) *child {
		return begin(t, order{Redis: redis, Prefix: prefix, Name: name, Drain: drain})
	}
	var mu sync.Mutex
	nodes := []*child{node("a"), node("b")}
	pick := func() *child {
		mu.Lock()
		defer mu.Unlock()
		return nodes[rand.N(len(nodes))]
	}
	var (
		stop    atomic.Bool
		cuts    [2]lags // of each restart: when clients were told to come again
		number  atomic.Int64
		started [2]time.Time
		all     = make([]*counting, clients)
		talking sync.WaitGroup
	)
	number.Store(-1)
	several(t, clients, func(i int) error {
		v, err := nodes[i%2].enter(fmt.Sprint("user", i))
		all[i] = &counting{v: v}
		return err
	})
	for _, c := range all {
		talking.Go(func() {
			for !stop.Load() {
				tb, err := pick().dial(t, c.v, manner{})
				if err != nil {
					c.refused++ // as by a node that is away
					time.Sleep(rand.N(100 * time.Millisecond))
					continue
				}
				c.talk(tb, &stop)
				switch got := tb.end(); {
				case stop.Load():
				case got == hub.Restart:
					at := time.Now()
					mu.Lock()
					if k := number.Load(); k >= 0 {
						cuts[k] = append(cuts[k], at.Sub(started[k]))
					}
					mu.Unlock()
					time.Sleep(rand.N(200 * time.Millisecond)) // as the RFC asks (section 7.2.3)
				case got == hub.TryLater:
					c.refused++ // by a busy machine, as above
				default:
					t.Errorf("a socket ended with %v, want %v", got, hub.Restart)
				}
			}
		})
	}
	for k, name := range []string{"a", "b"} {
		before := total(all)
		eventually(t, "all clients count", func() bool { return total(all) > before+2*clients })
		mu.Lock()
		old := nodes[0]
		nodes = slices.Delete(nodes, 0, 1) // as a balancer does with a node that is not ready
		started[k] = time.Now()
		mu.Unlock()
		number.Store(int64(k))
		// A connection on which nothing was ever asked, as browsers open some,
		// would hold the server up: http.Server gives it five seconds.
		old.client.CloseIdleConnections()
		old.terminate()
		old.wantExit()
		fresh := node(name + " again")
		mu.Lock()
		nodes = append(nodes, fresh)
		mu.Unlock()
	}
	before := total(all)
	eventually(t, "all clients count", func() bool { return total(all) > before+2*clients })
	stop.Store(true)
	talking.Wait()

	lost, refused := 0, 0
	for i, c := range all {
		var got int64
		err := patiently(func() (err error) {
			got, err = nodes[i%2].sum(c.v)
			return err
		})
		if err != nil || got < c.answered.Load() || got > c.sent {
			t.Errorf("client %d: sum %d, %v; %d were sent and %d answered", i, got, err, c.sent, c.answered.Load())
		}
		lost += int(c.sent - c.answered.Load())
		refused += c.refused
	}
	t.Logf("%d messages answered, %d sent without an answer; %d connections refused or told to try later", total(all), lost, refused)
	for k, cut := range cuts {
		t.Logf("restart %d: told to come again after %v", k, cut)
		if len(cut) < clients/5 {
			t.Errorf("restart %d met %d clients: this proves nothing", k, len(cut))
			continue
		}
		if spread := cut.quantile(0.9) - cut.quantile(0.1); spread < drain/4 {
			t.Errorf("restart %d: the clients came again within %v, want them spread", k, spread)
		}
	}
}

// counting is a client that counts.
type counting struct {
	v        *visitor
	sent     int64
	answered atomic.Int64
	refused  int
}

// talk counts until the socket ends.
func (c *counting) talk(tb *tab, stop *atomic.Bool) {
	defer tb.drop()
	for !stop.Load() {
		c.sent++
		if _, err := tb.ask("add 1"); err != nil {
			<-tb.gone
			return
		}
		c.answered.Add(1)
		time.Sleep(60 * time.Millisecond) // within the rate
	}
}

func total(all []*counting) (n int64) {
	for _, c := range all {
		n += c.answered.Load()
	}
	return n
}
