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
		if err != nil || rec.Left > 0 || rec.Space("main").Version != 1 {
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
	if err != nil || rec.Left > 0 || rec.In("main").Map()["a"] != "1" {
		t.Errorf("Create = %+v, %v", rec, err)
	}
	if left := keys(t, redistest.Shared(t).Client(t), prefix); len(left) > 0 {
		t.Errorf("%q are left", left)
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

func TestStore_keepsAnEndOfTheDistantFuture(t *testing.T) {
	s, _ := shared(t)
	rec := create(t, s, "")
	for _, end := range []time.Time{time.Unix(1<<42, 0), time.UnixMilli(1<<63 - 1)} {
		v := session.Save{Epoch: rec.Epoch, Expiry: &session.Expiry{End: end}}
		if _, err := s.Save(t.Context(), family, rec.ID, v); err != nil {
			t.Errorf("Save with an end at %v: %v", end, err)
		}
		got, err := s.Load(t.Context(), family, rec.ID, session.Load{Slide: session.SlideAlways})
		if err != nil || (got.Left-8*time.Hour).Abs() > 10*time.Second || got.Expiry.End.Before(rec.Now) {
			t.Errorf("Load after an end at %v: %+v, %v", end, got, err)
		}
	}
}
