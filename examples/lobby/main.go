package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"

	"github.com/sessionhub/sessionhub"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
)

var sent = session.Counter("sent")

func main() {
	app, err := sessionhub.New(sessionhub.Options{
		Redis:      os.Getenv("REDIS_URL"), // empty: this process only
		Public:     "https://chat.example", // the origin allowed, the cookie's name and Secure
		Namespaces: []string{"main", "main/chat"},
	})
	if err != nil {
		log.Fatal(err)
	}
	r := app.Router() // a chi.Router with sessions and cross-origin protection
	r.Post("/login", login)
	r.Post("/logout", logout)
	r.Handle("/ws", app.Socket(chat, "lobby"))             // every socket hears the lobby
	if err := app.ListenAndServe(":8080", r); err != nil { // SIGTERM drains
		log.Fatal(err)
	}
}

func login(w http.ResponseWriter, r *http.Request) {
	if !passwordFits(r.FormValue("user"), r.FormValue("password")) {
		http.Error(w, "wrong user or password", http.StatusUnauthorized)
		return
	}
	session.Login(r.Context(), r.FormValue("user")) // done when the response begins
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func chat(ctx context.Context, out *transport.Outbox, in transport.Message) error {
	s, err := session.Get(ctx, "chat")
	if err != nil {
		return err
	}
	sent.Add(s, 1)
	out.Publish("lobby", in.Data) // leaves when the counter is saved, or not at all
	return nil
}

func logout(w http.ResponseWriter, r *http.Request) {
	took, err := session.Logout(r.Context(), session.This) // every tab, every node
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable) // it holds here, and elsewhere when Redis answers
	}
	json.NewEncoder(w).Encode(took)
}

func passwordFits(user, password string) bool { // yours
	return user == "ada" && password != "" && password == os.Getenv("ADA_PASSWORD")
}
