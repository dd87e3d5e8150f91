package redistest

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Trips records the round trips that a client makes: a command is one, and so
// is a pipeline. What a connection says when it is opened is none, nor is what
// goes over one that subscribes, nor is a heartbeat of the node, which belongs to no
// request. Its methods may be called from any goroutine.
type Trips struct {
	mu  sync.Mutex // guards the following field
	all []string
}

// RecordTrips records the trips of c from now on. It cannot be undone, so c is
// a client of one test.
func RecordTrips(c redis.UniversalClient) *Trips {
	t := new(Trips)
	c.AddHook(tripHook{t})
	return t
}

// Take returns the trips since the last call, in order: the names of each
// one's commands, as in "evalsha" and "evalsha evalsha". One that failed
// counts too.
func (t *Trips) Take() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.all
	t.all = nil
	return all
}

func (t *Trips) add(cmds ...redis.Cmder) {
	names := make([]string, len(cmds))
	for i, cmd := range cmds {
		names[i] = cmd.Name()
	}
	if names[0] == "hello" || names[0] == "auth" || isBeat(cmds[0]) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, strings.Join(names, " "))
}

// isBeat reports whether a command is PUBLISH of a heartbeat, as package hub sends
// them.
func isBeat(cmd redis.Cmder) bool {
	args := cmd.Args()
	if cmd.Name() != "publish" || len(args) != 3 {
		return false
	}
	text, _ := args[2].([]byte)
	return bytes.HasPrefix(text, []byte("1|beat|")) || bytes.HasPrefix(text, []byte("1|bye|"))
}

// tripHook is a [redis.Hook].
type tripHook struct{ t *Trips }

func (h tripHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (h tripHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.t.add(cmd)
		return next(ctx, cmd)
	}
}

func (h tripHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		h.t.add(cmds...)
		return next(ctx, cmds)
	}
}
