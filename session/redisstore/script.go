package redisstore

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/session"
)

// lua are the operations, one script each, and what they include. Each file
// documents its arguments and how it ends.
//
//go:embed lua/*.lua
var lua embed.FS

// loginTime is longer than any login takes. For so long an index remembers
// what a login in progress relies on.
const loginTime = 24 * time.Hour

// The memory of ops, see lua/op.lua.
const (
	opBytes = 12 // of what stands for an op
	bookOps = 16 // kept in the book, before they go to a key of their own
)

// script puts together the text of one operation: its own, with others where it
// includes them, as in "include 'slide'". The text named "spaces" is given.
func script(name, spaces string) *redis.Script {
	return redis.NewScript(constant.ReplaceAllStringFunc(source(name, spaces), func(name string) string {
		if value, ok := constants[name]; ok {
			return strconv.FormatInt(value, 10)
		}
		return name
	}))
}

// source returns a text, with all that it includes.
func source(name, spaces string) string {
	if name == "spaces" {
		return spaces
	}
	text, err := lua.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // the name is a constant, and the file is in the binary
	}
	return include.ReplaceAllStringFunc(string(text), func(line string) string {
		return source(include.FindStringSubmatch(line)[1], spaces)
	})
}

// include is a line that another text takes the place of.
var include = regexp.MustCompile(`(?m)^ *include '([a-z]+)'$`)

// constant is what a name in constants looks like.
var constant = regexp.MustCompile(`\b[A-Z][A-Z_]+\b`)

// constants take the place of their names in the scripts: the numbers of
// package session, so that none stands in two places, and those of the fields.
// A variable for each would cost a script more than much of what it does. Times
// are in milliseconds.
var constants = func() map[string]int64 {
	m := map[string]int64{
		"MAX_BYTES":       session.MaxBytes,
		"MAX_VALUES":      session.MaxValues,
		"MAX_VALUE_BYTES": session.MaxValueBytes,
		"RENEW_GRACE":     session.RenewGrace.Milliseconds(),
		"ELEVATE_GRACE":   session.ElevateGrace.Milliseconds(),
		"OP_MEMORY":       session.OpMemory.Milliseconds(),
		"OP_BYTES":        opBytes,
		"OPS_BYTES":       opBytes * bookOps,
		"LOGIN_TIME":      loginTime.Milliseconds(),
		"SLIDE_DUE":       int64(session.SlideDue),
		"SLIDE_ALWAYS":    int64(session.SlideAlways),
		"MATCH_NONE":      int64(session.MatchNone),
		"MATCH_CURRENT":   int64(session.MatchCurrent),
		"MATCH_RENEWED":   int64(session.MatchRenewed),
		"MATCH_ELEVATED":  int64(session.MatchElevated),
	}
	for i, name := range fields {
		m[strings.ToUpper(name)] = int64(i + 1) // as Lua counts
	}
	for i, name := range spaceFields {
		m["SPACE_"+strings.ToUpper(name)] = int64(i)
	}
	m["FIELDS"], m["SPACE_SIZE"] = fieldCount, spaceFieldCount
	return m
}()

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
	cmds := s.evaluate(ctx, calls)
	replies := make([][]any, len(cmds))
	for i, cmd := range cmds {
		reply, err := answer(cmd)
		if err != nil {
			return nil, unavailable(doing, err)
		}
		replies[i] = reply
	}
	return replies, nil
}

func (s *Store) evaluate(ctx context.Context, calls []call) []*redis.Cmd {
	cmds := s.send(ctx, calls, (*redis.Script).EvalSha)
	for i, cmd := range cmds {
		if redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
			return append(cmds[:i], s.send(ctx, calls[i:], (*redis.Script).Eval)...)
		}
	}
	return cmds
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

// corrupt reports whether an error says that something else lies under the key of
// a session than what a script puts there.
func corrupt(err error) bool {
	return redis.HasErrorPrefix(err, "WRONGTYPE") || redis.HasErrorPrefix(err, "CORRUPT") || errors.Is(err, errPacked)
}

// unavailable says what was being done when Redis or the way to it failed.
// Neither hands back what was sent, so no secret is in the text.
func unavailable(doing string, err error) error {
	if corrupt(err) {
		return fmt.Errorf("redisstore: %s: %w", doing, session.ErrCorrupt)
	}
	return fmt.Errorf("redisstore: %s: %w: %w", doing, session.ErrUnavailable, err)
}
