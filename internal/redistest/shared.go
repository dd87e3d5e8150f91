package redistest

import (
	"crypto/rand"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// shared are the server of [Shared] and the cluster of [SharedCluster].
var shared struct {
	mu      sync.Mutex // guards the following fields
	server  *Server
	cluster *Cluster
}

// Shared returns the one server of this test binary, and starts it at the
// first call. Tests that use it run side by side: each takes keys and channels
// below a [Prefix] of its own, flushes nothing, and leaves the server running.
// A server that a test may break comes from [Start].
//
// [Main] ends it. Without Main it ends with the test binary.
func Shared(t testing.TB) *Server {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server == nil {
		s, err := start(plain(nil))
		if err != nil {
			t.Fatal(err)
		}
		s.fail = func(err error) { panic(err) } // t may be long over
		shared.server = s
	}
	return shared.server
}

// SharedCluster is Shared for one cluster of three masters.
func SharedCluster(t testing.TB) *Cluster {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.cluster == nil {
		c, err := newCluster()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range c.Masters {
			s.fail = func(err error) { panic(err) }
		}
		shared.cluster = c
	}
	return shared.cluster
}

// Prefix returns a prefix for the keys and channels of one test. It begins
// with the test's name, for the reader of MONITOR, and is different at each
// call. It is made of a to z, 0 to 9 and "-", and has at most 48 bytes.
func Prefix(t testing.TB) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		}
		return '-'
	}, strings.ToLower(t.Name()))
	return name[:min(len(name), 32)] + "-" + strings.ToLower(rand.Text()[:12])
}

// Main is the whole TestMain of a package that uses [Shared] or [SharedCluster]:
// it runs the tests, ends the shared servers, fails if goroutines are left, and exits.
func Main(m *testing.M) {
	// The pool of a client whose server was away asks once a second whether it is
	// back, and so ends up to a second after the client's Close.
	goleak.VerifyTestMain(tests{m}, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// tests is the part of Main that comes before the search for leaks.
type tests struct{ m *testing.M }

func (t tests) Run() int {
	defer func() {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		if shared.server != nil {
			shared.server.stop()
			shared.server = nil
		}
		if shared.cluster != nil {
			shared.cluster.stop()
			shared.cluster = nil
		}
	}()
	return t.m.Run()
}
