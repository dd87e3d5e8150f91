package redistest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// masterName is what the Sentinels call the master.
const masterName = "mymaster"

// Sentinel is a master with replicas, and three Sentinels of which two have to
// agree that the master is down, after half a second.
type Sentinel struct {
	Servers   []*Server // the first is the master at first
	Sentinels []*Server
	URL       string // "redis+sentinel://127.0.0.1:port,.../mymaster/0"
}

// StartSentinel runs a master, its replicas, and the Sentinels until the end of
// the test, and returns when the Sentinels know all of them. args are those of
// [Start], for the master and the replicas.
func StartSentinel(t testing.TB, replicas int, args ...string) *Sentinel {
	t.Helper()
	args = append([]string{"--repl-diskless-sync-delay", "0"}, args...)
	s := &Sentinel{Servers: []*Server{Start(t, args...)}}
	master := s.Servers[0]
	for range replicas {
		s.Servers = append(s.Servers, StartReplica(t, master.Addr, args...))
	}
	var addrs []string
	for range 3 {
		sentinel := own(t, sentinel(master.port))
		s.Sentinels = append(s.Sentinels, sentinel)
		addrs = append(addrs, sentinel.Addr)
	}
	s.URL = "redis+sentinel://" + strings.Join(addrs, ",") + "/" + masterName + "/0"
	for _, sentinel := range s.Sentinels {
		c := sentinel.Client(t)
		// Else they take seconds to find each other. What it takes to notice that
		// a master is down stays as it is.
		if err := c.Do(t.Context(), "sentinel", "debug", "publish-period", "200", "info-period", "500").Err(); err != nil {
			t.Fatalf("redistest: %v", err)
		}
		err := await(t.Context(), func(ctx context.Context) error {
			m := redis.NewMapStringStringCmd(ctx, "sentinel", "master", masterName)
			if err := c.Process(ctx, m); err != nil {
				return err
			}
			if got := m.Val(); got["num-other-sentinels"] != "2" || got["num-slaves"] != strconv.Itoa(replicas) {
				return fmt.Errorf("Sentinel knows of %s others and %s replicas", got["num-other-sentinels"], got["num-slaves"])
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// Master returns the server that a majority of the Sentinels calls the master.
func (s *Sentinel) Master(t testing.TB) *Server {
	t.Helper()
	votes := make(map[string]int)
	for _, sentinel := range s.Sentinels {
		addr := redis.NewStringSliceCmd(t.Context(), "sentinel", "get-master-addr-by-name", masterName)
		c := sentinel.client()
		if err := c.Process(t.Context(), addr); err != nil {
			t.Fatalf("redistest: %v", err)
		}
		_ = c.Close()
		votes[strings.Join(addr.Val(), ":")]++
	}
	for _, server := range s.Servers {
		if votes[server.Addr] > len(s.Sentinels)/2 {
			return server
		}
	}
	t.Fatalf("redistest: no majority for a master: %v", votes)
	return nil
}

// sentinel is the command line of a Sentinel that watches the master at a port.
func sentinel(master int) commandLine {
	return func(dir string, port int) ([]string, error) {
		// It rewrites its configuration.
		conf := filepath.Join(dir, "sentinel.conf")
		text := fmt.Sprintf(`bind 127.0.0.1
port %d
dir "%s"
logfile "%s"
sentinel monitor %[4]s 127.0.0.1 %[5]d 2
sentinel down-after-milliseconds %[4]s 500
sentinel failover-timeout %[4]s 5000
`, port, dir, logfile(dir), masterName, master)
		return []string{conf, "--sentinel"}, os.WriteFile(conf, []byte(text), 0o600)
	}
}
