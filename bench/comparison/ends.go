package main

import (
	"cmp"
	"fmt"
	"strings"
)

// logoutRow is a row "logout": how long a part of ends of so many sockets took.
type logoutRow struct {
	Sockets       int
	What          string // "bare", "stopped", "closed", "centrifuge"
	Samples       int
	P50, P99, Max float64
}

// lookupRow is a row "revalidate": how long it takes to look all sessions up, and
// what publications take when nothing happens and meanwhile.
type lookupRow struct {
	Sessions int
	P50, Max float64

	QuietP50 float64 `json:"quiet_p50"`
	QuietP99 float64 `json:"quiet_p99"`
	BusyP50  float64 `json:"busy_p50"`
	BusyP99  float64 `json:"busy_p99"`

	// Of the minute of a look-up that nothing waits for.
	CalmP99   float64 `json:"calm_p99"`
	GentleP99 float64 `json:"gentle_p99"`

	Beats    float64 // commands a second
	Commands float64 // of one look-up
}

// ends returns the tables about the ends of sessions.
func (r *results) ends() string {
	t := new(tables)
	t.text(
		fmt.Sprintf("Measured %s by `make comparison` on %d cores of %s, which two nodes, their Redis %s (with an append-only file) and all clients",
			r.run.Date, r.run.CPUs, cmp.Or(r.run.CPU, "unknown make"), r.run.Redis),
		fmt.Sprintf("share. Half of the sockets are on the node that is asked; one alone is on the other. centrifuge %s does `Disconnect` of a user in the same run.",
			strings.TrimPrefix(cmp.Or(r.run.Modules["github.com/centrifugal/centrifuge"], "unknown"), "v")),
	)
	t.head("sockets", "the other node has stopped, p50 / max", "close frames, p50 / p99 / max", "centrifuge", "p99 to centrifuge", "p50 to a bare PUBLISH and a write")
	rows := make(map[int]map[string]logoutRow)
	var sizes []int
	for _, row := range r.logouts {
		if rows[row.Sockets] == nil {
			rows[row.Sockets] = make(map[string]logoutRow)
			sizes = append(sizes, row.Sockets)
		}
		rows[row.Sockets][row.What] = row
	}
	for _, n := range sizes {
		stopped, closed, other, bare := rows[n]["stopped"], rows[n]["closed"], rows[n]["centrifuge"], rows[n]["bare"]
		t.row(count(float64(n)), millis(stopped.P50, stopped.Max), millis(closed.P50, closed.P99, closed.Max),
			millis(other.P50, other.P99, other.Max), ratio(closed.P99/other.P99), ratio(closed.P50/bare.P50))
	}
	for _, l := range r.lookups {
		t.text(
			fmt.Sprintf("To look up %s sessions with connections on one node takes %s (median; %s at most). Publications of that node take %s instead of %s at p99 (%s)",
				count(float64(l.Sessions)), millis(l.P50), millis(l.Max), millis(l.BusyP99), millis(l.QuietP99), ratio(l.BusyP99/l.QuietP99)),
			fmt.Sprintf("meanwhile, %s instead of %s at p50. That is after a gap; the look-up of every minute takes its time: %s instead of %s at p99 (%s). While nothing", millis(l.BusyP50), millis(l.QuietP50),
				millis(l.GentleP99), millis(l.CalmP99), ratio(l.GentleP99/l.CalmP99)),
			fmt.Sprintf("happens the node asks Redis %.1f command/s for heartbeats, and %s commands/s for these look-ups.", l.Beats, count(l.Commands/60)),
		)
	}
	return t.Builder.String()
}

// millis prints nanoseconds as milliseconds, with three digits that count.
func millis(all ...float64) string {
	var parts []string
	for _, ns := range all {
		switch ms := ns / 1e6; {
		case ms < 10:
			parts = append(parts, fmt.Sprintf("%.2f", ms))
		case ms < 100:
			parts = append(parts, fmt.Sprintf("%.1f", ms))
		default:
			parts = append(parts, count(ms))
		}
	}
	return strings.Join(parts, " / ") + " ms"
}
