package hub_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/hubtest"
)

func TestMemoryBroker(t *testing.T) {
	hubtest.TestBroker(t, func(*testing.T) hubtest.Harness {
		b := hub.NewMemoryBroker()
		return hubtest.Harness{Node: func() hub.Broker { return b }}
	})
}

// gate is a Receiver that stops in its first publication.
type gate struct {
	open         chan struct{}
	publications int
	notices      int
}

func (g *gate) Fresh()                     {}
func (g *gate) Stale(error)                {}
func (g *gate) Notice(string)              { g.notices++ }
func (g *gate) Publication(string, []byte) { <-g.open; g.publications++ }

func TestMemoryBroker_fullQueueRefusesPublicationsButTakesNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := hub.NewMemoryBroker()
		r := &gate{open: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx, r) }()
		if err := b.Subscribe(ctx, "t"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // until Run receives
		sent := 0
		var err error
		var waited time.Duration
		for err == nil {
			begin := time.Now()
			if err = b.Publish(ctx, "t", nil); err == nil {
				sent++
			}
			waited = time.Since(begin)
		}
		if !errors.Is(err, hub.ErrBusy) || waited != time.Second {
			t.Errorf("Publish = %v after %v, want ErrBusy after 1s", err, waited)
		}
		short, stop := context.WithTimeout(ctx, time.Millisecond)
		defer stop()
		if err := b.Publish(short, "t", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Publish within a millisecond = %v", err)
		}
		for range 100_000 {
			if err := b.Notify(ctx, "n"); err != nil {
				t.Fatalf("Notify: %v", err)
			}
		}
		close(r.open)
		synctest.Wait()
		if r.publications != sent || r.notices != 100_000 {
			t.Errorf("came: %d publications, %d notices, want %d, 100000", r.publications, r.notices, sent)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}
