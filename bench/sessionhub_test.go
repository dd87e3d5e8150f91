package bench

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/redisstore"
	"github.com/sessionhub/sessionhub/web"
)

// values are what each session holds: five, as an ordinary program has them.
var (
	name  = session.Field[string]("name")
	email = session.Field[string]("email")
	theme = session.Field[string]("theme")
	since = session.Field[int64]("since")
	admin = session.Field[bool]("admin")
)

// ours is sessionhub with two namespaces, and its usual timeouts: 30 minutes
// idle, so that a request every three minutes slides them.
func ours(b testing.TB, where string, store session.Store) *library {
	reg, err := prefixes.NewRegistry(prefixes.Parse("main"), prefixes.Parse("main/chat"))
	if err != nil {
		b.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	m := session.New(reg, store, session.Options{Logger: quiet})
	with := func(fn func(*session.Session) error) action {
		return func(_ http.ResponseWriter, r *http.Request) error {
			s, err := session.Get(r.Context(), "main")
			if err != nil {
				return err
			}
			return fn(s)
		}
	}
	return &library{
		name: "sessionhub", store: where,
		wrap: web.Sessions(m, web.Options{Logger: quiet}),
		fill: with(func(s *session.Session) error {
			email.Set(s, "ada@example.org")
			theme.Set(s, "dark")
			since.Set(s, 1735689600)
			admin.Set(s, true)
			return name.Set(s, "ada")
		}),
		check: func(key, want string) action {
			return with(func(s *session.Session) error {
				if v, err := session.Field[string](key).Get(s); err != nil || v != want {
					return errWrong
				}
				return nil
			})
		},
		set: func(key, value string) action {
			return with(func(s *session.Session) error { return session.Field[string](key).Set(s, value) })
		},
		login: func(_ http.ResponseWriter, r *http.Request) error {
			return session.Login(r.Context(), r.URL.Path)
		},
		user: func(want string) action {
			return func(_ http.ResponseWriter, r *http.Request) error {
				if v, err := session.User(r.Context()); err != nil || v != want {
					return errWrong
				}
				return nil
			}
		},
		logout: func(_ http.ResponseWriter, r *http.Request) error {
			_, err := session.Logout(r.Context(), session.This)
			return err
		},
	}
}

// oursOnRedis has a client with the settings that [redisstore.Open] gives one.
func oursOnRedis(b testing.TB, server *redistest.Server) *library {
	w := new(wire)
	client := redis.NewClient(&redis.Options{
		Addr: server.Addr, Dialer: w.dial,
		DialTimeout: time.Second, ReadTimeout: time.Second, WriteTimeout: time.Second,
		MaxRetries: 1, DialerRetries: 1, ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	b.Cleanup(func() { _ = client.Close() })
	store, err := redisstore.New(client, redisstore.Options{Prefix: redistest.Prefix(b)})
	if err != nil {
		b.Fatal(err)
	}
	l := ours(b, "Redis", store)
	l.wire = w
	return l
}
