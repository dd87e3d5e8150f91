package bench

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/internal/redistest"
)

// BenchmarkTrips is what requests and messages cost when sessions live in
// Redis: round trips, counted, and time, as a client on loopback sees it.
func BenchmarkTrips(b *testing.B) {
	b.Cleanup(http.DefaultClient.CloseIdleConnections)
	server := redistest.Start(b)
	n := newNode(b, server.URL, redistest.Prefix(b))
	trips := redistest.RecordTrips(n.app.Redis())

	stay := func(cookie string) func() string { return func() string { return cookie } }
	fresh := func() string { return "" }
	anonymous := func() string { return n.post("/modify", "") }
	in := func() string { return n.post("/login", anonymous()) }
	ada := n.post("/login", anonymous())
	ws, err := dial(n, ada)
	if err != nil {
		b.Fatal(err)
	}
	defer ws.conn.Close()
	post := func(path string) func(string) {
		return func(cookie string) { n.post(path, cookie) }
	}
	say := func(text string) func(string) {
		return func(string) {
			err := ws.write(textFrame, []byte(text))
			if err == nil {
				_, _, err = ws.read()
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	redis := server.Client(b)
	type row struct {
		name  string
		trips int
		series
	}
	var (
		rows []row
		ping series
	)
	for _, c := range []struct {
		name    string
		visitor func() string // returns a cookie
		act     func(cookie string)
	}{
		{"request/untouched", stay(ada), post("/untouched")},
		{"request/read", stay(ada), post("/read")},
		{"request/modify", stay(ada), post("/modify")},
		{"message/untouched", stay(ada), say("untouched")},
		{"message/read", stay(ada), say("read")},
		{"message/modify", stay(ada), say("modify")},
		{"login/new", fresh, post("/login")},
		{"login/anonymous", anonymous, post("/login")},
		{"logout", in, post("/logout")},
	} {
		c.act(c.visitor()) // Redis learns the scripts
		cookie := c.visitor()
		trips.Take()
		c.act(cookie)
		count := len(trips.Take())
		var took series
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				ping = append(ping, timed(20, fresh, func(string) { redis.Ping(b.Context()) })...)
				took = append(took, timed(100, c.visitor, c.act)...)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(count), "trips")
			b.ReportMetric(float64(took.at(0.5))/1e3, "p50-µs")
		})
		rows = append(rows, row{c.name, count, took})
	}
	lines := []string{"\ttrips\tp50\tp99\tp50 to PING"}
	for _, r := range append([]row{{"bare PING", 1, ping}}, rows...) {
		lines = append(lines, fmt.Sprintf("%s\t%d\t%s\t%s\t%s", r.name, r.trips,
			millis(r.at(0.5)), millis(r.at(0.99)), times(r.at(0.5), ping.at(0.5))))
	}
	table("Round trips to Redis, and time over loopback; two namespaces each", lines...)
}

// timed measures an act that each time has another visitor, who is not measured.
func timed(count int, visitor func() string, act func(string)) (took series) {
	for range count {
		cookie := visitor()
		start := time.Now()
		act(cookie)
		took = append(took, time.Since(start))
	}
	return took
}
