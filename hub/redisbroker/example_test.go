package redisbroker_test

import (
	"context"
	"fmt"
	"log"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/redisbroker"
	"github.com/sessionhub/sessionhub/internal/redistest"
)

// listener is a connection that waits for one publication.
type listener chan string

func (l listener) Deliver(topic string, data []byte) { l <- topic + ": " + string(data) }
func (l listener) Mark(hub.Reason)                   {}
func (l listener) Close(hub.Reason)                  {}
func (l listener) Lose(string)                       {}

// Two nodes share a Redis: what the first publishes, a connection of the
// second gets.
func Example() {
	options, err := redis.ParseURL(redistest.Shared(exampleTB{}).URL)
	if err != nil {
		log.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	start := func(name string) *hub.Hub {
		broker := redisbroker.New(client, redisbroker.Options{Prefix: "example"})
		h := hub.New(hub.Options{Node: name, Broker: broker})
		running.Go(func() {
			if err := h.Run(ctx, alive{}); err != nil {
				log.Print(err)
			}
		})
		return h
	}
	a, b := start("a"), start("b")
	if err := b.WaitFresh(ctx); err != nil {
		log.Fatal(err)
	}

	heard := make(listener, 1)
	e := b.Register("main", "1rPqhVw3vq0ZAHM2mDA2gg", []string{"main"}, heard)
	defer e.Remove()
	if err := e.Admit("ada", 1, time.Hour, nil); err != nil {
		log.Fatal(err)
	}
	if err := e.Subscribe(ctx, "lobby", "main"); err != nil {
		log.Fatal(err)
	}
	if err := e.Live(); err != nil {
		log.Fatal(err)
	}
	if err := a.Publish(ctx, "lobby", []byte("hello")); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-heard)
	// Output: lobby: hello
}

// alive stands for the session manager, which asks the store.
type alive struct{}

func (alive) Recover(context.Context, bool) error { return nil }

func (alive) Check(_ context.Context, _ string, ids []string, report hub.Report) error {
	for _, id := range ids {
		report(id, true, 1, time.Hour, nil)
	}
	return nil
}

// exampleTB is what an example has instead of a test.
type exampleTB struct{ testing.TB }

func (exampleTB) Helper()           {}
func (exampleTB) Fatal(args ...any) { log.Fatal(args...) }
