package redisstore

import (
	"context"
	"embed"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/session"
)

//go:embed lua/*.lua
var lua embed.FS

// scripts are the operations, one script each. Each file of lua documents its
// arguments and how it ends.
type scripts struct {
	create, load, save, login, end *redis.Script // on one family
	enlist, raise, listed          *redis.Script // on one user's index
}

// loginTime is longer than any login takes. For so long an index remembers
// what a login in progress relies on.
const loginTime = 24 * time.Hour

func newScripts() scripts {
	return scripts{
		create: script("create", "family", "delta"),
		load:   script("load", "family"),
		save:   script("save", "family", "delta"),
		login:  script("login", "family", "delta"),
		end:    script("end", "family"),
		enlist: script("enlist", "index"),
		raise:  script("raise", "index"),
		listed: script("listed", "index"),
	}
}

// script puts together the text of one operation: the line with its flags,
// which has to be the first, the constants, what it shares with others, and
// its own steps.
func script(name string, shared ...string) *redis.Script {
	flags, steps, _ := strings.Cut(source(name), "\n")
	text := []string{flags, constants(), source("common")}
	for _, s := range shared {
		text = append(text, source(s))
	}
	return redis.NewScript(strings.Join(append(text, steps), "\n"))
}

func source(name string) string {
	text, err := lua.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // the name is a constant, and the file is in the binary
	}
	return string(text)
}

// constants gives the scripts those of package session, so that no number
// stands in two places. Times are in milliseconds.
func constants() string {
	var b strings.Builder
	for _, c := range []struct {
		name  string
		value int64
	}{
		{"MAX_BYTES", session.MaxBytes},
		{"MAX_VALUES", session.MaxValues},
		{"MAX_VALUE_BYTES", session.MaxValueBytes},
		{"RENEW_GRACE", session.RenewGrace.Milliseconds()},
		{"ELEVATE_GRACE", session.ElevateGrace.Milliseconds()},
		{"OP_MEMORY", session.OpMemory.Milliseconds()},
		{"LOGIN_TIME", loginTime.Milliseconds()},
		{"SLIDE_DUE", int64(session.SlideDue)},
		{"SLIDE_ALWAYS", int64(session.SlideAlways)},
		{"MATCH_NONE", int64(session.MatchNone)},
		{"MATCH_CURRENT", int64(session.MatchCurrent)},
		{"MATCH_RENEWED", int64(session.MatchRenewed)},
		{"MATCH_ELEVATED", int64(session.MatchElevated)},
	} {
		fmt.Fprintf(&b, "local %s = %d\n", c.name, c.value)
	}
	return b.String()
}

// call is one run of a script.
type call struct {
	script *redis.Script
	keys   []string
	args   []any
}

// run carries out calls in one round trip, in order as far as they are on one
// node, and returns their replies. Redis may have forgotten a script, after a
// restart, a failover or SCRIPT FLUSH; a pipeline does not notice by itself.
// So all calls from the first forgotten one on are sent again, with the text
// of their scripts: one round trip more. Those among them that were carried
// out already are so a second time, which every script allows for.
func (s *Store) run(ctx context.Context, doing string, calls ...call) ([][]any, error) {
	cmds := s.send(ctx, calls, (*redis.Script).EvalSha)
	for i, cmd := range cmds {
		if redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
			cmds = append(cmds[:i], s.send(ctx, calls[i:], (*redis.Script).Eval)...)
			break
		}
	}
	replies := make([][]any, len(cmds))
	for i, cmd := range cmds {
		reply, err := cmd.Slice()
		if err != nil {
			return nil, unavailable(doing, err)
		}
		replies[i] = reply
	}
	return replies, nil
}

type eval func(*redis.Script, context.Context, redis.Scripter, []string, ...any) *redis.Cmd

func (s *Store) send(ctx context.Context, calls []call, e eval) []*redis.Cmd {
	if len(calls) == 1 {
		return []*redis.Cmd{e(calls[0].script, ctx, s.client, calls[0].keys, calls[0].args...)}
	}
	cmds := make([]*redis.Cmd, len(calls))
	pipe := s.client.Pipeline()
	for i, c := range calls {
		cmds[i] = e(c.script, ctx, pipe, c.keys, c.args...)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	return cmds
}

// inOrder is run for calls on different slots of which each must come after
// the one before: one round trip, on a cluster one for each call.
func (s *Store) inOrder(ctx context.Context, doing string, calls ...call) ([][]any, error) {
	if !s.cluster {
		return s.run(ctx, doing, calls...)
	}
	var replies [][]any
	for _, c := range calls {
		reply, err := s.run(ctx, doing, c)
		if err != nil {
			return nil, err
		}
		replies = append(replies, reply...)
	}
	return replies, nil
}

// unavailable says what was being done when Redis or the way to it failed.
// Neither hands back what was sent, so no secret is in the text.
func unavailable(doing string, err error) error {
	return fmt.Errorf("redisstore: %s: %w: %w", doing, session.ErrUnavailable, err)
}
