package redisstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/session"
)

// Delete implements [session.Store]. One round trip; on a Redis Cluster, and
// when a Redis whose replicas are waited for is out of memory, one more for the
// indexes of users.
//
// After an error some of the ends may be done, and all are after one that wraps
// [session.ErrUnconfirmed]. All may be repeated.
func (s *Store) Delete(ctx context.Context, f *session.Family, ends ...session.End) error {
	calls, err := s.endCalls(f, ends)
	switch {
	case err != nil || len(ends) == 0:
		return err
	case s.cluster:
		return s.deleteApart(ctx, f, ends, calls)
	case s.options.WaitReplicas == 0:
		_, err := s.run(ctx, "delete", calls...)
		return err
	}
	_, err = s.deleteTogether(ctx, f, ends, calls)
	if redis.HasErrorPrefix(err, "OOM") {
		// Redis queues no transaction when it is out of memory. The script
		// itself runs then, since it frees some.
		err = s.deleteApart(ctx, f, ends, calls)
		if err == nil {
			err = unavailable("delete", fmt.Errorf("out of memory, replicas were not waited for: %w", session.ErrUnconfirmed))
		}
	}
	return err
}

// endCalls returns the runs of the script that carries the ends out, and takes what it
// ends out of its user's index. On a cluster, where the index may be on another node,
// that is left to the caller.
func (s *Store) endCalls(f *session.Family, ends []session.End) ([]call, error) {
	calls := make([]call, len(ends))
	for i, e := range ends {
		space := 0
		if e.Namespace != "" {
			var err error
			if space, err = place(f, e.Namespace); err != nil {
				return nil, err
			}
		}
		keys, listed := s.keys(f, e.ID), ""
		if !s.cluster && indexed(e) {
			keys, listed = append(keys, s.indexKeys(f, e.User)[0]), e.ID
		}
		a := args{space, e.Generation, e.User, s.channel, e.Notice, e.Replaced, listed}.packed()
		calls[i] = call{s.libraries.of(f).end, keys, a}
	}
	return calls, nil
}

// indexed reports whether an end takes the id out of its user's index.
func indexed(e session.End) bool { return e.User != "" && e.Namespace == "" }

// deleteTogether runs the ends in one transaction, and what comes with them.
//
// The first script is sent as a whole, which also loads it for the others: in
// a transaction none can be sent again.
//
// What comes then is sent along with it, and its replies are returned.
func (s *Store) deleteTogether(ctx context.Context, f *session.Family, ends []session.End, calls []call, then ...call) ([][]any, error) {
	pipe := s.client.Pipeline()
	pipe.Do(ctx, "multi")
	for i, c := range calls {
		if i == 0 {
			c.script.Eval(ctx, pipe, c.keys, c.args...)
		} else {
			c.script.EvalSha(ctx, pipe, c.keys, c.args...)
		}
	}
	exec := pipe.Do(ctx, "exec")
	var wait *redis.Cmd
	if s.options.WaitReplicas > 0 {
		// On this connection, and not in the transaction, where it would not
		// wait.
		wait = s.wait(ctx, pipe)
	}
	after := make([]*redis.Cmd, len(then))
	for i, c := range then {
		after[i] = c.script.Eval(ctx, pipe, c.keys, c.args...)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, unavailable("delete", err)
	}
	done, err := exec.Slice()
	if err != nil {
		return nil, unavailable("delete", err)
	}
	for _, r := range done {
		if err, ok := r.(error); ok {
			return nil, unavailable("delete", err)
		}
	}
	replies := make([][]any, len(after))
	for i, cmd := range after {
		if replies[i], err = answer(cmd); err != nil {
			return nil, unavailable("delete", err)
		}
	}
	if wait != nil {
		err = s.waited(wait)
	}
	return replies, err
}

// deleteApart runs the ends, and then takes out of the index the ids that did
// end. The others stay until somebody who reads the index finds them dead.
func (s *Store) deleteApart(ctx context.Context, f *session.Family, ends []session.End, calls []call) error {
	replies, err := s.endApart(ctx, calls)
	if err != nil && !errors.Is(err, errFewReplicas) {
		return err
	}
	pipe := s.client.Pipeline()
	for i, e := range ends {
		if indexed(e) && at(replies[i], 0) == "done" {
			pipe.ZRem(ctx, s.indexKeys(f, e.User)[0], e.ID)
		}
	}
	if pipe.Len() == 0 {
		return err
	}
	if _, removal := pipe.Exec(ctx); removal != nil {
		return unavailable("delete", removal)
	}
	return err
}

func (s *Store) endApart(ctx context.Context, calls []call) ([][]any, error) {
	if c, ok := s.client.(*redis.ClusterClient); ok && s.options.WaitReplicas > 0 {
		return s.deleteWaited(ctx, c, calls)
	}
	return s.run(ctx, "delete", calls...)
}
