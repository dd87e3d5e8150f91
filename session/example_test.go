package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
)

// newVisit returns a context with the sessions of one request, as the
// middleware of package web makes it, and the save at its end.
func newVisit() (ctx context.Context, save func() error) {
	reg, err := prefixes.NewRegistry(prefixes.Parse("main"), prefixes.Parse("main/chat"))
	if err != nil {
		log.Fatal(err)
	}
	m := session.New(reg, new(memstore.Store), session.Options{})
	sc := m.Scope(httptest.NewRequest("GET", "/", nil))
	ctx = session.NewContext(context.Background(), sc)
	return ctx, func() error {
		if err := sc.Commit(ctx); err != nil {
			return err
		}
		sc.Saved(ctx)
		return nil
	}
}

func ExampleGet() {
	ctx, save := newVisit()
	s, err := session.Get(ctx, "chat")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("begun before:", !s.New())
	if err := s.Set("room", "lobby"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(save(), s.Keys())
	// Output:
	// begun before: false
	// <nil> [room]
}

func ExampleField() {
	userID := session.Field[int64]("user_id")
	ctx, _ := newVisit()
	s, err := session.Get(ctx, "main")
	if err != nil {
		log.Fatal(err)
	}
	_, err = userID.Get(s)
	fmt.Println("absent:", errors.Is(err, session.ErrAbsent))
	if err := userID.Set(s, 42); err != nil {
		log.Fatal(err)
	}
	id, err := userID.Get(s)
	fmt.Println(id, err)
	// Output:
	// absent: true
	// 42 <nil>
}

func ExampleCounter() {
	sent := session.Counter("sent")
	ctx, save := newVisit()
	s, err := session.Get(ctx, "chat")
	if err != nil {
		log.Fatal(err)
	}
	for range 3 {
		if err := sent.Add(s, 1); err != nil {
			log.Fatal(err)
		}
	}
	n, _ := sent.Get(s)
	fmt.Println(n, save())
	// Output:
	// 3 <nil>
}

func ExampleSession_Update() {
	ctx, save := newVisit()
	s, err := session.Get(ctx, "main")
	if err != nil {
		log.Fatal(err)
	}
	err = s.Update("cart", func(old json.RawMessage) (any, error) {
		var cart []string
		if old != nil {
			if err := json.Unmarshal(old, &cart); err != nil {
				return nil, err
			}
		}
		return append(cart, "tea"), nil
	})
	raw, _ := s.Value("cart")
	fmt.Println(string(raw), err, save())
	// Output:
	// ["tea"] <nil> <nil>
}

func ExampleLogin() {
	ctx, save := newVisit()
	if err := session.Login(ctx, "alice"); err != nil {
		log.Fatal(err)
	}
	_ = session.OnSaved(ctx, func(context.Context) { fmt.Println("the login is saved, and nothing was sent yet") })
	user, _ := session.User(ctx)
	fmt.Println(user)
	fmt.Println(save())
	// Output:
	// alice
	// the login is saved, and nothing was sent yet
	// <nil>
}

func ExampleLogout() {
	ctx, save := newVisit()
	if err := errors.Join(session.Login(ctx, "alice"), save()); err != nil {
		log.Fatal(err)
	}
	took, err := session.Logout(ctx, session.This)
	fmt.Printf("%+v %v\n", took, err)
	// Output:
	// {ClosedHere:0 NodesAcked:1 NodesExpected:1 StoreOK:true} <nil>
}
