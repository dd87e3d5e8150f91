package redisstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/internal/faultproxy"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/redisstore"
)

// behindProxy opens a store on a server of its own, with a proxy between them.
func behindProxy(t *testing.T) (*redisstore.Store, *faultproxy.Proxy, *redistest.Server, string) {
	t.Helper()
	server := redistest.Start(t)
	proxy := faultproxy.Start(t, server.Addr)
	s, prefix := open(t, "redis://"+proxy.Addr, redisstore.Options{})
	rehearse(t, s)
	return s, proxy, server, prefix
}

// The client sends a command again when its reply is lost.
func TestStore_lostReplyIsNoSecondTime(t *testing.T) {
	s, proxy, server, prefix := behindProxy(t)
	notices := listen(t, server.Client(t), prefix+":notice")
	ctx := t.Context()

	_, hash := secret()
	c := session.Create{ID: rand.Text(), Nonce: rand.Text(), Hash: hash}
	proxy.CutOnReply(1)
	rec, err := s.Create(ctx, family, c)
	if err != nil {
		t.Fatalf("Create with a lost reply = %v", err)
	}
	c.Nonce = "another"
	if _, err := s.Create(ctx, family, c); !errors.Is(err, session.ErrExists) {
		t.Errorf("Create of another with the same id = %v, want %v", err, session.ErrExists)
	}

	for i := range 5 {
		proxy.CutOnReply(1)
		one := "1"
		v := saving(rec, "chat", session.Delta{Add: map[string]int64{"n": 1},
			Swap: map[string]session.Swap{fmt.Sprint("once", i): {New: &one}}})
		got, err := s.Save(ctx, family, rec.ID, v)
		if err != nil {
			t.Fatalf("Save with a lost reply = %v", err)
		}
		if n := got.In("chat").Map()["n"]; n != fmt.Sprint(i+1) {
			t.Errorf("Save %d: n = %s in the answer, want %d", i, n, i+1)
		}
		rec = got
	}

	proxy.CutOnReply(2) // the first is that of the listing
	_, next := secret()
	rec, err = s.Login(ctx, family, rec.ID, session.Elevation{
		Op: rand.Text(), Epoch: rec.Epoch, Hash: next, User: "alice", Notice: "login",
		Deltas: map[string]session.Delta{"chat": {
			Generation: rec.Space("chat").Generation, Version: rec.Space("chat").Version,
			Add: map[string]int64{"n": 10},
		}},
	})
	if err != nil || rec.Epoch != 2 || rec.Hash != next || rec.In("chat").Map()["n"] != "15" {
		t.Errorf("Login with a lost reply = %+v, %v", rec, err)
	}
	if got := notices(); len(got) != 1 || got[0] != "login" {
		t.Errorf("notices of the login = %q, want one", got)
	}

	proxy.CutOnReply(1)
	if err := s.Delete(ctx, family, session.End{ID: rec.ID, User: "alice", Notice: "end"}); err != nil {
		t.Errorf("Delete with a lost reply = %v", err)
	}
	if got := notices(); len(got) == 0 {
		t.Error("the end was not delivered")
	}
	if _, err := s.Load(ctx, family, rec.ID, session.Load{}); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Load = %v, want %v", err, session.ErrNotFound)
	}
}

// Redis forgets the scripts all the time, and nobody notices.
func TestStore_scriptFlushUnderLoad(t *testing.T) {
	server := redistest.Start(t)
	s, _ := open(t, server.URL, redisstore.Options{})
	ctx, stop := context.WithCancel(t.Context())
	var flusher, savers sync.WaitGroup
	c := server.Client(t)
	flusher.Go(func() {
		for ctx.Err() == nil {
			c.ScriptFlush(ctx)
		}
	})
	const clients, rounds = 8, 40
	for range clients {
		savers.Go(func() {
			rec := create(t, s, "alice")
			for range rounds {
				var err error
				rec, err = s.Save(ctx, family, rec.ID, saving(rec, "main", session.Delta{Add: map[string]int64{"n": 1}}))
				if err != nil {
					t.Errorf("Save = %v", err)
					return
				}
			}
			got, err := s.Load(ctx, family, rec.ID, session.Load{})
			if want := fmt.Sprint(rounds); err != nil || got.In("main").Map()["n"] != want {
				t.Errorf("n = %q, %v, want %s", got.In("main").Map()["n"], err, want)
			}
			if err := s.Delete(ctx, family, session.End{ID: rec.ID, User: "alice"}, session.End{ID: "x"}); err != nil {
				t.Errorf("Delete = %v", err)
			}
		})
	}
	savers.Wait()
	stop()
	flusher.Wait()
	if list, err := s.Listed(t.Context(), family, "alice"); err != nil || len(list) != 0 {
		t.Errorf("Listed = %v, %v, want none", list, err)
	}
}

func TestStore_outOfMemoryStopsSavesAndNothingElse(t *testing.T) {
	server := redistest.Start(t)
	s, prefix := open(t, server.URL, redisstore.Options{})
	ctx := t.Context()
	rec := create(t, s, "alice")
	c := server.Client(t)
	if err := c.ConfigSet(ctx, "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Save(ctx, family, rec.ID, saving(rec, "main", set("a", "1")))
	if !errors.Is(err, session.ErrUnavailable) || !redis.HasErrorPrefix(err, "OOM") {
		t.Errorf("Save = %v, want %v because of OOM", err, session.ErrUnavailable)
	}
	if _, err := s.Load(ctx, family, rec.ID, session.Load{Slide: session.SlideAlways}); err != nil {
		t.Errorf("Load = %v", err)
	}
	if states, err := s.Check(ctx, family, []string{rec.ID}); err != nil || states[0] == nil {
		t.Errorf("Check = %v, %v", states, err)
	}
	if list, err := s.Raise(ctx, family, "alice"); err != nil || len(list) != 1 {
		t.Errorf("Raise = %v, %v", list, err)
	}
	if err := s.Delete(ctx, family, session.End{ID: rec.ID, Namespace: "chat"}); err != nil {
		t.Errorf("Delete of a namespace = %v", err)
	}
	waiting, _ := open(t, server.URL, redisstore.Options{WaitReplicas: 1})
	err = waiting.Delete(ctx, family, session.End{ID: "other"})
	if !errors.Is(err, session.ErrUnavailable) || !errors.Is(err, session.ErrUnconfirmed) {
		t.Errorf("Delete that cannot wait for replicas = %v, want %v and %v", err, session.ErrUnavailable, session.ErrUnconfirmed)
	}
	if err := s.Delete(ctx, family, session.End{ID: rec.ID, User: "alice", Notice: "n"}); err != nil {
		t.Errorf("Delete = %v", err)
	}
	for _, key := range keys(t, c, prefix) {
		if strings.Contains(key, rec.ID) {
			t.Errorf("%s is left", key)
		}
	}
	if list, err := s.Listed(ctx, family, "alice"); err != nil || len(list) != 0 {
		t.Errorf("Listed = %v, %v, want none", list, err)
	}
}

func TestStore_replicaIsUnavailable(t *testing.T) {
	primary := redistest.Start(t)
	host, port, _ := net.SplitHostPort(primary.Addr)
	replica := redistest.Start(t, "--replicaof", host+" "+port)
	s, _ := open(t, replica.URL, redisstore.Options{})
	_, err := s.Create(t.Context(), family, session.Create{ID: "id", Nonce: "n", Hash: "h"})
	if !errors.Is(err, session.ErrUnavailable) || !redis.IsReadOnlyError(err) {
		t.Errorf("Create = %v, want %v because of READONLY", err, session.ErrUnavailable)
	}
	if _, err := s.Probe(t.Context()); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("Probe = %v, want %v", err, session.ErrUnavailable)
	}
}

func TestStore_waitsForReplicas(t *testing.T) {
	primary := redistest.Start(t, "--repl-diskless-sync-delay", "0")
	s, _ := open(t, primary.URL, redisstore.Options{WaitReplicas: 1, WaitTimeout: 50 * time.Millisecond})
	end := session.End{ID: "id", User: "alice"}
	err := s.Delete(t.Context(), family, end)
	if !errors.Is(err, session.ErrUnavailable) || !strings.Contains(err.Error(), "0 replicas of 1") {
		t.Errorf("Delete without a replica = %v, want %v", err, session.ErrUnavailable)
	}
	host, port, _ := net.SplitHostPort(primary.Addr)
	redistest.Start(t, "--replicaof", host+" "+port)
	patient, _ := open(t, primary.URL, redisstore.Options{WaitReplicas: 1, WaitTimeout: 1500 * time.Millisecond})
	for deadline := time.Now().Add(30 * time.Second); err != nil && time.Now().Before(deadline); {
		err = patient.Delete(t.Context(), family, end)
	}
	if err != nil {
		t.Errorf("Delete with a replica = %v", err)
	}
	var h trips
	patient.Client().AddHook(&h)
	if err := patient.Delete(t.Context(), family, end, session.End{ID: "other"}); err != nil || h.n.Load() != 1 {
		t.Errorf("Delete = %v in %d round trips, want 1", err, h.n.Load())
	}
}

func TestStore_deadServerIsUnavailable(t *testing.T) {
	s, proxy, server, _ := behindProxy(t)
	for _, fault := range []struct {
		name string
		set  func(on bool)
		want error
	}{
		{"silent", proxy.DropDown, context.DeadlineExceeded},
		{"refusing", func(on bool) {
			proxy.Refuse(on)
			if on {
				proxy.CloseAll()
			}
		}, nil},
	} {
		fault.set(true)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		began := time.Now()
		for name, err := range everyOperation(ctx, s) {
			if !errors.Is(err, session.ErrUnavailable) {
				t.Errorf("%s: %s = %v, want %v", fault.name, name, err, session.ErrUnavailable)
			}
		}
		if took := time.Since(began); fault.want != nil && (took < 150*time.Millisecond || took > 1500*time.Millisecond) {
			t.Errorf("%s: ended after %v, want the context's 200ms", fault.name, took)
		}
		cancel()
		fault.set(false)
	}
	proxy.CloseAll()
	if _, err := s.Listed(t.Context(), family, "u"); err != nil {
		t.Errorf("after the faults: %v", err)
	}
	server.Kill()
	if _, err := s.Load(t.Context(), family, "id", session.Load{}); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("Load from a dead server = %v, want %v", err, session.ErrUnavailable)
	}
}

// everyOperation runs each operation once and returns its error by name.
func everyOperation(ctx context.Context, s *redisstore.Store) map[string]error {
	errs := make(map[string]error)
	_, errs["Create"] = s.Create(ctx, family, session.Create{ID: "id", Nonce: "n", Hash: "h"})
	_, errs["Create of a user"] = s.Create(ctx, family, session.Create{ID: "id", Nonce: "n", Hash: "h", User: "u"})
	_, errs["Load"] = s.Load(ctx, family, "id", session.Load{})
	_, errs["Save"] = s.Save(ctx, family, "id", session.Save{Epoch: 1})
	_, errs["Login"] = s.Login(ctx, family, "id", session.Elevation{Op: "o", Epoch: 1, Hash: "i", User: "u"})
	_, errs["Check"] = s.Check(ctx, family, []string{"id"})
	_, errs["Listed"] = s.Listed(ctx, family, "u")
	_, errs["Raise"] = s.Raise(ctx, family, "u")
	errs["Unlist"] = s.Unlist(ctx, family, "u", 0, []string{"id"})
	errs["All"] = s.All(ctx, family, func([]string) error { return nil })
	errs["Delete"] = s.Delete(ctx, family, session.End{ID: "id"})
	errs["Delete of a user's"] = s.Delete(ctx, family, session.End{ID: "id", User: "u"})
	return errs
}

func TestStore_refusedUserIsUnavailableAndNothingIsToldOfPasswords(t *testing.T) {
	const password = "hunter2-canary"
	server := redistest.Start(t)
	server.SetUser(t, "nobody", ">"+password, "~*", "&*", "-@all", "+ping", "+hello")
	server.SetUser(t, "default", "resetpass", ">the-real-one")
	for _, user := range []string{"", "nobody"} {
		s, _ := open(t, "redis://"+user+":"+password+"@"+server.Addr, redisstore.Options{})
		for name, err := range everyOperation(t.Context(), s) {
			if !errors.Is(err, session.ErrUnavailable) {
				t.Errorf("%q: %s = %v, want %v", user, name, err, session.ErrUnavailable)
			}
			if strings.Contains(fmt.Sprint(err), password) {
				t.Errorf("%q: %s tells the password: %v", user, name, err)
			}
		}
		_, err := s.Probe(t.Context())
		if err == nil || strings.Contains(err.Error(), password) || !strings.Contains(err.Error(), server.Addr) {
			t.Errorf("%q: Probe = %v, want an error with the address and without the password", user, err)
		}
	}
}
