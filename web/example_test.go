package web_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"

	"github.com/go-chi/chi/v5"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
	"github.com/sessionhub/sessionhub/web"
)

var visits = session.Counter("visits")

func home(w http.ResponseWriter, r *http.Request) {
	s, err := session.Get(r.Context(), "main")
	if err == nil {
		err = visits.Add(s, 1)
	}
	if err != nil {
		web.Error(w, r, err)
		return
	}
	n, _ := visits.Get(s)
	fmt.Fprintf(w, "visit %d", n) // leaves when the count is saved, or not at all
}

func login(w http.ResponseWriter, r *http.Request) {
	// After the password was checked:
	if err := session.Login(r.Context(), "alice"); err != nil {
		web.Error(w, r, err)
		return
	}
	fmt.Fprint(w, "welcome") // carries the new cookie
}

func mail(w http.ResponseWriter, r *http.Request) {
	user, _ := session.User(r.Context())
	fmt.Fprintf(w, "mail of %s", user)
}

func Example() {
	reg, err := prefixes.NewRegistry(prefixes.Namespace{
		Name:   "main",
		Cookie: prefixes.Cookie{Insecure: true}, // plain http, on loopback alone
	})
	if err != nil {
		log.Fatal(err)
	}
	m := session.New(reg, new(memstore.Store), session.Options{})
	r, err := web.NewRouter(m, web.Options{})
	if err != nil {
		log.Fatal(err)
	}
	r.Get("/", home)
	r.Post("/login", login)
	r.Method("POST", "/logout", web.Logout(web.LogoutOptions{}))
	r.Group(func(r chi.Router) {
		r.Use(web.RequireUser)
		r.Get("/mail", mail)
	})

	srv := httptest.NewServer(r)
	defer srv.Close()
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar}
	defer browser.CloseIdleConnections()
	for _, step := range []struct{ method, path string }{
		{"GET", "/"}, {"GET", "/"}, {"GET", "/mail"}, {"POST", "/login"}, {"GET", "/mail"}, {"POST", "/logout"}, {"GET", "/mail"},
	} {
		req, _ := http.NewRequest(step.method, srv.URL+step.path, nil)
		resp, err := browser.Do(req)
		if err != nil {
			log.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(step.method, step.path, resp.StatusCode, string(body))
	}
	// Output:
	// GET / 200 visit 1
	// GET / 200 visit 2
	// GET /mail 401 Sign in to see this.
	//
	// POST /login 200 welcome
	// GET /mail 200 mail of alice
	// POST /logout 200 {"closed_here":0,"nodes_acked":1,"nodes_expected":1,"store_ok":true}
	//
	// GET /mail 401 Sign in to see this.
}
