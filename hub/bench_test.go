package hub_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/hub"
)

// quiet is a connection that does nothing but say that it was closed.
type quiet struct {
	closed    *sync.WaitGroup
	delivered int
}

func (q *quiet) Mark(hub.Reason)        {}
func (q *quiet) Close(hub.Reason)       { q.closed.Done() }
func (q *quiet) Deliver(string, []byte) { q.delivered++ }
func (q *quiet) Lose(string)            {}

// running runs a hub for a benchmark. The session "a" lives in its store.
func running(b *testing.B, broker hub.Broker) *hub.Hub {
	h := hub.New(hub.Options{Broker: broker, Heartbeat: time.Hour, Logger: slog.New(slog.DiscardHandler)})
	s := newStore()
	s.put("a", record{})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := h.Run(ctx, s); err != nil {
			b.Errorf("Run = %v", err)
		}
	})
	b.Cleanup(func() { cancel(); wg.Wait() })
	return h
}

// BenchmarkEnd measures Gate and Close of one session until all its
// connections are closed.
func BenchmarkEnd(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("connections=%d", n), func(b *testing.B) {
			h := running(b, nil)
			text := session("a")
			entries := make([]*hub.Entry, n)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				var closed sync.WaitGroup
				closed.Add(n)
				for i := range entries {
					entries[i] = h.Register("main", "a", nil, &quiet{closed: &closed})
				}
				b.StartTimer()
				if got := h.Gate(text); got != n {
					b.Fatalf("Gate = %d, want %d", got, n)
				}
				h.Close(text)
				closed.Wait()
				b.StopTimer()
				for _, e := range entries {
					e.Remove()
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "ends/s")
		})
	}
}

// direct is a broker through which the benchmark calls the hub. One heartbeat
// comes back.
type direct struct {
	*hub.MemoryBroker
	r     chan hub.Receiver
	beats chan []byte
}

func (d direct) Run(ctx context.Context, r hub.Receiver) error {
	r.Fresh()
	r.Publication("\x01direct", <-d.beats)
	d.r <- r
	<-ctx.Done()
	return nil
}

func (d direct) Publish(_ context.Context, _ string, data []byte) error {
	d.beats <- data
	return nil
}

// BenchmarkPublication measures the way from the broker to the connections.
func BenchmarkPublication(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprintf("subscribers=%d", n), func(b *testing.B) {
			d := direct{hub.NewMemoryBroker(), make(chan hub.Receiver), make(chan []byte, 10)}
			h := running(b, d)
			r := <-d.r
			if err := h.WaitFresh(context.Background()); err != nil {
				b.Fatal(err)
			}
			var closed sync.WaitGroup
			for range n {
				closed.Add(1)
				e := h.Register("main", "a", nil, &quiet{closed: &closed})
				if err := e.Admit("", 0, time.Hour, nil); err != nil {
					b.Fatal(err)
				}
				if err := e.Live(); err != nil {
					b.Fatal(err)
				}
				if err := e.Subscribe(context.Background(), "t", ""); err != nil {
					b.Fatal(err)
				}
			}
			data := []byte("hello")
			b.ReportAllocs()
			for b.Loop() {
				r.Publication("t", data)
			}
			if got := h.Stats().Delivered; got < uint64(n*b.N) {
				b.Errorf("delivered %d", got)
			}
		})
	}
}

// BenchmarkFresh measures what a message and a delivery pay for knowing.
func BenchmarkFresh(b *testing.B) {
	h := running(b, nil)
	if err := h.WaitFresh(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !h.Fresh() {
			b.Fatal("stale")
		}
	}
}
