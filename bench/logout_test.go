package bench

import (
	"bufio"
	"cmp"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/centrifugal/centrifuge"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/internal/redistest"
)

// BenchmarkLogout is a logout on one node that closes the sockets of its session
// there and on another, beside Disconnect of centrifuge. Each node is a process of its
// own, this one is the clients; what the nodes share is a real Redis. A round of one and
// of the other take turns, so that what else the machine does falls upon both.
func BenchmarkLogout(b *testing.B) {
	b.Cleanup(http.DefaultClient.CloseIdleConnections)
	server := redistest.Start(b)
	p := &pair{b: b, nodes: [2]*process{newProcess(b, server.URL), newProcess(b, server.URL)}}
	p.heard = p.nodes[1].listen()
	lines := []string{"sockets\t\tsamples\tp50\tp99\tmax\tspread of p99\tp50 to bare\tp99 to centrifuge"}
	for _, c := range []struct{ sockets, rounds int }{{1, 300}, {100, 30}, {10000, 7}} {
		b.Run(fmt.Sprintf("sockets=%d", c.sockets), func(b *testing.B) {
			var ours, theirs ending
			var least series
			p.end(c.sockets, true) // memory, stacks and connections are there from now on
			p.disconnect(c.sockets)
			p.bare()
			for b.Loop() {
				ours, theirs, least = ending{}, ending{}, nil
				for range c.rounds {
					if c.sockets == 1 {
						// To hear of the mark is as much work as the end itself.
						ours.marked = append(ours.marked, p.end(1, true).marked...)
					}
					ours.add(p.end(c.sockets, c.sockets > 1))
					theirs.add(p.disconnect(c.sockets))
					least = append(least, p.bare())
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(millisOf(ours.closed.at(0.99)), "p99-ms")
			b.ReportMetric(millisOf(ours.marked.at(0.99)), "stopped-p99-ms")
			b.ReportMetric(millisOf(theirs.closed.at(0.99)), "centrifuge-p99-ms")
			bare := least.at(0.5)
			line := func(what string, s series, spread string, last string) {
				lines = append(lines, fmt.Sprintf("%d\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s", c.sockets, what,
					len(s), millis(s.at(0.5)), millis(s.at(0.99)), millis(s.at(1)), spread, times(s.at(0.5), bare), last))
			}
			line("a PUBLISH and a write", least, "", "")
			line("logout: the other node has stopped", ours.marked, "", "")
			line("logout: close frame", ours.closed, ours.p99.spread(), times(ours.closed.at(0.99), theirs.closed.at(0.99)))
			line("logout: the last close frame", ours.last, "", times(ours.last.at(0.5), theirs.last.at(0.5)))
			line("centrifuge: close frame", theirs.closed, theirs.p99.spread(), "1.0×")
			line("centrifuge: the last close frame", theirs.last, "", "1.0×")
			for _, r := range []struct {
				what string
				s    series
			}{{"bare", least}, {"stopped", ours.marked}, {"closed", ours.closed}, {"centrifuge", theirs.closed}} {
				record("logout", map[string]any{
					"sockets": c.sockets, "what": r.what, "samples": len(r.s),
					"p50": r.s.at(0.5), "p99": r.s.at(0.99), "max": r.s.at(1),
				})
			}
		})
	}
	table("The end of all sockets of a session, half of them on the node that is asked, over Redis and loopback", lines...)
}

func millisOf(d time.Duration) float64 { return float64(d) / 1e6 }

// pair is two nodes that share a Redis.
type pair struct {
	b     *testing.B
	nodes [2]*process
	heard *bufio.Reader // from the second one, what /bare on the first publishes
	users int
}

// ending is how long the parts of logouts took, from the call on.
type ending struct {
	marked series // the last of the sockets on the other node dispatches nothing any more
	closed series // a client has its close frame: one for each socket
	last   series // the last of them has: one for each round
	p99    series // likewise
}

func (e *ending) add(more ending) {
	e.marked = append(e.marked, more.marked...)
	e.closed = append(e.closed, more.closed...)
	e.last = append(e.last, more.last...)
	e.p99 = append(e.p99, more.p99...)
}

// place returns the node of a socket: halves, and a single one on the other node
// than the one that is asked.
func (p *pair) place(i int) *process { return p.nodes[(i+1)%2] }

// open opens sockets, and returns when each has been answered: it is open on
// the other side too then.
func (p *pair) open(sockets int, path, cookie, hello string) []*peer {
	p.b.Helper()
	peers := make([]*peer, sockets)
	errs := make([]error, sockets)
	var wg sync.WaitGroup
	atOnce := make(chan struct{}, 64)
	for i := range peers {
		atOnce <- struct{}{}
		wg.Go(func() {
			defer func() { <-atOnce }()
			q, err := dialPath(p.place(i).addr, path, cookie)
			if err == nil {
				peers[i] = q
				err = q.write(textFrame, []byte(hello))
			}
			if err == nil {
				_, _, err = q.read()
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			p.b.Fatal(err)
		}
	}
	return peers
}

// ends waits for the close frames of all, while begin has them sent. Nothing keeps a
// client from seeing when its frame came: answers are written by one goroutine, at once
// but after those frames that came at the same moment, and as browsers do it, the
// clients leave it to the server to close TCP.
func (p *pair) ends(peers []*peer, want int, begin func() time.Time) ending {
	p.b.Helper()
	var wg, answers sync.WaitGroup
	at := make([]time.Time, len(peers))
	var other atomic.Int64 // sockets that ended otherwise
	var last atomic.Value  // how the last of them did
	came := make(chan *peer, len(peers))
	for i, q := range peers {
		wg.Go(func() {
			code, when, err := q.ended()
			if err != nil || int(code) != want {
				other.Add(1)
				last.Store(fmt.Sprintf("close code %d, %v", code, err))
			}
			at[i] = when
			came <- q
		})
	}
	answers.Go(func() {
		for q := range came {
			runtime.Gosched() // to those that have something to read
			q.answer(want)
			for range len(came) {
				(<-came).answer(want)
			}
		}
	})
	start := begin()
	wg.Wait()
	close(came)
	answers.Wait()
	for _, q := range peers {
		_ = q.conn.Close()
	}
	if n := other.Load(); n > 0 {
		p.b.Errorf("%d of %d sockets ended without close code %d: %v", n, len(peers), want, last.Load())
	}
	var e ending
	for _, t := range at {
		e.closed = append(e.closed, t.Sub(start))
	}
	e.last, e.p99 = series{e.closed.at(1)}, series{e.closed.at(0.99)}
	return e
}

// end logs a session out that has so many sockets. It tells when the last one of the
// other node was marked, if that is asked for.
func (p *pair) end(sockets int, mark bool) ending {
	p.b.Helper()
	_, cookie := p.nodes[0].post("/login", "")
	peers := p.open(sockets, "/ws", cookie, "ok")
	var start time.Time
	begin := func() time.Time {
		start = p.nodes[0].instant("/end", cookie)
		return start
	}
	if !mark {
		return p.ends(peers, hub.SessionEnded.Code, begin)
	}
	// A hub marks the connections of a session in the order in which they were
	// registered: this one is the last.
	ear, err := p.nodes[1].ear(cookie)
	if err != nil {
		p.b.Fatal(err)
	}
	e := p.ends(peers, hub.SessionEnded.Code, begin)
	marked, err := ear()
	if err != nil {
		p.b.Fatal(err)
	}
	e.marked = series{marked.Sub(start)}
	return e
}

// disconnect does the same with centrifuge.
func (p *pair) disconnect(sockets int) ending {
	p.b.Helper()
	p.users++
	user := fmt.Sprint("user", p.users)
	peers := p.open(sockets, "/centrifuge", "", `{"id":1,"connect":{"token":"`+user+`"}}`)
	return p.ends(peers, int(centrifuge.DisconnectForceNoReconnect.Code), func() time.Time { return p.nodes[0].instant("/disconnect?user="+user, "") })
}

// bare is how long a PUBLISH and a write take: what no logout over Redis can be
// faster than. The median of some, since it is a matter of a moment.
func (p *pair) bare() time.Duration {
	p.b.Helper()
	var took []time.Duration
	for range 9 {
		// Somebody waits for it, as for a close frame: the answer of /bare may come later.
		came := make(chan time.Time, 1)
		go func() {
			if _, err := p.heard.ReadByte(); err != nil {
				p.b.Error(err)
			}
			came <- time.Now()
		}()
		start := p.nodes[0].instant("/bare", "")
		took = append(took, (<-came).Sub(start))
	}
	slices.SortFunc(took, cmp.Compare[time.Duration])
	return took[len(took)/2]
}
