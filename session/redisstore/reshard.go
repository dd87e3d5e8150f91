package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// While a slot of a cluster moves from one master to another, each answers
// TRYAGAIN to a command of which it does not have all keys. A script on a session
// names keys that need not exist, such as those of namespaces without values. So
// to most scripts in that slot this happens all the while. go-redis tries a few
// times, goes to and fro between the two, and gives up with TRYAGAIN, MOVED or ASK.
const (
	againAfter = 10 * time.Millisecond // between one try and the next, besides go-redis' own
	againFor   = 5 * time.Second       // without a deadline of the context
)

// moving reports whether an error says that nothing was done because the slot is
// about to be elsewhere, or is.
func moving(err error) bool {
	if err == nil {
		return false
	}
	_, moved := redis.IsMovedError(err)
	_, ask := redis.IsAskError(err)
	return moved || ask || redis.IsTryAgainError(err)
}

// again is a hook of a cluster's client: what was not done because its slot moves
// is sent again until it is, or the context ends.
type again struct{}

func (again) DialHook(next redis.DialHook) redis.DialHook { return next }

func (again) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		for until := time.Now().Add(againFor); moving(err) && pause(ctx, until); {
			err = next(ctx, cmd)
		}
		return err
	}
}

func (again) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		until := time.Now().Add(againFor)
		for left := unsettled(cmds); len(left) > 0 && pause(ctx, until); left = unsettled(left) {
			_ = next(ctx, left) // each command has its own error
			err = firstError(cmds)
		}
		return err
	}
}

// unsettled returns those that were not done.
func unsettled(cmds []redis.Cmder) (left []redis.Cmder) {
	for _, cmd := range cmds {
		if moving(cmd.Err()) {
			left = append(left, cmd)
		}
	}
	return left
}

func firstError(cmds []redis.Cmder) error {
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil {
			return err
		}
	}
	return nil
}

// pause waits a moment and reports whether to try again.
func pause(ctx context.Context, until time.Time) bool {
	if time.Now().After(until) {
		return false
	}
	timer := time.NewTimer(againAfter)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
