package redisstore_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/redisstore"
	"github.com/sessionhub/sessionhub/session/sessiontest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// family is what the tests of this package use.
var family = &session.Family{Spaces: []session.Space{
	{Name: "main", Prefix: "main", Idle: 30 * time.Minute, Life: 8 * time.Hour},
	{Name: "chat", Prefix: "ch", Idle: 10 * time.Minute, Life: 2 * time.Hour},
}}

// open opens a store with a prefix of its own. Timeouts are longer than the
// default: the race detector and a busy machine are usual.
func open(t testing.TB, rawURL string, o redisstore.Options) (*redisstore.Store, string) {
	t.Helper()
	if o.Prefix == "" {
		o.Prefix = redistest.Prefix(t)
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for _, name := range []string{"dial_timeout", "read_timeout", "write_timeout"} {
		if !q.Has(name) {
			q.Set(name, "2s")
		}
	}
	u.RawQuery = q.Encode()
	s, err := redisstore.Open(u.String(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, o.Prefix
}

func shared(t testing.TB) (*redisstore.Store, string) {
	t.Helper()
	return open(t, redistest.Shared(t).URL, redisstore.Options{})
}

// warm is shared, with all scripts known to the server, so that each operation
// takes its usual number of round trips.
func warm(t testing.TB) (*redisstore.Store, string) {
	t.Helper()
	s, prefix := shared(t)
	rehearse(t, s)
	return s, prefix
}

// rehearse runs each operation once, on a session that leaves no key.
func rehearse(t testing.TB, s *redisstore.Store) {
	t.Helper()
	if _, err := s.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	rec := create(t, s, "")
	_, hash := secret()
	_, loading := s.Load(t.Context(), family, rec.ID, session.Load{})
	_, saving := s.Save(t.Context(), family, rec.ID, session.Save{Epoch: rec.Epoch})
	_, login := s.Login(t.Context(), family, rec.ID, session.Elevation{Epoch: rec.Epoch, Hash: hash})
	ending := s.Delete(t.Context(), family, session.End{ID: rec.ID})
	if err := errors.Join(loading, saving, login, ending); err != nil {
		t.Fatal(err)
	}
}

// redisURL stands for os.Getenv("REDIS_URL") in examples.
func redisURL() string { return redistest.Shared(exampleTB{}).URL }

// exampleTB is what an example has instead of a test.
type exampleTB struct{ testing.TB }

func (exampleTB) Helper()           {}
func (exampleTB) Fatal(args ...any) { log.Fatal(args...) }

// harness wraps a store for the conformance kit. Time and notices go to the
// server directly, whatever lies between it and the store.
func harness(t *testing.T, s *redisstore.Store, server *redistest.Server, prefix string) sessiontest.Harness {
	c := server.Client(t)
	return sessiontest.Harness{
		Store:   s,
		Advance: func(d time.Duration) { advance(t, c, prefix, d) },
		Notices: listen(t, c, prefix+":notice"),
	}
}

// moveBack makes a key d milliseconds older: its expiry, the deadlines and
// times of a session's bookkeeping, the times of a user's index.
var moveBack = redis.NewScript(`
local key, d = KEYS[1], tonumber(ARGV[1])
local function int(n) return string.format('%.0f', n) end
local kind = redis.call('TYPE', key).ok
if kind == 'zset' then
  local list = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  for i = 1, #list, 2 do redis.call('ZADD', key, int(list[i + 1] - d), list[i]) end
elseif kind == 'string' then
  local book = cmsgpack.unpack(redis.call('GET', key))
  if type(book) == 'table' and book[1] then -- neither the memory of an op nor what a replaced session left
    -- Created, seen, renewed, authenticated, idle, life, the expiry's end, previous until, the memory of ops.
    for _, i in ipairs({6, 7, 8, 9, 10, 11, 16, 21, 24, 25}) do book[i] = book[i] and book[i] - d end
    for i = 26, #book, 7 do -- prefix, generation, version, bytes, values, idle, life
      if book[i + 5] > 0 then book[i + 5], book[i + 6] = book[i + 5] - d, book[i + 6] - d end
    end
    redis.call('SET', key, cmsgpack.pack(book), 'KEEPTTL')
  end
end
local at = redis.call('PEXPIRETIME', key)
if at > 0 then redis.call('PEXPIREAT', key, int(at - d)) end
`)

// advance lets time pass for all keys below prefix, by moving them back.
func advance(t testing.TB, c *redis.Client, prefix string, d time.Duration) {
	t.Helper()
	for _, key := range keys(t, c, prefix) {
		if err := moveBack.Run(t.Context(), c, []string{key}, d.Milliseconds()).Err(); err != nil && err != redis.Nil {
			t.Fatal(err)
		}
	}
}

// keys returns all keys below prefix.
func keys(t testing.TB, c redis.UniversalClient, prefix string) []string {
	t.Helper()
	var found []string
	iter := c.Scan(t.Context(), 0, prefix+":*", 1000).Iterator()
	for iter.Next(t.Context()) {
		found = append(found, iter.Val())
	}
	if err := iter.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// listen subscribes to channel and returns a function that returns what was
// published since its last call. It publishes a mark of its own: what was
// published before comes before.
func listen(t testing.TB, c *redis.Client, channel string) func() []string {
	t.Helper()
	sub := c.Subscribe(t.Context(), channel)
	t.Cleanup(func() { _ = sub.Close() })
	if _, err := sub.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	return func() (notices []string) {
		t.Helper()
		mark := "mark " + rand.Text()
		if err := c.Publish(t.Context(), channel, mark).Err(); err != nil {
			t.Fatal(err)
		}
		for {
			m, err := sub.ReceiveMessage(t.Context())
			switch {
			case err != nil:
				t.Fatal(err)
			case m.Payload == mark:
				return notices
			}
			notices = append(notices, m.Payload)
		}
	}
}

// trips counts round trips, and calls before with the number of those that
// came before this one.
type trips struct {
	n      atomic.Int64
	before func(ctx context.Context, n int64)
}

func (h *trips) count(ctx context.Context) {
	if n := h.n.Add(1) - 1; h.before != nil {
		h.before(ctx, n)
	}
}

func (h *trips) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.count(ctx)
		return next(ctx, cmd)
	}
}

func (h *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		h.count(ctx)
		return next(ctx, cmds)
	}
}

// secret returns a secret and its hash.
func secret() (string, session.Hash) {
	s := rand.Text()
	h := sha256.Sum256([]byte(s))
	return s, session.Hash(hex.EncodeToString(h[:]))
}

// create makes a session, of user unless that is empty.
func create(t testing.TB, s session.Store, user string) session.Record {
	t.Helper()
	_, hash := secret()
	rec, err := s.Create(t.Context(), family, session.Create{
		ID: rand.Text()[:22], Nonce: rand.Text(), Hash: hash, User: user, Device: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// saving returns a save of one delta of one namespace of rec.
func saving(rec session.Record, name string, d session.Delta) session.Save {
	d.Generation, d.Version = rec.Space(name).Generation, rec.Space(name).Version
	return session.Save{Op: rand.Text(), Epoch: rec.Epoch, Deltas: map[string]session.Delta{name: d}}
}

func set(key, value string) session.Delta {
	return session.Delta{Set: map[string]string{key: value}}
}
