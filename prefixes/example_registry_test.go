package prefixes_test

import (
	"fmt"
	"time"

	"github.com/sessionhub/sessionhub/prefixes"
)

// One login for the shop and its chat, and a second one for administrators.
func ExampleNewRegistry() {
	reg, err := prefixes.NewRegistry(
		prefixes.Namespace{Name: "main"},
		prefixes.Namespace{Name: "chat", Parent: "main", IdleTimeout: 10 * time.Minute},
		prefixes.Namespace{
			Name:        "admin",
			IdleTimeout: 5 * time.Minute,
			Cookie:      prefixes.Cookie{Name: "__Host-admin"},
		},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, root := range reg.Roots() {
		for _, n := range reg.Family(root.Name) {
			fmt.Println(root.Cookie.Name, n.Name, n.IdleTimeout)
		}
	}
	// Output:
	// __Host-id main 30m0s
	// __Host-id chat 10m0s
	// __Host-admin admin 5m0s
}

// An error says what clashes and what to change, all at once.
func ExampleNewRegistry_clash() {
	_, err := prefixes.NewRegistry(
		prefixes.Namespace{Name: "main"},
		prefixes.Namespace{Name: "admin"},
		prefixes.Namespace{Name: "chat", Parent: "main", IdleTimeout: time.Hour},
	)
	fmt.Println(err)
	// Output:
	// prefixes: namespace "chat": IdleTimeout 1h0m0s is above that of its root "main", 30m0s; lower it or raise the root's
	// prefixes: namespace "admin": has the cookie name of "main", "__Host-id"; set another Cookie.Name (ADMIN_SESSION_COOKIE_NAME)
}

func ExampleParse() {
	n := prefixes.Parse("main/chat")
	fmt.Printf("%s below %s\n", n.Name, n.Parent)
	// Output:
	// chat below main
}
