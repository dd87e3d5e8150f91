package session_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/sessionhub/sessionhub/session"
)

func ExampleFlash() {
	notices := session.Flash[string]("notices")
	ctx, save := newVisit()
	s, err := session.Get(ctx, "main")
	if err != nil {
		log.Fatal(err)
	}
	// In the request that does something, and then redirects:
	err = errors.Join(notices.Add(s, "Your order was sent."), notices.Add(s, "We wrote to you."), save())
	if err != nil {
		log.Fatal(err)
	}
	// In the one that shows a page:
	shown, err := notices.Take(s)
	fmt.Printf("%q %v %v\n", shown, err, save())
	shown, err = notices.Take(s)
	fmt.Printf("%q %v\n", shown, err)
	// Output:
	// ["Your order was sent." "We wrote to you."] <nil> <nil>
	// [] <nil>
}
