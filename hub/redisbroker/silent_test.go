package redisbroker_test

import (
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/sessionhub/sessionhub/internal/faultproxy"
	"github.com/sessionhub/sessionhub/internal/redistest"
)

// It takes the 5 seconds that the broker waits for an acknowledgement.
func TestBroker_silenceAfterSubscribeIsAGap(t *testing.T) {
	t.Parallel()
	s := redistest.Shared(t)
	p := faultproxy.Start(t, s.Addr)
	c := redis.NewClient(&redis.Options{
		Addr:                     p.Addr,
		ContextTimeoutEnabled:    true,
		DialerRetries:            1,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	defer c.Close()
	b := newBroker(c, redistest.Prefix(t))
	r := run(t, b)
	r.await(t, "fresh")
	p.DropDown(true)
	subscribed := make(chan error, 1)
	go func() { subscribed <- b.Subscribe(t.Context(), "topic") }()
	r.await(t, "fresh", "stale")
	select {
	case err := <-subscribed:
		t.Errorf("Subscribe = %v without an acknowledgement", err)
	default:
	}
	p.DropDown(false)
	if err := <-subscribed; err != nil {
		t.Errorf("Subscribe = %v", err)
	}
	r.await(t, "fresh", "stale", "fresh")
}
