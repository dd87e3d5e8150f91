package redisstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/session"
)

// wait adds a WAIT to what a connection is sent, for all that was sent before.
func (s *Store) wait(ctx context.Context, pipe redis.Pipeliner) *redis.Cmd {
	return pipe.Do(ctx, "wait", s.options.WaitReplicas, s.options.WaitTimeout.Milliseconds())
}

// errFewReplicas is about what is done, on the master.
var errFewReplicas = fmt.Errorf("too few replicas: %w", session.ErrUnconfirmed)

// waited says whether enough replicas had it.
func (s *Store) waited(wait *redis.Cmd) error {
	n, err := wait.Int()
	switch {
	case err != nil:
		return unavailable("delete: wait", err)
	case n < s.options.WaitReplicas:
		return unavailable("delete", fmt.Errorf("taken by %d replicas of %d in %v: %w",
			n, s.options.WaitReplicas, s.options.WaitTimeout, errFewReplicas))
	}
	return nil
}

// flock are the ends of sessions that one master has, by their places.
type flock struct {
	master *redis.Client
	places []int
}

// deleteWaited carries ends out on a cluster, and waits until enough replicas of
// each master have them. WAIT is about what came before on its connection, so both
// go to the master together, past the cluster's client, which knows no
// connections. What the master sends elsewhere, or cannot do while the slot moves,
// is tried again until the context ends. With errFewReplicas all replies are there.
func (s *Store) deleteWaited(ctx context.Context, cluster *redis.ClusterClient, calls []call) ([][]any, error) {
	replies := make([][]any, len(calls))
	left := make([]int, len(calls))
	for i := range left {
		left[i] = i
	}
	var few error
	for until := time.Now().Add(againFor); ; {
		flocks, err := flocksOf(ctx, cluster, calls, left)
		if err != nil {
			return nil, unavailable("delete", err)
		}
		errs := make([]error, len(flocks))
		var sending sync.WaitGroup
		for i, f := range flocks {
			sending.Go(func() { errs[i] = s.sendWaited(ctx, f, calls, replies) })
		}
		sending.Wait()
		left = nil
		for i, f := range flocks {
			switch {
			case errs[i] == nil:
			case errors.Is(errs[i], errFewReplicas):
				few = errs[i]
			case moving(errs[i]):
				left, err = append(left, f.places...), errs[i]
			default:
				return nil, errs[i]
			}
		}
		if len(left) == 0 {
			return replies, few
		}
		if !pause(ctx, until) {
			return nil, err
		}
		// It asks anew who has which slots.
		if err := cluster.ForEachMaster(ctx, func(context.Context, *redis.Client) error { return nil }); err != nil {
			return nil, unavailable("delete", err)
		}
	}
}

// flocksOf sorts calls by who has their keys.
func flocksOf(ctx context.Context, cluster *redis.ClusterClient, calls []call, places []int) (flocks []*flock, err error) {
	of := make(map[*redis.Client]*flock)
	for _, place := range places {
		master, err := cluster.MasterForKey(ctx, calls[place].keys[0])
		if err != nil {
			return nil, err
		}
		f := of[master]
		if f == nil {
			f = &flock{master: master}
			of[master] = f
			flocks = append(flocks, f)
		}
		f.places = append(f.places, place)
	}
	return flocks, nil
}

func (s *Store) sendWaited(ctx context.Context, f *flock, calls []call, replies [][]any) error {
	pipe := f.master.Pipeline()
	cmds := make([]*redis.Cmd, len(f.places))
	for i, place := range f.places {
		// All run one script. The first brings its text along.
		c, run := calls[place], (*redis.Script).EvalSha
		if i == 0 {
			run = (*redis.Script).Eval
		}
		cmds[i] = run(c.script, ctx, pipe, c.keys, c.args...)
	}
	wait := s.wait(ctx, pipe)
	_, _ = pipe.Exec(ctx) // each command has its own error
	for i, cmd := range cmds {
		reply, err := answer(cmd)
		if err != nil {
			return unavailable("delete", err)
		}
		replies[f.places[i]] = reply
	}
	return s.waited(wait)
}
