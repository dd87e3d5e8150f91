package notice_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionhub/sessionhub/internal/notice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const id = "q83vEjRWeJCrze8SNFZ4kA"

var cases = []struct {
	name   string
	notice notice.Notice
	text   string
}{
	{"session", notice.Notice{Kind: notice.Session, Root: "main", ID: id}, "1|s|main|" + id + "||0"},
	{"namespace", notice.Notice{Kind: notice.Namespace, Root: "main", ID: id, Namespace: "chat", Below: 3}, "1|n|main|" + id + "|chat|3"},
	{"epoch", notice.Notice{Kind: notice.Epoch, Root: "main", ID: id, Below: 1}, "1|e|main|" + id + "||1"},
	{"highest number", notice.Notice{Kind: notice.Epoch, Root: "main", ID: id, Below: math.MaxUint64}, "1|e|main|" + id + "||18446744073709551615"},
	{"longest names", notice.Notice{Kind: notice.Namespace, Root: long, ID: long, Namespace: long, Below: math.MaxUint64},
		"1|n|" + long + "|" + long + "|" + long + "|18446744073709551615"},
	{"whole alphabet", notice.Notice{Kind: notice.Session, Root: "azAZ09-_", ID: "-"}, "1|s|azAZ09-_|-||0"},
}

var long = strings.Repeat("n", 64)

func TestNotice_isTextAndBack(t *testing.T) {
	for _, c := range cases {
		if got := c.notice.String(); got != c.text {
			t.Errorf("%s: String = %q, want %q", c.name, got, c.text)
		}
		if got, err := notice.Parse(c.text); got != c.notice || err != nil {
			t.Errorf("%s: Parse(%q) = %+v, %v, want %+v", c.name, c.text, got, err, c.notice)
		}
	}
}

func TestParse_refuses(t *testing.T) {
	for _, c := range []struct{ name, text string }{
		{"nothing", ""},
		{"one word", "logout"},
		{"another version", "2|s|main|" + id + "||0"},
		{"version with a zero", "01|s|main|" + id + "||0"},
		{"no version", "|s|main|" + id + "||0"},
		{"unknown kind", "1|x|main|" + id + "||0"},
		{"upper case kind", "1|S|main|" + id + "||0"},
		{"long kind", "1|ss|main|" + id + "||0"},
		{"no kind", "1||main|" + id + "||0"},
		{"kind that is not ASCII", "1|ſ|main|" + id + "||0"},
		{"too few fields", "1|s|main|" + id + "|"},
		{"too many fields", "1|s|main|" + id + "||0|"},
		{"no root", "1|s||" + id + "||0"},
		{"no id", "1|s|main|||0"},
		{"root with a colon", "1|s|ma:in|" + id + "||0"},
		{"id with a dot", "1|s|main|a.b||0"},
		{"id with a space", "1|s|main|a b||0"},
		{"id with a zero byte", "1|s|main|a\x00b||0"},
		{"id that is not UTF-8", "1|s|main|\xff||0"},
		{"id that is not ASCII", "1|s|main|ä||0"},
		{"long root", "1|s|" + long + "n|" + id + "||0"},
		{"long id", "1|s|main|" + long + "n||0"},
		{"long namespace", "1|n|main|" + id + "|" + long + "n|1"},
		{"long text", "1|s|main|" + strings.Repeat("a", 1<<20) + "||0"},
		{"session of a namespace", "1|s|main|" + id + "|chat|0"},
		{"session with a number", "1|s|main|" + id + "||1"},
		{"namespace without a name", "1|n|main|" + id + "||1"},
		{"namespace below none", "1|n|main|" + id + "|chat|0"},
		{"epoch of a namespace", "1|e|main|" + id + "|chat|1"},
		{"epoch below none", "1|e|main|" + id + "||0"},
		{"no number", "1|e|main|" + id + "||"},
		{"negative number", "1|e|main|" + id + "||-1"},
		{"number with a sign", "1|e|main|" + id + "||+1"},
		{"number with a zero", "1|e|main|" + id + "||01"},
		{"number with an underscore", "1|e|main|" + id + "||1_0"},
		{"hexadecimal number", "1|e|main|" + id + "||0x1"},
		{"number that overflows", "1|e|main|" + id + "||18446744073709551616"},
		{"space before", " 1|s|main|" + id + "||0"},
		{"line end", "1|s|main|" + id + "||0\n"},
	} {
		got, err := notice.Parse(c.text)
		if !errors.Is(err, notice.ErrMalformed) || got != (notice.Notice{}) {
			t.Errorf("%s: Parse = %+v, %v, want %v", c.name, got, err, notice.ErrMalformed)
		}
		if err != nil && len(err.Error()) > 256 {
			t.Errorf("%s: the error has %d bytes, for text that anybody may have sent", c.name, len(err.Error()))
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range cases {
		f.Add(c.text)
	}
	for _, s := range []string{"", "1|s|main||0", "2|s|main|a||0", "1|e|main|a||01", "1|n|main|a|chat|0", "1|s|\xff|a||0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := notice.Parse(text)
		if err != nil {
			if !errors.Is(err, notice.ErrMalformed) || n != (notice.Notice{}) {
				t.Errorf("Parse(%q) = %+v, %v", text, n, err)
			}
			return
		}
		if got := n.String(); got != text {
			t.Errorf("Parse(%q).String() = %q: a second spelling", text, got)
		}
	})
}
