package sessiontest

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/sessionhub/sessionhub/session"
)

// text returns a JSON text of n bytes.
func text(n int) string { return `"` + strings.Repeat("x", n-2) + `"` }

func add(n int64) session.Delta { return session.Delta{Add: map[string]int64{"n": n}} }

func addRules() []rule {
	return []rule{
		{"Absent", "adding to an absent key starts at zero", func(v *visitor) {
			v.begin(session.Create{})
			v.mustSave(deltas("main", add(-7)))
			v.wantValues("main", "n", `-7`)
		}},
		{"Sum", "what two writers add is summed up", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("main", set("n", `40`))})
			w := v.another()
			v.mustSave(deltas("main", add(1)))
			w.mustSave(deltas("main", add(1)))
			v.wantValues("main", "n", `42`)
		}},
		{"Exact", "sums are exact in all 64 bits", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("main", set("n", `9007199254740992`))})
			v.mustSave(deltas("main", add(1)))
			v.wantValues("main", "n", `9007199254740993`)
			v.mustSave(deltas("main", add(math.MaxInt64-9007199254740993)))
			v.wantValues("main", "n", strconv.Itoa(math.MaxInt64))
			v.mustSave(deltas("main", session.Delta{Clear: true, Add: map[string]int64{"n": math.MinInt64}}))
			v.wantValues("main", "n", strconv.Itoa(math.MinInt64))
		}},
		{"Overflow", "a sum that is no int64 is over a limit, and nothing is kept", func(v *visitor) {
			v.begin(session.Create{Deltas: deltas("main", set("n", strconv.Itoa(math.MaxInt64)))})
			d := add(1)
			d.Set = set("a", `1`).Set
			_, err := v.save(v.change(deltas("main", d)))
			v.wantErr("Save", err, session.ErrLimit)
			v.wantValues("main", "n", strconv.Itoa(math.MaxInt64))
			w := v.stranger().begin(session.Create{Deltas: deltas("main", set("n", strconv.Itoa(math.MinInt64)))})
			_, err = w.save(w.change(deltas("main", add(-1))))
			w.wantErr("Save", err, session.ErrLimit)
		}},
		{"Type", "adding to anything but an integer is ErrType, and nothing is kept", func(v *visitor) {
			for _, value := range []string{`"1"`, `1.0`, `1e3`, `null`, `true`, `[1]`, ``} {
				w := v.stranger().begin(session.Create{Deltas: deltas("main", set("n", value))})
				d := add(1)
				d.Set = set("a", `1`).Set
				s := w.change(deltas("main", d))
				s.Deltas["chat"] = set("b", `2`)
				_, err := w.save(s)
				w.wantErr("Save to "+value, err, session.ErrType)
				w.wantValues("main", "n", value)
				w.wantValues("chat")
			}
		}},
	}
}

func limitRules() []rule {
	// numbered are n values of size bytes, keys included.
	numbered := func(n, size int) session.Delta {
		d := set()
		for i := range n {
			key := fmt.Sprintf("key%04d", i)
			d.Set[key] = text(size - len(key))
		}
		return d
	}
	// refuse saves a delta to chat, and something to main, both in vain.
	refuse := func(v *visitor, d session.Delta) {
		v.Helper()
		before := v.look()
		_, err := v.save(v.change(map[string]session.Delta{"main": set("a", `1`), "chat": d}))
		v.wantErr("Save", err, session.ErrLimit)
		after := v.look()
		if diff := diffValues(before.In("chat").Map(), after.In("chat")); diff != "" {
			v.Errorf("chat (-before +after):\n%s", diff)
		}
		if after.In("main").Len() > 0 || after.Space("chat").Version != before.Space("chat").Version {
			v.Errorf("after the refusal main = %v, spaces %+v", after.In("main").Map(), after.Spaces)
		}
	}
	return []rule{
		{"Value", "a value of MaxValueBytes fits, and not a byte more", func(v *visitor) {
			v.begin(session.Create{})
			v.mustSave(deltas("chat", set("a", text(session.MaxValueBytes))))
			refuse(v, set("b", text(session.MaxValueBytes+1)))
			refuse(v, session.Delta{Swap: map[string]session.Swap{"b": {New: new(text(session.MaxValueBytes + 1))}}})
		}},
		{"Count", "MaxValues values fit, and not one more", func(v *visitor) {
			v.begin(session.Create{})
			v.mustSave(deltas("chat", numbered(session.MaxValues, 20)))
			refuse(v, set("b", `1`))
			refuse(v, add(1))
			refuse(v, session.Delta{Swap: map[string]session.Swap{"b": {New: new(`1`)}}})
		}},
		{"Bytes", "keys and values of MaxBytes together fit, and not a byte more", func(v *visitor) {
			v.begin(session.Create{})
			v.mustSave(deltas("chat", numbered(8, session.MaxBytes/8)))
			refuse(v, set("", `1`))
			refuse(v, set("b", ``))
			refuse(v, set("key0003", text(session.MaxBytes/8-len("key0003")+1)))
		}},
		{"Outcome", "limits are for the outcome: a full namespace takes what replaces something", func(v *visitor) {
			v.begin(session.Create{})
			v.mustSave(deltas("chat", numbered(session.MaxValues, session.MaxBytes/session.MaxValues)))
			d := set("new0000", text(session.MaxBytes/session.MaxValues-len("new0000")))
			d.Delete = []string{"key0000"}
			v.mustSave(deltas("chat", d))
			v.mustSave(deltas("chat", session.Delta{Clear: true, Set: numbered(session.MaxValues, 256).Set}))
		}},
		{"Shrinking", "what was removed does not count any more", func(v *visitor) {
			v.begin(session.Create{})
			for range 3 {
				v.mustSave(deltas("chat", numbered(8, session.MaxBytes/8)))
				v.mustSave(deltas("chat", set("key0000", `1`)))
				v.mustSave(deltas("chat", session.Delta{Delete: []string{"key0000", "key0001", "key0002"}}))
				v.mustSave(deltas("chat", numbered(8, session.MaxBytes/8)))
				v.mustSave(deltas("chat", session.Delta{Clear: true}))
			}
		}},
		{"PerNamespace", "each namespace has the limits for itself", func(v *visitor) {
			v.begin(session.Create{})
			full := numbered(session.MaxValues, session.MaxBytes/session.MaxValues)
			v.mustSave(map[string]session.Delta{"main": full, "chat": full})
			v.mustEnd(v.endOf("chat"))
			v.look()
			v.mustSave(deltas("chat", full))
		}},
	}
}
