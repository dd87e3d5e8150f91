package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// tables is Markdown as it grows, by blocks that begin with an empty line.
type tables struct{ strings.Builder }

func (t *tables) title(text string) { fmt.Fprintf(t, "\n### %s\n", text) }

// text is a paragraph.
func (t *tables) text(lines ...string) { fmt.Fprintf(t, "\n%s\n", strings.Join(lines, "\n")) }

// row is a line of a table.
func (t *tables) row(cells ...string) {
	fmt.Fprintln(t, "| "+strings.Join(cells, " | ")+" |")
}

// head begins a table. Its columns are of numbers, but for the first.
func (t *tables) head(cells ...string) {
	fmt.Fprintln(t)
	t.row(cells...)
	fmt.Fprintln(t, "|---"+strings.Repeat("|--:", len(cells)-1)+"|")
}

// String returns the tables of r.
func (r *results) String() string {
	t := new(tables)
	t.origin(r.run)
	t.sessions("A request with its session, no Redis", r.sessions, false)
	t.sessions("A request with its session in Redis", r.sessions, true)
	t.cookies(r.sessions)
	t.saves(r.saves)
	t.memory(r.memory, r.sweeps)
	return t.Builder.String()
}

// origin says what was measured, where and when.
func (t *tables) origin(r run) {
	version := func(path string) string { return strings.TrimPrefix(cmp.Or(r.Modules[path], "unknown"), "v") }
	t.text(
		fmt.Sprintf("Measured %s by `make comparison` on %d cores of %s (%s), all on one machine over loopback: Go %s, Redis %s with an",
			r.Date, r.CPUs, cmp.Or(r.CPU, "unknown make"), r.System, r.Go, r.Redis),
		fmt.Sprintf("append-only file, scs %s (goredisstore %s), gorilla/sessions %s (securecookie %s, boj/redistore %s),",
			version("github.com/alexedwards/scs/v2"), version("github.com/alexedwards/scs/goredisstore"), version("github.com/gorilla/sessions"),
			version("github.com/gorilla/securecookie"), version("github.com/boj/redistore")),
		fmt.Sprintf("go-redis %s, redigo %s.", version("github.com/redis/go-redis/v9"), version("github.com/gomodule/redigo")),
	)
}

// sessions is what requests cost, by step and then by library.
func (t *tables) sessions(title string, rows []sessionRow, onRedis bool) {
	t.title(title)
	cells := []string{"", "", "best", "median", "quartiles", "allocations", "bytes"}
	if onRedis {
		cells = append(cells, "round trips")
	}
	t.text("Over the bare handler, for a session of 5 values. The last column compares medians.")
	t.head(append(cells, "to sessionhub")...)
	var steps []string
	for _, r := range rows {
		if !slices.Contains(steps, r.Step) {
			steps = append(steps, r.Step)
		}
	}
	for _, step := range steps {
		var ours sessionRow
		label := "**" + step + "**"
		for _, r := range rows {
			if r.Step != step || r.onRedis() != onRedis {
				continue
			}
			if r.Library == "sessionhub" {
				ours = r
			}
			name := r.Library
			if !onRedis {
				name += ", " + r.Store
			}
			cells := []string{label, name, micros(r.Best), micros(r.Median), strings.TrimSuffix(micros(r.Q1), " µs") + " to " + micros(r.Q3), count(r.Allocs), count(r.Bytes)}
			if onRedis {
				cells = append(cells, strconv.FormatFloat(r.Trips, 'g', 3, 64))
			}
			t.row(append(cells, ratio(r.Median/ours.Median))...)
			label = ""
		}
	}
}

// cookies says how long cookies are.
func (t *tables) cookies(rows []sessionRow) {
	var (
		parts []string
		seen  = make(map[string]bool)
	)
	for _, r := range rows {
		name := r.Library + ", " + r.Store
		if !seen[name] {
			seen[name] = true
			parts = append(parts, fmt.Sprintf("%d (%s)", r.Cookie, name))
		}
	}
	t.text("With each request, a browser that logged in sends a cookie of so many bytes:", strings.Join(parts, "; ")+".")
}

// micros prints nanoseconds as microseconds, with three digits that count. What
// is below the noise of an empty handler is 0.
func micros(ns float64) string {
	switch us := ns / 1e3; {
	case us < 0.05:
		return "0 µs"
	case us < 10:
		return fmt.Sprintf("%.2f µs", us)
	case us < 100:
		return fmt.Sprintf("%.1f µs", us)
	case us < 10_000:
		return count(us) + " µs"
	default:
		return fmt.Sprintf("%.1f ms", us/1e3)
	}
}

// ratio prints how many times something is something else.
func ratio(r float64) string {
	if math.IsNaN(r) || math.IsInf(r, 0) {
		return ""
	}
	if r < 10 {
		return fmt.Sprintf("%.1f×", max(r, 0))
	}
	return count(r) + "×"
}

// percent prints a part of 1.
func percent(p float64) string { return fmt.Sprintf("%.0f%%", 100*p) }

// count prints a number without its fraction, and with commas.
func count(n float64) string {
	digits := strconv.FormatFloat(math.Round(max(n, 0)), 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
