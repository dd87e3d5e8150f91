package faults_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
)

// TestD62_churnLeavesNothing logs in, connects and logs out, two hundred times a
// second if the machine can, in a process of its own, and compares what that has
// before and after. -full takes three minutes of it, after five and a half.
func TestD62_churnLeavesNothing(t *testing.T) {
	t.Parallel()
	const perSecond, workers = 200, 8
	span := sized(8*time.Second, 3*time.Minute)
	c := begin(t, order{Redis: redistest.Shared(t).URL, Prefix: redistest.Prefix(t), Name: "churns"})
	churn := func(span time.Duration) (cycles int64) {
		var done atomic.Int64
		began := time.Now()
		several(t, workers, func(w int) error {
			for i := 0; time.Since(began) < span; i++ {
				if ahead := time.Duration(i)*workers*time.Second/perSecond - time.Since(began); ahead > 0 {
					time.Sleep(ahead)
				}
				switch err := c.cycle(fmt.Sprint("user", w)); {
				case err == nil:
					done.Add(1)
				case errors.Is(err, errBusy):
				default:
					return err
				}
			}
			return nil
		})
		return done.Load()
	}
	// Whatever grows once and stays: that is, too, the memory of the ends of three
	// minutes before the store last said which server it is, which a failover may undo;
	// it says so every minute, and is tidied then. A shorter run makes allowance for it.
	churn(sized(2*time.Second, 320*time.Second))
	perEnd := sized[uint64](768, 0)
	rest := func() state {
		eventually(t, "nothing is left", func() bool {
			c.client.CloseIdleConnections()
			s := c.state()
			return s.Sockets.Open == 0 && s.Hub.Connections == 0
		})
		return c.state()
	}
	base := rest()
	cycles := churn(span)
	now := rest()
	t.Logf("%d logins, sockets and logouts in %v: goroutines %d, then %d; heap %d KiB, then %d; resident %d KiB, then %d",
		cycles, span, base.Goroutines, now.Goroutines, base.Heap>>10, now.Heap>>10, base.RSS>>10, now.RSS>>10)
	if now.Hub.Sessions != 0 || now.Hub.Users != 0 || now.Hub.Topics != base.Hub.Topics || now.Hub.Subscriptions != 0 {
		t.Errorf("the maps of the hub are not empty: %+v", now.Hub)
	}
	if slowness > 1 {
		now.RSS = base.RSS // the race detector keeps memory of its own
	}
	// A twentieth, and what such a small process varies by without any churn.
	for _, v := range []struct {
		what             string
		base, now, slack uint64
	}{
		{"goroutines", uint64(base.Goroutines), uint64(now.Goroutines), 4},
		{"bytes in use", base.Heap, now.Heap, 512<<10 + perEnd*uint64(cycles)},
		{"resident bytes", base.RSS, now.RSS, 4<<20 + perEnd*uint64(cycles)},
	} {
		if v.now > v.base+v.base/20+v.slack {
			t.Errorf("%s: %d, then %d", v.what, v.base, v.now)
		}
	}
}

// errBusy is a cycle in which the node had to wait for its store for too long.
var errBusy = errors.New("the machine is too busy")

// cycle is one login, one socket, and one logout, which closes it.
func (c *child) cycle(user string) error {
	v, err := c.enter(user)
	if err != nil {
		return err
	}
	tb, err := c.dial(c.TB, v, manner{})
	if status(err) == http.StatusServiceUnavailable {
		return errBusy
	}
	if err != nil {
		return err
	}
	defer tb.drop()
	if _, err := tb.ask("add 1"); err != nil && tb.end() != hub.TryLater {
		return err
	}
	if _, err := c.logout(v, session.This); status(err) == http.StatusServiceUnavailable {
		return errBusy
	} else if err != nil {
		return err
	}
	<-tb.gone
	if got := tb.end(); got != hub.SessionEnded && got != hub.TryLater {
		return fmt.Errorf("the socket ended with %w", got)
	}
	return nil
}
