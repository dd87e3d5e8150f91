package sessiontest_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/session/memstore"
	"github.com/sessionhub/sessionhub/session/sessiontest"
)

// A store of one's own is tested like this, in a function TestMyStore.
func ExampleTestStore() {
	test := func(t *testing.T) {
		sessiontest.TestStore(t, func(*testing.T) sessiontest.Harness {
			var notices []string
			store := &memstore.Store{Deliver: func(n string) { notices = append(notices, n) }}
			return sessiontest.Harness{
				Store:   store,
				Advance: time.Sleep, // in a bubble no time passes
				Notices: func() []string {
					drained := notices
					notices = nil
					return drained
				},
				Run: synctest.Test,
			}
		})
	}
	fmt.Printf("%T\n", test)
	// Output: func(*testing.T)
}
