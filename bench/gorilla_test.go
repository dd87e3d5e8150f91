package bench

import (
	"net/http"
	"testing"
	"time"

	"github.com/boj/redistore"
	"github.com/gomodule/redigo/redis"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/sessionhub/sessionhub/internal/redistest"
)

// withGorilla is gorilla/sessions, as its documentation uses it: a handler gets
// a session from its store and saves it. A login sets a value.
func withGorilla(where string, store sessions.Store) *library {
	change := func(fn func(*sessions.Session, *http.Request)) action {
		return func(w http.ResponseWriter, r *http.Request) error {
			s, err := store.Get(r, "session")
			if err != nil {
				return err
			}
			fn(s, r)
			return s.Save(r, w)
		}
	}
	check := func(key, want string) action {
		return func(_ http.ResponseWriter, r *http.Request) error {
			s, err := store.Get(r, "session")
			if err != nil {
				return err
			}
			if s.Values[key] != want {
				return errWrong
			}
			return nil
		}
	}
	return &library{
		name: "gorilla", store: where,
		fill: change(func(s *sessions.Session, _ *http.Request) {
			s.Values["name"] = "ada"
			s.Values["email"] = "ada@example.org"
			s.Values["theme"] = "dark"
			s.Values["since"] = int64(1735689600)
			s.Values["admin"] = true
		}),
		check: check,
		set: func(key, value string) action {
			return change(func(s *sessions.Session, _ *http.Request) { s.Values[key] = value })
		},
		login:  change(func(s *sessions.Session, r *http.Request) { s.Values["user"] = r.URL.Path }),
		user:   func(want string) action { return check("user", want) },
		logout: change(func(s *sessions.Session, _ *http.Request) { s.Options.MaxAge = -1 }),
	}
}

// keys are those that the documentation recommends: the cookie is
// authenticated by HMAC-SHA256 and encrypted by AES-256.
func keys() [][]byte {
	return [][]byte{securecookie.GenerateRandomKey(64), securecookie.GenerateRandomKey(32)}
}

func withGorillaCookies() *library {
	return withGorilla("cookie", sessions.NewCookieStore(keys()...))
}

// withGorillaOnRedis uses boj/redistore: of the stores for Redis that gorilla's
// README lists it is the one with a release for gorilla/sessions 1.4 (2025;
// rbcervilla/redisstore's last is of 2023). Its pool is given a test that asks
// only connections that were idle for a minute, as redigo's documentation
// suggests. The store's own constructors send a PING before every command,
// which doubles the trips.
func withGorillaOnRedis(b testing.TB, server *redistest.Server) *library {
	w := new(wire)
	pool := &redis.Pool{
		MaxIdle: 10, IdleTimeout: 240 * time.Second,
		Dial: func() (redis.Conn, error) {
			return redis.Dial("tcp", server.Addr, redis.DialContextFunc(w.dial))
		},
		TestOnBorrow: func(c redis.Conn, t time.Time) error {
			if time.Since(t) < time.Minute {
				return nil
			}
			_, err := c.Do("PING")
			return err
		},
	}
	b.Cleanup(func() { _ = pool.Close() })
	store, err := redistore.NewRediStoreWithPool(pool, keys()...)
	if err != nil {
		b.Fatal(err)
	}
	store.SetKeyPrefix(redistest.Prefix(b) + ":")
	l := withGorilla("Redis", store)
	l.wire = w
	return l
}
