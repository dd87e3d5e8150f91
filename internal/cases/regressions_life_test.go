package cases_test

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
)

// lifeRegressions are defects of timeouts.
func lifeRegressions() []visRule {
	return []visRule{
		{"everyReadIsAWriteWithAnIdleTimeout", "scs: with IdleTimeout each request saves the whole session", regressReads},
		{"resetExpiryDoesNothing", "the expiry of one session cannot be taken back", regressReset},
		{"messagesOfExpiredSessionsPass", "Spring: the interceptor lets messages of an expired session through", regressExpired},
		{"rememberedByDefault", "a cookie that outlives its session, and a session that outlives its lifetime", regressCookieLife},
	}
}

func regressReads(w *visWorld) {
	n := w.node()
	v := n.visitor().login("alice")
	v.set("main", "k", 1)
	seen := n.lookup(v.id()).Seen
	w.spy.drain()
	for range 10 {
		v.get("main", "k")
	}
	if got := w.spy.drain(); got != "Load Load Load Load Load Load Load Load Load Load" {
		w.Errorf("ten requests that read asked the store %q", got)
	}
	if got := n.lookup(v.id()).Seen; !got.Equal(seen) {
		w.Error("a read within a tenth of the idle timeout has written")
	}
}

func regressReset(w *visWorld) {
	n := w.node()
	v := n.visitor().login("alice")
	set := func(e session.Expiry) time.Duration {
		v.do(func(r *http.Request) error { return session.SetExpiry(r.Context(), e) })
		return n.lookup(v.id()).Left
	}
	for name, e := range map[string]session.Expiry{
		"After": session.After(time.Minute), "At": session.At(time.Now().Add(time.Minute)),
	} {
		if left := set(e); left > time.Minute {
			w.Errorf("%s a minute: %v left", name, left)
		}
		if left := set(session.Expiry{}); left < 29*time.Minute {
			w.Errorf("%s taken back: %v left, want 30 minutes", name, left)
		}
	}
	// What it goes back to is the namespace's policy, whatever that is.
	if left := set(session.Expiry{}); left < 29*time.Minute || left > 30*time.Minute {
		w.Errorf("taken back twice: %v left", left)
	}
}

func regressExpired(w *visWorld) {
	const life = 300 * time.Millisecond
	n := w.node(prefixes.Namespace{Name: "main", IdleTimeout: life, Lifetime: life})
	v := n.visitor().login("alice")
	h := v.hold()
	w.eventually("the session expires", func() bool { return !n.exists(v.id()) })
	err := visMessage(h, session.HoldOptions{}, func(ctx context.Context) error { return visPut(ctx, "main", "k", 1) })
	if !errors.Is(err, session.ErrEnded) || n.exists(v.id()) {
		w.Errorf("a message after the expiry was saved: %v", err)
	}
}

func regressCookieLife(w *visWorld) {
	n := w.node()
	v := n.visitor().remember("alice")
	info := n.lookup(v.id())
	if info.Left < 13*24*time.Hour {
		w.Errorf("a remembered session has %v left", info.Left)
	}
	resp := v.serve(func(_ http.ResponseWriter, r *http.Request) {
		if err := session.Login(r.Context(), "alice"); err != nil {
			w.Error(err)
		}
	})
	if c := resp.Cookies()[0]; c.MaxAge != 0 || n.lookup(v.id()).Left > 30*time.Minute {
		w.Errorf("a login that did not ask for it: Max-Age %d, %v left", c.MaxAge, n.lookup(v.id()).Left)
	}
}

// socketRegressions are defects of sessions on sockets.
func socketRegressions() []visRule {
	return []visRule{
		{"socketValuesNeverSaved", "scs on coder/websocket: what a message sets is gone with the socket", regressSocketSaves},
		{"socketEndBringsTheSessionBack", "scs on gorilla/websocket: the commit at the socket's end undoes the logout", regressSocketEnd},
		{"twoSocketsLoseEachOthersKeys", "each socket saves the session as it was when it opened", regressTwoSockets},
		{"socketWithoutAUserIsNotEnded", "Spring: sockets without a principal are not registered", regressAnonymousSocket},
		{"oneOfThreeTabsCloses", "AnyCable: a remote disconnect reaches one of the tabs", regressTabs},
		{"mainLogoutLeavesTheChatSocket", "the socket that holds chat alone stays open after the main logout", regressChatSocket},
		{"conflictWithoutACloseCode", "a save that is refused on a socket is an HTTP error that nobody sees", regressCloseCode},
	}
}

// countMessages counts messages in chat, sets the key that each one names, and
// answers when that is saved.
func countMessages(ctx context.Context, out *transport.Outbox, in transport.Message) error {
	s, err := session.Get(ctx, "chat")
	if err != nil {
		return err
	}
	if err := s.Set(string(in.Data), true); err != nil {
		return err
	}
	if err := visCount.Add(s, 1); err != nil {
		return err
	}
	session.OnSaved(ctx, func(context.Context) { out.Reply([]byte("saved")) })
	return nil
}

func regressSocketSaves(w *visWorld) {
	n := w.socketNode()
	v := n.visitor().login("alice")
	v.set("chat", "before", 1)
	s := v.dial(n.endpoint(countMessages, transport.Options{}))
	s.ask("first")
	if got := v.get("chat", "first") + v.get("chat", "count") + v.get("chat", "before"); got != "true11" {
		w.Errorf("after a message a request reads %q", got)
	}
	v.set("chat", "page", 1)
	s.ask("second")
	if got := v.get("chat", "count") + v.get("chat", "page"); got != "21" {
		w.Errorf("after another: %q", got)
	}
}

func regressSocketEnd(w *visWorld) {
	n := w.socketNode()
	v := n.visitor().login("alice")
	id := v.id()
	s := v.dial(n.endpoint(countMessages, transport.Options{}))
	s.ask("first")
	v.logout(session.This)
	s.wantClose(hub.SessionEnded)
	if n.exists(id) || len(n.sessions("alice")) != 0 {
		w.Error("the session is back")
	}
}

func regressTwoSockets(w *visWorld) {
	n := w.socketNode()
	v := n.visitor().login("alice")
	e := n.endpoint(countMessages, transport.Options{})
	a, b := v.dial(e), v.dial(e)
	a.ask("a1")
	b.ask("b1")
	a.ask("a2")
	if got := v.get("chat", "a1") + v.get("chat", "b1") + v.get("chat", "a2") + v.get("chat", "count"); got != "truetruetrue3" {
		w.Errorf("a1, b1, a2, count = %q", got)
	}
}

func regressAnonymousSocket(w *visWorld) {
	n := w.socketNode()
	v := n.visitor()
	v.set("main", "k", 1) // nobody is logged in
	s := v.dial(n.endpoint(visEcho, transport.Options{}))
	s.ask("here")
	if r := v.logout(session.This); r.ClosedHere != 1 {
		w.Errorf("closed %d sockets", r.ClosedHere)
	}
	s.wantClose(hub.SessionEnded)
}

func regressTabs(w *visWorld) {
	a, b := w.socketNode(), w.socketNode()
	v := a.visitor().login("alice")
	var tabs []*visSocket
	for _, n := range []*visNode{a, b, a} {
		s := v.at(n).dial(n.endpoint(visEcho, transport.Options{}))
		s.ask("here")
		tabs = append(tabs, s)
	}
	v.logout(session.This)
	for _, s := range tabs {
		s.wantClose(hub.SessionEnded)
	}
}

func regressChatSocket(w *visWorld) {
	n := w.socketNode()
	v := n.visitor().login("alice")
	s := v.dial(n.endpoint(visEcho, transport.Options{Namespaces: []string{"chat"}}))
	s.ask("here")
	v.logout(session.This)
	s.wantClose(hub.SessionEnded)
}

func regressCloseCode(w *visWorld) {
	n := w.socketNode()
	v := n.visitor().login("alice")
	elsewhere := w.node() // tells no hub of its own, so the save is the first to know
	began := make(chan struct{})
	ended := make(chan struct{})
	s := v.dial(n.endpoint(func(ctx context.Context, out *transport.Outbox, in transport.Message) error {
		if err := countMessages(ctx, out, in); err != nil {
			return err
		}
		close(began)
		<-ended
		return nil
	}, transport.Options{}))
	s.send("too late")
	<-began
	if _, err := elsewhere.m.EndSession(w.Context(), "", v.id(), "admin"); err != nil {
		w.Error(err)
	}
	close(ended)
	s.wantClose(hub.SessionEnded)
	if len(s.msgs) != 0 || n.exists(v.id()) {
		w.Error("something was sent, or saved")
	}
}
