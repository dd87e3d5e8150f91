package session_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/seal"
)

// vault is a browser whose values are encrypted in the store.
type vault struct {
	*spoiled
	t *testing.T
}

func newKey(t *testing.T) []byte {
	t.Helper()
	key, err := seal.Key(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newVault(t *testing.T, o seal.Options) *vault {
	t.Helper()
	b := newBrowser(t)
	v := &vault{&spoiled{browser: b, tapped: &tapped{Store: b.store}}, t}
	v.use(o)
	return v
}

// use is another node on the same store, with other keys.
func (v *vault) use(o seal.Options) {
	v.t.Helper()
	codec, err := seal.New(o)
	if err != nil {
		v.t.Fatal(err)
	}
	reg, err := prefixes.NewRegistry(prefixes.Parse("main"), prefixes.Parse("main/chat"))
	if err != nil {
		v.t.Fatal(err)
	}
	v.m = session.New(reg, v.tapped, session.Options{
		Ends: v.ends, Codec: codec, Logger: slog.New(slog.NewTextHandler(&v.logged, nil)),
	})
}

func TestCodec_theStoreHoldsNoValue(t *testing.T) {
	v := newVault(t, seal.Options{Keys: [][]byte{newKey(t)}})
	v.set("main", "card", "canary-4111")
	v.set("main", "list", []string{"canary-a", "canary-b"})
	v.get("main", "card")
	for key, stored := range v.stored().In("main").All() {
		if strings.Contains(stored, "canary") {
			t.Errorf("%s is stored as %q", key, stored)
		}
	}
	if got := v.get("main", "card"); got != `"canary-4111"` {
		t.Errorf("read back %s", got)
	}
}

func TestCodec_everyKindOfChangeWorks(t *testing.T) {
	v := newVault(t, seal.Options{Keys: [][]byte{newKey(t)}, CompressAbove: 64})
	sc := v.scope()
	s := v.open(sc, "main")
	notices, sent := session.Flash[string]("notices"), session.Counter("sent")
	if err := errors.Join(
		s.Set("long", strings.Repeat("long ", 200)), s.Set("gone", 1), s.Set("n", 41),
		notices.Add(s, "first"), sent.Add(s, 2),
		s.Update("list", func(json.RawMessage) (any, error) { return []int{1}, nil }),
	); err != nil {
		t.Fatal(err)
	}
	v.mustCommit(sc)
	if s.Modified() || s.Len() != 6 {
		t.Errorf("after the save modified %t, keys %q", s.Modified(), s.Keys())
	}

	// In the scope that saved, and in one that loads.
	for range 2 {
		if err := errors.Join(
			s.Delete("gone"), notices.Add(s, "next"), sent.Add(s, 3), session.Counter("n").Add(s, 1),
			session.Field[[]int]("list").Update(s, func(old []int) ([]int, error) { return append(old, 2), nil }),
		); err != nil {
			t.Fatal(err)
		}
		v.mustCommit(sc)
		sc = v.scope()
		s = v.open(sc, "main")
	}
	all := make(map[string]string)
	for key, raw := range s.Items() {
		if key != "notices" {
			all[key] = string(raw)
		}
	}
	want := map[string]string{"long": `"` + strings.Repeat("long ", 200) + `"`, "n": "43", "sent": "8", "list": "[1,2,2]"}
	if d := cmp.Diff(want, all); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if got, err := notices.Take(s); len(got) != 3 || err != nil {
		t.Errorf("Take = %q, %v", got, err)
	}
}

func TestCodec_compareAndSetMeetsAnotherWriter(t *testing.T) {
	v := newVault(t, seal.Options{Keys: [][]byte{newKey(t)}})
	v.set("main", "list", []int{0})
	appended := func(n int) (*session.Scope, error) {
		sc := v.scope()
		return sc, session.Field[[]int]("list").Update(v.open(sc, "main"), func(old []int) ([]int, error) {
			return append(old, n), nil
		})
	}
	one, err1 := appended(1)
	two, err2 := appended(2)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	v.mustCommit(one)
	v.mustCommit(two)
	if got := v.get("main", "list"); got != "[0,1,2]" {
		t.Errorf("list = %s", got)
	}
}

func TestCodec_keysRotate(t *testing.T) {
	old, next := newKey(t), newKey(t)
	v := newVault(t, seal.Options{Keys: [][]byte{old}})
	v.set("main", "a", 1)
	v.use(seal.Options{Keys: [][]byte{next, old}})
	if got := v.get("main", "a"); got != "1" {
		t.Errorf("with both keys a = %s", got)
	}
	v.set("main", "a", 2)
	v.use(seal.Options{Keys: [][]byte{next}})
	if got := v.get("main", "a"); got != "2" {
		t.Errorf("written under the new key a = %s", got)
	}
}

func TestCodec_whatDoesNotOpenIsAnEmptySession(t *testing.T) {
	v := newVault(t, seal.Options{Keys: [][]byte{newKey(t)}})
	v.set("main", "user_id", 7)
	v.set("chat", "draft", "x")
	was := v.stored().In("main").Map()["user_id"]
	v.use(seal.Options{Keys: [][]byte{newKey(t)}})

	sc := v.scope()
	s := v.open(sc, "main")
	if s.Has("user_id") || s.Len() != 0 || s.Modified() {
		t.Errorf("keys %q, modified %t", s.Keys(), s.Modified())
	}
	v.mustCommit(sc)
	if got := v.stored().In("main").Map()["user_id"]; got != was {
		t.Error("a read changed what is stored")
	}
	want := `msg="session data corrupted" security=true id=` + session.Short(v.id()) + " namespace=main"
	if n := strings.Count(v.logged.String(), want); n != 1 || strings.Count(v.logged.String(), "\n") != 1 {
		t.Errorf("logged %q, want one line %s", v.logged.String(), want)
	}

	for i := range 2 {
		v.set("main", "theme", i)
	}
	if d := cmp.Diff([]string{"theme"}, v.open(v.scope(), "main").Keys()); d != "" {
		t.Errorf("after a save -want +got\n%s", d)
	}
	if n := v.stored().In("main").Len(); n != 1 {
		t.Errorf("%d values are stored, want the one that was set", n)
	}
}

func TestCodec_updatesReplaceWhatDoesNotOpen(t *testing.T) {
	for name, change := range map[string]func(*session.Session) error{
		"Update": func(s *session.Session) error {
			return session.Field[int]("a").Update(s, func(int) (int, error) { return 1, nil })
		},
		"Counter": func(s *session.Session) error { return session.Counter("a").Add(s, 1) },
		"SetDefault": func(s *session.Session) error {
			_, err := s.SetDefault("a", 1)
			return err
		},
	} {
		v := newVault(t, seal.Options{Keys: [][]byte{newKey(t)}})
		v.set("main", "a", 7)
		v.use(seal.Options{Keys: [][]byte{newKey(t)}})
		sc := v.scope()
		if err := change(v.open(sc, "main")); err != nil {
			t.Fatal(err)
		}
		v.mustCommit(sc)
		if got := v.get("main", "a"); got != "1" {
			t.Errorf("%s: a = %s", name, got)
		}
	}
}

func TestCodec_aValueCopiedToAnotherPlaceDoesNotOpen(t *testing.T) {
	for name, place := range map[string]func(v *vault, stored string){
		"another key":     func(v *vault, stored string) { v.write(map[string]string{"b": stored}) },
		"another session": func(v *vault, stored string) { v.copyTo(stored) },
	} {
		v := newVault(t, seal.Options{Keys: [][]byte{newKey(t)}})
		v.set("main", "a", "admin")
		v.get("main", "a")
		place(v, v.stored().In("main").Map()["a"])
		if got := v.get("main", "a") + v.get("main", "b"); got != "" {
			t.Errorf("%s: opened as %s", name, got)
		}
	}
}

// copyTo makes v another visitor, whose "a" is what is stored of the first.
func (v *vault) copyTo(stored string) {
	v.t.Helper()
	v.spoiled.browser = v.another()
	v.set("main", "other", 1)
	v.get("main", "other")
	v.write(map[string]string{"a": stored})
}

func TestCodec_limitsCountWhatIsStored(t *testing.T) {
	v := newVault(t, seal.Options{Keys: [][]byte{newKey(t)}})
	s := v.open(v.scope(), "main")
	if err := s.Set("a", strings.Repeat("x", session.MaxValueBytes-2)); !errors.Is(err, session.ErrLimit) {
		t.Errorf("a value that is too long once it is encrypted: %v", err)
	}
	v.set("main", "a", strings.Repeat("x", session.MaxValueBytes-64))
	if n := len(v.get("main", "a")); n != session.MaxValueBytes-62 {
		t.Errorf("read back %d bytes", n)
	}
}

func TestCodec_messagesReadAndWrite(t *testing.T) {
	v := newVault(t, seal.Options{Keys: [][]byte{newKey(t)}})
	v.set("chat", "name", "ann")
	cred, _, _ := v.m.Identify(v.request(), "", false)
	h, err := v.m.Hold(t.Context(), cred)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Release()
	for i := range 3 {
		sc := h.Scope(session.HoldOptions{})
		s := v.open(sc, "chat")
		if got, err := session.Field[string]("name").Get(s); got != "ann" || err != nil {
			t.Errorf("message %d: name = %q, %v", i, got, err)
		}
		if err := session.Field[int]("n").Set(s, i); err != nil {
			t.Fatal(err)
		}
		if err := sc.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := v.get("chat", "n"); got != "2" {
		t.Errorf("n = %s", got)
	}
}

func TestCodec_aSessionOfAnotherUserStartsUnderItsOwnID(t *testing.T) {
	v := newVault(t, seal.Options{Keys: [][]byte{newKey(t)}})
	v.login("ann")
	sc := v.scope()
	if err := sc.Login(t.Context(), "bob", session.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := v.open(sc, "main").Set("a", 1); err != nil {
		t.Fatal(err)
	}
	v.mustCommit(sc)
	if got := v.get("main", "a"); got != "1" || v.user() != "bob" {
		t.Errorf("a = %s of %s", got, v.user())
	}
}

// failing encodes nothing.
type failing struct{}

func (failing) Encode(string, string) (string, error) { return "", errors.New("no key today") }
func (failing) Decode(string, string) (string, error) { return "", errors.New("no key today") }
func (failing) Overhead() int                         { return 0 }

func TestCodec_thatFailsKeepsNothing(t *testing.T) {
	b := newBrowser(t)
	reg, err := prefixes.NewRegistry(prefixes.Parse("main"))
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	b.m = session.New(reg, b.store, session.Options{Codec: failing{}, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	sc := b.scope()
	if err := b.open(sc, "main").Set(rand.Text(), 1); err != nil {
		t.Fatal(err)
	}
	if err := b.commit(sc); !errors.Is(err, session.ErrUnstorable) {
		t.Errorf("Commit = %v, want ErrUnstorable", err)
	}
	if len(b.cookies) != 0 {
		t.Error("a session began")
	}
}
