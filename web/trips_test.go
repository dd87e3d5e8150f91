package web_test

import (
	"net/http"
	"testing"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/web"
)

// What a request costs, in calls of the store, each of which is one round trip
// unless its documentation says otherwise.
func TestTripsPerRequest(t *testing.T) {
	read := func(t *testing.T, r *http.Request) {
		look(t, r, "main", "k")
		look(t, r, "chat", "k")
	}
	modify := func(t *testing.T, r *http.Request) {
		put(t, r, "main", "k", 2)
		put(t, r, "chat", "k", 2)
	}
	login := func(user string) func(*testing.T, *http.Request) {
		return func(t *testing.T, r *http.Request) {
			put(t, r, "chat", "k", 3)
			if err := session.Login(r.Context(), user); err != nil {
				t.Error(err)
			}
		}
	}
	logout := func(target session.Target) func(*testing.T, *http.Request) {
		return func(t *testing.T, r *http.Request) {
			if _, err := session.Logout(r.Context(), target); err != nil {
				t.Error(err)
			}
		}
	}
	for _, c := range []struct {
		name    string
		visitor string // new, anonymous or alice
		act     func(*testing.T, *http.Request)
		calls   string
	}{
		{"untouched, new", "new", func(*testing.T, *http.Request) {}, ""},
		{"untouched", "alice", func(*testing.T, *http.Request) {}, ""},
		{"read, new", "new", read, ""},
		{"read two namespaces", "alice", read, "Load"},
		{"modify two namespaces", "alice", modify, "Load Save"},
		{"modify, new", "new", modify, "Create"},
		{"login, new", "new", login("alice"), "Create"},
		{"login, anonymous", "anonymous", login("alice"), "Load Login"},
		{"login again", "alice", login("alice"), "Load Login"},
		{"login as somebody else", "alice", login("bob"), "Load Create"},
		{"logout, new", "new", logout(session.This), ""},
		{"logout", "alice", logout(session.This), "Load Delete"},
		{"logout of a namespace", "alice", logout(session.Namespace("chat")), "Load Delete"},
		{"logout everywhere", "alice", logout(session.All), "Load Raise Check Delete"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			switch c.visitor {
			case "anonymous":
				s.set("main", "k", 1)
			case "alice":
				s.login("alice")
			}
			resp := s.serve(func(_ http.ResponseWriter, r *http.Request) { c.act(t, r) })
			if got := s.store.drain(); resp.StatusCode != 200 || got != c.calls {
				t.Errorf("status %d, store calls %q, want %q", resp.StatusCode, got, c.calls)
			}
		})
	}
}

func TestRequireUserAndItsHandlerShareOneTrip(t *testing.T) {
	s := newSite(t)
	s.login("alice")
	s.serve(func(w http.ResponseWriter, r *http.Request) {
		web.RequireUser(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			look(t, r, "main", "k")
		})).ServeHTTP(w, r)
	})
	if got := s.store.drain(); got != "Load" {
		t.Errorf("store calls %q", got)
	}
}
