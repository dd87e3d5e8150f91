package bench

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/redisbroker"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/redisstore"
)

// BenchmarkRevalidate is a node with a hundred thousand sessions that looks all of
// them up: after its subscription was cut, and how long publications take meanwhile.
// And what the node asks Redis while nothing happens.
func BenchmarkRevalidate(b *testing.B) {
	const (
		sessions = 100_000
		cuts     = 25
		minutes  = 2
	)
	w := newWatch(b, sessions)
	beats := w.commands(func() { time.Sleep(10 * time.Second) }) / 10
	var took, quiet, busy series
	for b.Loop() {
		took, quiet, busy = nil, nil, nil
		for range cuts {
			// In turn, so that what else the machine does falls upon both.
			quiet = append(quiet, from(w.publish(500*time.Millisecond, nil), time.Time{})...)
			w.cut()
			all := w.publish(time.Minute, w.fresh)
			over := time.Now()
			took = append(took, <-w.took)
			// Not those of before: after a cut the node first pauses and dials.
			busy = append(busy, from(all, over.Add(-took[len(took)-1]))...)
			time.Sleep(200 * time.Millisecond)
		}
	}
	// Nothing waits for those, so they take their time.
	var calm, gentle series
	for range minutes {
		without, meanwhile := w.minutely()
		calm, gentle = append(calm, without...), append(gentle, meanwhile...)
	}
	began := time.Now()
	once := w.commands(w.look)
	once -= beats * time.Since(began).Seconds()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(millisOf(took.at(0.5)), "p50-ms")
	b.ReportMetric(millisOf(took.at(1)), "max-ms")
	table(fmt.Sprintf("%d sessions with connections on one node, over loopback", sessions),
		"\tsamples\tp50\tp99\tmax\tp99 to quiet",
		fmt.Sprintf("all looked up\t%d\t%s\t%s\t%s\t", len(took), millis(took.at(0.5)), millis(took.at(0.99)), millis(took.at(1))),
		fmt.Sprintf("a publication, quiet\t%d\t%s\t%s\t%s\t1.0×", len(quiet), millis(quiet.at(0.5)), millis(quiet.at(0.99)), millis(quiet.at(1))),
		fmt.Sprintf("a publication meanwhile\t%d\t%s\t%s\t%s\t%s", len(busy), millis(busy.at(0.5)), millis(busy.at(0.99)), millis(busy.at(1)), times(busy.at(0.99), quiet.at(0.99))),
		fmt.Sprintf("a publication of that minute\t%d\t%s\t%s\t%s\t1.0×", len(calm), millis(calm.at(0.5)), millis(calm.at(0.99)), millis(calm.at(1))),
		fmt.Sprintf("meanwhile, every minute\t%d\t%s\t%s\t%s\t%s", len(gentle), millis(gentle.at(0.5)), millis(gentle.at(0.99)), millis(gentle.at(1)), times(gentle.at(0.99), calm.at(0.99))),
	)
	table("What one node asks Redis while nothing happens",
		"\tcommands/s",
		fmt.Sprintf("heartbeats\t%.1f", beats),
		fmt.Sprintf("looking up %d sessions every 60 s\t%.0f (%.0f commands, two for each 50 sessions)", sessions, once/60, once),
	)
	record("revalidate", map[string]any{
		"sessions": sessions, "p50": took.at(0.5), "max": took.at(1),
		"quiet_p50": quiet.at(0.5), "quiet_p99": quiet.at(0.99), "busy_p50": busy.at(0.5), "busy_p99": busy.at(0.99),
		"calm_p50": calm.at(0.5), "calm_p99": calm.at(0.99), "gentle_p50": gentle.at(0.5), "gentle_p99": gentle.at(0.99),
		"beats": beats, "commands": once,
	})
}

// watch is a hub with many sessions, and what it says of its revalidations.
type watch struct {
	b       *testing.B
	server  *redistest.Server
	control *redis.Client
	hub     *hub.Hub
	fresh   chan struct{}      // after a gap
	took    chan time.Duration // to look everything up, after each
}

func newWatch(b *testing.B, sessions int) *watch {
	w := &watch{b: b, server: redistest.Start(b), fresh: make(chan struct{}, 1), took: make(chan time.Duration, 1)}
	w.control = w.server.Client(b)
	store, err := redisstore.Open(w.server.URL, redisstore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	registry, err := prefixes.NewRegistry(prefixes.Parse("main"))
	if err != nil {
		b.Fatal(err)
	}
	log := slog.New(freshness{slog.DiscardHandler, w})
	w.hub = hub.New(hub.Options{
		Broker: redisbroker.New(store.Client(), redisbroker.Options{Logger: log}),
		Logger: log,
	})
	m := session.New(registry, store, session.Options{Ends: w.hub, Logger: log})
	w.fill(store, m, sessions)
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- w.hub.Run(ctx, m) }()
	b.Cleanup(func() {
		stop()
		if err := <-ran; err != nil {
			b.Errorf("Run: %v", err)
		}
	})
	<-w.fresh
	<-w.took
	return w
}

// fill makes sessions, each with a connection.
func (w *watch) fill(store session.Store, m *session.Manager, sessions int) {
	f := &session.Family{Spaces: []session.Space{{Name: "main", Prefix: "main", Idle: 30 * time.Minute, Life: 8 * time.Hour}}}
	ids := make(chan int)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for i := range ids {
				rec, err := store.Create(w.b.Context(), f, session.Create{
					ID: fmt.Sprintf("session-%013d", i), Nonce: strconv.Itoa(i), Hash: crowdHash,
				})
				if err != nil {
					w.b.Error(err)
					continue
				}
				e := w.hub.Register("main", rec.ID, []string{"main"}, silent{})
				if err := e.Admit("", rec.Epoch, rec.Left, nil); err != nil {
					w.b.Error(err)
				}
				_ = e.Live()
			}
		})
	}
	for i := range sessions {
		ids <- i
	}
	close(ids)
	wg.Wait()
	if n := w.hub.Stats().Sessions; n != sessions {
		w.b.Fatalf("%d sessions, want %d", n, sessions)
	}
}

// silent is a connection of which nothing is asked.
type silent struct{}

func (silent) Mark(hub.Reason)        {}
func (silent) Close(hub.Reason)       {}
func (silent) Deliver(string, []byte) {}
func (silent) Lose(string)            {}

// cut ends the subscription.
func (w *watch) cut() {
	w.b.Helper()
	if err := w.control.ClientKillByFilter(w.b.Context(), "TYPE", "pubsub").Err(); err != nil {
		w.b.Fatal(err)
	}
}

// publication is when one began, and how long it took.
type publication struct {
	at   time.Time
	took time.Duration
}

// publish publishes every 2 ms until so much time has passed or stop comes. One that
// waits for a slow one is timed from when it was due: it is slow too.
func (w *watch) publish(d time.Duration, stop <-chan struct{}) (all []publication) {
	w.b.Helper()
	over := time.After(d)
	for due := time.Now(); ; due = due.Add(2 * time.Millisecond) {
		late := time.Since(due)
		select {
		case <-stop:
			return all
		case <-over:
			return all
		case <-time.After(-late):
			start := due
			if late <= 0 { // how late the timer is, is nothing of publications
				start = time.Now()
			}
			if err := w.hub.Publish(w.b.Context(), "lobby", []byte("hello")); err != nil {
				w.b.Fatal(err)
			}
			all = append(all, publication{start, time.Since(start)})
		}
	}
}

// minutely waits for the look-up of the minute, and returns how long publications took
// in it and before.
func (w *watch) minutely() (without, meanwhile series) {
	w.b.Helper()
	const spread = 3 * time.Second // a twentieth of a minute, and what it takes itself
	looked := make(chan struct{})
	go func() {
		w.look()
		close(looked)
	}()
	all := w.publish(2*time.Minute, looked)
	<-looked
	begun := time.Now().Add(-spread)
	i, _ := slices.BinarySearchFunc(all, begun, func(p publication, t time.Time) int { return p.at.Compare(t) })
	return from(all[:max(0, i-500)], time.Time{}), from(all[i:], begun)
}

// look waits until the next look-up is over.
func (w *watch) look() {
	for before := w.hub.Stats().Revalidations; w.hub.Stats().Revalidations == before; {
		time.Sleep(5 * time.Millisecond)
	}
}

// from returns how long those took that did not begin before start.
func from(all []publication, start time.Time) (took series) {
	for _, p := range all {
		if !p.at.Before(start) {
			took = append(took, p.took)
		}
	}
	return took
}

// commands returns how many commands Redis carried out meanwhile.
func (w *watch) commands(during func()) float64 {
	w.b.Helper()
	count := func() float64 {
		info, err := w.control.Info(w.b.Context(), "stats").Result()
		if err != nil {
			w.b.Fatal(err)
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(field(info, "total_commands_processed:")), 64)
		if err != nil {
			w.b.Fatal(err)
		}
		return n
	}
	before := count()
	during()
	return count() - before - 1
}

// freshness tells the watch what the hub logs.
type freshness struct {
	slog.Handler
	w *watch
}

func (f freshness) Enabled(context.Context, slog.Level) bool { return true }

func (f freshness) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "fresh" {
		return nil
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "took" {
			f.w.took <- a.Value.Duration()
		}
		return true
	})
	f.w.fresh <- struct{}{}
	return nil
}

func (f freshness) WithAttrs([]slog.Attr) slog.Handler { return f }
func (f freshness) WithGroup(string) slog.Handler      { return f }
