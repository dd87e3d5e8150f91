package redisstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/session"
)

// ErrNotDurable is returned by [Store.Probe] with Options.RequireDurable, for
// a Redis that may lose sessions or ends of sessions, or does not tell.
var ErrNotDurable = errors.New("redisstore: redis is not durable")

// hearing is how long a notice may take from the script that publishes it to who
// subscribes.
const hearing = 2 * time.Second

// Probe finds out, at the start of a program, whether Redis can be used: that
// it answers, is new enough, is neither a replica nor a Sentinel, and lets this
// user run every operation, publish, and hear what is published, on a cluster on
// each master. It makes a session below "<prefix>:probe:" there for that, and ends
// it again; its notice goes to "<prefix>:probe", where only Probe listens. What this
// user may not do stands in the error, by the rules of [Store.Rights] that are missing.
//
// Warnings are one line each, with the address of the server, of each master of a
// cluster, and say what may be lost or go wrong:
//   - it may evict keys: sessions
//   - it keeps no append-only file: sessions and logouts (a restart then goes back
//     to the last snapshot, which brings ended sessions back)
//   - it has fewer replicas than Options.WaitReplicas: no end is ever done
//   - this user may not look (INFO), so none of these is known
//   - its clock is more than 5 seconds off that of this process
//
// With Options.RequireDurable all but the last are an error that wraps
// [ErrNotDurable].
//
// Errors name the server's address and never a password. About fifteen round
// trips, on a Redis Cluster as many to each master, to all at once.
func (s *Store) Probe(ctx context.Context) (warnings []string, err error) {
	var (
		mu    sync.Mutex // guards the following field
		found []finding
	)
	err = s.eachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		f, err := s.inspect(ctx, c)
		mu.Lock()
		defer mu.Unlock()
		found = append(found, f...)
		return err
	})
	if err == nil {
		err = s.probeOperations(ctx)
	}
	if err != nil {
		if denied(err) {
			if rules := s.lacking(ctx); len(rules) > 0 {
				err = fmt.Errorf("this user lacks %s: %w", strings.Join(rules, " "), err)
			}
		}
		return nil, fmt.Errorf("redisstore: probe redis at %s: %w", s.addresses(ctx), oneLine{err})
	}
	slices.SortStableFunc(found, func(a, b finding) int { return cmp.Compare(a.addr, b.addr) })
	var lossy []string
	for _, f := range found {
		warnings = append(warnings, f.String())
		if f.lossy {
			lossy = append(lossy, f.String())
		}
	}
	if s.options.RequireDurable && len(lossy) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrNotDurable, strings.Join(lossy, "; "))
	}
	return warnings, nil
}

// oneLine writes an error without the line breaks that go-redis puts between what
// it heard of each Sentinel.
type oneLine struct{ err error }

func (e oneLine) Error() string { return strings.ReplaceAll(e.err.Error(), "\n", "; ") }
func (e oneLine) Unwrap() error { return e.err }

// addresses are where the client was told to look.
func (s *Store) addresses(ctx context.Context) string {
	switch c := s.client.(type) {
	case *redis.Client:
		return address(ctx, c)
	case *redis.ClusterClient:
		return strings.Join(c.Options().Addrs, ",")
	}
	return "" // New takes no other
}

// probeOperations runs each operation once on each master, whose rights are its
// own, and listens on each to what all of them publish.
func (s *Store) probeOperations(ctx context.Context) error {
	p := *s
	p.channel = s.options.Prefix + ":probe"
	var (
		mu    sync.Mutex // guards the following field
		heard []*redis.PubSub
	)
	defer func() {
		for _, sub := range heard {
			_ = sub.Close()
		}
	}()
	err := s.eachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		sub := c.Subscribe(ctx, p.channel)
		mu.Lock()
		heard = append(heard, sub)
		mu.Unlock()
		if _, err := receive(ctx, sub); err != nil {
			return fmt.Errorf("%s: %w", address(ctx, c), unavailable("subscribe", err))
		}
		return nil
	})
	if err != nil {
		return err
	}
	notice := rand.Text()
	if err := s.eachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		if err := p.probeMaster(ctx, c, notice); err != nil {
			return fmt.Errorf("%s: %w", address(ctx, c), err)
		}
		return nil
	}); err != nil {
		return err
	}
	for _, sub := range heard {
		for range heard {
			if err := hear(ctx, sub, notice); err != nil {
				return err
			}
		}
	}
	return nil
}

// probeMaster runs each operation once, on a session and an index that this master
// has. Its end publishes the notice.
func (s *Store) probeMaster(ctx context.Context, c *redis.Client, notice string) error {
	f := &session.Family{Spaces: []session.Space{{
		Name: "probe", Prefix: "probe", Idle: time.Minute, Life: time.Minute,
	}}}
	id, err := s.nameOn(ctx, c, func(id string) string { return s.keys(f, id)[0] })
	if err != nil {
		return err
	}
	user, err := s.nameOn(ctx, c, func(user string) string { return s.indexKeys(f, user)[0] })
	if err != nil {
		return err
	}
	first, second := session.Hash(rand.Text()), session.Hash(rand.Text())
	rec, err := s.Create(ctx, f, session.Create{ID: id, Nonce: rand.Text(), Hash: first})
	if err != nil {
		return err
	}
	rec, err = s.Login(ctx, f, id, session.Elevation{
		Op: rand.Text(), Epoch: rec.Epoch, Hash: second, User: user, Notice: "probe",
	})
	if err != nil {
		return err
	}
	one := "1"
	if _, err = s.Save(ctx, f, id, session.Save{
		Op: rand.Text(), Epoch: rec.Epoch, Slide: session.SlideAlways,
		Deltas: map[string]session.Delta{"probe": {
			Clear:  true,
			Delete: []string{"gone"},
			Swap:   map[string]session.Swap{"swapped": {New: &one}},
		}},
	}); err != nil {
		return err
	}
	if _, err = s.Load(ctx, f, id, session.Load{Hash: second}); err != nil {
		return err
	}
	if _, err = s.Check(ctx, f, []string{id}); err != nil {
		return err
	}
	if _, err = s.Raise(ctx, f, user); err != nil {
		return err
	}
	err = s.Delete(ctx, f, session.End{ID: id, User: user, Notice: notice})
	if err != nil && !errors.Is(err, errFewReplicas) { // of which inspect warns
		return err
	}
	if list, err := s.Listed(ctx, f, user); err != nil {
		return err
	} else if len(list) > 0 {
		return errors.New("the probe's session is still listed")
	}
	if err = s.Unlist(ctx, f, user, 0, []string{id}); err != nil {
		return err
	}
	// The index of a user who never was would stay for a day.
	if err = s.client.Del(ctx, s.indexKeys(f, user)...).Err(); err != nil {
		return unavailable("delete the probe's index", err)
	}
	return nil
}

// nameOn returns a random name whose key is on this master.
func (s *Store) nameOn(ctx context.Context, c *redis.Client, key func(name string) string) (string, error) {
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		return rand.Text(), nil
	}
	// Enough also for a master of one slot of the 16384. One that has just lost
	// its last has none.
	for range 16 * 16384 {
		name := rand.Text()
		master, err := cluster.MasterForKey(ctx, key(name))
		if err != nil {
			return "", unavailable("probe", err)
		}
		if master == c {
			return name, nil
		}
	}
	return "", unavailable("probe", errors.New("this master has no slots any more"))
}

// hear waits for a notice. Other programs may start at the same time.
func hear(ctx context.Context, sub *redis.PubSub, notice string) error {
	for {
		m, err := receive(ctx, sub)
		if err != nil {
			return unavailable("hear what was published", err)
		}
		if m, ok := m.(*redis.Message); ok && m.Payload == notice {
			return nil
		}
	}
}

// receive does not wait for ever, as Receive does without a deadline.
func receive(ctx context.Context, sub *redis.PubSub) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, hearing)
	defer cancel()
	return sub.Receive(ctx)
}
