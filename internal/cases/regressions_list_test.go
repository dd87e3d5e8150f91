package cases_test

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
)

// listRegressions are defects of a user's list of sessions.
func listRegressions() []visRule {
	return []visRule{
		{"tokenHashBreaksRevokeAll", "scs: with HashTokenInStore, Iterate and Destroy delete nothing and say nothing", regressRevokeAll},
		{"indexThatForgetsALongSession", "a short login makes the list expire before a remembered session", regressShortIndex},
		{"indexThatForgetsALoginDuringEndAll", "a login in progress is missed by the end of all", regressLoginDuringEnd},
		{"indexThatForgetsALoginDuringTheExpiry", "the list loses a session that is logged in to as it expires", regressLoginDuringExpiry},
		{"indexThatIsWrittenLast", "a node dies between the login and the listing, and the session is never found", regressIndexLast},
		{"listOfTheDead", "sessions that ended or expired stay listed", regressDead},
	}
}

// findable checks that those who are in are listed.
func findable(n *visNode, user string, all []*visVisitor) (in int) {
	n.Helper()
	listed := n.sessions(user)
	for _, v := range all {
		if v.cookie() == "" || v.copy().user() != user {
			continue
		}
		in++
		if !slices.Contains(listed, v.id()) {
			n.Errorf("%s lives and is not on the list", v.id())
		}
	}
	return in
}

func regressRevokeAll(w *visWorld) {
	n := w.node()
	var all []*visVisitor
	for range 4 {
		all = append(all, n.visitor().login("alice"))
	}
	kept := make([]*visVisitor, len(all))
	for i, v := range all {
		kept[i] = v.copy()
	}
	all[0].logout(session.All)
	for _, v := range kept {
		if got := v.user(); got != "" || n.exists(v.id()) {
			w.Errorf("user %q after the end of all", got)
		}
	}
	if got := n.m.Stats().Ended; got != 4 {
		w.Errorf("Ended = %d, want 4", got)
	}
}

func regressShortIndex(w *visWorld) {
	n := w.node(prefixes.Namespace{Name: "main", IdleTimeout: 300 * time.Millisecond, Lifetime: 300 * time.Millisecond})
	long, short := n.visitor().remember("alice"), n.visitor().login("alice")
	w.eventually("the short session ends", func() bool { return !n.exists(short.id()) })
	if in := findable(n, "alice", []*visVisitor{long}); in != 1 {
		w.Error("the remembered session is gone")
	}
	if _, err := n.m.EndUser(w.Context(), "", "alice", "", "admin"); err != nil || n.exists(long.id()) {
		w.Errorf("the end of all missed it: %v", err)
	}
}

func regressLoginDuringEnd(w *visWorld) {
	n := w.node()
	var (
		wg  sync.WaitGroup
		all []*visVisitor
	)
	start := make(chan struct{})
	for i := range 24 {
		v := n.visitor()
		if i%2 == 0 {
			v.set("main", "k", 1) // has a session to log in to
		}
		all = append(all, v)
		wg.Go(func() {
			<-start
			resp := v.serve(func(w http.ResponseWriter, r *http.Request) {
				if err := session.Login(r.Context(), "alice"); err != nil {
					w.WriteHeader(500)
				}
			})
			if resp.StatusCode != 200 && resp.StatusCode != 401 {
				n.Errorf("a login was answered with %d", resp.StatusCode)
			}
		})
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-start
		for range 10 {
			if _, err := n.m.EndUser(context.Background(), "", "alice", "", "admin"); err != nil {
				n.Errorf("EndUser: %v", err)
			}
		}
	}()
	close(start)
	wg.Wait()
	<-ended
	findable(n, "alice", all)
	if _, err := n.m.EndUser(w.Context(), "", "alice", "", "admin"); err != nil {
		w.Error(err)
	}
	if in := findable(n, "alice", all); in != 0 {
		w.Errorf("%d are still in after the end of all", in)
	}
}

func regressLoginDuringExpiry(w *visWorld) {
	const life = 250 * time.Millisecond
	n := w.node(prefixes.Namespace{Name: "main", IdleTimeout: life, Lifetime: life})
	began := time.Now()
	v := n.visitor().login("alice")
	first := v.id()
	// Again and again, also in the moment of its expiry, until well after.
	w.eventually("the first login has expired", func() bool {
		resp := v.serve(func(_ http.ResponseWriter, r *http.Request) {
			if err := session.Login(r.Context(), "alice"); err != nil {
				w.Errorf("Login: %v", err)
			}
		})
		if resp.StatusCode == 200 {
			if !slices.Contains(n.sessions("alice"), v.id()) && n.exists(v.id()) {
				w.Errorf("%s lives and is not on the list", v.id())
			}
		}
		return time.Since(began) > 2*life
	})
	if other := n.visitor().login("alice"); findable(n, "alice", []*visVisitor{other}) != 1 {
		w.Errorf("after %s the next login is not found", first)
	}
}

func regressIndexLast(w *visWorld) {
	n := w.node()
	// At every moment of the login what lives is listed: so there is none in
	// which a crash leaves a session that nobody finds.
	v := n.visitor()
	v.set("main", "k", 1)
	id := v.id()
	looking := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-looking:
				return
			default:
			}
			if info, ok, err := n.m.Lookup(context.Background(), "", id); err != nil {
				n.Errorf("Lookup: %v", err)
			} else if ok && info.User == "alice" && !slices.Contains(n.sessions("alice"), id) {
				n.Error("the session has the user and is not on the user's list")
			}
		}
	})
	for range 20 {
		v.login("alice")
	}
	close(looking)
	wg.Wait()
}

func regressDead(w *visWorld) {
	const life = 200 * time.Millisecond
	n := w.node(prefixes.Namespace{Name: "main", IdleTimeout: life, Lifetime: life})
	n.visitor().login("alice")
	gone := n.visitor().login("alice")
	gone.logout(session.This)
	w.eventually("the list is empty", func() bool { return len(n.sessions("alice")) == 0 })
}
