package session_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionhub/sessionhub/session"
)

func TestValues(t *testing.T) {
	many := map[string]string{}
	for i := range session.MaxValues {
		many[fmt.Sprint(i)] = strings.Repeat("x", i)
	}
	for name, m := range map[string]map[string]string{
		"nil":   nil,
		"none":  {},
		"empty": {"": ""},
		"few":   {"a": "1", "ab": `"a"`, "": "null", "ä\x00": "\xff"},
		"many":  many,
		"long":  {strings.Repeat("k", 127): strings.Repeat("v", 128), strings.Repeat("k", 128): strings.Repeat("v", 127), "max": strings.Repeat("v", session.MaxValueBytes), "after": "1"},
	} {
		t.Run(name, func(t *testing.T) {
			v := session.NewValues(m)
			if !v.Known() || v.Len() != len(m) {
				t.Errorf("Known = %t, Len = %d, want %d", v.Known(), v.Len(), len(m))
			}
			got := v.Map()
			if len(m) > 0 || len(got) > 0 {
				if diff := cmp.Diff(m, got); diff != "" {
					t.Errorf("All (-want +got):\n%s", diff)
				}
			}
			for k, want := range m {
				if value, ok := v.Get(k); !ok || value != want {
					t.Errorf("Get(%q) = %.20q, %t, want %.20q", k, value, ok, want)
				}
			}
			if value, ok := v.Get("nobody"); ok || value != "" {
				t.Errorf("Get of what is not there = %q, %t", value, ok)
			}
			for range v.All() {
				break
			}
		})
	}
}

func TestValues_zeroIsNotKnownAndHasNone(t *testing.T) {
	var v session.Values
	if _, ok := v.Get(""); ok || v.Known() || v.Len() != 0 || len(v.Map()) != 0 {
		t.Errorf("the zero value: Get %t, Known %t, Len %d, %v", ok, v.Known(), v.Len(), v.Map())
	}
}

func TestValues_Equal(t *testing.T) {
	var p, q session.Pack
	p = p.Append("a", "1").Append("b", "2")
	q = q.Append("b", "2").Append("a", "1")
	two := p.Values()
	for _, c := range []struct {
		name string
		v, w session.Values
		want bool
	}{
		{"another order", two, q.Values(), true},
		{"from a map", two, session.NewValues(map[string]string{"a": "1", "b": "2"}), true},
		{"fewer", two, session.NewValues(map[string]string{"a": "1"}), false},
		{"another value", two, session.NewValues(map[string]string{"a": "1", "b": "1"}), false},
		{"another key", two, session.NewValues(map[string]string{"a": "1", "c": "2"}), false},
		{"none and none", session.NewValues(nil), session.Pack(nil).Values(), true},
		{"not known and none", session.Values{}, session.NewValues(nil), false},
		{"not known", session.Values{}, session.Values{}, true},
	} {
		if c.v.Equal(c.w) != c.want || c.w.Equal(c.v) != c.want {
			t.Errorf("%s: Equal = %t, want %t", c.name, c.v.Equal(c.w), c.want)
		}
	}
}

func TestPack_AppendAll(t *testing.T) {
	old := session.NewValues(map[string]string{"a": "1", "b": "2", "c": "3", "d": strings.Repeat("4", 200)})
	for _, c := range []struct {
		name, except string // the keys
	}{
		{"nothing", ""},
		{"the first", "a"},
		{"the last", "d"},
		{"neighbours", "bc"},
		{"all but the neighbours", "ad"},
		{"all", "abcd"},
		{"what is not there", "x"},
	} {
		for name, before := range map[string]map[string]string{"an empty pack": {}, "a pack": {"": "0", "e": "5"}} {
			t.Run(c.name+" from "+name, func(t *testing.T) {
				want := old.Map()
				for key := range strings.SplitSeq(c.except, "") {
					delete(want, key)
				}
				var p session.Pack
				for k, v := range before {
					p = p.Append(k, v)
					want[k] = v
				}
				p = p.AppendAll(old, func(key string) bool { return strings.Contains(c.except, key) })
				want["after"] = "6"
				got := p.Append("after", "6").Values()
				if diff := cmp.Diff(want, got.Map()); diff != "" || got.Len() != len(want) {
					t.Errorf("%d values (-want +got):\n%s", got.Len(), diff)
				}
			})
		}
	}
	for name, v := range map[string]session.Values{"unknown": {}, "none": session.NewValues(nil)} {
		if got := session.Pack(nil).AppendAll(v, func(string) bool { return false }).Values(); !got.Equal(session.NewValues(nil)) {
			t.Errorf("%s: %v, want none", name, got.Map())
		}
	}
	all := session.Pack(nil).AppendAll(old, func(string) bool { return true }).Values()
	if !all.Equal(session.NewValues(nil)) {
		t.Errorf("without all: %v, want none", all.Map())
	}
}

func TestValues_doNotChangeWithTheirPack(t *testing.T) {
	room := make([]byte, 0, 100)
	p := session.Pack(room).Append("a", "1")
	v := p.Values()
	p = p.Append("b", "2")
	clear(p)
	if diff := cmp.Diff(map[string]string{"a": "1"}, v.Map()); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestValues_readingAllocatesNothing(t *testing.T) {
	v := session.NewValues(map[string]string{"a": "1", "b": "2"})
	n := testing.AllocsPerRun(100, func() {
		if _, ok := v.Get("b"); !ok {
			t.Error("no b")
		}
		for k := range v.All() {
			_ = k
		}
	})
	if n != 0 {
		t.Errorf("reading allocates %v times", n)
	}
}
