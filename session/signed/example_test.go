package signed_test

import (
	"errors"
	"fmt"
	"log"
	"net/url"
	"time"

	"github.com/sessionhub/sessionhub/session/signed"
)

// The link of a password reset is good for an hour, and once: the beginning of
// the present password's hash is signed along.
func Example() {
	signer, err := signed.New(signed.Options{
		Keys: [][]byte{[]byte("32 random bytes from a safe place")},
		Salt: "password reset",
	})
	if err != nil {
		log.Fatal(err)
	}
	type reset struct{ User, Hash string }

	token, err := signer.Encode(reset{User: "ada", Hash: "9f86d081"})
	if err != nil {
		log.Fatal(err)
	}
	link := "https://chat.example/reset?token=" + url.QueryEscape(token) // sent by mail

	u, err := url.Parse(link)
	if err != nil {
		log.Fatal(err)
	}
	var got reset
	switch err := signer.Decode(u.Query().Get("token"), time.Hour, &got); {
	case errors.Is(err, signed.ErrExpired):
		fmt.Println("the link is too old, ask for a new one")
	case err != nil:
		fmt.Println("the link is broken")
	case got.Hash != "9f86d081": // of the password as it is now
		fmt.Println("the link was used already")
	default:
		fmt.Println("a new password for", got.User)
	}
	// Output:
	// a new password for ada
}

func ExampleSigner_Unsign() {
	key := []byte("32 random bytes from a safe place")
	unsubscribe, _ := signed.New(signed.Options{Keys: [][]byte{key}, Salt: "unsubscribe"})
	confirm, _ := signed.New(signed.Options{Keys: [][]byte{key}, Salt: "confirm address"})

	text := unsubscribe.Sign("ada@example.org")
	fmt.Println(unsubscribe.Unsign(text, 0))
	_, err := confirm.Unsign(text, 0) // signed for something else
	fmt.Println(err)
	// Output:
	// ada@example.org <nil>
	// signed: bad signature
}
