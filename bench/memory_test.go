package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
)

// crowd is many sessions of five values in one memory store, each with a user.
type crowd struct {
	b        *testing.B
	store    *memstore.Store
	family   *session.Family
	ids      []string
	versions []uint64 // of each session's values, as its program knows it
}

// crowdHash is that of every session's secret. The store keeps a copy for each.
const crowdHash = "q1Kk0B8hTt3cXyWkqOqzG3l2bWn9u0m4r5s6t7v8w9x"

// newCrowd returns sessions that are not in the store yet.
func newCrowd(b *testing.B, store *memstore.Store, sessions int) *crowd {
	c := &crowd{
		b:     b,
		store: store,
		family: &session.Family{Spaces: []session.Space{
			{Name: "main", Prefix: "main", Idle: 30 * time.Minute, Life: 8 * time.Hour},
			{Name: "chat", Prefix: "chat"},
		}},
		ids:      make([]string, sessions),
		versions: make([]uint64, sessions),
	}
	for i := range c.ids {
		c.ids[i] = rand.Text()[:22]
	}
	return c
}

// fill creates the sessions.
func (c *crowd) fill(x session.Expiry) {
	for i, id := range c.ids {
		rec, err := c.store.Create(c.b.Context(), c.family, session.Create{
			ID: id, Nonce: id, Hash: crowdHash, Expiry: x,
			User: "user-" + strconv.Itoa(i), Device: "Firefox on Linux", Address: "203.0.113.0/24",
			Deltas: map[string]session.Delta{"main": {Set: map[string]string{
				"name": `"ada"`, "email": `"ada@example.org"`, "theme": `"dark"`, "since": `1735689600`, "admin": `true`,
			}}},
		})
		if err != nil {
			c.b.Fatal(err)
		}
		c.versions[i] = rec.Space("main").Version
	}
}

// load times the load of any session, with an id that was just read from a
// cookie.
func (c *crowd) load() time.Duration {
	id := strings.Clone(c.ids[mathrand.IntN(len(c.ids))])
	load := session.Load{Hash: crowdHash, Slide: session.SlideDue}
	start := time.Now()
	_, err := c.store.Load(c.b.Context(), c.family, id, load)
	took := time.Since(start)
	if err != nil {
		c.b.Fatal(err)
	}
	return took
}

// save times the save of one value of any session.
func (c *crowd) save() time.Duration {
	i := mathrand.IntN(len(c.ids))
	id := strings.Clone(c.ids[i])
	save := session.Save{Op: rand.Text(), Epoch: 1, Slide: session.SlideDue, Deltas: map[string]session.Delta{
		"main": {Version: c.versions[i], Set: map[string]string{"theme": `"light"`}},
	}}
	start := time.Now()
	_, err := c.store.Save(c.b.Context(), c.family, id, save)
	took := time.Since(start)
	if err != nil {
		c.b.Fatal(err)
	}
	c.versions[i]++
	return took
}

// bare times what no store in memory can do without: to find any of as many
// records in a map, and to read one field. It is the machine's, not ours.
func (c *crowd) bare(samples int) series {
	type record [40]int64
	all := make(map[string]*record, len(c.ids))
	for i, id := range c.ids {
		all[id] = &record{int64(i)}
	}
	var (
		times series
		sum   int64
	)
	for range samples {
		id := strings.Clone(c.ids[mathrand.IntN(len(c.ids))])
		start := time.Now()
		sum += all[id][0]
		times = append(times, time.Since(start))
	}
	if sum < 0 {
		c.b.Fatal("a sum of places below 0")
	}
	return times
}

// heap returns how many bytes live on the heap.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // the first may have finished what another had begun
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkMemory is what the memory store takes, by the number of its
// sessions: memory, and the time of an operation on any of them, that of
// reading the clock (0.03 to 0.06 µs) included. "Bare map" is a look-up among as
// many records, and "to bare" how many of these an operation takes: what of
// it is waiting for memory cannot be less than one.
func BenchmarkMemory(b *testing.B) {
	const samples = 100_000
	lines := []string{"sessions\tbytes of each\tbare map\tload: median\tp99\tto bare\tsave: median\tp99\tto bare"}
	var filled time.Duration
	for _, sessions := range []int{1_000, 100_000, 1_000_000} {
		crowd := newCrowd(b, new(memstore.Store), sessions)
		before := heap()
		start := time.Now()
		crowd.fill(session.Expiry{})
		filled = time.Since(start)
		bytes := float64(heap()-before) / float64(sessions)
		bare := crowd.bare(samples)
		var loads, saves series
		for range samples {
			loads = append(loads, crowd.load())
		}
		for range samples {
			saves = append(saves, crowd.save())
		}
		ratio := func(s series) float64 { return float64(s.at(0.5)) / float64(bare.at(0.5)) }
		lines = append(lines, fmt.Sprintf("%d\t%.0f\t%s\t%s\t%s\t%.1f×\t%s\t%s\t%.1f×", sessions, bytes, micros(bare.at(0.5)),
			micros(loads.at(0.5)), micros(loads.at(0.99)), ratio(loads), micros(saves.at(0.5)), micros(saves.at(0.99)), ratio(saves)))
		record("memory", map[string]any{
			"sessions": sessions, "bytes": bytes, "bare": bare.at(0.5),
			"load": loads.at(0.5), "load_p99": loads.at(0.99), "save": saves.at(0.5), "save_p99": saves.at(0.99),
		})
	}
	table("The memory store, sessions of 5 values", lines...)
	sweepTable(b, time.Now().Add(2*filled))
}

// sweepSteps is a context that notes when it is asked whether to go on.
type sweepSteps struct {
	context.Context
	last  time.Time
	times series // between two questions
}

func (s *sweepSteps) Err() error {
	now := time.Now()
	if !s.last.IsZero() {
		s.times = append(s.times, now.Sub(s.last))
	}
	s.last = now
	return s.Context.Err()
}

// sweepTable saves while a sweep frees a million sessions, which are created
// before the time at which they all expire.
func sweepTable(b *testing.B, end time.Time) {
	const sessions = 1_000_000
	store := new(memstore.Store)
	newCrowd(b, store, sessions).fill(session.Expiry{End: end})
	living := newCrowd(b, store, 1_000)
	living.fill(session.Expiry{})

	sweep := &sweepSteps{Context: b.Context()}
	var (
		freed int
		took  time.Duration
		saves series
	)
	done := make(chan error, 1)
	<-time.After(time.Until(end))
	runtime.GC() // what the filling left is not the sweep's
	go func() {
		start := time.Now()
		var err error
		freed, err = store.ClearExpired(sweep)
		took = time.Since(start)
		done <- err
	}()
	for {
		select {
		case err := <-done:
			if err != nil {
				b.Fatal(err)
			}
			record("sweep", map[string]any{
				"sessions": freed, "save": saves.at(0.5), "save_p99": saves.at(0.99), "longest": sweep.times.at(1),
			})
			table("Saves while expired sessions are freed",
				"freed\tin\tsteps\tmedian\tp99\tlongest\tsaves\tmedian\tp99\tlongest",
				fmt.Sprintf("%d\t%s\t%d\t%s\t%s\t%s\t%d\t%s\t%s\t%s", freed, millis(took),
					len(sweep.times), micros(sweep.times.at(0.5)), micros(sweep.times.at(0.99)), micros(sweep.times.at(1)),
					len(saves), micros(saves.at(0.5)), micros(saves.at(0.99)), micros(saves.at(1))))
			return
		default:
			saves = append(saves, living.save())
		}
	}
}
