package hubtest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/hubtest"
)

// A broker of one's own is tested like this, in a function TestMyBroker.
func ExampleTestBroker() {
	_ = func(t *testing.T) {
		hubtest.TestBroker(t, func(t *testing.T) hubtest.Harness {
			bus := hub.NewMemoryBroker() // what the nodes share
			return hubtest.Harness{Node: func() hub.Broker { return bus }}
		})
	}
}

// A Conn records what a hub does to it.
func ExampleConn() {
	h := hub.New(hub.Options{})
	conn := new(hubtest.Conn)
	e := h.Register("main", "1rPqhVw3vq0ZAHM2mDA2gg", []string{"main"}, conn)
	defer e.Remove()
	if err := e.Admit("ada", 1, time.Hour, map[string]uint64{"main": 0}); err != nil {
		fmt.Println(err)
	}

	notice := "1|s|main|1rPqhVw3vq0ZAHM2mDA2gg||0" // the session is deleted
	fmt.Println(h.Gate(notice), "marked")
	h.Close(notice)

	reason, marked := conn.Marked()
	fmt.Println(reason, marked)
	// Output:
	// 1 marked
	// session ended (4501) true
}
