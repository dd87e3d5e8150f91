package session_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/sessionhub/sessionhub/session"
)

func ExampleSession_Items() {
	ctx, _ := newVisit()
	s, err := session.Get(ctx, "main")
	if err != nil {
		log.Fatal(err)
	}
	if err := s.SetAll(map[string]any{"theme": "dark", "draft": []int{1, 2}, "draft-2": nil}); err != nil {
		log.Fatal(err)
	}
	for key, raw := range s.Items() {
		fmt.Println(key, string(raw))
		if key != "theme" {
			_ = s.Delete(key) // the loop goes on over what there was
		}
	}
	fmt.Println(s.Keys(), s.Len())
	// Output:
	// draft [1,2]
	// draft-2 null
	// theme "dark"
	// [theme] 1
}

func ExampleSession_SetDefault() {
	ctx, _ := newVisit()
	s, err := session.Get(ctx, "main")
	if err != nil {
		log.Fatal(err)
	}
	for _, theme := range []string{"dark", "light"} {
		raw, err := s.SetDefault("theme", theme)
		fmt.Println(string(raw), err)
	}
	// Output:
	// "dark" <nil>
	// "dark" <nil>
}

func ExampleField_Pop() {
	next := session.Field[string]("next")
	ctx, _ := newVisit()
	s, err := session.Get(ctx, "main")
	if err != nil {
		log.Fatal(err)
	}
	if err := next.Set(s, "/orders"); err != nil {
		log.Fatal(err)
	}
	page, err := next.Pop(s)
	fmt.Println(page, err)
	_, err = next.Pop(s)
	fmt.Println(errors.Is(err, session.ErrAbsent), err)
	page, err = next.PopOr(s, "/")
	fmt.Println(page, err)
	// Output:
	// /orders <nil>
	// true pop "next" of "main": want string: session: no such value
	// / <nil>
}

func ExampleSession_TestCookieWorked() {
	ctx, save := newVisit()
	s, err := session.Get(ctx, "main")
	if err != nil {
		log.Fatal(err)
	}
	// With the form of a login:
	if err := errors.Join(s.SetTestCookie(), save()); err != nil {
		log.Fatal(err)
	}
	// When the form comes back:
	if s.TestCookieWorked() {
		fmt.Println("the browser keeps cookies", s.DeleteTestCookie())
	}
	// Output:
	// the browser keeps cookies <nil>
}
