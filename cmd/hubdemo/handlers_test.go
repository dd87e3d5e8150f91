package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
)

func TestSignup_logsIn(t *testing.T) {
	b := start(t, "", "", "").browser(t)
	r := b.post("/signup", `{"user":"Linus","password":"`+password+`"}`)
	want(t, r, http.StatusOK)
	var who identity
	decode(t, r.body, &who)
	if who.User != "linus" {
		t.Errorf("user %q, want it in lower case", who.User)
	}
	r = b.get("/session")
	want(t, r, http.StatusOK)
	if exp := `{"id":"` + who.ID + `","user":"linus","namespaces":{"chat":{},"main":{}}}`; r.body != exp {
		t.Errorf("GET /session = %s, want %s", r.body, exp)
	}
	want(t, b.post("/signup", `{"user":"linus","password":"`+password+`"}`), http.StatusConflict)
}

func TestLogin_setsOneCookie(t *testing.T) {
	for _, c := range []struct{ name, public, cookie, attributes string }{
		{"http", "", "id", "Path=/; HttpOnly; SameSite=Lax"},
		{"https", "https://chat.example", "__Host-id", "Path=/; HttpOnly; Secure; SameSite=Lax"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := start(t, "", "", c.public).browser(t)
			for _, path := range []string{"/signup", "/login"} {
				r := b.post(path, `{"user":"linus","password":"`+password+`"}`)
				want(t, r, http.StatusOK)
				set := r.Header.Values("Set-Cookie")
				if len(set) != 1 || !strings.HasPrefix(set[0], c.cookie+"=") || !strings.HasSuffix(set[0], "; "+c.attributes) {
					t.Errorf("%s: Set-Cookie = %q", path, set)
				}
				if got := r.Header.Get("Cache-Control"); got != "no-store" {
					t.Errorf("%s: Cache-Control = %q", path, got)
				}
			}
		})
	}
}

func TestLogin_saysTheSameForUnknownUserAndWrongPassword(t *testing.T) {
	n := start(t, "", "", "")
	n.browser(t).signup("linus")
	var answers []string
	for _, body := range []string{
		`{"user":"linus","password":"another password"}`,
		`{"user":"nobody","password":"another password"}`,
		`{"user":"no such name!","password":"x"}`,
		`{"user":"li!nus","password":"` + password + `"}`,
		`{"user":"linus","password":""}`,
		`{}`,
	} {
		r := n.browser(t).post("/login", body)
		want(t, r, http.StatusUnauthorized)
		if len(r.Header.Values("Set-Cookie")) > 0 {
			t.Errorf("%s: a cookie was set", body)
		}
		answers = append(answers, r.body)
	}
	for _, a := range answers {
		if a != answers[0] {
			t.Errorf("answers %q", answers)
		}
	}
}

func TestLogin_limitsFailuresOnly(t *testing.T) {
	n := start(t, "", "", "")
	b := n.browser(t)
	b.signup("linus")
	for range 15 {
		b.login("linus")
	}
	wrong := `{"user":"linus","password":"another password"}`
	status := 0
	for range 12 { // ten, and those that were given back meanwhile
		r := b.post("/login", wrong)
		if status = r.StatusCode; status == http.StatusTooManyRequests {
			if r.Header.Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
			break
		}
		want(t, r, http.StatusUnauthorized)
	}
	if status != http.StatusTooManyRequests {
		t.Fatalf("after many failures: %d", status)
	}
	want(t, b.post("/login", `{"user":"linus","password":"`+password+`"}`), http.StatusTooManyRequests)
	n.browser(t).signup("dennis") // another account from the same address
}

func TestSignup_isLimitedByAddress(t *testing.T) {
	n := start(t, "", "", "")
	for range 60 {
		n.demo.limits.signups.Take("127.0.0.1")
	}
	r := n.browser(t).post("/signup", `{"user":"linus","password":"`+password+`"}`)
	want(t, r, http.StatusTooManyRequests)
	if r.Header.Get("Retry-After") == "" || len(r.Cookies()) != 0 {
		t.Errorf("429 with %v", r.Header)
	}
}

// Logins that are right are not counted, however many come at once.
func TestLogin_manyAtOnceAreNotLimited(t *testing.T) {
	n := start(t, "", "", "")
	n.browser(t).signup("linus")
	var wg sync.WaitGroup
	for range 40 {
		b := n.browser(t)
		wg.Go(func() {
			if got := b.post("/login", `{"user":"linus","password":"`+password+`"}`).StatusCode; got != http.StatusOK {
				t.Errorf("login = %d, want 200", got)
			}
		})
	}
	wg.Wait()
}

func TestForm_isAnsweredWithTheWayBack(t *testing.T) {
	n := start(t, "", "", "")
	b := n.browser(t)
	fields := url.Values{"user": {"linus"}, "password": {password}}
	for _, c := range []struct {
		path     string
		fields   url.Values
		location string
	}{
		{"/signup", fields, "/"},
		{"/signup", fields, "/?error=taken"},
		{"/signup", url.Values{"user": {"rob"}, "password": {"short"}}, "/?error=password"},
		{"/signup", url.Values{"user": {"R o b"}, "password": {password}}, "/?error=name"},
		{"/login", url.Values{"user": {"linus"}, "password": {"another password"}}, "/?error=credentials"},
		{"/login", url.Values{"user": {"linus", "rob"}}, "/?error=malformed"},
		{"/login", url.Values{"user": {strings.Repeat("x", maxBody)}}, "/?error=large"},
		{"/login", fields, "/"},
		{"/logout", url.Values{"scope": {"nobody"}}, "/?error=scope"},
		{"/logout", url.Values{"scope": {"session"}}, "/"},
		{"/logout", url.Values{"scope": {"session"}}, "/"},
	} {
		r := b.form(c.path, c.fields)
		want(t, r, http.StatusSeeOther)
		if got := r.Header.Get("Location"); got != c.location {
			t.Errorf("%s %v: Location = %q, want %q", c.path, c.fields, got, c.location)
		}
	}
}

func TestBadInput(t *testing.T) {
	n := start(t, "", "", "")
	b := n.browser(t)
	for _, c := range []struct {
		name, path, media, body string
		status                  int
	}{
		{"no media type", "/login", "", `{"user":"a"}`, http.StatusUnsupportedMediaType},
		{"another media type", "/login", "text/plain", `{"user":"a"}`, http.StatusUnsupportedMediaType},
		{"files", "/signup", "multipart/form-data; boundary=x", "--x--", http.StatusUnsupportedMediaType},
		{"malformed media type", "/logout", "application/json; charset", "{}", http.StatusUnsupportedMediaType},
		{"charset", "/logout", "application/json; charset=utf-8", "{}", http.StatusOK},
		{"malformed JSON", "/login", "application/json", `{"user":`, http.StatusBadRequest},
		{"empty JSON", "/login", "application/json", ``, http.StatusBadRequest},
		{"another JSON", "/login", "application/json", `["a"]`, http.StatusBadRequest},
		{"null", "/login", "application/json", `null`, http.StatusBadRequest},
		{"another type", "/login", "application/json", `{"user":1}`, http.StatusBadRequest},
		{"unknown field", "/login", "application/json", `{"user":"a","admin":"1"}`, http.StatusBadRequest},
		{"another case", "/login", "application/json", `{"USER":"a"}`, http.StatusBadRequest},
		{"two texts", "/logout", "application/json", `{} {}`, http.StatusBadRequest},
		{"something behind", "/logout", "application/json", `{}]`, http.StatusBadRequest},
		{"not UTF-8", "/signup", "application/json", "{\"user\":\"\xff\"}", http.StatusBadRequest},
		{"large", "/signup", "application/json", `{"user":"` + strings.Repeat("a", maxBody) + `"}`, http.StatusRequestEntityTooLarge},
		{"no name", "/signup", "application/json", `{"password":"` + password + `"}`, http.StatusBadRequest},
		{"long name", "/signup", "application/json", `{"user":"` + strings.Repeat("a", 33) + `","password":"` + password + `"}`, http.StatusBadRequest},
		{"name with a dot", "/signup", "application/json", `{"user":"a.b","password":"` + password + `"}`, http.StatusBadRequest},
		{"short password", "/signup", "application/json", `{"user":"a","password":"1234567"}`, http.StatusBadRequest},
		{"long password", "/signup", "application/json", `{"user":"a","password":"` + strings.Repeat("é", 37) + `"}`, http.StatusBadRequest},
		{"NUL", "/signup", "application/json", `{"user":"a","password":"12345678\u0000"}`, http.StatusBadRequest},
		{"unknown scope", "/logout", "application/json", `{"scope":"everybody"}`, http.StatusBadRequest},
		{"unknown namespace", "/logout", "application/json", `{"scope":"namespace","namespace":"shop"}`, http.StatusBadRequest},
		{"namespace without its scope", "/logout", "application/json", `{"scope":"all","namespace":"chat"}`, http.StatusBadRequest},
		{"namespace missing", "/logout", "application/json", `{"scope":"namespace"}`, http.StatusBadRequest},
		{"no body", "/logout", "", ``, http.StatusOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := b.do("POST", c.path, c.media, c.body)
			want(t, r, c.status)
			if got := r.Header.Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type = %q", got)
			}
			if c.status != http.StatusOK && !strings.HasPrefix(r.body, `{"error":"`) {
				t.Errorf("answer %s", r.body)
			}
		})
	}
	for _, path := range []string{"/login", "/logout", "/signup"} {
		want(t, b.get(path), http.StatusMethodNotAllowed)
	}
}

func TestCrossSiteForm_isRefused(t *testing.T) {
	n := start(t, "", "", "")
	r, err := http.NewRequestWithContext(t.Context(), "POST", n.url+"/login", strings.NewReader("user=a"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Origin", "https://evil.example")
	resp, err := n.browser(t).http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestLogout_withoutASessionIsZeros(t *testing.T) {
	b := start(t, "", "", "").browser(t)
	r := b.post("/logout", `{"scope":"session"}`)
	want(t, r, http.StatusOK)
	if r.body != `{"closed_here":0,"nodes_acked":0,"nodes_expected":0,"store_ok":true}` {
		t.Errorf("answer %s", r.body)
	}
}

func TestLogout_scopes(t *testing.T) {
	for _, c := range []struct {
		scope        string
		here, others int // status of GET /session afterwards
	}{
		{"session", http.StatusUnauthorized, http.StatusOK},
		{"others", http.StatusOK, http.StatusUnauthorized},
		{"all", http.StatusUnauthorized, http.StatusUnauthorized},
	} {
		t.Run(c.scope, func(t *testing.T) {
			n := start(t, "", "", "")
			here, other, stranger := n.browser(t), n.browser(t), n.browser(t)
			here.signup("linus")
			other.login("linus")
			stranger.signup("rob")
			r := here.post("/logout", `{"scope":"`+c.scope+`"}`)
			want(t, r, http.StatusOK)
			var took session.Result
			decode(t, r.body, &took)
			if !took.StoreOK || took.NodesAcked < 1 || took.NodesAcked != took.NodesExpected {
				t.Errorf("answer %s", r.body)
			}
			want(t, here.get("/session"), c.here)
			want(t, other.get("/session"), c.others)
			want(t, stranger.get("/session"), http.StatusOK)
		})
	}
}

// anonymous gives the browser a session in which nobody is logged in.
func (b *browser) anonymous() (id string) {
	b.t.Helper()
	m := b.node.demo.app.Sessions()
	r, err := http.NewRequestWithContext(b.t.Context(), "GET", b.node.url, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	cred, err := m.Begin(b.t.Context(), "", r, false)
	if err != nil {
		b.t.Fatal(err)
	}
	hold, err := m.Hold(b.t.Context(), cred)
	if err != nil {
		b.t.Fatal(err)
	}
	defer hold.Release()
	h := make(http.Header)
	hold.WriteHeader(h)
	b.http.Jar.SetCookies(mustParse(b.t, b.node.url), (&http.Response{Header: h}).Cookies())
	return cred.ID
}

func TestSession_ofNobodyHasNoUser(t *testing.T) {
	n := start(t, "", "", "")
	b := n.browser(t)
	id := b.anonymous()
	r := b.get("/session")
	want(t, r, http.StatusOK)
	if exp := `{"id":"` + id + `","user":"","namespaces":{"chat":{},"main":{}}}`; r.body != exp {
		t.Errorf("GET /session = %s, want %s", r.body, exp)
	}
	want(t, b.get("/sessions"), http.StatusUnauthorized)
	b.tab().closed(4501)
	if got := b.signup("linus"); got != id {
		t.Errorf("id %s after the login, want %s: the session goes on", got, id)
	}
}

func TestSessions_listsTheUsersOwn(t *testing.T) {
	n := start(t, "", "", "")
	want(t, n.browser(t).get("/sessions"), http.StatusUnauthorized)
	here, other := n.browser(t), n.browser(t)
	id := here.signup("linus")
	there := other.login("linus")
	stranger := n.browser(t).signup("rob")
	socket := other.tab().joined("lobby") // and so is counted
	r := here.get("/sessions")
	want(t, r, http.StatusOK)
	var list []entry
	decode(t, r.body, &list)
	if len(list) != 2 {
		t.Fatalf("GET /sessions = %s", r.body)
	}
	for _, e := range list {
		if e.Current != (e.ID == id) || e.Created.IsZero() || e.LastSeen.IsZero() || e.Device == "" ||
			e.Address != "127.0.0.0/24" || e.Connections != map[bool]int{true: 0, false: 1}[e.Current] {
			t.Errorf("entry %+v", e)
		}
	}
	var raw []map[string]json.RawMessage
	decode(t, r.body, &raw)
	for _, field := range []string{"id", "created", "last_seen", "device", "address", "namespaces", "connections", "current"} {
		if raw[0][field] == nil {
			t.Errorf("no field %q in %s", field, r.body)
		}
	}
	want(t, here.post("/logout", `{"scope":"one","id":"`+stranger+`"}`), http.StatusBadRequest)
	want(t, here.post("/logout", `{"scope":"one"}`), http.StatusBadRequest)
	want(t, here.post("/logout", `{"id":"`+there+`"}`), http.StatusBadRequest)
	want(t, here.post("/logout", `{"scope":"one","id":"`+there+`"}`), http.StatusOK)
	socket.closed(4501)
	want(t, other.get("/sessions"), http.StatusUnauthorized)
	want(t, here.get("/sessions"), http.StatusOK)
}

func TestStoreDown_is503(t *testing.T) {
	s := redistest.Start(t)
	n := start(t, s.URL, "test", "")
	b := n.browser(t)
	b.signup("linus")
	s.Kill()
	for _, r := range []response{
		b.get("/session"), b.get("/sessions"), b.get("/"),
		b.post("/login", `{"user":"linus","password":"`+password+`"}`),
		b.post("/signup", `{"user":"rob","password":"`+password+`"}`),
	} {
		want(t, r, http.StatusServiceUnavailable)
		if strings.Contains(r.body, "127.0.0.1:") || len(r.Header.Values("Set-Cookie")) > 0 {
			t.Errorf("%s: %s %v", r.Request.URL.Path, r.body, r.Header)
		}
	}
	if r := b.get("/"); !strings.Contains(r.body, `action="/logout"`) || strings.Contains(r.body, `action="/login"`) {
		t.Errorf("who cannot be looked up sees %s, want a way to log out and none to log in", r.body)
	}
	for _, media := range []string{"application/json", "application/x-www-form-urlencoded"} {
		again := n.browser(t)
		again.http.Jar.SetCookies(mustParse(t, n.url), b.http.Jar.Cookies(mustParse(t, n.url)))
		body, status := `{"scope":"session"}`, http.StatusServiceUnavailable
		if media != "application/json" {
			body, status = "scope=session", http.StatusSeeOther
		}
		r := again.do("POST", "/logout", media, body)
		want(t, r, status)
		if c := r.Header.Values("Set-Cookie"); len(c) != 1 || !strings.Contains(c[0], "Max-Age=0") {
			t.Errorf("logout with %s: Set-Cookie = %q, want it cleared", media, c)
		}
		if status == http.StatusSeeOther {
			if got := r.Header.Get("Location"); got != "/?error=everywhere" {
				t.Errorf("Location = %q", got)
			}
			continue
		}
		var took map[string]any
		decode(t, r.body, &took)
		if took["store_ok"] != false || took["closed_here"] != 0.0 || took["nodes_acked"] != 1.0 || took["nodes_expected"] != 2.0 { // there may be another: it cannot know
			t.Errorf("answer %s", r.body)
		}
		if r.Header.Get("Retry-After") == "" {
			t.Errorf("header %v", r.Header)
		}
	}
	want(t, b.get("/livez"), http.StatusOK)
	// The logout follows, although nobody asks for it again.
	s.Restart()
	for deadline := time.Now().Add(20 * time.Second); n.demo.app.Sessions().Stats().Owed > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the logout is still owed")
		}
	}
	want(t, b.get("/session"), http.StatusUnauthorized)
	b.login("linus")
	want(t, b.get("/session"), http.StatusOK)
}

func mustParse(t *testing.T, s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestHealth_saysOnlyItsStatus(t *testing.T) {
	b := start(t, "", "", "").browser(t)
	for _, path := range []string{"/livez", "/readyz"} {
		r := b.get(path)
		want(t, r, http.StatusOK)
		if r.body != "ok" || len(r.Header.Values("Vary")) > 0 {
			t.Errorf("%s = %q %v", path, r.body, r.Header)
		}
	}
}

func TestLogs_holdLifeCycleAndNoSecrets(t *testing.T) {
	n := start(t, "", "", "")
	b := n.browser(t)
	id := b.signup("linus")
	secrets := []string{password, id}
	for _, c := range b.http.Jar.Cookies(mustParse(t, n.url)) {
		secrets = append(secrets, c.Value)
	}
	b.post("/login", `{"user":"linus","password":"wrong horse"}`)
	b.post("/logout", `{"scope":"session"}`)
	logs := n.logs.String()
	for _, event := range []string{`"msg":"signup"`, `"msg":"login"`, `"msg":"login refused"`, `"msg":"logout"`,
		`"user":"linus"`, `"address":"127.0.0.1"`, `"session":"` + session.Short(id) + `"`} {
		if !strings.Contains(logs, event) {
			t.Errorf("no %s in the logs: %s", event, logs)
		}
	}
	for _, s := range append(secrets, "wrong horse") {
		if strings.Contains(logs, s) {
			t.Errorf("%q is in the logs", s)
		}
	}
}
