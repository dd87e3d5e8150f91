package redisstore_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session/sessiontest"
)

func TestStore(t *testing.T) {
	sessiontest.TestStore(t, func(t *testing.T) sessiontest.Harness {
		s, prefix := shared(t)
		return harness(t, s, redistest.Shared(t), prefix)
	})
}

// Replies are lost all the time, and the client sends again.
func TestStore_linearizableWithLostReplies(t *testing.T) {
	s, proxy, server, prefix := behindProxy(t)
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := make(chan struct{})
	defer close(stop)
	wg.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				proxy.CutOnReply(1 + rand.IntN(8))
			case <-stop:
				return
			}
		}
	})
	sessiontest.TestLinearizable(t, func(t *testing.T) sessiontest.Harness {
		return harness(t, s, server, prefix)
	}, true)
}
