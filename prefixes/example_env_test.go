package prefixes_test

import (
	"fmt"

	"github.com/sessionhub/sessionhub/prefixes"
)

// A prefixed setting comes before the one for all. In a program, pass
// os.LookupEnv.
func ExampleFromEnv() {
	vars := map[string]string{
		"SESSION_IDLE_TIMEOUT":      "20m",
		"CHAT_SESSION_IDLE_TIMEOUT": "300",
		"SESSION_COOKIE_SAMESITE":   "Strict",
	}
	lookup := func(name string) (string, bool) {
		value, ok := vars[name]
		return value, ok
	}
	ns, err := prefixes.FromEnv(lookup, prefixes.Parse("main"), prefixes.Parse("main/chat"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, n := range ns {
		fmt.Println(n.Name, n.IdleTimeout)
	}
	// Output:
	// main 20m0s
	// chat 5m0s
}
