package redisstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
)

func TestStore_roundTrips(t *testing.T) {
	s, _ := warm(t)
	ctx := t.Context()
	var h trips
	s.Client().AddHook(&h)
	rec := create(t, s, "")
	mine := create(t, s, "alice")
	h.n.Store(0)

	for _, op := range []struct {
		name string
		want int64
		run  func() error
	}{
		{"Create anonymous", 1, func() error { create(t, s, ""); return nil }},
		{"Create of a user", 2, func() error { create(t, s, "alice"); return nil }},
		{"Load", 1, func() error {
			_, err := s.Load(ctx, family, rec.ID, session.Load{Slide: session.SlideAlways})
			return err
		}},
		{"Save in two namespaces", 1, func() error {
			v := saving(rec, "main", set("a", "1"))
			v.Deltas["chat"] = set("b", "2")
			_, err := s.Save(ctx, family, rec.ID, v)
			return err
		}},
		{"Login", 2, func() error {
			_, err := s.Login(ctx, family, rec.ID, session.Elevation{
				Op: rand.Text(), Epoch: rec.Epoch, Hash: "h", User: "alice", Notice: "n"})
			return err
		}},
		{"Check", 1, func() error { _, err := s.Check(ctx, family, []string{rec.ID, mine.ID}); return err }},
		{"Check of 1200", 6, func() error { _, err := s.Check(ctx, family, make([]string, 1200)); return err }},
		{"Check of none", 0, func() error { _, err := s.Check(ctx, family, nil); return err }},
		{"Listed", 1, func() error { _, err := s.Listed(ctx, family, "alice"); return err }},
		{"Raise", 1, func() error { _, err := s.Raise(ctx, family, "alice"); return err }},
		{"Unlist", 1, func() error { return s.Unlist(ctx, family, "alice", 0, []string{rec.ID}) }},
		{"Unlist of none", 0, func() error { return s.Unlist(ctx, family, "alice", 0, nil) }},
		{"Delete of a namespace", 1, func() error {
			return s.Delete(ctx, family, session.End{ID: mine.ID, Namespace: "chat", User: "alice"})
		}},
		{"Delete of several of a user", 1, func() error {
			return s.Delete(ctx, family,
				session.End{ID: rec.ID, User: "alice", Notice: "1"}, session.End{ID: mine.ID, User: "alice", Notice: "2"})
		}},
		{"Delete of one", 1, func() error { return s.Delete(ctx, family, session.End{ID: rec.ID}) }},
		{"Delete of none", 0, func() error { return s.Delete(ctx, family) }},
	} {
		before := h.n.Load()
		if err := op.run(); err != nil {
			t.Errorf("%s: %v", op.name, err)
		}
		if got := h.n.Load() - before; got != op.want {
			t.Errorf("%s: %d round trips, want %d", op.name, got, op.want)
		}
	}
}

func TestStore_dumpHoldsNoSecret(t *testing.T) {
	s, prefix := shared(t)
	ctx := t.Context()
	first, firstHash := secret()
	second, secondHash := secret()
	third, thirdHash := secret()
	id := rand.Text()[:22]
	rec, err := s.Create(ctx, family, session.Create{ID: id, Nonce: rand.Text(), Hash: firstHash})
	if err != nil {
		t.Fatal(err)
	}
	v := saving(rec, "main", set("colour", `"green"`))
	v.Renew.Old, v.Renew.New = firstHash, secondHash
	if rec, err = s.Save(ctx, family, id, v); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Login(ctx, family, id, session.Elevation{
		Op: rand.Text(), Epoch: rec.Epoch, Hash: thirdHash, User: "alice@example.com", Notice: "n",
	}); err != nil {
		t.Fatal(err)
	}

	var dump strings.Builder
	c := redistest.Shared(t).Client(t)
	for _, key := range keys(t, c, prefix) {
		fmt.Fprintln(&dump, key)
		switch c.Type(ctx, key).Val() {
		case "hash":
			fmt.Fprintln(&dump, c.HGetAll(ctx, key).Val())
		case "zset":
			fmt.Fprintln(&dump, c.ZRange(ctx, key, 0, -1).Val())
		case "string":
			fmt.Fprintln(&dump, c.Get(ctx, key).Val())
		}
	}
	for _, planted := range []string{first, second, third} {
		if strings.Contains(dump.String(), planted) {
			t.Errorf("the dump holds a secret:\n%s", dump.String())
		}
	}
	for _, there := range []string{string(thirdHash), string(secondHash), `colour:"green"`} {
		if !strings.Contains(dump.String(), there) {
			t.Errorf("the dump lacks %q:\n%s", there, dump.String())
		}
	}
	if strings.Contains(dump.String(), string(firstHash)) {
		t.Error("the dump holds a hash that fits nothing any more")
	}
}

func TestStore_deleteLeavesOnlyTheMemoryOfOps(t *testing.T) {
	s, prefix := shared(t)
	ctx := t.Context()
	rec := create(t, s, "bob")
	v := saving(rec, "main", set("a", "1"))
	v.Deltas["chat"] = set("b", "2")
	if _, err := s.Save(ctx, family, rec.ID, v); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, family, session.End{ID: rec.ID, User: "bob"}); err != nil {
		t.Fatal(err)
	}
	c := redistest.Shared(t).Client(t)
	for _, key := range keys(t, c, prefix) {
		op, generation := strings.Contains(key, ":op:"), strings.HasSuffix(key, "}:g")
		if !op && !generation {
			t.Errorf("%s is left", key)
		}
		if ttl := c.PTTL(ctx, key).Val(); ttl <= 0 || op && ttl > session.OpMemory {
			t.Errorf("%s expires in %v", key, ttl)
		}
	}
}

func TestStore_keysExpireWithTheirNamespace(t *testing.T) {
	s, prefix := shared(t)
	ctx := t.Context()
	rec := create(t, s, "carol")
	v := saving(rec, "main", set("a", "1"))
	v.Deltas["chat"] = set("b", "2")
	if _, err := s.Save(ctx, family, rec.ID, v); err != nil {
		t.Fatal(err)
	}
	c := redistest.Shared(t).Client(t)
	book := prefix + ":main:{" + rec.ID + "}"
	for key, want := range map[string]time.Duration{
		book:           30 * time.Minute,
		book + ":main": 30 * time.Minute,
		book + ":ch":   10 * time.Minute,
	} {
		if got := c.PTTL(ctx, key).Val(); (got - want).Abs() > 10*time.Second {
			t.Errorf("%s expires in %v, want %v", key, got, want)
		}
	}
	for _, key := range keys(t, c, prefix) {
		if c.PTTL(ctx, key).Val() <= 0 {
			t.Errorf("%s never expires", key)
		}
	}
}

// A program may get another namespace while it runs, node after node: records
// made without it, and nodes that do not know of it, keep what is theirs.
func TestStore_knowsNamespacesByTheirPrefix(t *testing.T) {
	s, _ := shared(t)
	ctx := t.Context()
	more := &session.Family{Spaces: []session.Space{
		family.Spaces[0], {Name: "notes", Prefix: "n", Idle: time.Minute}, family.Spaces[1]}}
	rec := create(t, s, "")
	id := rec.ID
	if err := s.Delete(ctx, family, session.End{ID: id, Namespace: "chat"}); err != nil {
		t.Fatal(err)
	}
	save := func(f *session.Family, name, key, value string) {
		t.Helper()
		rec, err := s.Load(ctx, f, id, session.Load{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Save(ctx, f, id, saving(rec, name, set(key, value))); err != nil {
			t.Fatal(err)
		}
	}
	save(family, "chat", "a", "1")
	save(more, "notes", "b", "2")
	save(family, "chat", "a", "3")
	save(more, "chat", "c", "4")

	for _, f := range []*session.Family{family, more} {
		rec, err := s.Load(ctx, f, id, session.Load{})
		states, checking := s.Check(ctx, f, []string{id})
		if err != nil || checking != nil || states[0] == nil {
			t.Fatalf("Load = %v, Check = %v, %v", err, states, checking)
		}
		chat := rec.Space("chat")
		if chat.Generation != 1 || chat.Version != 3 || (chat.Deadline.Sub(rec.Now)-10*time.Minute).Abs() > 10*time.Second ||
			rec.In("chat").Map()["a"] != "3" || rec.In("chat").Map()["c"] != "4" {
			t.Errorf("in a family of %d: chat is %+v with %v", len(f.Spaces), chat, rec.In("chat").Map())
		}
		notes := rec.Space("notes")
		if len(f.Spaces) == 3 && (notes.Version != 1 || rec.In("notes").Map()["b"] != "2") {
			t.Errorf("notes are %+v with %v", notes, rec.In("notes").Map())
		}
		for i, space := range states[0].Spaces {
			if space != rec.Spaces[i] {
				t.Errorf("Check: %s is %+v, want %+v", f.Spaces[i].Name, space, rec.Spaces[i])
			}
		}
	}
}

// An integer of 64 bits does not fit a Lua number: the script adds its halves.
func TestStore_addIsExact(t *testing.T) {
	s, _ := shared(t)
	rec := create(t, s, "")
	ctx := t.Context()
	edges := []int64{0, 1, -1, 9, -10, 999999999, 1000000000, -1000000000, 1 << 53, 1<<53 + 1, -1<<53 - 1,
		9223372036854775807, -9223372036854775808, 9223372036000000000, 854775807, -854775808, 9223372035999999999}
	type sum struct{ a, b int64 }
	var sums []sum
	for _, a := range edges {
		for _, b := range edges {
			sums = append(sums, sum{a, b})
		}
	}
	for range 500 {
		sums = append(sums, sum{int64(mathrand.Uint64()) >> mathrand.IntN(64), int64(mathrand.Uint64()) >> mathrand.IntN(64)})
	}
	for _, c := range sums {
		op := saving(rec, "main", set("n", strconv.FormatInt(c.a, 10)))
		var err error
		if rec, err = s.Save(ctx, family, rec.ID, op); err != nil {
			t.Fatal(err)
		}
		want := new(big.Int).Add(big.NewInt(c.a), big.NewInt(c.b))
		v := saving(rec, "main", session.Delta{Add: map[string]int64{"n": c.b}})
		got, err := s.Save(ctx, family, rec.ID, v)
		if !want.IsInt64() {
			if !errors.Is(err, session.ErrLimit) {
				t.Errorf("%d + %d = %v, want %v", c.a, c.b, err, session.ErrLimit)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%d + %d: %v", c.a, c.b, err)
		}
		rec = got
		// A sum that stands alone is Redis' own; with others, the script's.
		v = saving(rec, "main", session.Delta{Set: map[string]string{"m": strconv.FormatInt(c.a, 10)}})
		if rec, err = s.Save(ctx, family, rec.ID, v); err != nil {
			t.Fatal(err)
		}
		v = saving(rec, "main", session.Delta{Add: map[string]int64{"m": c.b}, Delete: []string{"none"}})
		if rec, err = s.Save(ctx, family, rec.ID, v); err != nil {
			t.Fatalf("%d + %d with another change: %v", c.a, c.b, err)
		}
		loaded, err := s.Load(ctx, family, rec.ID, session.Load{})
		m := loaded.In("main").Map()
		if err != nil || m["n"] != want.String() || m["m"] != want.String() {
			t.Errorf("%d + %d = %q, %v, want %s twice", c.a, c.b, m, err, want)
		}
	}
}

func TestStore_addRefusesWhatIsNoInteger(t *testing.T) {
	s, _ := shared(t)
	rec := create(t, s, "")
	for _, text := range []string{`"1"`, "1.0", "1e3", "-0", "01", "+1", "", " 1", "1 ", "null", "true", "[]",
		"9223372036854775808", "-9223372036854775809", "99999999999999999999"} {
		var err error
		if rec, err = s.Save(t.Context(), family, rec.ID, saving(rec, "main", set("n", text))); err != nil {
			t.Fatal(err)
		}
		for _, others := range []map[string]string{nil, {"m": "1"}} {
			v := saving(rec, "main", session.Delta{Add: map[string]int64{"n": 1}, Set: others})
			if _, err := s.Save(t.Context(), family, rec.ID, v); !errors.Is(err, session.ErrType) {
				t.Errorf("%q + 1 = %v, want %v", text, err, session.ErrType)
			}
		}
		loaded, err := s.Load(t.Context(), family, rec.ID, session.Load{})
		if err != nil || loaded.In("main").Map()["n"] != text || loaded.In("main").Map()["m"] != "" {
			t.Errorf("after %q + 1: %v, %v", text, loaded.Values, err)
		}
	}
}

func TestStore_takesAnyBytesAsUserAndKeys(t *testing.T) {
	s, _ := shared(t)
	user := "{}:\x00\xff:" + strings.Repeat("u", 5000)
	rec := create(t, s, user)
	key := "a b\x00{}\xff:"
	if _, err := s.Save(t.Context(), family, rec.ID, saving(rec, "chat", set(key, `"\u0000"`))); err != nil {
		t.Fatal(err)
	}
	got, err := s.Load(t.Context(), family, rec.ID, session.Load{})
	if err != nil || got.User != user || got.In("chat").Map()[key] != `"\u0000"` {
		t.Errorf("Load = %+v, %v", got, err)
	}
	if list, err := s.Listed(t.Context(), family, user); err != nil || len(list) != 1 {
		t.Errorf("Listed = %v, %v", list, err)
	}
}

func TestStore_refusesTooManyKeysAtOnce(t *testing.T) {
	s, _ := shared(t)
	rec := create(t, s, "")
	d := session.Delta{Set: map[string]string{}}
	for i := range 20000 {
		d.Set[strconv.Itoa(i)] = "1"
		d.Delete = append(d.Delete, "x"+strconv.Itoa(i))
	}
	if _, err := s.Save(t.Context(), family, rec.ID, saving(rec, "main", d)); !errors.Is(err, session.ErrLimit) {
		t.Errorf("Save of %d values = %v, want %v", len(d.Set), err, session.ErrLimit)
	}
}

func TestStore_unknownNamespaceIsRefusedBeforeAnythingIsSent(t *testing.T) {
	s, _ := shared(t)
	rec := create(t, s, "")
	var h trips
	s.Client().AddHook(&h)
	if _, err := s.Save(t.Context(), family, rec.ID, session.Save{
		Op: "o", Epoch: rec.Epoch, Deltas: map[string]session.Delta{"nowhere": set("a", "1")},
	}); err == nil || errors.Is(err, session.ErrUnavailable) {
		t.Errorf("Save = %v", err)
	}
	if err := s.Delete(t.Context(), family, session.End{ID: rec.ID}, session.End{ID: rec.ID, Namespace: "nowhere"}); err == nil {
		t.Error("Delete = nil")
	}
	if n := h.n.Load(); n != 0 {
		t.Errorf("%d round trips, want 0", n)
	}
}

// Between the listing and the login, somebody takes the id out of the index,
// as an end of that session does that finds nothing yet.
func TestStore_loginIsListedWhateverIsUnlistedMeanwhile(t *testing.T) {
	s, _ := warm(t)
	rec := create(t, s, "")
	s.Client().AddHook(&trips{before: func(ctx context.Context, n int64) {
		if n == 1 {
			if err := s.Delete(ctx, family, session.End{ID: rec.ID, User: "dave", Notice: "n"}); err != nil {
				t.Error(err)
			}
		}
	}})
	if _, err := s.Login(t.Context(), family, rec.ID, session.Elevation{
		Op: rand.Text(), Epoch: rec.Epoch, Hash: "h", User: "dave"}); err != nil {
		t.Fatal(err)
	}
	if list, err := s.Listed(t.Context(), family, "dave"); err != nil || len(list) != 1 || list[0].ID != rec.ID {
		t.Errorf("Listed = %v, %v, want %s", list, err, rec.ID)
	}
}

// Between the listing and the creation, all sessions of the user are ended.
func TestStore_createDoesNotSurviveTheEndOfTheUser(t *testing.T) {
	s, prefix := warm(t)
	s.Client().AddHook(&trips{before: func(ctx context.Context, n int64) {
		if n == 1 {
			if list, err := s.Raise(ctx, family, "erin"); err != nil || len(list) != 1 {
				t.Errorf("Raise = %v, %v, want the login in progress", list, err)
			}
		}
	}})
	_, err := s.Create(t.Context(), family, session.Create{ID: "id", Nonce: "n", Hash: "h", User: "erin"})
	if !errors.Is(err, session.ErrUserEnded) {
		t.Errorf("Create = %v, want %v", err, session.ErrUserEnded)
	}
	if _, err := s.Load(t.Context(), family, "id", session.Load{}); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Load = %v, want %v", err, session.ErrNotFound)
	}
	for _, key := range keys(t, redistest.Shared(t).Client(t), prefix) {
		if !strings.HasSuffix(key, "}:g") && !strings.Contains(key, ":probe:") {
			t.Errorf("%s is left", key)
		}
	}
}

// A generation that expires is not seen again.
func TestStore_generationNeverComesBack(t *testing.T) {
	s, prefix := shared(t)
	c := redistest.Shared(t).Client(t)
	var seen []string
	for range 3 {
		if _, err := s.Raise(t.Context(), family, "frank"); err != nil {
			t.Fatal(err)
		}
		for _, key := range keys(t, c, prefix) {
			seen = append(seen, c.HGet(t.Context(), key, "gen").Val())
			c.Del(t.Context(), key)
		}
	}
	if len(seen) != 3 || seen[0] >= seen[1] || seen[1] >= seen[2] {
		t.Errorf("generations = %v, want rising ones", seen)
	}
}

// The index forgets what no session can be as old as, and nothing younger.
func TestStore_indexForgetsOnlyTheDead(t *testing.T) {
	s, prefix := shared(t)
	c := redistest.Shared(t).Client(t)
	ctx := t.Context()
	remembered, _ := s.Create(ctx, family, session.Create{ID: "remembered", Nonce: "n", Hash: "h", User: "grace",
		Terms: session.Terms{Idle: 30 * 24 * time.Hour, Life: 30 * 24 * time.Hour}})
	advance(t, c, prefix, 29*24*time.Hour)
	create(t, s, "grace")
	if list, _ := s.Listed(ctx, family, "grace"); len(list) != 2 {
		t.Errorf("Listed = %v, want %q and another", list, remembered.ID)
	}
	advance(t, c, prefix, 3*24*time.Hour)
	last := create(t, s, "grace")
	list, _ := s.Listed(ctx, family, "grace")
	for _, l := range list {
		if l.ID == remembered.ID {
			t.Errorf("Listed = %v, want it without %q", list, remembered.ID)
		}
	}
	if len(list) == 0 || list[len(list)-1].ID != last.ID {
		t.Errorf("Listed = %v, want %q last", list, last.ID)
	}
}
