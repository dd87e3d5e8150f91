package redisstore_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/redisstore"
)

func TestProbe_warnings(t *testing.T) {
	for _, c := range []struct {
		name        string
		args, rules []string
		want        []string
	}{
		{name: "durable"},
		{name: "evicting", args: []string{"--maxmemory-policy", "allkeys-lru"}, want: []string{"noeviction"}},
		{name: "snapshots only", args: []string{"--appendonly", "no"}, want: []string{"appendonly"}},
		{name: "both", args: []string{"--appendonly", "no", "--maxmemory-policy", "volatile-ttl"},
			want: []string{"noeviction", "appendonly"}},
		{name: "no look", rules: []string{"-info"}, want: []string{"INFO"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := redistest.Start(t, c.args...)
			setUser(t, server, "hub", append([]string{">pw", "~*", "&*", "+@all"}, c.rules...)...)
			url := "redis://hub:pw@" + server.Addr
			s, prefix := open(t, url, redisstore.Options{})
			warnings, err := s.Probe(t.Context())
			if err != nil || len(warnings) != len(c.want) {
				t.Fatalf("Probe = %q, %v, want %d warnings", warnings, err, len(c.want))
			}
			for i, w := range warnings {
				if !strings.Contains(w, c.want[i]) || !strings.Contains(w, server.Addr) || strings.Contains(w, "\n") {
					t.Errorf("warning %q, want a line with the address and %q", w, c.want[i])
				}
			}
			for _, key := range keys(t, server.Client(t), prefix) {
				if !strings.Contains(key, ":op:") {
					t.Errorf("%s is left", key)
				}
			}
			strict, _ := open(t, url, redisstore.Options{RequireDurable: true})
			if _, err := strict.Probe(t.Context()); errors.Is(err, redisstore.ErrNotDurable) != (len(c.want) > 0) {
				t.Errorf("Probe with RequireDurable = %v", err)
			}
		})
	}
}

func TestProbe_tellsNobody(t *testing.T) {
	s, prefix := shared(t)
	notices := listen(t, redistest.Shared(t).Client(t), prefix+":notice")
	if _, err := s.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := notices(); len(got) != 0 {
		t.Errorf("notices = %q, want none", got)
	}
}

func TestProbe_namesTheServer(t *testing.T) {
	server := redistest.Start(t)
	server.Kill()
	s, _ := open(t, "redis://:canary@"+server.Addr, redisstore.Options{})
	_, err := s.Probe(t.Context())
	if !errors.Is(err, session.ErrUnavailable) || !strings.Contains(err.Error(), server.Addr) || strings.Contains(err.Error(), "canary") {
		t.Errorf("Probe = %v", err)
	}
}

// Whoever may not publish could not end a session everywhere.
func TestProbe_wantsTheRightToPublish(t *testing.T) {
	server := redistest.Start(t)
	setUser(t, server, "mute", ">pw", "~*", "resetchannels", "+@all")
	s, _ := open(t, "redis://mute:pw@"+server.Addr, redisstore.Options{})
	if _, err := s.Probe(t.Context()); err == nil {
		t.Error("Probe = nil")
	}
}
