package bench

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session/memstore"
)

var ok = []byte("ok")

// bare is the handler without sessions.
var bare = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(ok) })

// steps are what a request does to its session.
var steps = []string{"untouched", "read", "modify", "login", "logout"}

// step returns the trial of one step. A visitor without a session logs in with
// five values, and one who logged in so logs out: each call has another one.
func (l *library) step(b testing.TB, step string) trial {
	fill, login, logout := l.handler(b, l.fill), l.handler(b, l.login), l.handler(b, l.logout)
	stay := func(act action) trial {
		v, h := newVisitor("ada"), l.handler(b, act)
		v.visit(fill)
		return trial{call: func() { v.visit(h) }}
	}
	change := func(before func(*visitor), h http.Handler, after func(*visitor)) trial {
		var (
			visitors []*visitor
			next     int
		)
		return trial{
			call: func() { visitors[next].visit(h); next++ },
			prepare: func(calls int) {
				for _, v := range visitors[:next] {
					after(v) // so that stores keep no more sessions than there are visitors
				}
				for len(visitors) < calls {
					visitors = append(visitors, newVisitor(fmt.Sprint("user-", len(visitors))))
				}
				next = 0
				for _, v := range visitors[:calls] {
					v.forget()
					before(v)
				}
			},
		}
	}
	switch step {
	case "untouched":
		return stay(nothing)
	case "read":
		return stay(l.check("name", "ada"))
	case "modify":
		return stay(l.set("theme", "light"))
	case "login":
		return change(func(v *visitor) { v.visit(fill) }, login, func(v *visitor) { v.visit(logout) })
	default:
		return change(func(v *visitor) { v.visit(fill); v.visit(login) }, logout, func(*visitor) {})
	}
}

// trips counts the round trips to Redis of one call.
func (l *library) trips(t trial) float64 {
	if l.wire == nil {
		return 0
	}
	const calls = 20
	t.ready(calls)
	before := l.wire.trips.Load()
	for range calls {
		t.call()
	}
	return float64(l.wire.trips.Load()-before) / calls
}

// cookieBytes is how long the Cookie field of a visitor is who logged in.
func (l *library) cookieBytes(b testing.TB) int {
	v := newVisitor("ada")
	v.visit(l.handler(b, l.fill))
	v.visit(l.handler(b, l.login))
	return len(v.cookie[0])
}

// libraries are those that the benchmarks of sessions compare. The first is
// ours.
func libraries(b testing.TB, server *redistest.Server) []*library {
	inMemory, _ := withSCS(b)
	onRedis, _ := withSCSOnRedis(b, server)
	return []*library{
		ours(b, "memory", new(memstore.Store)),
		inMemory,
		withSCSAndJSON(b),
		withGorillaCookies(),
		oursOnRedis(b, server),
		onRedis,
		withGorillaOnRedis(b, server),
	}
}

// BenchmarkSessions is what a request with a session of five values costs, with
// the bare handler in it. One case alone is for profiles.
func BenchmarkSessions(b *testing.B) {
	for _, l := range libraries(b, redistest.Start(b)) {
		for _, step := range steps {
			b.Run(l.store+"/"+l.name+"/"+step, func(b *testing.B) {
				t, left := l.step(b, step), 0
				b.ReportAllocs()
				for b.Loop() {
					if left == 0 {
						b.StopTimer()
						left = 100
						t.ready(left)
						b.StartTimer()
					}
					t.call()
					left--
				}
			})
		}
	}
}

// BenchmarkSessionRatios measures the same in turns, over the bare handler,
// and prints a table.
func BenchmarkSessionRatios(b *testing.B) {
	server := redistest.Start(b)
	recordRun(b, server)
	v := newVisitor("ada")
	trials := []trial{{call: func() { v.visit(bare) }}}
	libs := libraries(b, server)
	for _, l := range libs {
		for _, step := range steps {
			trials = append(trials, l.step(b, step))
		}
	}
	costs := measure(51, 5*time.Millisecond, trials)

	lines := []string{
		"over the bare handler\tbest\tmedian\tquartiles apart\tspread with it\tallocs\tbytes\ttrips\tto ours",
		fmt.Sprintf("bare\t%s\t%s\t\t%s\t%.0f\t%.0f\t\t", micros(costs[0].time.at(0)), micros(costs[0].time.at(0.5)), costs[0].time.spread(), costs[0].allocs, costs[0].bytes),
	}
	first := make(map[string]cost) // ours, with the same kind of store
	for i, l := range libs {
		cookie := l.cookieBytes(b)
		for j, step := range steps {
			n := 1 + i*len(steps) + j
			c, trips := costs[n].over(costs[0]), l.trips(trials[n])
			key := fmt.Sprint(l.wire != nil, step)
			if l.name == "sessionhub" {
				first[key] = c
			}
			lines = append(lines, fmt.Sprintf("%s %s\t%s\t%s\t%s\t%s\t%.0f\t%.0f\t%.3g\t%s", l, step,
				micros(c.time.at(0)), micros(c.time.at(0.5)), micros(c.time.at(0.75)-c.time.at(0.25)),
				costs[n].time.spread(), c.allocs, c.bytes, trips, times(c.time.at(0.5), first[key].time.at(0.5))))
			record("sessions", map[string]any{
				"library": l.name, "store": l.store, "step": step,
				"best": c.time.at(0), "q1": c.time.at(0.25), "median": c.time.at(0.5), "q3": c.time.at(0.75),
				"allocs": c.allocs, "bytes": c.bytes, "trips": trips, "cookie": cookie,
			})
		}
	}
	table("A request with a session of 5 values", lines...)
}
