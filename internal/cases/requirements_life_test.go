package cases_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
)

// lifeRequirements are those of a session's life, but for R30.
func lifeRequirements() []visRule {
	return []visRule{
		{"R19_aLoginAndAChangeOfRightsReplaceTheToken", "ASVS 5.0, 7.2.4: and the old one is dead", requireNewToken},
		{"R20_aLoginClosesTheSocketsOpenedBeforeIt", "a fixated socket must not become a logged-in one", requireNoFixatedSocket},
		{"R21_idleTimeoutAndLifetimeAreTheServers", "ASVS 5.0, 7.1.1, 7.3.1 and 7.3.2: enforced here, documented with reasons", requireTimeouts},
		{"R22_theDefaultsAreInOWASPsRanges", "OWASP: idle 15 to 30 minutes, absolute 4 to 8 hours", requireDefaults},
		{"R23_activityOnASocketIsDefined", "ASVS 5.0, 7.3.1: messages are, pings and pushes are not", requireActivity},
		{"R24_anEndIsAnEndInTheStore", "ASVS 5.0, 7.4.1: no later use of the token", requireInvalidation},
		{"R25_aDisabledAccountHasNoSession", "ASVS 5.0, 7.4.2", requireDisabling},
		{"R26_aChangeOfPasswordCanEndAllOthers", "ASVS 5.0, 7.4.3", requireEndOfOthers},
		{"R27_usersAndAdministratorsListAndEnd", "ASVS 5.0, 7.4.5 and 7.5.2", requireManagement},
		{"R28_sessionsPerAccountAreLimited", "ASVS 5.0, 7.1.2: the number, and what happens at it", requireLimit},
		{"R29_theSecretIsRenewedByItsAge", "OWASP: Renewal Timeout; the previous one for a short grace", requireRenewal},
	}
}

func requireNewToken(w *visWorld) {
	n := w.node()
	v := n.visitor()
	v.set("main", "k", 1)
	for _, step := range []struct {
		name string
		do   func(r *http.Request) error
	}{
		{"login", func(r *http.Request) error { return session.Login(r.Context(), "alice") }},
		{"login again", func(r *http.Request) error { return session.Login(r.Context(), "alice") }},
		{"change of rights", func(r *http.Request) error { return session.Cycle(r.Context()) }},
	} {
		old := v.copy()
		v.do(step.do)
		if v.cookie() == old.cookie() || v.id() != old.id() {
			w.Errorf("%s: want a new secret and the same id", step.name)
		}
		if got := old.get("main", "k") + old.user(); got != "" {
			w.Errorf("%s: the old token opens %q", step.name, got)
		}
		if got := v.get("main", "k") + v.user(); got != "1alice" {
			w.Errorf("%s: the new token opens %q", step.name, got)
		}
	}
}

func requireNoFixatedSocket(w *visWorld) {
	n := w.socketNode()
	victim := n.visitor()
	planted := victim.dial(n.endpoint(visEcho, transport.Options{Anonymous: transport.Create}))
	if got := planted.ask("mine"); got != "mine" {
		w.Errorf("answer %q", got)
	}
	victim.login("alice")
	planted.wantClose(hub.SessionRenewed)
}

// visEcho answers every message with itself.
func visEcho(_ context.Context, out *transport.Outbox, in transport.Message) error {
	out.Reply(in.Data)
	return nil
}

func requireTimeouts(w *visWorld) {
	const short = 400 * time.Millisecond
	for name, c := range map[string]struct {
		ns     prefixes.Namespace
		active bool
	}{
		"idle":     {prefixes.Namespace{Name: "main", IdleTimeout: short, Lifetime: time.Hour}, false},
		"lifetime": {prefixes.Namespace{Name: "main", IdleTimeout: short, Lifetime: short}, true},
	} {
		n := w.node(c.ns)
		began := time.Now()
		v := n.visitor().login("alice")
		w.eventually(name+" ends the session", func() bool {
			if c.active {
				v.copy().user()
			}
			return !n.exists(v.id())
		})
		if d := time.Since(began); d < short-time.Millisecond {
			w.Errorf("%s: ended after %v, want %v", name, d, short)
		}
		if got := v.user(); got != "" {
			w.Errorf("%s: the cookie still opens the session of %s", name, got)
		}
	}
	text := visRead(w, "docs/sessions.md")
	for _, want := range []string{"| idle timeout |", "| lifetime |", "OWASP", "NIST SP 800-63B-4"} {
		if !strings.Contains(text, want) {
			w.Errorf("the documentation of timeouts lacks %q", want)
		}
	}
}

func requireDefaults(w *visWorld) {
	main, _ := w.node().m.Registry().Get("main")
	if d := main.IdleTimeout; d < 15*time.Minute || d > 30*time.Minute {
		w.Errorf("idle timeout %v", d)
	}
	if d := main.Lifetime; d < 4*time.Hour || d > 8*time.Hour {
		w.Errorf("lifetime %v", d)
	}
	info := w.node().visitor().login("alice")
	if left := info.n.lookup(info.id()).Left; left > 30*time.Minute || left < 29*time.Minute {
		w.Errorf("a new session has %v left", left)
	}
}

func requireActivity(w *visWorld) {
	const idle = 10 * time.Second // recorded when a tenth of it has passed
	n := w.node(prefixes.Namespace{Name: "main", IdleTimeout: idle})
	v := n.visitor().login("alice")
	h := v.hold()
	nothing := func(context.Context) error { return nil }
	message := func(quiet bool) {
		if err := visMessage(h, session.HoldOptions{Quiet: quiet}, nothing); err != nil {
			w.Errorf("a message: %v", err)
		}
	}
	seen, began := n.lookup(v.id()).Seen, time.Now()
	w.eventually("a tenth has passed", func() bool {
		message(true)
		return time.Since(began) > idle/10+100*time.Millisecond
	})
	if got := n.lookup(v.id()).Seen; !got.Equal(seen) {
		w.Error("what an endpoint calls quiet counts as activity")
	}
	w.eventually("messages are activity", func() bool {
		message(false)
		return n.lookup(v.id()).Seen.After(seen)
	})
	if text := visRead(w, "docs/sessions.md"); !strings.Contains(text, "the client's data messages are activity, pings and what the server pushes are not") {
		w.Error("the documentation does not say what counts as activity")
	}
}

func requireInvalidation(w *visWorld) {
	n := w.node()
	v := n.visitor().login("alice")
	v.set("main", "k", 1)
	kept := v.copy()
	if r := v.logout(session.This); !r.StoreOK || n.exists(kept.id()) || v.cookie() != "" {
		w.Errorf("logout %+v, cookie %q", r, v.cookie())
	}
	again := kept.copy()
	again.set("main", "k", 2)
	if again.id() == kept.id() || again.user() != "" {
		w.Errorf("the ended session was used again: user %q", again.user())
	}
	cred, _, _ := n.m.Identify(&http.Request{Header: kept.header()}, "", false)
	if _, err := n.m.Hold(w.Context(), cred); !errors.Is(err, session.ErrNotFound) {
		w.Errorf("a socket with the ended session: %v", err)
	}
}

func requireDisabling(w *visWorld) {
	n := w.node()
	var all []*visVisitor
	for range 5 {
		all = append(all, n.visitor().login("alice"))
	}
	bob := n.visitor().login("bob")
	if r, err := n.m.EndUser(w.Context(), "", "alice", "", "admin"); err != nil || !r.StoreOK {
		w.Fatalf("EndUser = %+v, %v", r, err)
	}
	for _, v := range all {
		if got := v.user(); got != "" || n.exists(v.id()) {
			w.Errorf("user %q", got)
		}
	}
	if got := n.sessions("alice"); len(got) != 0 || bob.user() != "bob" {
		w.Errorf("sessions of alice %q, bob is %q", got, bob.user())
	}
}

func requireEndOfOthers(w *visWorld) {
	n := w.node()
	here, there, thief := n.visitor().login("alice"), n.visitor().login("alice"), n.visitor().login("alice")
	old := here.copy()
	here.do(func(r *http.Request) error {
		if err := session.Login(r.Context(), "alice"); err != nil {
			return err
		}
		_, err := session.Logout(r.Context(), session.Others)
		return err
	})
	if got := here.user() + there.user() + thief.user() + old.user(); got != "alice" {
		w.Errorf("logged in: %q, want the one who changed the password", got)
	}
}

func requireManagement(w *visWorld) {
	n := w.node()
	here, phone := n.visitor().login("alice"), n.visitor().login("alice")
	bob := n.visitor().login("bob")
	ids := []string{here.id(), phone.id()}
	here.do(func(r *http.Request) error {
		list, err := session.List(r.Context())
		for _, s := range list {
			if !slices.Contains(ids, s.ID) || s.Current != (s.ID == here.id()) {
				w.Errorf("listed %+v", s)
			}
		}
		if len(list) != 2 {
			w.Errorf("%d sessions listed, want 2", len(list))
		}
		return err
	})
	here.do(func(r *http.Request) error {
		if _, err := session.Logout(r.Context(), session.One(bob.id())); !errors.Is(err, session.ErrTarget) {
			w.Errorf("ending another user's session = %v, want ErrTarget", err)
		}
		_, err := session.Logout(r.Context(), session.One(phone.id()))
		return err
	})
	if got := here.user() + phone.user() + bob.user(); got != "alicebob" {
		w.Errorf("after one's own end of another: %q", got)
	}
	if _, err := n.m.EndSession(w.Context(), "", here.id(), "admin"); err != nil {
		w.Error(err)
	}
	if _, err := n.m.EndUser(w.Context(), "", "bob", "", "admin"); err != nil {
		w.Error(err)
	}
	if got := here.user() + bob.user(); got != "" {
		w.Errorf("after the administrator: %q", got)
	}
	here.login("alice")
	bob.login("bob")
	if r, err := n.m.EndAll(w.Context(), "", "admin"); err != nil || !r.StoreOK {
		w.Errorf("EndAll = %+v, %v", r, err)
	}
	if got := here.user() + bob.user(); got != "" {
		w.Errorf("after the end of all: %q", got)
	}
}

func requireLimit(w *visWorld) {
	n := w.node(prefixes.Namespace{Name: "main", MaxSessions: 2})
	var all []*visVisitor
	for range 3 {
		all = append(all, n.visitor().login("alice"))
		w.later() // the oldest is one of several only then
	}
	first, second, third := all[0], all[1], all[2]
	if n.exists(first.id()) || second.user() != "alice" || third.user() != "alice" {
		w.Error("the third login did not end the first session alone")
	}
	strict := w.node(prefixes.Namespace{Name: "staff", MaxSessions: 1, AtMax: prefixes.RefuseNewest})
	one, two := strict.visitor().login("alice"), strict.visitor()
	resp := two.serve(func(_ http.ResponseWriter, r *http.Request) {
		if err := session.Login(r.Context(), "alice"); err != nil {
			w.Error(err)
		}
	})
	if resp.StatusCode != 403 || one.user() != "alice" || two.user() != "" {
		w.Errorf("a login too many: %d, and it is %q", resp.StatusCode, two.user())
	}
	if main, _ := w.node().m.Registry().Get("main"); main.MaxSessions != 0 || main.AtMax != prefixes.EndOldest {
		w.Errorf("defaults %d, %d", main.MaxSessions, main.AtMax)
	}
}

func requireRenewal(w *visWorld) {
	n := w.node(prefixes.Namespace{Name: "main", RenewAfter: 300 * time.Millisecond})
	v := n.visitor().login("alice")
	v.set("main", "k", 1)
	first := v.copy()
	w.eventually("the secret is renewed", func() bool {
		first.jar["__Host-id"] = v.cookie()
		return v.get("main", "k") == "1" && v.cookie() != first.cookie()
	})
	if v.id() != first.id() || n.events.count(session.EventRenewed) == 0 {
		w.Error("the id changed, or nobody was told")
	}
	kept := first.copy()
	if got := first.user(); got != "alice" || first.cookie() != kept.cookie() {
		w.Errorf("within the grace the previous secret finds %q, and gets a new cookie %v", got, first.cookie() != kept.cookie())
	}
	if main, _ := w.node().m.Registry().Get("main"); main.RenewAfter != 0 {
		w.Errorf("on by default: %v", main.RenewAfter)
	}
}
