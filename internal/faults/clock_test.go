package faults_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/redisstore"
	"github.com/sessionhub/sessionhub/web"
)

// TestD66_expiryFollowsTheTimeOfRedis lets nodes whose clocks are an hour ahead and
// an hour behind use a session that lasts two seconds. Such a node is a bubble of
// package synctest, whose clock is set by sleeping and then stands still: a call to
// Redis waits for the network, and so for no clock of the bubble.
func TestD66_expiryFollowsTheTimeOfRedis(t *testing.T) {
	t.Parallel()
	const idle = 2 * time.Second
	server, prefix := redistest.Shared(t), redistest.Prefix(t)
	now := time.Now()
	for name, wrong := range map[string]time.Duration{"ahead": time.Hour, "behind": -time.Hour, "in another year": 366 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			right := clockNode(t, server, prefix, idle)
			var cookie, id string
			begun := time.Now()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(now.Add(wrong)))
				if off := time.Since(now) - wrong; off < -time.Minute || off > time.Minute {
					t.Fatalf("the clock of this node is wrong by %v, want %v", off+wrong, wrong)
				}
				n := clockNode(t, server, prefix, idle)
				cookie = n.login(t, "alice")
				id, _, _ = strings.Cut(strings.TrimPrefix(cookie, "__Host-id="), ".")
				if got := n.me(cookie); got != http.StatusOK {
					t.Errorf("on the node that began the session: %d, want 200", got)
				}
				info, ok, err := n.m.Lookup(t.Context(), "main", id)
				if err != nil || !ok {
					t.Fatalf("Lookup = %v, %v", ok, err)
				}
				// Moments are those of Redis, and not of this node.
				if off := info.Created.Sub(now); off < -time.Minute || off > time.Minute {
					t.Errorf("the session was created at %v, and it is %v", info.Created, now)
				}
			})
			if got := right.me(cookie); got != http.StatusOK {
				t.Errorf("on a node with the right time: %d, want 200", got)
			}
			seen := time.Now() // the last activity
			ttl, err := server.Client(t).PTTL(t.Context(), prefix+":main:{"+id+"}").Result()
			if err != nil || ttl <= 0 || ttl > idle {
				t.Errorf("the key lives for %v more, %v, want at most %v", ttl, err, idle)
			}
			eventually(t, "the session has expired", func() bool {
				alive, err := right.m.Exists(t.Context(), "main", id)
				return err == nil && !alive
			})
			// A request that comes early in the idle time is not recorded: it slides
			// at every tenth.
			if took := time.Since(begun); took < idle-idle/10 || time.Since(seen) > idle+slowness*100*time.Millisecond {
				t.Errorf("the session lived for %v, want %v", took, idle)
			}
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(now.Add(wrong)))
				if got := clockNode(t, server, prefix, idle).me(cookie); got != http.StatusUnauthorized {
					t.Errorf("after its end, on the node with the wrong time: %d, want 401", got)
				}
			})
		})
	}
}

// timed is a node without sockets, which starts no goroutine.
type timed struct {
	m *session.Manager
	h http.Handler
}

func clockNode(t *testing.T, server *redistest.Server, prefix string, idle time.Duration) *timed {
	t.Helper()
	store := must(redisstore.Open(server.URL+"?dial_timeout=2s&read_timeout=2s&write_timeout=2s", redisstore.Options{Prefix: prefix}))(t)
	t.Cleanup(func() { _ = store.Close() })
	registry := must(prefixes.NewRegistry(prefixes.Namespace{Name: "main", IdleTimeout: idle}))(t)
	m := session.New(registry, store, session.Options{Timeout: 5 * time.Second})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := session.Login(r.Context(), r.FormValue("user")); err != nil {
			web.Error(w, r, err)
		}
	})
	mux.Handle("GET /me", web.RequireUser(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	return &timed{m, web.Sessions(m, web.Options{})(mux)}
}

// login begins a session and returns its cookie, as in "name=value".
func (n *timed) login(t *testing.T, user string) string {
	t.Helper()
	rec := httptest.NewRecorder()
	n.h.ServeHTTP(rec, httptest.NewRequest("POST", "/login?user="+user, nil))
	for _, c := range rec.Result().Cookies() {
		return c.Name + "=" + c.Value
	}
	t.Fatalf("login: %d, and no cookie", rec.Code)
	return ""
}

// me returns the status of a page for users.
func (n *timed) me(cookie string) int {
	r := httptest.NewRequest("GET", "/me", nil)
	r.Header.Set("Cookie", cookie)
	rec := httptest.NewRecorder()
	n.h.ServeHTTP(rec, r)
	return rec.Code
}
