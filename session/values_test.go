package session_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionhub/sessionhub/session"
)

// text returns values as strings, for comparisons that can be read.
func text(values []json.RawMessage) []string {
	all := make([]string, len(values))
	for i, raw := range values {
		all[i] = string(raw)
	}
	return all
}

func TestSession_valuesAsTheScopeSeesThem(t *testing.T) {
	b := newBrowser(t)
	b.set("main", "a", 1)
	b.set("main", "b", "two")
	sc := b.scope()
	s := b.open(sc, "main")
	if s.New() || s.ID() != b.id() || s.Namespace() != "main" {
		t.Errorf("New %v, ID %q", s.New(), s.ID())
	}
	if err := errors.Join(s.SetAll(map[string]any{"d": nil, "c": []int{3}}), s.Delete("a")); err != nil {
		t.Fatal(err)
	}
	keys, values := []string{"b", "c", "d"}, []string{`"two"`, `[3]`, `null`}
	check := func(when string) {
		t.Helper()
		if got := s.Keys(); !slices.Equal(got, keys) || s.Len() != len(keys) || s.Has("a") || !s.Has("d") {
			t.Errorf("%s: keys %q, Len %d", when, got, s.Len())
		}
		if got := text(s.Values()); !slices.Equal(got, values) {
			t.Errorf("%s: values %q", when, got)
		}
		var gotKeys, gotValues []string
		for key, raw := range s.Items() {
			gotKeys, gotValues = append(gotKeys, key), append(gotValues, string(raw))
		}
		if !slices.Equal(gotKeys, keys) || !slices.Equal(gotValues, values) {
			t.Errorf("%s: items %q %q", when, gotKeys, gotValues)
		}
	}
	check("before the save")
	b.mustCommit(sc)
	check("after the save")
	s = b.open(b.scope(), "main")
	check("in the next request")
}

func TestSession_itemsAreThoseOfTheCall(t *testing.T) {
	b := newBrowser(t)
	s := b.open(b.scope(), "main")
	if err := s.SetAll(map[string]any{"a": 1, "b": 2, "c": 3}); err != nil {
		t.Fatal(err)
	}
	items := s.Items()
	seen := make(map[string]string)
	for key, raw := range items {
		seen[key] = string(raw)
		if err := errors.Join(s.Clear(), s.Set("new", 4)); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(map[string]string{"a": "1", "b": "2", "c": "3"}, seen); d != "" {
		t.Error(d)
	}
	if got := s.Keys(); !slices.Equal(got, []string{"new"}) {
		t.Errorf("keys %q", got)
	}
	for key, raw := range items {
		raw[0] = 'x'
		if key != "a" {
			t.Errorf("a second time it begins with %q", key)
		}
		break
	}
	if again := maps.Collect(items); string(again["a"]) != "1" || len(again) != 3 {
		t.Errorf("a third time %q", again)
	}
}

// What was read or set is not the session's any more, or not yet: to change it
// in place changes nothing.
func TestSession_nothingChangesInPlace(t *testing.T) {
	type cart = map[string][]string
	var (
		mapField   = session.Field[cart]("map")
		sliceField = session.Field[[]string]("slice")
		flashes    = session.Flash[[]string]("flash")
	)
	loaded := func(t *testing.T, s *session.Session) {
		t.Helper()
		err := errors.Join(
			mapField.Set(s, cart{"a": {"tea"}}), sliceField.Set(s, []string{"tea"}), flashes.Add(s, []string{"tea"}))
		if err != nil {
			t.Fatal(err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range map[string]func(s *session.Session){
		"Value": func(s *session.Session) { raw, _ := s.Value("slice"); raw[2] = 'X' },
		"Values": func(s *session.Session) {
			for _, raw := range s.Values() {
				raw[2] = 'X'
			}
		},
		"Items": func(s *session.Session) {
			for _, raw := range s.Items() {
				raw[2] = 'X'
			}
		},
		"Keys": func(s *session.Session) { s.Keys()[0] = "X" },
		"Field of a map": func(s *session.Session) {
			v, err := mapField.Get(s)
			must(err)
			v["a"][0], v["b"] = "X", nil
		},
		"Field of a slice": func(s *session.Session) { v, err := sliceField.Get(s); must(err); v[0] = "X" },
		"SetDefault of a present key": func(s *session.Session) {
			raw, err := s.SetDefault("slice", "other")
			must(err)
			raw[2] = 'X'
			v, err := sliceField.SetDefault(s, nil)
			must(err)
			v[0] = "X"
		},
		"Flash": func(s *session.Session) { v, err := flashes.Peek(s); must(err); v[0][0] = "X" },
	} {
		b := newBrowser(t)
		sc := b.scope()
		loaded(t, b.open(sc, "main"))
		b.mustCommit(sc)
		sc = b.scope()
		s := b.open(sc, "main")
		before := text(s.Values())
		change(s)
		if got := text(s.Values()); s.Modified() || !slices.Equal(got, before) {
			t.Errorf("%s: the scope sees %q, modified %v", name, got, s.Modified())
		}
		b.mustCommit(sc)
		if got := text(b.open(b.scope(), "main").Values()); !slices.Equal(got, before) {
			t.Errorf("%s: stored %q", name, got)
		}
	}

	for name, set := range map[string]func(s *session.Session, v []string) error{
		"Set":        func(s *session.Session, v []string) error { return s.Set("slice", v) },
		"SetAll":     func(s *session.Session, v []string) error { return s.SetAll(map[string]any{"slice": v}) },
		"SetDefault": func(s *session.Session, v []string) error { _, err := s.SetDefault("slice", v); return err },
		"Update": func(s *session.Session, v []string) error {
			return s.Update("slice", func(json.RawMessage) (any, error) { return slices.Clone(v), nil })
		},
		"Flash": func(s *session.Session, v []string) error {
			err := flashes.Add(s, v)
			v[0] = "X"
			all, take := flashes.Take(s)
			if len(all) != 1 {
				return errors.Join(err, take)
			}
			return errors.Join(err, take, s.Set("slice", all[0]))
		},
	} {
		b := newBrowser(t)
		sc := b.scope()
		s := b.open(sc, "main")
		v := []string{"tea"}
		must(set(s, v))
		v[0] = "X"
		b.mustCommit(sc)
		if got := b.get("main", "slice"); got != `["tea"]` {
			t.Errorf("%s: stored %s", name, got)
		}
	}
}

func TestSession_emptyHasNeitherIDNorValues(t *testing.T) {
	b := newBrowser(t)
	sc := b.scope()
	s := b.open(sc, "main")
	if !s.Empty() || s.Len() != 0 || s.Keys() == nil || s.Values() == nil {
		t.Errorf("a new one: Empty %v, Len %d, keys %#v, values %#v", s.Empty(), s.Len(), s.Keys(), s.Values())
	}
	for range s.Items() {
		t.Error("a new one has items")
	}
	if err := s.Set("a", 1); err != nil || s.Empty() {
		t.Errorf("with a value: Empty %v, %v", s.Empty(), err)
	}
	if err := s.Delete("a"); err != nil || !s.Empty() {
		t.Errorf("with the value deleted: Empty %v, %v", s.Empty(), err)
	}
	if err := s.Set("a", 1); err != nil {
		t.Fatal(err)
	}
	b.mustCommit(sc)
	if s.Empty() || s.ID() == "" {
		t.Errorf("saved: Empty %v, ID %q", s.Empty(), s.ID())
	}
	sc = b.scope()
	if err := b.open(sc, "main").Clear(); err != nil {
		t.Fatal(err)
	}
	b.mustCommit(sc)
	if s := b.open(b.scope(), "main"); s.Empty() || s.Len() != 0 {
		t.Errorf("saved and cleared: Empty %v, Len %d", s.Empty(), s.Len())
	}
	if s := b.open(b.scope(), "chat"); s.Empty() {
		t.Error("a namespace without values of a session that has an id is empty")
	}
}
