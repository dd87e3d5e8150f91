package redisstore

import (
	"cmp"
	"context"
	"errors"

	"github.com/sessionhub/sessionhub/session"
)

// Create implements [session.Store]. One round trip without a user, two with
// one (three on a Redis Cluster).
func (s *Store) Create(ctx context.Context, f *session.Family, c session.Create) (session.Record, error) {
	a := append(make(args, 0, 24), string(c.Hash), c.Nonce, c.User, c.Device, c.Address)
	a, err := a.terms(c.Terms).expiry(c.Expiry).deltas(f, c.Deltas)
	if err != nil {
		return session.Record{}, err
	}
	rec, err := s.listedRun(ctx, "create", f, c.ID, c.User, c.Terms, c.Ends,
		call{s.libraries.of(f).create, s.keys(f, c.ID), a.packed()})
	if c.User != "" && (errors.Is(err, session.ErrLimit) || errors.Is(err, session.ErrType) || errors.Is(err, session.ErrConflict)) {
		// It was listed, and there is none. The id is nobody else's.
		err = errors.Join(err, s.Unlist(ctx, f, c.User, 0, []string{c.ID}))
	}
	return rec, err
}

// Load implements [session.Store]. One round trip.
func (s *Store) Load(ctx context.Context, f *session.Family, id string, l session.Load) (session.Record, error) {
	a := append(make(args, 0, 2), string(l.Hash), int(l.Slide))
	replies, err := s.run(ctx, "load", call{s.libraries.of(f).load, s.keys(f, id), a.packed()})
	if err != nil {
		return session.Record{}, err
	}
	return record(f, id, replies[0])
}

// Save implements [session.Store]. One round trip, which it may share with
// others, see [Options.NoGroupCommit].
func (s *Store) Save(ctx context.Context, f *session.Family, id string, v session.Save) (session.Record, error) {
	a := append(make(args, 0, 16), opSum(v.Op), v.Epoch, int(v.Slide), string(v.Renew.Old), string(v.Renew.New))
	a, err := a.deltas(f, v.Deltas)
	if err != nil {
		return session.Record{}, err
	}
	if v.Expiry != nil {
		a = append(a, 1).expiry(*v.Expiry)
	}
	cmd, err := s.group.run(ctx, call{s.libraries.of(f).save, withOps(s.keys(f, id), v.Op), a.packed()})
	if err != nil {
		return session.Record{}, unavailable("save", err)
	}
	reply, err := answer(cmd)
	if err != nil {
		return session.Record{}, unavailable("save", err)
	}
	return record(f, id, reply)
}

// Login implements [session.Store]. Two round trips (three on a Redis
// Cluster).
func (s *Store) Login(ctx context.Context, f *session.Family, id string, l session.Elevation) (session.Record, error) {
	a := append(make(args, 0, 32), opSum(l.Op), l.Epoch, string(l.Hash), l.Keep, s.channel, l.Notice)
	a, err := a.deltas(f, l.Deltas)
	if err != nil {
		return session.Record{}, err
	}
	a = append(a, l.User, l.Device, l.Address).terms(l.Terms).expiry(l.Expiry)
	return s.listedRun(ctx, "login", f, id, l.User, l.Terms, nil,
		call{s.libraries.of(f).login, withOps(s.keys(f, id), l.Op), a.packed()})
}

// listedRun runs the script that makes id a session of user, between two
// listings in the user's index, after what it takes the place of has ended.
//
// [Store.Raise] raises the generation and lists after that. Either it lists
// after our first listing, and finds id; then our second listing finds another
// generation. Or it lists before, and this login began after it. In no case
// does a session survive that neither side ends.
func (s *Store) listedRun(ctx context.Context, doing string, f *session.Family, id, user string, t session.Terms, ends []session.End, c call) (session.Record, error) {
	if user == "" || s.cluster {
		if err := s.Delete(ctx, f, ends...); err != nil {
			return session.Record{}, err
		}
		ends = nil
	}
	if user == "" {
		replies, err := s.run(ctx, doing, c)
		if err != nil {
			return session.Record{}, err
		}
		return record(f, id, replies[0])
	}
	life := cmp.Or(t.Life, f.Root().Life)
	enlist := call{s.enlistScript, s.indexKeys(f, user), args{id, life.Milliseconds()}}
	before, err := s.enlist(ctx, doing, f, ends, enlist)
	if err != nil {
		return session.Record{}, err
	}
	after, err := s.inOrder(ctx, doing, c, enlist)
	if err != nil {
		return session.Record{}, err
	}
	rec, err := record(f, id, after[0])
	if err != nil || at(before[0], 0) == at(after[1], 0) {
		return rec, err
	}
	// Nobody has the secret yet, and those who had the previous one were told
	// by the login: there is nobody to notify.
	if err := s.Delete(ctx, f, session.End{ID: id, User: user}); err != nil {
		return session.Record{}, errors.Join(session.ErrUserEnded, err)
	}
	return session.Record{}, session.ErrUserEnded
}

// enlist lists an id for the first time, along with ends if there are any.
func (s *Store) enlist(ctx context.Context, doing string, f *session.Family, ends []session.End, enlist call) ([][]any, error) {
	if len(ends) == 0 {
		return s.run(ctx, doing, enlist)
	}
	calls, err := s.endCalls(f, ends)
	if err != nil {
		return nil, err
	}
	return s.deleteTogether(ctx, f, ends, calls, enlist)
}
