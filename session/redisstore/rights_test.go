package redisstore_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/redisstore"
)

// Nothing is denied to a user with the rights of Rights, and with any of them
// taken away something is.
func TestRights_areEnoughAndNoneTooMany(t *testing.T) {
	t.Parallel()
	single, cluster := redistest.Start(t), redistest.SharedCluster(t)
	waiting := redisstore.Options{WaitReplicas: 1, WaitTimeout: time.Millisecond}
	// Only a slot that moves needs the one; without the other adding takes longer.
	tried := map[string]bool{"-@all": true, "+asking": true, "+hincrby": true}
	for _, c := range []struct {
		name, url string
		servers   []*redistest.Server
		options   redisstore.Options
	}{
		{"another database, replicas", strings.Replace(single.URL, "/0", "/1", 1), []*redistest.Server{single}, waiting},
		{"cluster, replicas", cluster.URL, cluster.Masters, waiting},
		{"one server", single.URL, []*redistest.Server{single}, redisstore.Options{}},
		{"cluster", cluster.URL, cluster.Masters, redisstore.Options{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			prefix := redistest.Prefix(t)
			c.options.Prefix = prefix
			url := strings.Replace(c.url, "://", "://"+prefix+":pw@", 1)
			give := func(rules ...string) {
				for _, server := range c.servers {
					server.SetUser(t, prefix, rules...)
				}
			}
			s, _ := open(t, url, c.options)
			rights := s.Rights()
			give(append(rights, ">pw")...)
			if got := refused(t, c.servers, prefix, url, c.options); got != "" {
				t.Errorf("with all rights denied: %s", got)
			}
			for _, rule := range rights {
				if tried[rule] {
					continue
				}
				take := strings.Replace(rule, "+", "-", 1)
				switch rule[0] {
				case '~':
					take = "resetkeys"
				case '&':
					take = "resetchannels"
				default:
					tried[rule] = true
				}
				give(take)
				if got := refused(t, c.servers, prefix, url, c.options); got == "" {
					t.Errorf("without %s nothing is denied", rule)
				}
				give(rule)
			}
			for _, rule := range []string{"+wait", "+select"} {
				if has := slices.Contains(rights, rule); has && c.options.WaitReplicas == 0 {
					t.Errorf("%s is needed for nothing", rule)
				}
			}
		})
	}
}

// refused runs everything with a new client and returns what was denied to the
// user meanwhile.
func refused(t *testing.T, servers []*redistest.Server, user, url string, o redisstore.Options) string {
	t.Helper()
	for _, server := range servers {
		c := server.Client(t)
		c.ScriptFlush(t.Context()) // else nobody needs EVAL
		if err := c.Do(t.Context(), "acl", "log", "reset").Err(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := redisstore.Open(url+patient, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := s.Probe(ctx); err != nil {
		return deniedTo(t, servers, user)
	}
	_, _ = s.Server(ctx)
	for _, err := range everyOperation(ctx, s) {
		_ = err // the log says what it was about
	}
	name := rand.Text()
	rec, err := s.Create(ctx, family, session.Create{ID: name, Nonce: name, Hash: "h", User: name})
	if err == nil {
		_, _ = s.Save(ctx, family, name, saving(rec, "main", session.Delta{Set: map[string]string{"a": "1", "b": "2"}}))
		_, _ = s.Save(ctx, family, name, saving(rec, "main", session.Delta{Delete: []string{"a"}}))
		_ = s.Delete(ctx, family, session.End{ID: name, User: name})
	}
	// What a broker does.
	sub := s.Client().Subscribe(ctx, o.Prefix+":topic:t")
	defer sub.Close()
	if _, err := sub.Receive(ctx); err == nil {
		_ = sub.Unsubscribe(ctx, o.Prefix+":topic:t")
		_, _ = sub.Receive(ctx)
	}
	s.Client().Publish(ctx, o.Prefix+":topic:t", "x")
	if c, ok := s.Client().(*redis.Client); ok {
		c.PubSubNumSub(ctx, o.Prefix+":topic:t")
	}
	return deniedTo(t, servers, user)
}

// deniedTo returns what the servers' logs say of a user.
func deniedTo(t *testing.T, servers []*redistest.Server, user string) string {
	t.Helper()
	var denied []string
	for _, server := range servers {
		log, err := server.Client(t).Do(t.Context(), "acl", "log").Slice()
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range log {
			if text := fmt.Sprint(entry); strings.Contains(text, user) {
				denied = append(denied, text)
			}
		}
	}
	return strings.Join(denied, "; ")
}

func TestRights_areDocumented(t *testing.T) {
	s, err := redisstore.Open("redis://localhost", redisstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct{ file, end string }{
		{"doc.go", "\n//\n"},
		{"../../docs/logout.md", "\n```"},
	} {
		text, err := os.ReadFile(c.file)
		if err != nil {
			t.Fatal(err)
		}
		_, list, _ := strings.Cut(string(text), "ACL SETUSER hub on >password ")
		list, _, _ = strings.Cut(list, c.end)
		if got, want := strings.Fields(strings.ReplaceAll(list, "//", "")), s.Rights(); !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", c.file, got, want)
		}
	}
}
