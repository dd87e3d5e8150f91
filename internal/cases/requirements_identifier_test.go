package cases_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"

	"github.com/sessionhub/sessionhub/session"
)

// unknownCookie has the right form, and nobody was ever given it.
var unknownCookie = strings.Repeat("A", 22) + "." + strings.Repeat("A", 43)

// identifierRequirements are those of the session's identifier.
func identifierRequirements() []visRule {
	return []visRule{
		{"R1_theSecretHas256RandomBits", "ASVS 5.0, 7.2.3 and 11.5.1: at least 128 bits of a CSPRNG", requireEntropy},
		{"R2_theTokenMeansNothing", "OWASP: no user, time or role in it", requireNoMeaning},
		{"R3_anUnknownIDIsNeverAdopted", "OWASP: strict session management", requireStrict},
		{"R4_aCookieIsCheckedBeforeTheStoreIsAsked", "OWASP: an id is untrusted input", requireForm},
		{"R5_anIDComesInByTheCookieOnly", "OWASP: ids in URL, header or body are ignored", requireCookieOnly},
		{"R6_theServerDecides", "ASVS 5.0, 7.2.1: reference tokens, verified by the backend", requireBackend},
		{"R7_theStoreSeesNoSecret", "a dump of the store opens nothing: SHA-256 only, always", requireHash},
		{"R8_hashesAreComparedInConstantTime", "ASVS 5.0, 11.2.4", requireConstantTime},
		{"R9_theCookieNameRevealsNothing", "OWASP: no fingerprint in the name", requirePlainName},
		{"R10_twoCookiesOfOneNameOpenNothing", "OWASP: cookie tossing", requireOneCookie},
	}
}

func requireEntropy(w *visWorld) {
	n := w.node()
	seen := make(map[string]bool)
	var ones, zeros [48]byte // which bits were ever 1, and 0
	for range 64 {
		v := n.visitor()
		v.set("main", "k", 1)
		id, secret, _ := strings.Cut(v.cookie(), ".")
		idBytes, err1 := base64.RawURLEncoding.DecodeString(id)
		secretBytes, err2 := base64.RawURLEncoding.DecodeString(secret)
		if err1 != nil || err2 != nil || len(idBytes) != 16 || len(secretBytes) != 32 {
			w.Fatalf("a cookie of %d and %d bytes, %v, %v", len(idBytes), len(secretBytes), err1, err2)
		}
		if seen[id] || seen[secret] {
			w.Error("a token came twice")
		}
		seen[id], seen[secret] = true, true
		for i, b := range slices.Concat(idBytes, secretBytes) {
			ones[i] |= b
			zeros[i] |= ^b
		}
	}
	for i := range ones {
		if ones[i] != 0xff || zeros[i] != 0xff {
			w.Errorf("bits of byte %d are fixed", i)
		}
	}
	if text := visRead(w, "session/secret.go"); !strings.Contains(text, `"crypto/rand"`) {
		w.Error("secrets do not come from crypto/rand")
	}
}

func requireNoMeaning(w *visWorld) {
	n := w.node()
	const user = "alice-the-administrator"
	var ids []string
	for range 16 {
		v := n.visitor().login(user)
		id, secret, _ := strings.Cut(v.cookie(), ".")
		ids = append(ids, id)
		for _, part := range []string{id, secret} {
			raw, err := base64.RawURLEncoding.DecodeString(part)
			if err != nil {
				w.Fatal(err)
			}
			sum := sha256.Sum256([]byte(user))
			for _, meaning := range []string{user[:5], string(sum[:4])} {
				if strings.Contains(part+string(raw), meaning) {
					w.Error("the token has something of its user")
				}
			}
		}
	}
	if slices.IsSorted(ids) {
		w.Error("ids come in the order of time")
	}
}

func requireStrict(w *visWorld) {
	n := w.node()
	v := n.visitor()
	v.jar["__Host-id"] = unknownCookie
	v.set("main", "k", 1)
	if v.id() == unknownCookie[:22] || n.exists(unknownCookie[:22]) {
		w.Error("an id that somebody made up became a session")
	}
	if got := n.m.Stats().Unknown; got != 1 || n.events.count(session.EventUnknown) != 1 {
		w.Errorf("Unknown = %d, events %+v", got, n.events.all)
	}
}

func requireForm(w *visWorld) {
	n := w.node()
	for _, value := range []string{
		"", "x", unknownCookie[:65], unknownCookie + "A", strings.Repeat("A", 66), "+" + unknownCookie[1:],
		`"` + unknownCookie[1:], unknownCookie[:65] + "B", strings.Repeat("A", 1<<16), "../../etc/passwd", "\x00" + unknownCookie[1:],
	} {
		r := httptest.NewRequest("GET", visOrigin, nil)
		r.Header.Set("Cookie", "__Host-id="+value)
		n.visitor().request(r, func(_ http.ResponseWriter, r *http.Request) {
			if user, err := session.User(r.Context()); user != "" || err != nil {
				w.Errorf("%.80q: user %q, %v", value, user, err)
			}
		})
		if got := w.spy.drain(); got != "" {
			w.Errorf("%.80q: the store was asked: %s", value, got)
		}
	}
	if got := n.m.Stats().Malformed; got != 11 {
		w.Errorf("Malformed = %d, want 11", got)
	}
}

func requireCookieOnly(w *visWorld) {
	n := w.node()
	v := n.visitor().login("alice")
	w.spy.drain()
	form := url.Values{"__Host-id": {v.cookie()}, "id": {v.cookie()}, "session": {v.cookie()}}
	for name, change := range map[string]func(r *http.Request){
		"query":         func(r *http.Request) { r.URL.RawQuery = form.Encode() },
		"path":          func(r *http.Request) { r.URL.Path = "/;__Host-id=" + v.cookie() },
		"Authorization": func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+v.cookie()) },
		"own field":     func(r *http.Request) { r.Header.Set(session.TokenHeader, v.cookie()) },
		"other cookie":  func(r *http.Request) { r.Header.Set("Cookie", "id="+v.cookie()) },
	} {
		r := httptest.NewRequest("POST", visOrigin, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		change(r)
		n.visitor().request(r, func(_ http.ResponseWriter, r *http.Request) {
			if user, err := session.User(r.Context()); user != "" || err != nil {
				w.Errorf("%s: user %q, %v", name, user, err)
			}
		})
		if got := w.spy.drain(); got != "" {
			w.Errorf("%s: the store was asked: %s", name, got)
		}
	}
}

func requireBackend(w *visWorld) {
	n := w.node()
	v := n.visitor().login("alice")
	forged := v.copy()
	forged.jar["__Host-id"] = v.id() + unknownCookie[22:]
	if got := forged.user(); got != "" || n.m.Stats().Unfit != 1 {
		w.Errorf("with the id alone: user %q, Unfit %d", got, n.m.Stats().Unfit)
	}
	if got := v.user(); got != "alice" {
		w.Errorf("user %q", got)
	}
	kept := v.copy()
	if _, err := n.m.EndSession(w.Context(), "", v.id(), "admin"); err != nil {
		w.Fatal(err)
	}
	if got := kept.user(); got != "" {
		w.Errorf("after the end on the server: user %q", got)
	}
}

func requireHash(w *visWorld) {
	n := w.node()
	v := n.visitor()
	v.set("main", "k", 1)
	var secrets []string
	note := func() {
		_, secret, _ := strings.Cut(v.cookie(), ".")
		secrets = append(secrets, secret)
	}
	note()
	v.login("alice")
	note()
	v.do(func(r *http.Request) error { return session.Cycle(r.Context()) })
	note()
	v.set("chat", "k", 2)
	kept := w.spy.arguments()
	if w.client != nil {
		kept += w.dump()
	}
	for i, secret := range secrets {
		sum := sha256.Sum256([]byte(secret))
		if strings.Contains(kept, secret) || strings.Contains(kept, string(sum[:])) {
			w.Errorf("secret %d is in what the store got, or keeps", i)
		}
		if !strings.Contains(kept, base64.RawURLEncoding.EncodeToString(sum[:])) {
			w.Errorf("the hash of secret %d is not", i)
		}
	}
	thief := n.visitor()
	states, err := w.spy.Check(w.Context(), visFamily(), []string{v.id()})
	if err != nil || states[0] == nil {
		w.Fatalf("Check = %v, %v", states, err)
	}
	thief.jar["__Host-id"] = v.id() + "." + string(states[0].Hash)
	if got := thief.user(); got != "" {
		w.Errorf("what the store keeps opens the session of %s", got)
	}
}

// It cannot be measured, so it is looked for.
func requireConstantTime(w *visWorld) {
	if w.kind == "redis" {
		w.Skip("a script of Redis compares hashes of random secrets, and Lua compares texts by their address: there is nothing to time, and nothing to look for")
	}
	for _, file := range []string{"session/memstore/record.go", "session/secret.go"} {
		if text := visRead(w, file); !strings.Contains(text, "subtle.ConstantTimeCompare(") {
			w.Errorf("%s compares hashes without crypto/subtle", file)
		}
	}
}

func requirePlainName(w *visWorld) {
	v := w.node().visitor()
	v.set("main", "k", 1)
	for name := range v.jar {
		if name != "__Host-id" {
			w.Errorf("the cookie is called %s", name)
		}
	}
}

func requireOneCookie(w *visWorld) {
	n := w.node()
	v := n.visitor().login("alice")
	w.spy.drain()
	ours, planted := "__Host-id="+v.cookie(), "__Host-id="+unknownCookie
	for _, lines := range [][]string{
		{ours + "; " + planted}, {planted + "; " + ours}, {ours, planted}, {planted, ours}, {ours + "; " + ours},
	} {
		r := httptest.NewRequest("GET", visOrigin, nil)
		r.Header["Cookie"] = lines
		resp := n.visitor().request(r, func(_ http.ResponseWriter, r *http.Request) {
			if user, err := session.User(r.Context()); user != "" || err != nil {
				w.Errorf("user %q, %v", user, err)
			}
		})
		if got := w.spy.drain(); got != "" || len(resp.Cookies()) != 0 {
			w.Errorf("the store was asked %q, cookies %v", got, resp.Cookies())
		}
		if _, shown, _ := n.m.Identify(r, "", false); shown {
			w.Error("a socket would take one of the two")
		}
	}
}
