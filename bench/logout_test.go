package bench

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/internal/redistest"
)

// BenchmarkLogout is a logout on one node that closes the sockets of its
// session on another. Both nodes are in this process, as are the clients; what
// they share is a real Redis.
func BenchmarkLogout(b *testing.B) {
	b.Cleanup(http.DefaultClient.CloseIdleConnections)
	server := redistest.Start(b)
	prefix := redistest.Prefix(b)
	a, other := newNode(b, server.URL, prefix), newNode(b, server.URL, prefix)

	var published series
	b.Run("publish", func(b *testing.B) {
		for b.Loop() {
			published = append(published, publications(b, server, 1000)...)
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(float64(published.at(0.5))/1e3, "p50-µs")
		b.ReportMetric(float64(published.at(0.99))/1e3, "p99-µs")
	})
	bare := published.at(0.5)
	lines := []string{
		"sockets: until\tsamples\tp50\tp99\tmax\tp50 to PUBLISH",
		fmt.Sprintf("bare PUBLISH received\t%d\t%s\t%s\t%s\t", len(published), millis(bare), millis(published.at(0.99)), millis(published.at(1))),
	}
	for _, c := range []struct{ sockets, rounds int }{{1, 300}, {100, 30}, {1000, 8}} {
		var total ending
		b.Run(fmt.Sprintf("sockets=%d", c.sockets), func(b *testing.B) {
			for b.Loop() {
				for range c.rounds {
					total.add(endOnce(b, a, other, c.sockets))
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(total.closed.at(0.5))/1e6, "p50-ms")
			b.ReportMetric(float64(total.closed.at(0.99))/1e6, "p99-ms")
			b.ReportMetric(float64(total.marked.at(0.99))/1e6, "stopped-p99-ms")
		})
		for _, s := range []struct {
			what string
			series
		}{
			{"logout answered on A", total.answered},
			{"last socket stopped on B", total.marked},
			{"close frame at a client of B", total.closed},
			{"the last of these", total.last},
		} {
			lines = append(lines, fmt.Sprintf("%d: %s\t%d\t%s\t%s\t%s\t%s", c.sockets, s.what,
				len(s.series), millis(s.at(0.5)), millis(s.at(0.99)), millis(s.at(1)), times(s.at(0.5), bare)))
		}
	}
	table("A logout on node A, from the client's request on, over Redis and loopback", lines...)
}

// ending is how long the parts of logouts took, from the request on.
type ending struct {
	answered series // the client of the logout has its answer
	marked   series // the last of the sockets dispatches nothing any more
	closed   series // a client has its close frame: one for each socket
	last     series // the last of them has
}

func (e *ending) add(more ending) {
	e.answered = append(e.answered, more.answered...)
	e.marked = append(e.marked, more.marked...)
	e.closed = append(e.closed, more.closed...)
	e.last = append(e.last, more.last...)
}

// endOnce logs in on a, opens sockets on another node, and logs out on a.
func endOnce(b *testing.B, a, other *node, sockets int) ending {
	cookie := a.post("/login", "")
	peers := make([]*peer, sockets)
	for i := range peers {
		var err error
		if peers[i], err = dial(other, cookie); err != nil {
			b.Fatal(err)
		}
		// The answer says that the socket is open on the other side too.
		if err := peers[i].write(textFrame, ok); err != nil {
			b.Fatal(err)
		}
		if _, _, err := peers[i].read(); err != nil {
			b.Fatal(err)
		}
	}
	// A hub marks the connections of a session in the order in which they
	// were registered: this one is the last.
	_, value, _ := strings.Cut(cookie, "=")
	id, _, _ := strings.Cut(value, ".")
	mark := make(ear, 1)
	entry := other.app.Hub().Register("main", id, []string{"main"}, mark)
	defer entry.Remove()

	var wg sync.WaitGroup
	ends := make([]time.Time, sockets)
	for i, p := range peers {
		wg.Go(func() {
			code, at, err := p.ended()
			if err != nil || int(code) != hub.SessionEnded.Code {
				b.Errorf("close code %d, %v", code, err)
			}
			ends[i] = at
		})
	}
	start := time.Now()
	a.post("/logout", cookie)
	e := ending{answered: series{time.Since(start)}}
	wg.Wait()
	e.marked = series{(<-mark).Sub(start)}
	for _, at := range ends {
		e.closed = append(e.closed, at.Sub(start))
	}
	e.last = series{e.closed.at(1)}
	return e
}

// ear is a connection that only tells when it was marked.
type ear chan time.Time

func (e ear) Mark(hub.Reason)        { e <- time.Now() }
func (e ear) Close(hub.Reason)       {}
func (e ear) Deliver(string, []byte) {}
func (e ear) Lose(string)            {}

// publications is how long a bare PUBLISH takes to a subscriber on another
// connection: what no logout over Redis can be faster than.
func publications(b *testing.B, server *redistest.Server, count int) (took series) {
	ctx := b.Context()
	from, to := server.Client(b), server.Client(b)
	sub := to.Subscribe(ctx, "bench:publish")
	defer sub.Close()
	for _, err := sub.Receive(ctx); err != nil; {
		b.Fatal(err)
	}
	arrived := make(chan time.Time)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for range count {
			m, err := sub.Receive(ctx)
			if _, ok := m.(*redis.Message); !ok {
				b.Errorf("received %v, %v", m, err)
			}
			arrived <- time.Now()
		}
	})
	for range count {
		start := time.Now()
		if err := from.Publish(ctx, "bench:publish", "x").Err(); err != nil {
			b.Fatal(err)
		}
		took = append(took, (<-arrived).Sub(start))
	}
	return took
}
