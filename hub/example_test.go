package hub_test

import (
	"context"
	"fmt"
	"time"

	"github.com/sessionhub/sessionhub/hub"
)

// printer is a connection to the terminal.
type printer struct{ delivered, gone chan struct{} }

func (p *printer) Mark(r hub.Reason)     { fmt.Println("marked:", r) }
func (p *printer) Lose(namespace string) { fmt.Println("lost:", namespace) }

func (p *printer) Deliver(topic string, data []byte) {
	fmt.Printf("%s: %s\n", topic, data)
	close(p.delivered)
}

func (p *printer) Close(r hub.Reason) {
	fmt.Println("closed; reconnect:", r.Reconnect())
	close(p.gone)
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

func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	h := hub.New(hub.Options{})
	ran := make(chan error)
	go func() { ran <- h.Run(ctx, alive{}) }()
	if err := h.WaitFresh(ctx); err != nil {
		fmt.Println(err)
	}

	// Register first, then load the session, then admit the connection.
	p := &printer{make(chan struct{}), make(chan struct{})}
	e := h.Register("main", "1rPqhVw3vq0ZAHM2mDA2gg", []string{"main"}, p)
	defer e.Remove()
	if err := e.Admit("alice", 1, time.Hour, nil); err != nil {
		fmt.Println(err)
	}
	if err := e.Subscribe(ctx, "lobby", "main"); err != nil {
		fmt.Println(err)
	}
	if err := e.Live(); err != nil {
		fmt.Println(err)
	}
	if err := h.Publish(ctx, "lobby", []byte("hello")); err != nil {
		fmt.Println(err)
	}
	<-p.delivered

	// The session ends: gate, delete it in the store, close.
	notice := "1|s|main|1rPqhVw3vq0ZAHM2mDA2gg||0"
	fmt.Println("marked here:", h.Gate(notice))
	h.Close(notice)
	<-p.gone

	cancel()
	fmt.Println("Run:", <-ran)
	// Output:
	// lobby: hello
	// marked: session ended (4501)
	// marked here: 1
	// closed; reconnect: false
	// Run: <nil>
}
