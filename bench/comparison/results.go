package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// results are what one run of the benchmarks recorded. Durations are in
// nanoseconds.
type results struct {
	run      run
	sessions []sessionRow
	saves    []saveRow
	memory   []memoryRow
	sweeps   []sweepRow
	logouts  []logoutRow
	lookups  []lookupRow
}

// run is the row "run": what ran, where and when. There is one.
type run struct {
	Date    string // "2006-01-02"
	Go      string // version, as are Redis and the values of Modules
	Redis   string
	System  string // "linux/amd64"
	CPU     string
	CPUs    int
	Modules map[string]string // by path
}

// sessionRow is a row "sessions": what one step with one library costs over the
// bare handler.
type sessionRow struct {
	Library, Store, Step string

	Best, Q1, Median, Q3 float64
	Allocs, Bytes        float64
	Trips                float64 // to Redis
	Cookie               int     // bytes of the Cookie field
}

// onRedis reports whether sessions are in Redis.
func (s sessionRow) onRedis() bool { return s.Store == "Redis" }

// readResults reads rows, one in a line, in any order of names.
func readResults(from io.Reader) (*results, error) {
	var (
		r    results
		runs []run
	)
	lines := bufio.NewScanner(from)
	for n := 1; lines.Scan(); n++ {
		var line struct {
			Name string
			Row  json.RawMessage
		}
		err := json.Unmarshal(lines.Bytes(), &line)
		if err == nil {
			switch line.Name {
			case "run":
				err = add(&runs, line.Row)
			case "sessions":
				err = add(&r.sessions, line.Row)
			case "saves":
				err = add(&r.saves, line.Row)
			case "memory":
				err = add(&r.memory, line.Row)
			case "sweep":
				err = add(&r.sweeps, line.Row)
			case "logout":
				err = add(&r.logouts, line.Row)
			case "revalidate":
				err = add(&r.lookups, line.Row)
			default:
				err = fmt.Errorf("no table is called %q", line.Name)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(runs) != 1 {
		return nil, fmt.Errorf("%d rows say what ran, where and when, instead of 1", len(runs))
	}
	r.run = runs[0]
	for name, rows := range map[string]int{
		"sessions": len(r.sessions), "saves": len(r.saves), "memory": len(r.memory), "sweep": len(r.sweeps),
		"logout": len(r.logouts), "revalidate": len(r.lookups),
	} {
		if rows == 0 {
			return nil, fmt.Errorf("no row of %s", name)
		}
	}
	return &r, nil
}

func add[Row any](to *[]Row, text []byte) error {
	var row Row
	err := json.Unmarshal(text, &row)
	*to = append(*to, row)
	return err
}
