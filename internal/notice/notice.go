package notice

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Kind says what ended.
type Kind byte

const (
	Session   Kind = 's' // the whole session
	Namespace Kind = 'n' // one namespace of it, in the generations below Below
	Epoch     Kind = 'e' // its logins below Below; the session itself lives
)

// version is the first field. A node that reads another one cannot know what
// ended, and treats the notice as a gap.
const version = "1"

// maxField bounds each name, so that a notice stays a short line.
const maxField = 64

// Notice is one end.
type Notice struct {
	Kind      Kind
	Root      string // the root namespace of the family
	ID        string // the session's id
	Namespace string // for [Namespace] only
	Below     uint64 // the first epoch or generation that still lives; 0 for [Session]
}

// ErrMalformed is returned by [Parse] for anything that [Notice.String] does
// not produce, other versions included.
var ErrMalformed = errors.New("notice: malformed")

// String returns the text form, as in "1|s|main|<id>||0".
func (n Notice) String() string {
	return strings.Join([]string{
		version, string(rune(n.Kind)), n.Root, n.ID, n.Namespace, strconv.FormatUint(n.Below, 10),
	}, "|")
}

// Parse is the inverse of [Notice.String]. It accepts no second spelling of
// the same notice.
func Parse(s string) (Notice, error) {
	if len(s) > 4*maxField {
		return Notice{}, fmt.Errorf("%w: %d bytes", ErrMalformed, len(s))
	}
	f := strings.Split(s, "|")
	if len(f) != 6 || f[0] != version || len(f[1]) != 1 {
		return Notice{}, fmt.Errorf("%w: %.40q", ErrMalformed, s)
	}
	n := Notice{Kind: Kind(f[1][0]), Root: f[2], ID: f[3], Namespace: f[4]}
	var err error
	n.Below, err = strconv.ParseUint(f[5], 10, 64)
	ok := err == nil && IsName(n.Root) && IsName(n.ID) && strconv.FormatUint(n.Below, 10) == f[5]
	switch n.Kind {
	case Session:
		ok = ok && n.Namespace == "" && n.Below == 0
	case Namespace:
		ok = ok && IsName(n.Namespace) && n.Below > 0
	case Epoch:
		ok = ok && n.Namespace == "" && n.Below > 0
	default:
		ok = false
	}
	if !ok {
		return Notice{}, fmt.Errorf("%w: %.40q", ErrMalformed, s)
	}
	return n, nil
}

// IsName reports whether s is made of the bytes that ids and names have, and not
// longer than they are.
func IsName(s string) bool {
	if s == "" || len(s) > maxField {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}
