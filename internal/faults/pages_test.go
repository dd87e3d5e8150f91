package faults_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
	"github.com/sessionhub/sessionhub/web"
)

// origin is where pages come from.
const origin = "https://chat.example"

// sum is what "add" counts.
var sum = session.Counter("sum")

// pages adds the program's pages to a router: a login, a logout, who one is, and
// what one has counted.
func pages(r chi.Router, socket http.Handler) {
	r.Post("/login", func(w http.ResponseWriter, r *http.Request) {
		if err := session.Login(r.Context(), r.FormValue("user")); err != nil {
			web.Error(w, r, err)
		}
	})
	r.Post("/logout", web.Logout(web.LogoutOptions{Target: func(r *http.Request) session.Target {
		return session.Target(r.FormValue("target"))
	}}).ServeHTTP)
	r.With(web.RequireUser).Get("/me", func(w http.ResponseWriter, r *http.Request) {
		user, err := session.User(r.Context())
		if err != nil {
			web.Error(w, r, err)
			return
		}
		io.WriteString(w, user)
	})
	r.With(web.RequireUser).Get("/sum", func(w http.ResponseWriter, r *http.Request) {
		n, err := counted(r.Context())
		if err != nil {
			web.Error(w, r, err)
			return
		}
		fmt.Fprint(w, n)
	})
	r.Handle("/ws", socket)
}

// counted returns what the sockets of a session have added up.
func counted(ctx context.Context) (int64, error) {
	s, err := session.Get(ctx, "main")
	if err != nil {
		return 0, err
	}
	return sum.Get(s)
}

// talk handles the messages of the tests:
//
//	add n     counts in the session, and answers with n when that is saved
//	put k v   sets a value in both namespaces, and answers "put"
//	keep t    sets a value that is JSON text, and answers whether it was one
//	shout t   publishes t in the lobby
//	wait      goes on until the socket is marked dead
//	panic     panics
//
// Anything else comes back as it is.
type talk struct {
	topics []string // of every socket

	opened, handled atomic.Int64

	mu      sync.Mutex // guards the following fields
	waiting int        // handlers of "wait"
	marked  []time.Time
	ends    map[hub.Reason]int
	heard   func(text string) // called with each message before anything else; may be nil
}

// ServeMessage implements [transport.Handler].
func (h *talk) ServeMessage(ctx context.Context, out *transport.Outbox, in transport.Message) error {
	h.handled.Add(1)
	text := string(in.Data)
	h.mu.Lock()
	heard := h.heard
	h.mu.Unlock()
	if heard != nil {
		heard(text)
	}
	verb, rest, _ := strings.Cut(text, " ")
	switch verb {
	case "add":
		var n int64
		if _, err := fmt.Sscan(rest, &n); err != nil {
			return err
		}
		s, err := session.Get(ctx, "main")
		if err != nil {
			return err
		}
		out.Reply([]byte(rest))
		return sum.Add(s, n)
	case "put":
		key, value, _ := strings.Cut(rest, " ")
		out.Reply([]byte("put"))
		for _, name := range []string{"main", "chat"} {
			s, err := session.Get(ctx, name)
			if err != nil {
				return err
			}
			if err := s.Set(key, value); err != nil {
				return err
			}
		}
		return nil
	case "keep":
		answer := "kept"
		err := keep(ctx, rest)
		if err != nil {
			answer = "refused"
			session.FromContext(ctx).Discard()
		}
		out.Reply([]byte(answer))
		return nil
	case "shout":
		out.Publish("lobby", []byte(rest))
		return nil
	case "wait":
		h.count(1)
		defer h.count(-1)
		<-ctx.Done()
		h.mu.Lock()
		defer h.mu.Unlock()
		h.marked = append(h.marked, time.Now())
		return ctx.Err()
	case "panic":
		panic("as it was told")
	}
	out.Reply(in.Data)
	return nil
}

func (h *talk) count(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting += n
}

// Open implements [transport.Opener].
func (h *talk) Open(_ context.Context, out *transport.Outbox) error {
	h.opened.Add(1)
	for _, topic := range h.topics {
		out.Subscribe(topic, "")
	}
	return nil
}

// Closed implements [transport.Closer].
func (h *talk) Closed(_ context.Context, _ *transport.Peer, r hub.Reason) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ends == nil {
		h.ends = make(map[hub.Reason]int)
	}
	h.ends[r]++
}

// ended returns how many opened sockets have ended for a reason.
func (h *talk) ended(r hub.Reason) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ends[r]
}

// waits returns how many handlers wait for the end of their sockets.
func (h *talk) waits() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.waiting
}

// hear has fn called with every message, in the goroutine that handles it.
func (h *talk) hear(fn func(text string)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heard = fn
}

// takeMarked returns when the handlers of "wait" were told of the end.
func (h *talk) takeMarked() []time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := h.marked
	h.marked = nil
	return at
}
