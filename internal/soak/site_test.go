package soak_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/sessionhub/sessionhub"
	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/internal/soak"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
	"github.com/sessionhub/sessionhub/web"
)

// Keys of the sessions of a run.
const (
	total    = session.Counter("total")
	rootMark = session.Field[int]("mark") // in "main"
	chatMark = session.Field[int]("mark") // in "chat"
)

// leftCode closes a socket whose client asked for that.
const leftCode = 4000

// frame is what goes over a socket, both ways, and as the body of requests.
type frame struct {
	Message int   `json:"message"`
	Weight  int64 `json:"weight,omitempty"`
	Chat    bool  `json:"chat,omitempty"`
	Tell    bool  `json:"tell,omitempty"`  // publish it
	Read    bool  `json:"read,omitempty"`  // change nothing
	Leave   bool  `json:"leave,omitempty"` // close this socket
	Told    bool  `json:"told,omitempty"`  // from a node: a publication, and no answer
}

// looked is what a request sees of its session.
type looked struct {
	ID    string `json:"id"`
	Total int64  `json:"total"`
	Mark  int    `json:"mark"`
	Chat  int    `json:"chat"`
}

// site is the program that a node runs.
type site struct {
	app   *sessionhub.App
	rec   *recorder
	place soak.Place
}

// handler serves the site.
func (s *site) handler() (http.Handler, error) {
	r := s.app.Router()
	for path, quiet := range map[string]bool{"/ws": false, "/quiet": true} {
		// All clients have one address.
		e, err := s.app.Endpoint(s, transport.Options{PerAddress: 1 << 20, Quiet: quiet})
		if err != nil {
			return nil, err
		}
		r.Handle(path, e)
	}
	r.Post("/login", s.login)
	r.Post("/cycle", s.cycle)
	r.Post("/logout", s.logout)
	r.Post("/expire", s.expire)
	r.Post("/add", s.add)
	r.Get("/look", s.look)
	r.Post("/admin/session/{id}", func(w http.ResponseWriter, r *http.Request) {
		took, err := s.app.Sessions().EndSession(r.Context(), "", chi.URLParam(r, "id"), "soak")
		answer(w, r, took, err)
	})
	r.Post("/admin/user/{user}", func(w http.ResponseWriter, r *http.Request) {
		took, err := s.app.Sessions().EndUser(r.Context(), "", chi.URLParam(r, "user"), "", "soak")
		answer(w, r, took, err)
	})
	return r, nil
}

func (s *site) login(w http.ResponseWriter, r *http.Request) {
	if err := session.Login(r.Context(), r.FormValue("user")); err != nil {
		web.Error(w, r, err)
	}
}

func (s *site) cycle(w http.ResponseWriter, r *http.Request) {
	if err := session.Cycle(r.Context()); err != nil {
		web.Error(w, r, err)
	}
}

func (s *site) logout(w http.ResponseWriter, r *http.Request) {
	took, err := session.Logout(r.Context(), session.Target(r.FormValue("target")))
	answer(w, r, took, err)
}

// took is the answer to a logout.
type took struct {
	session.Result
	Owed bool `json:"owed"`
}

// answer says what a logout did, also when the store was away. With any other
// status than these it may have been carried out: the answer may be about the
// session of who asked, which is saved afterwards.
func answer(w http.ResponseWriter, r *http.Request, result session.Result, err error) {
	switch {
	case err == nil:
	case errors.Is(err, session.ErrUnavailable):
		w.WriteHeader(http.StatusServiceUnavailable)
	case errors.Is(err, session.ErrTarget):
		http.NotFound(w, r)
		return
	default:
		web.Error(w, r, err)
		return
	}
	_ = json.NewEncoder(w).Encode(took{result, errors.Is(err, session.ErrOwed)}) // the client sees it if this is cut off
}

func (s *site) expire(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	ms, err := strconv.ParseInt(r.FormValue("ms"), 10, 64)
	if err != nil {
		http.Error(w, "no time", http.StatusBadRequest)
		return
	}
	e := session.After(time.Duration(ms) * time.Millisecond)
	if r.FormValue("at") != "" {
		e = session.At(time.UnixMilli(ms))
	}
	if err = s.mine(ctx); err == nil {
		err = session.SetExpiry(ctx, e)
	}
	if err != nil {
		web.Error(w, r, err)
	}
}

// mine says that a request has a session: what would begin one is not wanted.
func (s *site) mine(ctx context.Context) error {
	user, err := session.User(ctx)
	if err == nil && user == "" {
		err = web.ErrNoUser
	}
	return err
}

func (s *site) add(w http.ResponseWriter, r *http.Request) {
	at := s.rec.now()
	var f frame
	if err := json.NewDecoder(r.Body).Decode(&f); err != nil {
		http.Error(w, "no frame", http.StatusBadRequest)
		return
	}
	err := s.mine(r.Context())
	if err == nil {
		s.dispatched(f.Message, at)
		err = s.save(r.Context(), f)
	}
	if err != nil {
		web.Error(w, r, err)
	}
}

func (s *site) look(w http.ResponseWriter, r *http.Request) {
	l, err := s.see(r.Context())
	if err != nil {
		web.Error(w, r, err)
		return
	}
	_ = json.NewEncoder(w).Encode(l)
}

func (s *site) see(ctx context.Context) (l looked, err error) {
	main, err := session.Get(ctx, "main")
	if err != nil {
		return l, err
	}
	chat, err := session.Get(ctx, "chat")
	if err != nil {
		return l, err
	}
	id, err := session.FromContext(ctx).ID(ctx, "")
	if err != nil || id == "" {
		return l, err
	}
	l.ID = id
	var errs [3]error
	l.Total, errs[0] = total.Get(main)
	l.Mark, errs[1] = rootMark.Or(main, 0)
	l.Chat, errs[2] = chatMark.Or(chat, 0)
	return l, errors.Join(errs[:]...)
}

// save does what a message is for: it adds its weight, and leaves its number.
func (s *site) save(ctx context.Context, f frame) error {
	main, err := session.Get(ctx, "main")
	if err != nil {
		return err
	}
	if f.Chat {
		chat, err := session.Get(ctx, "chat")
		if err != nil {
			return err
		}
		if err := chatMark.Set(chat, f.Message); err != nil {
			return err
		}
	}
	if err := errors.Join(total.Add(main, f.Weight), rootMark.Set(main, f.Message)); err != nil {
		return err
	}
	return session.OnSaved(ctx, func(context.Context) {
		at := s.rec.now()
		s.rec.note(func(h *soak.History) { h.Messages[f.Message].Saved = at })
	})
}

func (s *site) dispatched(message int, at time.Duration) {
	s.rec.note(func(h *soak.History) {
		h.Messages[message].Dispatched = at
		h.Messages[message].At = s.place
	})
}

// ServeMessage implements [transport.Handler].
func (s *site) ServeMessage(ctx context.Context, out *transport.Outbox, in transport.Message) error {
	at := s.rec.now()
	var f frame
	if err := json.Unmarshal(in.Data, &f); err != nil {
		return err
	}
	s.dispatched(f.Message, at)
	if f.Leave {
		n := number(out.Peer())
		now := s.rec.now()
		s.rec.note(func(h *soak.History) {
			h.Acts = append(h.Acts, soak.Act{
				Span: soak.Span{From: at, To: now}, At: s.place, Scope: soak.Connection, Socket: n, Outcome: soak.Done,
			})
		})
		return &transport.CloseError{Code: leftCode, Reason: "left"}
	}
	if !f.Read {
		if err := s.save(ctx, f); err != nil {
			return err
		}
	}
	out.Reply(encode(frame{Message: f.Message}))
	if f.Tell {
		out.Publish(topic(out.Peer(), f.Chat), encode(frame{Message: f.Message, Told: true}))
	}
	return nil
}

// Open implements [transport.Opener].
func (s *site) Open(_ context.Context, out *transport.Outbox) error {
	at, n := s.rec.now(), number(out.Peer())
	s.rec.note(func(h *soak.History) { h.Sockets[n].Served = at })
	out.Subscribe(topic(out.Peer(), false), "")
	out.Subscribe(topic(out.Peer(), true), "chat")
	return nil
}

// Closed implements [transport.Closer].
func (s *site) Closed(_ context.Context, peer *transport.Peer, reason hub.Reason) {
	at, n := s.rec.now(), number(peer)
	s.rec.note(func(h *soak.History) { h.Sockets[n].Left, h.Sockets[n].Reason = at, reason.Code })
}

// number returns which of the history's sockets a peer is.
func number(p *transport.Peer) int {
	n, err := strconv.Atoi(p.Query.Get("socket"))
	if err != nil {
		panic(err) // the client is ours
	}
	return n
}

// topic returns what a peer's room is called.
func topic(p *transport.Peer, chat bool) string { return roomTopic(p.Query.Get("room"), chat) }

func roomTopic(room string, chat bool) string { return fmt.Sprintf("room-%s-%v", room, chat) }

func encode(f frame) []byte {
	data, err := json.Marshal(f)
	if err != nil {
		panic(err) // it has numbers only
	}
	return data
}
