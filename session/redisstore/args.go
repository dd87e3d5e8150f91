package redisstore

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/sessionhub/sessionhub/session"
)

// args are the arguments of a script, in the order in which it takes them.
type args []any

// packed makes one argument of them, a list in MessagePack: a script takes less
// time to decode one text than to be handed a dozen. They are texts, integers,
// and booleans, which become 0 or 1.
func (a args) packed() args {
	b := make([]byte, 0, 16*len(a))
	switch n := len(a); {
	case n < 16:
		b = append(b, 0x90|byte(n))
	case n <= math.MaxUint16:
		b = binary.BigEndian.AppendUint16(append(b, 0xdc), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0xdd), uint32(n))
	}
	for _, v := range a {
		switch v := v.(type) {
		case string:
			b = packText(b, v)
		case int:
			b = packInteger(b, int64(v))
		case int64:
			b = packInteger(b, v)
		case uint64:
			b = packInteger(b, int64(min(v, maxNumber)))
		case bool:
			if v {
				b = append(b, 1)
			} else {
				b = append(b, 0)
			}
		default:
			panic(fmt.Sprintf("redisstore: argument of type %T", v)) // of a script of ours
		}
	}
	return args{b}
}

func packText(b []byte, s string) []byte {
	switch n := len(s); {
	case n < 32:
		b = append(b, 0xa0|byte(n))
	case n <= math.MaxUint16:
		b = binary.BigEndian.AppendUint16(append(b, 0xda), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0xdb), uint32(n))
	}
	return append(b, s...)
}

func packInteger(b []byte, n int64) []byte {
	if 0 <= n && n < 128 {
		return append(b, byte(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xd3), uint64(n))
}

func (a args) terms(t session.Terms) args {
	return append(a, t.Idle.Milliseconds(), t.Life.Milliseconds(), t.Persistent)
}

// maxNumber is as far as Lua counts exactly, and MessagePack keeps an integer.
const maxNumber = 1 << 53

// expiry writes 0 for what is not set, and never for what is: an Idle of less
// than a millisecond is one, an End before 1970 is the first moment of it, and
// an End that is too late for a Lua number is the latest that fits.
func (a args) expiry(e session.Expiry) args {
	idle := e.Idle.Milliseconds()
	switch {
	case idle == 0 && e.Idle > 0:
		idle = 1
	case idle == 0 && e.Idle < 0:
		idle = -1
	}
	var end int64
	if !e.End.IsZero() {
		end = min(max(e.End.UnixMilli(), 1), maxNumber)
	}
	return append(a, idle, end, int(e.Cookie))
}

// deltas come in the order of the family, all their heads before all the rest.
func (a args) deltas(f *session.Family, deltas map[string]session.Delta) (args, error) {
	for name := range deltas {
		if _, err := place(f, name); err != nil {
			return nil, err
		}
	}
	a = append(a, len(deltas))
	for i, s := range f.Spaces {
		if d, ok := deltas[s.Name]; ok {
			a = append(a, i+1, d.Generation, d.Version, d.Clear, len(d.Swap)+len(d.Delete)+len(d.Set)+len(d.Add))
		}
	}
	for _, s := range f.Spaces {
		if d, ok := deltas[s.Name]; ok {
			a = a.delta(d)
		}
	}
	return a, nil
}

// delta writes the keys, and then an operator and its operands for each.
func (a args) delta(d session.Delta) args {
	first := len(a)
	for k := range d.Swap {
		a = append(a, k)
	}
	for _, k := range d.Delete {
		a = append(a, k)
	}
	for k := range d.Set {
		a = append(a, k)
	}
	for k := range d.Add {
		a = append(a, k)
	}
	keys := a[first:]
	for _, k := range keys[:len(d.Swap)] {
		swap := d.Swap[k.(string)]
		a = append(a, "?", optional(swap.Old), optional(swap.New))
	}
	for range d.Delete {
		a = append(a, "-")
	}
	keys = keys[len(d.Swap)+len(d.Delete):]
	for _, k := range keys[:len(d.Set)] {
		a = append(a, "=", d.Set[k.(string)])
	}
	for _, k := range keys[len(d.Set):] {
		a = append(a, "+", strconv.FormatInt(d.Add[k.(string)], 10)) // more than a Lua number holds
	}
	return a
}

// optional writes a value that may be absent.
func optional(v *string) string {
	if v == nil {
		return "-"
	}
	return "+" + *v
}

// place returns where a namespace stands in the family, counted from 1 as Lua
// does. Another name is a mistake of the program.
func place(f *session.Family, name string) (int, error) {
	i := slices.IndexFunc(f.Spaces, func(s session.Space) bool { return s.Name == name })
	if i < 0 {
		return 0, fmt.Errorf("redisstore: namespace %q is not in the family of %q", name, f.Root().Name)
	}
	return i + 1, nil
}
