package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/go-chi/chi/v5"
	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/session"
)

// nodeEnv, with the URL of a Redis in it, makes this program a node; see process.
const nodeEnv = "BENCH_NODE"

// process is a node in a process of its own, with an App and a Node of centrifuge on
// the same port and the same Redis. Ten thousand sockets are too many files for the one
// that has their other ends too. It goes by the wall clock, which is that of all
// processes here.
//
//	/ws          a socket of the App, for a cookie of POST /login
//	/centrifuge  one of centrifuge, for a user
//	POST /end    ends the session of the cookie everywhere; POST /disconnect?user= the user of centrifuge,
//	POST /bare   publishes to Redis alone. Each answers when it began
//	POST /ear    waits for the end of the session of the cookie, and answers when it was marked here
//	/listen      what is published by /bare comes here, as one byte
type process struct {
	b    *testing.B
	addr string
}

// newProcess starts a node that ends with the benchmark.
func newProcess(b *testing.B, redis string) *process {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), nodeEnv+"="+redis)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe() // its end is the end of the node
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			b.Errorf("node: %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return &process{b, strings.TrimSpace(line)}
}

// post makes a request with a cookie and returns the body, and the cookie that the
// browser has after it.
func (p *process) post(path, cookie string) (body, after string) {
	p.b.Helper()
	r, err := http.NewRequestWithContext(p.b.Context(), "POST", "http://"+p.addr+path, nil)
	if err != nil {
		p.b.Fatal(err)
	}
	r.Header.Set("Cookie", cookie)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		p.b.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		p.b.Fatalf("%s: status %d, %s, %v", path, resp.StatusCode, text, err)
	}
	for _, c := range resp.Cookies() {
		cookie = c.Name + "=" + c.Value
	}
	return string(text), cookie
}

// instant makes a request and returns the moment that it answers.
func (p *process) instant(path, cookie string) time.Time {
	p.b.Helper()
	body, _ := p.post(path, cookie)
	ns, err := strconv.ParseInt(body, 10, 64)
	if err != nil {
		p.b.Fatal(err)
	}
	return time.Unix(0, ns)
}

// ear asks a node to tell when the session of a cookie ends there. It returns when
// that is registered, with a function that waits for it.
func (p *process) ear(cookie string) (func() (time.Time, error), error) {
	r, err := http.NewRequestWithContext(p.b.Context(), "POST", "http://"+p.addr+"/ear", nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Cookie", cookie)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	return func() (time.Time, error) {
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return time.Time{}, err
		}
		ns, err := strconv.ParseInt(string(text), 10, 64)
		return time.Unix(0, ns), err
	}, nil
}

// ear is a connection that only tells when it was marked.
type ear chan time.Time

func (e ear) Mark(hub.Reason)        { e <- time.Now() }
func (e ear) Close(hub.Reason)       {}
func (e ear) Deliver(string, []byte) {}
func (e ear) Lose(string)            {}

// isNode runs a node, if that is what this process is for.
func isNode() bool {
	redis := os.Getenv(nodeEnv)
	if redis == "" {
		return false
	}
	if err := runNode(redis); err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		os.Exit(1)
	}
	return true
}

func runNode(redis string) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	app, r, err := newApp(ln.Addr().String(), redis, "bench")
	if err != nil {
		return err
	}
	peer, err := newCentrifuge(redis)
	if err != nil {
		return err
	}
	defer peer.Shutdown(context.Background())
	r.Handle("/centrifuge", centrifuge.NewWebsocketHandler(peer, centrifuge.WebsocketConfig{
		CheckOrigin: func(*http.Request) bool { return true },
	}))
	r.Post("/disconnect", began(func(r *http.Request) error { return peer.Disconnect(r.URL.Query().Get("user")) }))
	r.Post("/end", func(w http.ResponseWriter, r *http.Request) {
		// What is measured is the logout, not the load of the session before it.
		if _, err := session.Get(r.Context(), "main"); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		began(func(r *http.Request) error { _, err := session.Logout(r.Context(), session.This); return err })(w, r)
	})
	r.Post("/ear", func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("id")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		id, _, _ := strings.Cut(cookie.Value, ".")
		mark := make(ear, 1)
		defer app.Hub().Register("main", id, []string{"main"}, mark).Remove()
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush() // registered
		fmt.Fprint(w, (<-mark).UnixNano())
	})
	least(ctx, app.Redis(), r)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	go func() {
		if app.Hub().WaitFresh(ctx) == nil {
			fmt.Println(ln.Addr())
		}
	}()
	return app.Serve(ctx, ln, r)
}

// began answers when something began.
func began(act func(*http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		if err := act(r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, start.UnixNano())
	}
}

// least adds the least that two nodes can do over Redis: one publishes, the other
// writes to a socket.
func least(ctx context.Context, client redis.UniversalClient, r chi.Router) {
	r.Post("/bare", began(func(r *http.Request) error {
		return client.Publish(r.Context(), "bench:bare", "x").Err()
	}))
	r.Get("/listen", func(w http.ResponseWriter, r *http.Request) {
		sub := client.Subscribe(ctx, "bench:bare")
		if _, err := sub.Receive(ctx); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		go func() {
			defer conn.Close()
			defer sub.Close()
			_, _ = conn.Write([]byte("r")) // ready
			for {
				if _, err := sub.Receive(ctx); err != nil {
					return
				}
				if _, err := conn.Write([]byte("x")); err != nil {
					return
				}
			}
		}()
	})
}

// newCentrifuge returns a running node of centrifuge, whose control messages go
// through Redis. Its users say who they are.
func newCentrifuge(url string) (*centrifuge.Node, error) {
	n, err := centrifuge.New(centrifuge.Config{
		LogLevel: centrifuge.LogLevelNone,
	})
	if err != nil {
		return nil, err
	}
	shard, err := centrifuge.NewRedisShard(n, centrifuge.RedisShardConfig{Address: url})
	if err != nil {
		return nil, err
	}
	broker, err := centrifuge.NewRedisBroker(n, centrifuge.RedisBrokerConfig{
		Shards: []*centrifuge.RedisShard{shard},
		Prefix: "bench-centrifuge",
	})
	if err != nil {
		return nil, err
	}
	n.SetBroker(broker)
	n.OnConnecting(func(_ context.Context, e centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		if e.Token == "" {
			return centrifuge.ConnectReply{}, errors.New("nobody")
		}
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{UserID: e.Token}}, nil
	})
	return n, n.Run()
}

// listen returns what /listen sends from then on.
func (p *process) listen() *bufio.Reader {
	p.b.Helper()
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		p.b.Fatal(err)
	}
	p.b.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "GET /listen HTTP/1.1\r\nHost: %s\r\n\r\n", p.addr)
	in := bufio.NewReader(conn)
	if c, err := in.ReadByte(); c != 'r' {
		p.b.Fatalf("listen: %q, %v", c, err)
	}
	return in
}
