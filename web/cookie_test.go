package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sessionhub/sessionhub/session"
)

// good is a credential of the right form, of a session that does not exist.
var good = strings.Repeat("A", 22) + "." + strings.Repeat("A", 43)

// visit has one request read a session and returns the response.
func visit(s *site, cookie ...string) *http.Response {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["Cookie"] = cookie
	return s.request(r, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if sess, err := session.Get(r.Context(), "main"); err != nil || sess.ID() != "" || len(sess.Keys()) != 0 {
			s.t.Errorf("with the cookie %.80q: %v, keys %v", cookie, err, sess.Keys())
		}
	}))
}

func TestD39_badCookieIsAnonymousWithoutAStoreCall(t *testing.T) {
	const name = "__Host-id="
	for _, c := range []struct {
		name    string
		cookie  []string
		counted uint64
		cleared bool
	}{
		{"none", nil, 0, false},
		{"of another name", []string{"__host-id=" + good}, 0, false},
		{"empty", []string{name}, 1, true},
		{"too long", []string{name + good + "A"}, 1, true},
		{"much too long", []string{name + strings.Repeat("A", 1<<20)}, 1, true},
		{"truncated", []string{name + good[:65]}, 1, true},
		{"the id alone", []string{name + good[:22]}, 1, true},
		{"without the dot", []string{name + strings.Repeat("A", 66)}, 1, true},
		{"standard base64", []string{name + "+" + good[1:]}, 1, true},
		{"not ASCII", []string{name + "\xc3\xa4" + good[2:]}, 1, true},
		{"second spelling of the id", []string{name + good[:21] + "B" + good[22:]}, 1, true},
		{"second spelling of the secret", []string{name + good[:65] + "B"}, 1, true},
		{"NUL", []string{name + "\x00" + good[1:]}, 1, true},
		{"quoted", []string{name + `"` + good + `"`}, 1, true},
		{"quote inside", []string{name + `"` + good[1:]}, 1, true},
		{"escaped", []string{name + "%41" + good[3:]}, 1, true},
		{"space inside", []string{name + " " + good[1:]}, 1, true},
		{"newline inside", []string{name + "\n" + good[1:]}, 1, true},
		{"twice in one line", []string{name + good + "; " + name + good}, 1, false},
		{"twice in two lines", []string{name + good, name + good}, 1, false},
		{"good and bad", []string{name + good + "; " + name}, 1, false},
		{"a thousand others", []string{strings.Repeat("x=y; ", 1000)}, 0, false},
		{"a thousand of ours", []string{strings.Repeat(name+good+"; ", 1000)}, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			resp := visit(s, c.cookie...)
			if got := s.store.drain(); got != "" {
				t.Errorf("store calls %q", got)
			}
			if got := s.m.Stats().Malformed; got != c.counted {
				t.Errorf("Malformed = %d, want %d", got, c.counted)
			}
			if got := len(resp.Cookies()) == 1 && resp.Cookies()[0].MaxAge < 0; got != c.cleared {
				t.Errorf("cookies %v, cleared should be %v", resp.Cookies(), c.cleared)
			}
		})
	}
}

func TestD39_goodCookieAmongAThousandIsFound(t *testing.T) {
	s := newSite(t)
	s.set("main", "k", 1)
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", strings.Repeat("x=y;", 500)+" __Host-id="+s.cookies["__Host-id"]+"  ;"+strings.Repeat("z; ", 500))
	clear(s.cookies)
	s.request(r, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if got := look(t, r, "main", "k"); got != "1" {
			t.Errorf("value %q", got)
		}
	}))
}

func TestR3_anUnknownIDIsNeverAdopted(t *testing.T) {
	s := newSite(t)
	s.cookies["__Host-id"] = good
	s.set("main", "k", 1)
	if got := s.cookies["__Host-id"]; got == good || strings.HasPrefix(got, good[:22]) {
		t.Errorf("cookie %q", got)
	}
	if got := s.m.Stats().Unknown; got != 1 {
		t.Errorf("Unknown = %d", got)
	}
}

// FuzzCookie: no cookie but the one that was given opens a session, and one of
// a wrong form asks the store nothing.
func FuzzCookie(f *testing.F) {
	f.Add("", "")
	f.Add("__Host-id=", "__Host-id")
	f.Add("__Host-id="+good, "")
	f.Add(`__Host-id="`+good+`"; a=b`, "\x00")
	f.Fuzz(func(t *testing.T, line, second string) {
		s := newSite(t)
		resp := visit(s, line, second)
		calls, stats := s.store.drain(), s.m.Stats()
		if calls != "" && (calls != "Load" || stats.Unknown != 1) {
			t.Errorf("store calls %q, %+v", calls, stats)
		}
		if stats.Malformed > 0 && calls != "" {
			t.Errorf("a malformed cookie called the store: %q", calls)
		}
		if n := len(resp.Cookies()); n > 1 {
			t.Errorf("%d cookies", n)
		}
	})
}

func TestR14_theCookieFitsInABrowser(t *testing.T) {
	s := newSite(t)
	s.set("main", "k", 1)
	if got := len(s.cookies["__Host-id"]); got != 66 {
		t.Errorf("the value has %d bytes", got)
	}
}
