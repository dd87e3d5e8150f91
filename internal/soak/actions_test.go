package soak_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sessionhub/sessionhub/internal/soak"
	"github.com/sessionhub/sessionhub/session"
)

// actions are what a visitor with a session does, and how often in 1000 turns.
var actions = []struct {
	often int
	do    func(*visitor, context.Context, turn)
}{
	{12, func(v *visitor, _ context.Context, t turn) { v.logout(t, soak.This, session.This) }},
	{4, func(v *visitor, _ context.Context, t turn) { v.logout(t, soak.All, session.All) }},
	{4, func(v *visitor, _ context.Context, t turn) { v.logout(t, soak.Others, session.Others) }},
	{5, (*visitor).logoutOne},
	{12, func(v *visitor, _ context.Context, t turn) { v.logout(t, soak.Namespace, session.Namespace("chat")) }},
	{6, (*visitor).administer},
	{2, (*visitor).disable},
	{12, func(v *visitor, _ context.Context, t turn) { v.message(t, frame{Leave: true}) }},
	{5, func(v *visitor, _ context.Context, t turn) { v.login(t, fmt.Sprint("user-", t.pick%uint64(*users))) }},
	{10, func(v *visitor, _ context.Context, t turn) { v.login(t, v.user) }},
	{10, (*visitor).cycle},
	{12, (*visitor).expire},
	{6, (*visitor).idle},
	{10, (*visitor).close},
	{50, (*visitor).add},
	{60, (*visitor).lookAgain},
	{250, func(v *visitor, _ context.Context, t turn) { v.message(t, frame{Chat: true, Tell: t.pick2%4 == 0}) }},
	{150, func(v *visitor, _ context.Context, t turn) { v.message(t, frame{Read: true}) }},
	{380, func(v *visitor, _ context.Context, t turn) { v.message(t, frame{Tell: t.pick2%4 == 0}) }},
}

// login logs in: anew, in the session that there is, or as somebody else.
func (v *visitor) login(t turn, user string) {
	if v.expires && user == v.user {
		return // which would undo the expiry
	}
	l := soak.Login{At: t.node.place, User: user, Elevates: v.id != "" && user == v.user}
	before := v.id
	l.From = v.rec.now()
	got := v.ask(t.node, "POST", "/login", v.cookie, url.Values{"user": {user}})
	l.To = v.rec.now()
	id := idOf(got.cookie)
	if got.code == http.StatusOK && id != "" {
		l.Outcome = soak.Done
	}
	if before != "" && l.Elevates && l.Outcome == soak.Done && id != before {
		// The session was over, and another one began.
		l.Elevates = false
	}
	l.Session = id
	if l.Outcome != soak.Done {
		l.Session = before
	}
	v.rec.note(func(h *soak.History) {
		if l.Session != "" && (l.Outcome == soak.Done || l.Elevates) {
			h.Logins = append(h.Logins, l)
		}
		if before != "" && user != v.user {
			h.Acts = append(h.Acts, soak.Act{Span: l.Span, At: l.At, Scope: soak.Replaced, By: before, Outcome: l.Outcome})
		}
	})
	if before != "" && id != before {
		v.bury() // over, or nobody has the newest cookie
	}
	if l.Outcome != soak.Done {
		return
	}
	v.user, v.cookie = user, got.cookie
	if id != before {
		v.id = id
		v.begins(id, user)
	}
}

// cycle changes the secret.
func (v *visitor) cycle(_ context.Context, t turn) {
	l := soak.Login{At: t.node.place, Session: v.id, User: v.user, Elevates: true, Keeps: true}
	l.From = v.rec.now()
	got := v.ask(t.node, "POST", "/cycle", v.cookie, nil)
	l.To = v.rec.now()
	if got.code == http.StatusOK && idOf(got.cookie) == v.id {
		l.Outcome = soak.Done
	}
	v.rec.note(func(h *soak.History) { h.Logins = append(h.Logins, l) })
	if l.Outcome != soak.Done {
		v.bury()
		return
	}
	v.take(got.cookie)
}

// expire gives the session an expiry of its own, once.
func (v *visitor) expire(ctx context.Context, t turn) {
	if v.expires {
		return
	}
	d := 3*time.Second + time.Duration(t.pick%5000)*time.Millisecond
	x := soak.Expiry{At: t.node.place, Session: v.id, Idle: d}
	form := url.Values{"ms": {strconv.FormatInt(d.Milliseconds(), 10)}}
	x.From = v.rec.now()
	if t.pick2%2 == 0 {
		x.Idle, x.Until = 0, x.From+d
		form = url.Values{"at": {"1"}, "ms": {strconv.FormatInt(v.rec.began.Add(x.Until).UnixMilli(), 10)}}
	}
	got := v.ask(t.node, "POST", "/expire", v.cookie, form)
	x.To = v.rec.now()
	switch {
	case got.code == http.StatusOK:
		x.Outcome = soak.Done
	case got.code >= 400 && got.code < 500:
		x.Outcome = soak.Refused
	}
	v.take(got.cookie)
	v.expires = true
	v.rec.note(func(h *soak.History) { h.Expiries = append(h.Expiries, x) })
	if t.pick2%4 < 2 {
		sleep(ctx, d+time.Second)
		v.doubt = true
	}
}

// idle does nothing until the session has expired.
func (v *visitor) idle(ctx context.Context, _ turn) {
	sleep(ctx, *idleTimeout+time.Second)
	v.doubt = true
}

// lookAgain loads the session, and forgets it if it is over.
func (v *visitor) lookAgain(_ context.Context, t turn) {
	l, got := v.look(t.node, v.id, v.cookie, true)
	v.take(got.cookie)
	switch l.Answer {
	case soak.None:
		v.bury()
	case soak.Found:
		v.doubt = false
	}
}

// connect opens one more socket.
func (v *visitor) connect(t turn) {
	tb, resp := v.dial(t.node, v.id, v.cookie, v.room, mannerOf(t.pick2))
	if resp != nil {
		v.take(cookieOf(resp))
	}
	if tb != nil {
		v.open = append(v.open, tb)
	}
}

// close closes one of the sockets, as a page that is left.
func (v *visitor) close(_ context.Context, t turn) {
	if len(v.open) > 0 {
		v.open[t.pick%uint64(len(v.open))].drop()
	}
}

// message sends something on one of the sockets.
func (v *visitor) message(t turn, f frame) {
	if len(v.open) == 0 {
		v.connect(t)
		return
	}
	v.say(v.open[t.pick%uint64(len(v.open))], f)
}

// say sends a message in the manner of the socket.
func (v *visitor) say(tb *tab, f frame) {
	switch {
	case f.Leave:
	case tb.manner == listens:
		return
	case tb.manner == reads:
		f = frame{Read: true}
	}
	f.Weight = 1 + v.weights.Int64N(1<<40)
	tb.say(f)
}

// add does with a request what a message does.
func (v *visitor) add(_ context.Context, t turn) {
	f := frame{Weight: 1 + v.weights.Int64N(1<<40), Chat: t.pick%2 == 0}
	v.rec.note(func(h *soak.History) {
		f.Message = len(h.Messages)
		h.Messages = append(h.Messages, soak.Message{Session: v.id, Weight: f.Weight, InChat: f.Chat, Sent: v.rec.now()})
	})
	if f.Message == 0 {
		return
	}
	got := v.ask(t.node, "POST", "/add", v.cookie, f)
	at := v.rec.now()
	v.take(got.cookie)
	if got.code == http.StatusOK {
		v.rec.note(func(h *soak.History) { h.Messages[f.Message].Answered = at })
	}
}

// logout ends sessions of this user, and looks whether it has.
func (v *visitor) logout(t turn, scope soak.Scope, target session.Target) {
	a := v.end(t.node, "/logout", v.cookie, url.Values{"target": {string(target)}}, soak.Act{Scope: scope, By: v.id, User: v.user})
	if scope != soak.This && scope != soak.All {
		return
	}
	if a.Outcome == soak.Done || a.Outcome == soak.Owed {
		v.look(v.node(int(t.pick2%uint64(len(v.nodes)))), v.id, v.cookie, true)
	}
	if a.Outcome != soak.Refused {
		v.bury()
	}
}

// logoutOne ends another session of this user.
func (v *visitor) logoutOne(_ context.Context, t turn) {
	if id := v.other(v.user, t.pick); id != "" && id != v.id {
		v.end(t.node, "/logout", v.cookie, url.Values{"target": {string(session.One(id))}}, soak.Act{Scope: soak.One, By: v.id, Target: id})
	}
}

// administer ends anybody's session.
func (v *visitor) administer(_ context.Context, t turn) {
	if id := v.other("", t.pick); id != "" {
		v.end(t.node, "/admin/session/"+id, "", nil, soak.Act{Scope: soak.Administrator, Target: id})
	}
}

// disable ends all sessions of somebody.
func (v *visitor) disable(_ context.Context, t turn) {
	user := fmt.Sprint("user-", t.pick%uint64(*users))
	v.end(t.node, "/admin/user/"+user, "", nil, soak.Act{Scope: soak.Disabled, User: user})
}
