package bench

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// series are measurements of one thing.
type series []time.Duration

// at returns the value that the fraction q of the series does not exceed: 0 is
// the best, 0.5 the median, 1 the worst.
func (s series) at(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// spread is how far the series lies around its median: the distance of its
// lower to its upper quartile, in percent.
func (s series) spread() string {
	return fmt.Sprintf("%.0f%%", 100*float64(s.at(0.75)-s.at(0.25))/float64(max(s.at(0.5), 1)))
}

// trial is a function to be measured.
type trial struct {
	call    func()
	prepare func(calls int) // makes what so many calls use up, not measured; may be nil
}

// ready prepares so many calls.
func (t trial) ready(calls int) {
	if t.prepare != nil {
		t.prepare(calls)
	}
}

// cost is what one call of a function takes, as the rounds of [measure] saw it.
type cost struct {
	time          series  // per call, one of each round
	allocs, bytes float64 // per call, in the last round
}

// over returns what c costs more than base does, each round by itself.
func (c cost) over(base cost) cost {
	more := cost{allocs: c.allocs - base.allocs, bytes: c.bytes - base.bytes}
	for i, took := range c.time {
		more.time = append(more.time, took-base.time[i])
	}
	return more
}

// measure calls functions alternately, a batch of each in each round, so that
// what else the machine does falls upon all of them.
func measure(rounds int, batch time.Duration, trials []trial) []cost {
	costs := make([]cost, len(trials))
	calls := make([]int, len(trials))
	for i, t := range trials {
		calls[i] = callsIn(batch, t)
	}
	for range rounds {
		for i, t := range trials {
			t.ready(calls[i])
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			for range calls[i] {
				t.call()
			}
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			n := float64(calls[i])
			costs[i].time = append(costs[i].time, took/time.Duration(calls[i]))
			costs[i].allocs = float64(after.Mallocs-before.Mallocs) / n
			costs[i].bytes = float64(after.TotalAlloc-before.TotalAlloc) / n
		}
	}
	return costs
}

// callsIn returns how many calls take about so long. It also warms up.
func callsIn(batch time.Duration, t trial) int {
	for n := 1; ; n *= 2 {
		t.ready(n)
		start := time.Now()
		for range n {
			t.call()
		}
		if took := time.Since(start); took > batch/4 {
			return max(1, int(float64(n)*float64(batch)/float64(took)))
		}
	}
}

// table prints lines of cells that are separated by tabs, below a title.
func table(title string, lines ...string) {
	fmt.Printf("\n%s (%s, %d CPUs)\n", title, runtime.Version(), runtime.GOMAXPROCS(0))
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, line := range lines {
		fmt.Fprintln(w, strings.ReplaceAll(line, "\t", "\t ")+"\t")
	}
	_ = w.Flush() // to a terminal or a pipe
	fmt.Println()
}

// micros prints a duration in microseconds, as tables compare best. One below
// the noise may come out negative.
func micros(d time.Duration) string { return fmt.Sprintf("%.2f µs", float64(max(d, 0))/1e3) }

// millis prints a duration in milliseconds.
func millis(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/1e6) }

// times prints how many times b is in a.
func times(a, b time.Duration) string {
	return fmt.Sprintf("%.1f×", float64(max(a, 0))/float64(max(b, 1)))
}
