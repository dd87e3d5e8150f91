package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5/middleware"

	"github.com/sessionhub/sessionhub"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
)

// demo is the chat server.
type demo struct {
	app      *sessionhub.App
	accounts *accounts
	limits   *limits
	page     *page
	socket   http.Handler
	log      *slog.Logger
}

// newDemo returns the chat server on app.
func newDemo(app *sessionhub.App, a *accounts, log *slog.Logger) (*demo, error) {
	p, err := newPage()
	if err != nil {
		return nil, err
	}
	socket, err := app.Endpoint(newChat(log), transport.Options{RequireUser: true})
	if err != nil {
		return nil, err
	}
	return &demo{app: app, accounts: a, limits: newLimits(), page: p, socket: socket, log: log}, nil
}

// routes returns the whole server. secure says that it is behind https.
func (d *demo) routes(secure bool) http.Handler {
	r := d.app.Router()
	r.Use(headers(secure), middleware.GetHead)
	r.Get("/", d.index(!secure))
	r.Get("/static/{name}", d.page.asset)
	r.Post("/signup", d.signup)
	r.Post("/login", d.login)
	r.Post("/logout", d.logout)
	r.Get("/session", d.session)
	r.Get("/sessions", d.sessions)
	r.Handle("/ws", d.socket)
	r.Get("/livez", status(func() error { return nil }))
	r.Get("/readyz", status(d.app.Ready))
	return r
}

// headers says what the page may do, which is less than the router's own policy
// allows.
func headers(secure bool) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; "+
				"img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "+
				"frame-ancestors 'none'; object-src 'none'")
			if secure {
				h.Set("Strict-Transport-Security", "max-age=31536000")
			}
			next.ServeHTTP(w, r)
		})
	}
}

// identity answers a login: the session's id, and whose it is.
type identity struct {
	ID   string `json:"id"`
	User string `json:"user"`
}

// signup makes an account and logs in to it.
func (d *demo) signup(w http.ResponseWriter, r *http.Request) {
	in, err := readInput(w, r, "user", "password")
	if err != nil {
		d.refuse(w, r, in, err)
		return
	}
	name, ok := accountName(in.fields["user"])
	if !ok {
		d.refuse(w, r, in, badName)
		return
	}
	if checkPassword(in.fields["password"]) != nil {
		d.refuse(w, r, in, badPassword)
		return
	}
	if !d.limits.signups.Take(d.addressKey(r)) {
		d.refuse(w, r, in, tooOften)
		return
	}
	switch err := d.accounts.Add(r.Context(), name, in.fields["password"]); {
	case errors.Is(err, errTaken):
		d.refuse(w, r, in, nameTaken)
	case err != nil:
		d.refuse(w, r, in, err)
	default:
		d.log.InfoContext(r.Context(), "signup", "user", name, "address", d.app.ClientIP(r))
		d.enter(w, r, in, name)
	}
}

// login logs in to an account.
func (d *demo) login(w http.ResponseWriter, r *http.Request) {
	in, err := readInput(w, r, "user", "password")
	if err != nil {
		d.refuse(w, r, in, err)
		return
	}
	name, _ := accountName(in.fields["user"]) // "" is nobody's
	address := d.addressKey(r)
	fits, err := d.accounts.Fits(r.Context(), name, in.fields["password"], func() error {
		return d.limits.takeLogin(name, address)
	})
	switch {
	case err != nil:
		d.refuse(w, r, in, err)
	case !fits:
		d.log.WarnContext(r.Context(), "login refused", "user", name, "address", d.app.ClientIP(r))
		d.refuse(w, r, in, badCredentials)
	default:
		d.limits.giveLogin(name, address)
		d.enter(w, r, in, name)
	}
}

// enter logs the visitor in. It is carried out here, not when the response
// begins, because the answer has the session's id.
func (d *demo) enter(w http.ResponseWriter, r *http.Request, in input, user string) {
	ctx := r.Context()
	sc := session.FromContext(ctx)
	err := sc.Login(ctx, user, session.LoginOptions{})
	if err == nil {
		err = sc.Commit(ctx)
	}
	var id string
	if err == nil {
		id, err = sc.ID(ctx, "")
	}
	if err != nil {
		sc.Discard() // else a form's answer, which is no server error, would try again
		d.refuse(w, r, in, err)
		return
	}
	d.log.InfoContext(ctx, "login", "user", user, "session", session.Short(id), "address", d.app.ClientIP(r))
	d.answer(w, r, in, http.StatusOK, identity{id, user})
}

// logout ends sessions, and says what took effect.
func (d *demo) logout(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	in, err := readInput(w, r, "scope", "namespace", "id")
	if err != nil {
		d.refuse(w, r, in, err)
		return
	}
	target, ok := d.target(in.fields["scope"], in.fields["namespace"], in.fields["id"])
	if !ok {
		d.refuse(w, r, in, badScope)
		return
	}
	sc := session.FromContext(ctx)
	id, err := sc.ID(ctx, "")
	user := ""
	if err == nil {
		user, err = sc.User(ctx, "")
	}
	visitor := err != nil || id != ""
	// Also when the store cannot be asked: the cookie is cleared all the same, the
	// sockets that are open here close, and the rest follows.
	took, err := sc.Logout(ctx, target)
	if visitor {
		d.log.InfoContext(ctx, "logout", "user", user, "session", session.Short(id), "address", d.app.ClientIP(r),
			"target", string(target), "closed_here", took.ClosedHere, "nodes_acked", took.NodesAcked,
			"nodes_expected", took.NodesExpected, "store_ok", took.StoreOK)
	}
	switch {
	case errors.Is(err, session.ErrOwed) && in.form:
		d.refuse(w, r, in, notEverywhere)
	case err != nil && (in.form || !errors.Is(err, session.ErrUnavailable)):
		d.refuse(w, r, in, err)
	case err != nil:
		d.answer(w, r, in, http.StatusServiceUnavailable, took)
	default:
		d.answer(w, r, in, http.StatusOK, took)
	}
}

// target returns what a logout ends: this session, if it does not say.
func (d *demo) target(scope, namespace, id string) (session.Target, bool) {
	if scope != "namespace" && namespace != "" || scope != "one" && id != "" {
		return "", false
	}
	switch scope {
	case "namespace":
		_, known := d.app.Sessions().Registry().Get(namespace)
		return session.Namespace(namespace), known
	case "one":
		return session.One(id), id != ""
	case "", "session":
		return session.This, true
	case "others":
		return session.Others, true
	case "all":
		return session.All, true
	}
	return "", false
}

// state answers what a session holds.
type state struct {
	identity
	Namespaces map[string]map[string]json.RawMessage `json:"namespaces"`
}

// session shows the visitor's session, an anonymous one too.
func (d *demo) session(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	s, err := current(ctx)
	if err == nil && s.ID == "" {
		err = noSession
	}
	answer := state{s, make(map[string]map[string]json.RawMessage)}
	for _, name := range []string{"main", "chat"} {
		if err != nil {
			break
		}
		var values *session.Session
		if values, err = session.Get(ctx, name); err == nil {
			answer.Namespaces[name] = maps.Collect(values.Items())
		}
	}
	if err != nil {
		d.refuse(w, r, input{}, err)
		return
	}
	d.answer(w, r, input{}, http.StatusOK, answer)
}

// entry is one session in the list of a user's sessions.
type entry struct {
	ID          string    `json:"id"`
	Created     time.Time `json:"created"`
	LastSeen    time.Time `json:"last_seen"`
	Device      string    `json:"device"`
	Address     string    `json:"address"`
	Namespaces  []string  `json:"namespaces"`
	Connections int       `json:"connections"`
	Current     bool      `json:"current"`
}

// sessions lists the user's sessions, on all devices.
func (d *demo) sessions(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	s, err := current(ctx)
	if err == nil && s.User == "" {
		err = notLoggedIn
	}
	var list []session.Info
	if err == nil {
		list, err = session.List(ctx)
	}
	if err != nil {
		d.refuse(w, r, input{}, err)
		return
	}
	entries := make([]entry, len(list))
	for i, one := range list {
		entries[i] = entry{
			ID: one.ID, Created: one.Created.UTC(), LastSeen: one.Seen.UTC(), Device: one.Device, Address: one.Address,
			Namespaces: one.Namespaces, Connections: one.Connections, Current: one.Current,
		}
	}
	d.answer(w, r, input{}, http.StatusOK, entries)
}

// current returns the visitor's session: no id for none, no user for an
// anonymous one.
func current(ctx context.Context) (identity, error) {
	sc := session.FromContext(ctx)
	id, err := sc.ID(ctx, "")
	if err != nil {
		return identity{}, err
	}
	user, err := sc.User(ctx, "")
	return identity{id, user}, err
}

// addressKey is the limiters' key of a request.
func (d *demo) addressKey(r *http.Request) string { return addressKey(d.app.ClientIP(r)) }

// status answers 200 or 503 and nothing else: who may ask is not known.
func status(check func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if check() != nil {
			http.Error(w, "unavailable", http.StatusServiceUnavailable)
			return
		}
		http.Error(w, "ok", http.StatusOK)
	}
}
