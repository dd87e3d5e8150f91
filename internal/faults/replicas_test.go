package faults_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/internal/faultproxy"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/redisstore"
)

// deletions is a store that counts them.
type deletions struct {
	*redisstore.Store
	n atomic.Int64
}

func (d *deletions) Delete(ctx context.Context, f *session.Family, ends ...session.End) error {
	d.n.Add(1)
	return d.Store.Delete(ctx, f, ends...)
}

// TestD12_anEndThatNoReplicaHasIsOwed ends sessions while the replica lags. The
// master lists them no more, and yet it is asked again for their ends until the
// replica has them: it could be the master the next moment.
func TestD12_anEndThatNoReplicaHasIsOwed(t *testing.T) {
	t.Parallel()
	master, prefix := redistest.Start(t, "--repl-diskless-sync-delay", "0"), redistest.Prefix(t)
	link := faultproxy.Start(t, master.Addr)
	replica := redistest.StartReplica(t, link.Addr)
	copied := replica.Client(t)
	url := "redis://" + master.Addr + "?dial_timeout=2s&read_timeout=2s&write_timeout=2s&pool_timeout=2s"
	store := &deletions{Store: must(redisstore.Open(url, redisstore.Options{
		Prefix: prefix, WaitReplicas: 1, WaitTimeout: 50 * time.Millisecond,
	}))(t)}
	t.Cleanup(func() { _ = store.Close() })
	registry := must(prefixes.NewRegistry(prefixes.Parse("main")))(t)
	m := session.New(registry, store, session.Options{Timeout: 5 * time.Second, Logger: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := m.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(func() {
		stop()
		running.Wait()
	})

	for _, c := range []struct {
		name string
		end  func(r *http.Request, id string) error
	}{
		{"a session", func(_ *http.Request, id string) error {
			_, err := m.EndSession(t.Context(), "", id, "root")
			return err
		}},
		{"a user", func(*http.Request, string) error {
			_, err := m.EndUser(t.Context(), "", "alice", "", "root")
			return err
		}},
		{"all, by the visitor", func(r *http.Request, _ string) error {
			_, err := m.Scope(r).Logout(t.Context(), session.All)
			return err
		}},
	} {
		sc := m.Scope(httptest.NewRequest("POST", "/", nil))
		if err := errors.Join(sc.Login(t.Context(), "alice", session.LoginOptions{}), sc.Commit(t.Context())); err != nil {
			t.Fatal(err)
		}
		header := make(http.Header)
		sc.WriteHeader(header)
		cookie := (&http.Response{Header: header}).Cookies()[0]
		r := httptest.NewRequest("POST", "/", nil)
		r.AddCookie(cookie)
		id, _, _ := m.Identify(r, "", false)
		eventually(t, "the replica has the session", func() bool { return len(keysOf(t, copied, prefix, id.ID)) > 0 })

		link.DropDown(true)
		before := store.n.Load()
		if err := c.end(r, id.ID); !errors.Is(err, session.ErrOwed) {
			t.Fatalf("%s: the end = %v, want ErrOwed", c.name, err)
		}
		eventually(t, c.name+": the master is asked again", func() bool {
			return m.Stats().Owed != 1 || store.n.Load() >= before+4
		})
		if owed := m.Stats().Owed; owed != 1 || len(keysOf(t, copied, prefix, id.ID)) == 0 {
			t.Errorf("%s: %d owed, and the replica has %v", c.name, owed, keysOf(t, copied, prefix, id.ID))
		}
		if err := c.end(r, id.ID); !errors.Is(err, session.ErrOwed) {
			t.Errorf("%s: the end, asked for again = %v, want ErrOwed", c.name, err)
		}
		link.DropDown(false)
		link.CloseAll() // what was dropped is asked for again
		eventually(t, c.name+": nothing is owed", func() bool { return m.Stats().Owed == 0 })
		if keys := keysOf(t, copied, prefix, id.ID); len(keys) > 0 {
			t.Errorf("%s: nothing is owed, and the replica has %v", c.name, keys)
		}
	}
}
