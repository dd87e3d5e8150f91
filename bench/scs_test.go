package bench

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/internal/redistest"
)

// withSCS is scs as it comes: without an idle timeout, which would make every
// request write, and with gob.
func withSCS(b testing.TB) (*library, *scs.SessionManager) {
	m := scs.New()
	// The race detector finds one in StopCleanup, with the beginning of the
	// goroutine that it ends, so these tests run without it.
	b.Cleanup(m.Store.(*memstore.MemStore).StopCleanup)
	check := func(key, want string) action {
		return func(_ http.ResponseWriter, r *http.Request) error {
			if m.GetString(r.Context(), key) != want {
				return errWrong
			}
			return nil
		}
	}
	return &library{
		name: "scs", store: "memory",
		wrap: m.LoadAndSave,
		fill: func(_ http.ResponseWriter, r *http.Request) error {
			m.Put(r.Context(), "name", "ada")
			m.Put(r.Context(), "email", "ada@example.org")
			m.Put(r.Context(), "theme", "dark")
			m.Put(r.Context(), "since", int64(1735689600))
			m.Put(r.Context(), "admin", true)
			return nil
		},
		check: check,
		set: func(key, value string) action {
			return func(_ http.ResponseWriter, r *http.Request) error {
				m.Put(r.Context(), key, value)
				return nil
			}
		},
		login: func(_ http.ResponseWriter, r *http.Request) error {
			if err := m.RenewToken(r.Context()); err != nil {
				return err
			}
			m.Put(r.Context(), "user", r.URL.Path)
			return nil
		},
		user:   func(want string) action { return check("user", want) },
		logout: func(_ http.ResponseWriter, r *http.Request) error { return m.Destroy(r.Context()) },
	}, m
}

// withSCSAndJSON is scs with the shortest codec for JSON: its Codec is for those
// to whom gob is too slow. Integers come back as floats.
func withSCSAndJSON(b testing.TB) *library {
	l, m := withSCS(b)
	l.name = "scs, JSON codec"
	m.Codec = jsonCodec{}
	return l
}

// withSCSOnRedis is scs with its store for go-redis, and a client as its
// documentation makes one.
func withSCSOnRedis(b testing.TB, server *redistest.Server) (*library, *scs.SessionManager) {
	l, m := withSCS(b)
	l.store, l.wire = "Redis", new(wire)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, Dialer: l.wire.dial})
	b.Cleanup(func() { _ = client.Close() })
	m.Store = goredisstore.NewWithPrefix(client, redistest.Prefix(b)+":")
	return l, m
}

type jsonCodec struct{}

type jsonSession struct {
	Deadline time.Time
	Values   map[string]any
}

func (jsonCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return json.Marshal(jsonSession{deadline, values})
}

func (jsonCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	var s jsonSession
	err := json.Unmarshal(b, &s)
	return s.Deadline, s.Values, err
}
