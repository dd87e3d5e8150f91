package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// StartReplica runs a replica of the server at an address until the end of the
// test, and returns when it has the server's data. A proxy to the server may
// stand there, so that a test can cut the link:
//
//	primary := redistest.Start(t)
//	link := faultproxy.Start(t, primary.Addr)
//	replica := redistest.StartReplica(t, link.Addr)
//	link.DropDown(true) // nothing reaches the replica any more
//
// args are those of [Start].
func StartReplica(t testing.TB, of string, args ...string) *Server {
	t.Helper()
	host, port, err := net.SplitHostPort(of)
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	s := Start(t, append([]string{"--replicaof", host + " " + port}, args...)...)
	s.AwaitInfo(t, "replication", "master_link_status:up")
	return s
}

// AwaitInfo waits until a section of the server's INFO has a line, as in
// "connected_slaves:1".
func (s *Server) AwaitInfo(t testing.TB, section, line string) {
	t.Helper()
	c := s.Client(t)
	err := await(t.Context(), func(ctx context.Context) error {
		text, err := c.Info(ctx, section).Result()
		if err == nil && !strings.Contains("\r\n"+text, "\r\n"+line+"\r\n") {
			err = fmt.Errorf("INFO %s without %q: %q", section, line, text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// await tries something until it succeeds.
func await(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("redistest: did not happen within %v: %w", startTimeout, errors.Join(ctx.Err(), last))
		case <-tick.C:
		}
	}
}
