package redisstore_test

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
)

func TestStore_keysExpireWithTheExpiry(t *testing.T) {
	c := redistest.Shared(t).Client(t)
	ctx := t.Context()
	now := c.Time(ctx).Val()
	for _, test := range []struct {
		name       string
		expiry     session.Expiry
		root, chat time.Duration
	}{
		{"none", session.Expiry{}, 30 * time.Minute, 10 * time.Minute},
		{"longer idle", session.Expiry{Idle: 2 * time.Hour}, 2 * time.Hour, 10 * time.Minute},
		{"shorter idle", session.Expiry{Idle: time.Minute}, time.Minute, time.Minute},
		{"end", session.Expiry{End: now.Add(3 * time.Hour)}, 3 * time.Hour, 10 * time.Minute},
		{"end beyond the lifetime", session.Expiry{End: now.Add(99 * time.Hour)}, 8 * time.Hour, 10 * time.Minute},
		{"cookie alone", session.Expiry{Cookie: session.PersistAlways}, 30 * time.Minute, 10 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, prefix := shared(t)
			rec := create(t, s, "")
			v := saving(rec, "chat", set("b", "2"))
			v.Expiry = &test.expiry
			rec, err := s.Save(ctx, family, rec.ID, v)
			if err != nil {
				t.Fatal(err)
			}
			if (rec.Left - test.root).Abs() > 10*time.Second {
				t.Errorf("Left = %v, want %v", rec.Left, test.root)
			}
			book := prefix + ":main:{" + rec.ID + "}"
			for key, want := range map[string]time.Duration{book: test.root, book + ":ch": test.chat} {
				if got := c.PTTL(ctx, key).Val(); (got - want).Abs() > 10*time.Second {
					t.Errorf("%s expires in %v, want %v", key, got, want)
				}
			}
		})
	}
}

func TestStore_expiryThatHasPassedLeavesNothing(t *testing.T) {
	s, prefix := shared(t)
	c := redistest.Shared(t).Client(t)
	for _, e := range []session.Expiry{
		{Idle: -1}, {Idle: -time.Hour}, {Idle: -1, End: time.Now().Add(time.Hour)},
		{End: time.UnixMilli(0)}, {End: time.Unix(-1<<40, 0)}, {End: time.Now().Add(-time.Second)},
	} {
		rec := create(t, s, "alice")
		v := saving(rec, "main", set("a", "1"))
		v.Expiry = &e
		rec, err := s.Save(t.Context(), family, rec.ID, v)
		if err != nil || rec.Left > 0 || rec.Spaces["main"].Version != 1 {
			t.Errorf("Save with %+v: %+v, %v, want the last moment of the session", e, rec.State, err)
		}
		for _, key := range keys(t, c, prefix) {
			if strings.Contains(key, rec.ID) && !strings.Contains(key, ":op:") {
				t.Errorf("Save with %+v left %s", e, key)
			}
		}
		if _, err := s.Load(t.Context(), family, rec.ID, session.Load{}); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("Load after a Save with %+v = %v, want %v", e, err, session.ErrNotFound)
		}
	}
}

// Zero milliseconds would stand for no expiry at all.
func TestStore_keepsAnExpiryBelowAMillisecond(t *testing.T) {
	s, _ := shared(t)
	rec := create(t, s, "")
	v := session.Save{Epoch: rec.Epoch, Expiry: &session.Expiry{Idle: time.Nanosecond}}
	rec, err := s.Save(t.Context(), family, rec.ID, v)
	if err != nil || rec.Left > time.Millisecond {
		t.Errorf("Save with %+v: Left = %v, %v", v.Expiry, rec.Left, err)
	}
}

func TestStore_createThatIsOverAnswersWithItsValues(t *testing.T) {
	s, prefix := shared(t)
	rec, err := s.Create(t.Context(), family, session.Create{
		ID: "id", Nonce: "n", Hash: "h", Expiry: session.Expiry{Idle: -1},
		Deltas: map[string]session.Delta{"main": set("a", "1")},
	})
	if err != nil || rec.Left > 0 || rec.Values["main"]["a"] != "1" {
		t.Errorf("Create = %+v, %v", rec, err)
	}
	if left := keys(t, redistest.Shared(t).Client(t), prefix); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

// A record that was written before there were expiries, addresses and times of
// logins.
func TestStore_readsOldRecords(t *testing.T) {
	s, prefix := shared(t)
	ctx := t.Context()
	c := redistest.Shared(t).Client(t)
	rec := create(t, s, "alice")
	book := prefix + ":main:{" + rec.ID + "}"
	now := c.Time(ctx).Val()
	at := func(d time.Duration) int64 { return now.Add(d).UnixMilli() }
	c.Del(ctx, book)
	c.HSet(ctx, book, "secret", "old-hash", "nonce", "n", "epoch", 3, "user", "alice", "device", "phone",
		"created", at(-time.Hour), "renewed", at(-time.Hour), "seen", at(-time.Minute),
		"idle", at(29*time.Minute), "life", at(7*time.Hour), "terms_idle", 1800000, "terms_persistent", 1,
		"ch:gen", 2, "ch:ver", 1, "ch:len", 2, "ch:idle", at(9*time.Minute), "ch:life", at(time.Hour))
	c.PExpireAt(ctx, book, now.Add(29*time.Minute))
	c.HSet(ctx, book+":ch", "k", "1")

	got, err := s.Load(ctx, family, rec.ID, session.Load{Hash: "old-hash"})
	if err != nil || got.Address != "" || got.Expiry != (session.Expiry{}) || !got.Authenticated.IsZero() ||
		got.User != "alice" || got.Device != "phone" || got.Epoch != 3 || got.Values["chat"]["k"] != "1" ||
		got.Terms != (session.Terms{Idle: 30 * time.Minute, Persistent: true}) {
		t.Errorf("Load = %+v, %v", got, err)
	}
	if states, err := s.Check(ctx, family, []string{rec.ID}); err != nil || states[0] == nil ||
		states[0].Spaces["chat"] != got.Spaces["chat"] || !states[0].Authenticated.IsZero() {
		t.Errorf("Check = %+v, %v", states, err)
	}
	got, err = s.Save(ctx, family, rec.ID, saving(got, "chat", session.Delta{Add: map[string]int64{"k": 1}}))
	if err != nil || got.Spaces["chat"].Version != 2 || (got.Left-29*time.Minute).Abs() > 10*time.Second {
		t.Errorf("Save = %+v, %v", got, err)
	}
	got, err = s.Login(ctx, family, rec.ID, session.Elevation{
		Op: rand.Text(), Epoch: 3, Hash: "new-hash", User: "alice", Keep: true, Notice: "n"})
	if err != nil || got.Epoch != 4 || got.Hash != "new-hash" || got.Device != "phone" || !got.Authenticated.IsZero() ||
		(got.Left-30*time.Minute).Abs() > 10*time.Second || (got.Life-7*time.Hour).Abs() > 10*time.Second {
		t.Errorf("Login that keeps = %+v, %v", got, err)
	}
	got, err = s.Login(ctx, family, rec.ID, session.Elevation{
		Op: rand.Text(), Epoch: 4, Hash: "h", User: "bob", Address: "192.0.2.0/24", Expiry: session.Expiry{Idle: time.Hour}})
	if err != nil || got.User != "bob" || got.Address != "192.0.2.0/24" || got.Device != "" ||
		got.Authenticated != got.Now || got.Expiry.Idle != time.Hour || (got.Left-time.Hour).Abs() > 10*time.Second {
		t.Errorf("Login = %+v, %v", got, err)
	}
}

// A login that keeps what the session has is listed like any other.
func TestStore_loginThatKeepsIsListed(t *testing.T) {
	s, prefix := warm(t)
	ctx := t.Context()
	rec := create(t, s, "alice")
	c := redistest.Shared(t).Client(t)
	for _, key := range keys(t, c, prefix) {
		if strings.Contains(key, ":user:") {
			c.Del(ctx, key)
		}
	}
	var h trips
	s.Client().AddHook(&h)
	if _, err := s.Login(ctx, family, rec.ID, session.Elevation{
		Op: rand.Text(), Epoch: rec.Epoch, Hash: "h", User: "alice", Keep: true}); err != nil {
		t.Fatal(err)
	}
	if n := h.n.Load(); n != 2 {
		t.Errorf("%d round trips, want 2", n)
	}
	if list, err := s.Listed(ctx, family, "alice"); err != nil || len(list) != 1 || list[0].ID != rec.ID {
		t.Errorf("Listed = %v, %v, want %s", list, err, rec.ID)
	}
}
