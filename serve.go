package sessionhub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/session"
)

// ErrNotReady is returned by [App.Ready].
var ErrNotReady = errors.New("sessionhub: not ready")

// Ready reports whether this node should be sent traffic: its hub can hear of
// ends, and it is not draining. It asks nobody; a Redis that hangs is noticed
// within two and a half heartbeats. For a readiness endpoint.
func (a *App) Ready() error {
	switch {
	case a.draining.Load():
		return fmt.Errorf("%w: draining", ErrNotReady)
	case !a.hub.Fresh():
		return fmt.Errorf("%w: cannot hear of the ends of sessions", ErrNotReady)
	}
	return nil
}

// Run keeps the hub going until ctx ends, and carries out the ends of sessions that
// the store did not take at once ([session.Manager.Run]), for programs with a server
// of their own; others call [App.Serve], which does so too. Sockets are accepted a
// moment after it was called. When it returns both have ended.
func (a *App) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var (
		wg   sync.WaitGroup
		owed error
	)
	wg.Go(func() { owed = a.sessions.Run(ctx) })
	err := a.hub.Run(ctx, a.sessions)
	stop()
	wg.Wait()
	return errors.Join(err, owed)
}

// ListenAndServe serves h on addr until the process gets SIGTERM or an
// interrupt, then drains. See [App.Serve].
func (a *App) ListenAndServe(addr string, h http.Handler) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("sessionhub: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return a.Serve(ctx, ln, h)
}

// Serve serves h on ln until ctx ends. Then it drains: [App.Ready] says no, no
// connection is accepted any more, requests are finished, sockets are closed in
// waves with 1012, which tells their clients to connect again, and what Redis
// is needed for ends last. It returns nil after that, and an error when not all
// was done within Options.Drain.
//
// It checks first that an end which the store publishes arrives here, whether or not
// enough replicas take it: store and hub that do not know of each other would close no
// socket. It closes ln and the App in any case.
func (a *App) Serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	defer ln.Close() // of a server that has closed it this is nothing
	if err := a.checkListener(ln.Addr()); err != nil {
		return errors.Join(err, a.Close())
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var wg sync.WaitGroup
	ended := make(chan error, 2)
	wg.Go(func() { ended <- a.Run(running) })
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	err := a.checkPush(ctx)
	if err == nil {
		wg.Go(func() { ended <- srv.Serve(ln) })
		select {
		case <-ctx.Done():
		case err = <-ended:
		}
	}
	a.draining.Store(true)
	if err == nil {
		err = a.drain(srv)
	}
	_ = srv.Close() // what Shutdown has not closed
	stop()
	wg.Wait()
	return errors.Join(err, a.Close())
}

// drain ends requests and sockets, both at once.
func (a *App) drain(srv *http.Server) error {
	a.log.Info("draining")
	ctx, cancel := context.WithTimeout(context.Background(), a.o.Drain)
	defer cancel()
	requests := make(chan error, 1)
	go func() { requests <- srv.Shutdown(ctx) }()
	sockets := a.hub.Drain(ctx)
	return errors.Join(sockets, <-requests)
}

// checkListener refuses to send cookies over a network in the clear.
func (a *App) checkListener(addr net.Addr) error {
	tcp, ok := addr.(*net.TCPAddr)
	if a.public.secure || !ok || tcp.IP.IsLoopback() {
		return nil
	}
	return fmt.Errorf("sessionhub: Public is %s, in the clear, and the listener is %s, which is not loopback: "+
		"use an https:// Public behind a TLS proxy, or listen on 127.0.0.1", a.public.origins[0], addr)
}

// checkPush ends a session that never was, through the store alone, and waits
// until the hub hears of it.
func (a *App) checkPush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := a.hub.WaitFresh(ctx)
	if err == nil {
		root := a.sessions.Registry().Roots()[0].Name
		heard := make(ear, 1)
		entry := a.hub.Register(root, "start-check", []string{root}, heard)
		defer entry.Remove()
		err = a.endUntilHeard(ctx, root, heard)
	}
	if err != nil && context.Cause(ctx) != context.Canceled {
		return fmt.Errorf("sessionhub: start check: the end of a session did not come back through the broker "+
			"(is one prefix used for store and broker, and may this user PUBLISH and SUBSCRIBE?): %w", err)
	}
	return nil
}

// endUntilHeard ends the session of the start check until that is heard. What the
// store says counts only if it is not: it may be slow today, or about to come, or have
// fewer replicas than ends wait for. What it does not confirm is owed by nobody.
func (a *App) endUntilHeard(ctx context.Context, root string, heard ear) error {
	alone := session.New(a.sessions.Registry(), a.store,
		session.Options{Timeout: a.o.StoreTimeout, Logger: slog.New(slog.DiscardHandler)})
	for {
		_, err := alone.EndSession(ctx, root, "start-check", "start check")
		var again <-chan time.Time // never, once it was taken
		if errors.Is(err, session.ErrUnavailable) {
			again = time.After(100 * time.Millisecond)
		} else if err != nil {
			return err
		}
		select {
		case <-heard:
			return nil
		case <-again:
		case <-ctx.Done():
			return cmp.Or(err, context.Cause(ctx))
		}
	}
}

// ear is a connection that only hears that it ended.
type ear chan struct{}

func (e ear) Mark(hub.Reason)        { e <- struct{}{} }
func (e ear) Close(hub.Reason)       {}
func (e ear) Deliver(string, []byte) {}
func (e ear) Lose(string)            {}
