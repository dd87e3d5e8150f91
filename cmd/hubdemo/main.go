package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/crypto/bcrypt"

	"github.com/sessionhub/sessionhub"
	"github.com/sessionhub/sessionhub/session"
)

// prefix begins the demo's keys in Redis.
const prefix = "sessionhub"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))
}

// run is the program: it serves until ctx ends, drains, and returns the exit
// status, 2 for a command line that cannot be meant.
func run(ctx context.Context, args []string, lookup func(string) (string, bool), stdout, stderr io.Writer) int {
	c, err := parseConfig(args, lookup, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "hubdemo: %v; see hubdemo -h\n", err)
		return 2
	}
	if c.node == "" {
		c.node = rand.Text()[:8]
	}
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{ReplaceAttr: readable})).With("node", c.node)
	redis.SetLogger(driverLog{log}) // else it writes lines of its own between ours
	if err := serve(ctx, c, stdout, log); err != nil {
		fmt.Fprintln(stderr, "hubdemo:", err)
		return 1
	}
	log.Info("stopped")
	return 0
}

// readable writes a duration as 2.5s, not in nanoseconds.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().Round(time.Microsecond).String())
	}
	return a
}

// driverLog takes what the Redis client says of its connections. What comes of
// that the errors tell.
type driverLog struct{ log *slog.Logger }

func (d driverLog) Printf(ctx context.Context, format string, v ...any) {
	d.log.DebugContext(ctx, fmt.Sprintf(format, v...))
}

// serve listens first, because the port may be for the system to choose and
// the allowed origins contain it.
func serve(ctx context.Context, c config, stdout io.Writer, log *slog.Logger) error {
	l, err := net.Listen("tcp", c.listen)
	if err != nil {
		return fmt.Errorf("%w; --listen takes another address", err)
	}
	defer l.Close()
	public := c.public
	if public == "" {
		public = "http://" + l.Addr().String()
	}
	app, err := sessionhub.New(sessionhub.Options{
		Redis:          c.redis,
		Public:         public,
		Namespaces:     []string{"main", "main/chat"},
		Prefix:         prefix,
		TrustedProxies: c.proxies,
		Logger:         log,
	})
	if errors.Is(err, session.ErrUnavailable) {
		return fmt.Errorf("%w; without --redis this node works alone", err)
	}
	if err != nil {
		return err
	}
	h, err := prepare(ctx, app, onLoopback(public, l.Addr()), stdout, log)
	if err != nil {
		return errors.Join(err, app.Close())
	}
	return app.Serve(ctx, &announced{Listener: l, out: stdout}, h)
}

// prepare returns the chat server. local says that it is for this machine only,
// in plain http: then there are accounts to try it with.
func prepare(ctx context.Context, app *sessionhub.App, local bool, stdout io.Writer, log *slog.Logger) (http.Handler, error) {
	var store accountStore = new(memoryAccounts)
	if client := app.Redis(); client != nil {
		store = &redisAccounts{client, prefix}
	}
	a, err := newAccounts(store, bcrypt.DefaultCost)
	if err != nil {
		return nil, err
	}
	d, err := newDemo(app, a, log)
	if err != nil {
		return nil, err
	}
	if local {
		if err := seed(ctx, a, stdout); err != nil {
			return nil, err
		}
	}
	return d.routes(!local), nil
}

// onLoopback reports whether the server is for this machine only, in plain
// http.
func onLoopback(public string, a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback() && strings.HasPrefix(strings.ToLower(public), "http:")
}

// announced is a listener that says where it listens, once the server that was
// given it has found nothing to refuse.
type announced struct {
	net.Listener
	out  io.Writer
	once sync.Once
}

func (a *announced) Accept() (net.Conn, error) {
	a.once.Do(func() { fmt.Fprintf(a.out, "hubdemo: listening on http://%s\n", a.Addr()) })
	return a.Listener.Accept()
}
