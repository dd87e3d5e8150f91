package e2e_test

import (
	"strings"
	"testing"
)

func TestFlags_thatCannotBeMeant(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		code int
		says string // on stderr
	}{
		{"http in the clear on all interfaces", []string{"--listen", "0.0.0.0:0"}, 1, "loopback"},
		{"http in the clear, said", []string{"--listen", "[::]:0", "--public", "http://chat.example"}, 1, "loopback"},
		{"public is no origin", []string{"--listen", "127.0.0.1:0", "--public", "ftp://chat.example"}, 1, "Public"},
		{"public has a path", []string{"--listen", "127.0.0.1:0", "--public", "https://chat.example/chat"}, 1, "Public"},
		{"no address", []string{"--listen", "nowhere"}, 1, "nowhere"},
		{"no URL of Redis", []string{"--listen", "127.0.0.1:0", "--redis", "http://:s3cret@127.0.0.1"}, 1, "redis://"},
		{"unknown flag", []string{"--bogus"}, 2, "bogus"},
		{"flag without its value", []string{"--listen"}, 2, "listen"},
		{"unknown command", []string{"fly"}, 2, "fly"},
		{"more than the command", []string{"serve", "now"}, 2, "now"},
		{"no network", []string{"--trusted-proxies", "everybody"}, 2, "everybody"},
		{"help", []string{"-h"}, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := launch(t, c.name, nil, c.args...)
			err := n.wait()
			said := n.stderr.String()
			if got := n.cmd.ProcessState.ExitCode(); got != c.code || !strings.Contains(said, c.says) {
				t.Errorf("hubdemo %s: %v, %q, want exit status %d and %q", c.args, err, said, c.code, c.says)
			}
			if strings.Contains(said, "s3cret") {
				t.Errorf("the password is told: %s", said)
			}
			if c.code == 0 && !strings.Contains(n.stdout.String(), "Usage: hubdemo") {
				t.Errorf("hubdemo %s prints %q", c.args, n.stdout)
			}
		})
	}
}
