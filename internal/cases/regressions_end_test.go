package cases_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
)

// endRegressions are defects that undo an end.
func endRegressions() []visRule {
	return []visRule{
		{"resurrection", "scs: Commit is an upsert, and a slower request brings the ended session back", regressResurrection},
		{"resurrectionUnderTheOldToken", "scs: the same after RenewToken, under the token that was given up", regressOldToken},
		{"messageUnderAnOlderLogin", "a connection opened before the login reads what was logged in to", regressOldHold},
		{"resurrectionByTouch", "Django's cache backend: get, then set, undoes a logout between the two", regressTouch},
		{"resurrectionOnAnotherNode", "Django's cached_db: the session lives on in a node's cache", regressCache},
		{"logoutThatDoesNotRevoke", "gorilla/sessions' cookie store: a copied cookie goes on opening the session", regressRevoke},
		{"mainLogoutLeavesTheChat", "the main logout ends main, and chat goes on", regressFamily},
		{"chatLogoutEndsTheMain", "and the other way round", regressNamespace},
		{"endedNamespaceComesBack", "a request that loaded a namespace before its end writes it again", regressGeneration},
		{"lateAnswerDeletesTheCookieOfALogin", "an overtaken request clears the cookie that a login has just set", regressLateAnswer},
		{"cookieThatIsSetDoesNotVary", "Django before 6.0.5, CVE-2026-35192: a cached response hands out a session", regressVary},
	}
}

func regressResurrection(w *visWorld) {
	n := w.node()
	v := n.visitor().login("alice")
	id := v.id()
	resp := v.serve(func(_ http.ResponseWriter, r *http.Request) {
		if err := visPut(r.Context(), "main", "k", 1); err != nil {
			w.Error(err)
		}
		v.copy().logout(session.This)
	})
	if resp.StatusCode != 400 || n.exists(id) || n.m.Stats().Refused != 1 {
		w.Errorf("answered %d, lives %v, %+v", resp.StatusCode, n.exists(id), n.m.Stats())
	}
	if got := v.user() + v.get("main", "k"); got != "" {
		w.Errorf("the session is back with %q", got)
	}
}

func regressOldToken(w *visWorld) {
	n := w.node()
	for name, renew := range map[string]func(r *http.Request) error{
		"login": func(r *http.Request) error { return session.Login(r.Context(), "alice") },
		"Cycle": func(r *http.Request) error { return session.Cycle(r.Context()) },
	} {
		v := n.visitor()
		v.set("main", "k", 1)
		slow := v.copy()
		resp := slow.serve(func(_ http.ResponseWriter, r *http.Request) {
			if err := visPut(r.Context(), "main", "k", 2); err != nil {
				w.Error(err)
			}
			v.do(renew)
		})
		if resp.StatusCode != 409 || len(resp.Cookies()) != 0 {
			w.Errorf("%s: the overtaken request was answered with %d, cookies %v", name, resp.StatusCode, resp.Cookies())
		}
		if got := slow.get("main", "k"); got != "" {
			w.Errorf("%s: the old token opens a session with %s", name, got)
		}
		if got := v.get("main", "k"); got != "1" {
			w.Errorf("%s: the session has %s", name, got)
		}
	}
}

func regressOldHold(w *visWorld) {
	n := w.node()
	v := n.visitor()
	v.set("main", "k", 1)
	h := v.hold()
	v.login("alice")
	for name, handle := range map[string]func(ctx context.Context) error{
		"reads":  func(ctx context.Context) error { _, err := visLook(ctx, "main", "k"); return err },
		"writes": func(ctx context.Context) error { return visPut(ctx, "main", "k", 2) },
	} {
		for _, o := range []session.HoldOptions{{}, {Fresh: true}} {
			if err := visMessage(h, o, handle); !errors.Is(err, session.ErrRenewed) {
				w.Errorf("%s, %+v: %v, want ErrRenewed", name, o, err)
			}
		}
	}
	if got := v.get("main", "k"); got != "1" {
		w.Errorf("k = %s", got)
	}
}

func regressTouch(w *visWorld) {
	// Every request slides, so that the reader below has something to write.
	n := w.node(prefixes.Namespace{Name: "main", Save: prefixes.SaveAlways})
	v := n.visitor().login("alice")
	id := v.id()
	slow := v.copy()
	slow.do(func(r *http.Request) error {
		_, err := visLook(r.Context(), "main", "k")
		v.logout(session.This)
		return err
	})
	if n.exists(id) || len(n.sessions("alice")) != 0 {
		w.Error("a request that only reads brought the session back")
	}
}

func regressCache(w *visWorld) {
	a, b := w.node(), w.node() // two processes
	v := a.visitor().login("alice")
	h := v.at(b).hold()
	read := func(ctx context.Context) error { _, err := visLook(ctx, "main", "k"); return err }
	if err := visMessage(h, session.HoldOptions{}, read); err != nil {
		w.Error(err)
	}
	id := v.id()
	v.logout(session.This)
	write := func(ctx context.Context) error { return visPut(ctx, "main", "k", 1) }
	for _, o := range []session.HoldOptions{{}, {Fresh: true}, {Quiet: true}} {
		if err := visMessage(h, o, write); !errors.Is(err, session.ErrEnded) {
			w.Errorf("%+v: a message after the end was saved: %v", o, err)
		}
	}
	if b.exists(id) || a.exists(id) {
		w.Error("the session lives")
	}
}

func regressRevoke(w *visWorld) {
	n := w.node()
	v := n.visitor().login("alice")
	thief := v.copy()
	v.logout(session.This)
	if got := thief.user(); got != "" {
		w.Errorf("the copied cookie is still %s", got)
	}
}

func regressFamily(w *visWorld) {
	n := w.node()
	v := n.visitor().login("alice")
	v.set("main", "k", 1)
	v.set("chat", "k", 2)
	kept := v.copy()
	v.logout(session.This)
	for _, name := range []string{"main", "chat"} {
		if got := kept.copy().get(name, "k"); got != "" {
			w.Errorf("%s still has %s", name, got)
		}
	}
	if w.client != nil {
		for _, key := range w.keys() {
			// The memory of saves is short, and opens nothing.
			if strings.Contains(key, kept.id()) && !strings.Contains(key, ":op:") {
				w.Errorf("%s is left", key)
			}
		}
	}
}

func regressNamespace(w *visWorld) {
	n := w.node()
	v := n.visitor().login("alice")
	v.set("main", "k", 1)
	v.set("chat", "k", 2)
	v.logout(session.Namespace("chat"))
	if got := v.user() + v.get("main", "k") + v.get("chat", "k"); got != "alice1" {
		w.Errorf("user, main, chat = %q, want alice and 1", got)
	}
}

func regressGeneration(w *visWorld) {
	n := w.node()
	v := n.visitor().login("alice")
	v.set("chat", "k", 1)
	resp := v.serve(func(_ http.ResponseWriter, r *http.Request) {
		if err := visPut(r.Context(), "chat", "k", 2); err != nil {
			w.Error(err)
		}
		v.copy().logout(session.Namespace("chat"))
	})
	if got := v.get("chat", "k"); resp.StatusCode != 400 || got != "" || v.user() != "alice" {
		w.Errorf("answered %d, chat has %q", resp.StatusCode, got)
	}
}

func regressLateAnswer(w *visWorld) {
	n := w.node()
	for name, next := range map[string]string{"the same user": "alice", "another user": "bob"} {
		v := n.visitor().login("alice")
		slow := v.copy()
		slow.serve(func(_ http.ResponseWriter, r *http.Request) { v.login(next) })
		late := slow.copy()
		resp := late.serve(func(_ http.ResponseWriter, r *http.Request) {
			if _, err := visLook(r.Context(), "main", "k"); err != nil {
				w.Error(err)
			}
		})
		if len(resp.Cookies()) != 0 {
			w.Errorf("%s: the late answer touches the cookie: %v", name, resp.Cookies())
		}
		if got := v.user(); got != next {
			w.Errorf("%s: logged in as %q", name, got)
		}
	}
}

func regressVary(w *visWorld) {
	always := w.node(prefixes.Namespace{Name: "main", Save: prefixes.SaveAlways})
	v := always.visitor()
	for _, step := range []func(r *http.Request) error{
		func(r *http.Request) error { return visPut(r.Context(), "main", "k", 1) },
		func(*http.Request) error { return nil }, // nobody asks, and the cookie goes all the same
		func(r *http.Request) error { return session.Login(r.Context(), "alice") },
		func(r *http.Request) error { return session.SetExpiry(r.Context(), session.After(time.Hour)) },
		func(r *http.Request) error { _, err := session.Logout(r.Context(), session.This); return err },
	} {
		resp := v.serve(func(_ http.ResponseWriter, r *http.Request) {
			if err := step(r); err != nil {
				w.Error(err)
			}
		})
		if h := resp.Header; len(resp.Cookies()) != 1 || h.Get("Vary") != "Cookie" || h.Get("Cache-Control") != "no-store" {
			w.Errorf("cookies %d, Vary %q, Cache-Control %q", len(resp.Cookies()), h.Get("Vary"), h.Get("Cache-Control"))
		}
	}
}
