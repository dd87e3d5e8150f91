package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/redisstore"
)

// BenchmarkSaves is how many saves a node gets done with one Redis, which keeps
// an append-only file: each saver adds one to a counter of a session of its
// own, again and again. The client has as many connections as go-redis opens by
// itself, or one for each saver. Saves with a round trip each and saves that share round
// trips take short turns, now the ones first and now the others, so that what else the
// machine does falls upon both. What counts is the median of the ratios of all pairs of
// turns; beside it stand the bounds that hold the true median 19 times of 20.
func BenchmarkSaves(b *testing.B) {
	const (
		rounds = 31
		turn   = 150 * time.Millisecond
	)
	server := redistest.Start(b)
	control := server.Client(b)
	lines := []string{"savers\tconnections\tone trip each, saves/s\tspread\tRedis busy\tgrouped, saves/s\tspread\tRedis busy\tgrouped to one each\t95%\tspread"}
	usual := 10 * runtime.GOMAXPROCS(0) // of a client that is not told otherwise
	for _, c := range []struct{ savers, connections int }{
		{1, usual}, {8, usual}, {64, usual}, {64, 64}, {512, usual}, {512, 512},
	} {
		savers := c.savers
		b.Run(fmt.Sprintf("savers=%d/connections=%d", savers, c.connections), func(b *testing.B) {
			each := newSavers(b, server, savers, c.connections, redisstore.Options{NoGroupCommit: true})
			grouped := newSavers(b, server, savers, c.connections, redisstore.Options{})
			each.run(b, control, turn/2)
			grouped.run(b, control, turn/2)
			var e, g turns
			var ratios []float64
			for b.Loop() {
				e, g, ratios = turns{}, turns{}, nil
				for round := range rounds {
					if round%2 == 0 {
						e.add(each.run(b, control, turn))
						g.add(grouped.run(b, control, turn))
					} else {
						g.add(grouped.run(b, control, turn))
						e.add(each.run(b, control, turn))
					}
					ratios = append(ratios, g.rates[len(g.rates)-1]/e.rates[len(e.rates)-1])
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(quantile(e.rates, 0.5), "each-saves/s")
			b.ReportMetric(quantile(g.rates, 0.5), "grouped-saves/s")
			low, high := bounds(ratios)
			lines = append(lines, fmt.Sprintf("%d\t%d\t%s\t%s\t%.2f×\t%.2f to %.2f\t%s",
				savers, c.connections, e, g, quantile(ratios, 0.5), low, high, percent(ratios)))
			record("saves", map[string]any{
				"savers": savers, "connections": c.connections,
				"single": quantile(e.rates, 0.5), "single_busy": quantile(e.busy, 0.5),
				"grouped": quantile(g.rates, 0.5), "grouped_busy": quantile(g.busy, 0.5),
				"ratio": quantile(ratios, 0.5), "spread": spread(ratios),
			})
		})
	}
	table("Saves of one counter over loopback, medians of "+strconv.Itoa(rounds)+" turns", lines...)
}

// turns are the measurements of one way to save.
type turns struct{ rates, busy []float64 }

func (t *turns) add(rate, busy float64) {
	t.rates, t.busy = append(t.rates, rate), append(t.busy, busy)
}

func (t turns) String() string {
	return fmt.Sprintf("%.0f\t%s\t%.0f%%", quantile(t.rates, 0.5), percent(t.rates), 100*quantile(t.busy, 0.5))
}

// quantile returns the value that the fraction q of the values does not exceed.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// spread is the distance of the lower to the upper quartile, as a part of the
// median.
func spread(values []float64) float64 {
	return (quantile(values, 0.75) - quantile(values, 0.25)) / quantile(values, 0.5)
}

func percent(values []float64) string { return fmt.Sprintf("%.0f%%", 100*spread(values)) }

// bounds returns those between which the median of all that could be measured lies
// with a probability of 95%: how many of the values are below it is binomial,
// with a deviation of half the root of their number.
func bounds(values []float64) (low, high float64) {
	n := float64(len(values))
	off := 0.98 * math.Sqrt(n) / n // 1.96 deviations, as a part of n
	return quantile(values, 0.5-off), quantile(values, 0.5+off)
}

// savers save at once, each in a session of its own.
type savers struct {
	store *redisstore.Store
	recs  []session.Record
}

var savedFamily = &session.Family{Spaces: []session.Space{
	{Name: "main", Prefix: "main", Idle: 30 * time.Minute, Life: 8 * time.Hour},
	{Name: "chat", Prefix: "chat", Idle: 10 * time.Minute, Life: 2 * time.Hour},
}}

func newSavers(b *testing.B, server *redistest.Server, n, connections int, o redisstore.Options) *savers {
	o.Prefix = redistest.Prefix(b)
	// Patience, so that a machine with much else to do gives a result.
	store, err := redisstore.Open(fmt.Sprintf("%s?read_timeout=2s&write_timeout=2s&pool_timeout=5s&pool_size=%d", server.URL, connections), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	s := &savers{store, make([]session.Record, n)}
	for i := range s.recs {
		s.recs[i], err = store.Create(b.Context(), savedFamily, session.Create{
			ID: rand.Text(), Nonce: rand.Text(), Hash: session.Hash(strings.Repeat("0", 64)), Device: "Firefox on Linux"})
		if err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// run lets all save for d and returns how many saves there were in a second,
// and which part of it Redis' processor time was.
func (s *savers) run(b *testing.B, control *redis.Client, d time.Duration) (rate, busy float64) {
	var (
		wg    sync.WaitGroup
		count atomic.Int64
	)
	before, start := processorTime(b, control), time.Now()
	ctx, cancel := context.WithDeadline(b.Context(), start.Add(time.Minute))
	defer cancel()
	for i := range s.recs {
		wg.Go(func() {
			for rec := &s.recs[i]; time.Since(start) < d; count.Add(1) {
				next, err := s.store.Save(ctx, savedFamily, rec.ID, session.Save{
					Op: rand.Text(), Epoch: rec.Epoch, Slide: session.SlideDue,
					Deltas: map[string]session.Delta{"chat": {
						Version: rec.Space("chat").Version, Add: map[string]int64{"sent": 1},
					}},
				})
				if err != nil {
					b.Error(err)
					return
				}
				*rec = next
			}
		})
	}
	wg.Wait()
	took := time.Since(start).Seconds()
	return float64(count.Load()) / took, (processorTime(b, control) - before) / took
}

// processorTime is what Redis has used, in seconds.
func processorTime(b *testing.B, c *redis.Client) (seconds float64) {
	info, err := c.Info(b.Context(), "cpu").Result()
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_user" || name == "used_cpu_sys" {
			s, err := strconv.ParseFloat(value, 64)
			if err != nil {
				b.Fatal(err)
			}
			seconds += s
		}
	}
	return seconds
}
