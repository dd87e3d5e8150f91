package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

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
			server.SetUser(t, "hub", append([]string{">pw", "~*", "&*", "+@all"}, c.rules...)...)
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

// Whoever may not publish, or not hear, could not end a session everywhere. The
// rule that is missing stands in the error, also where Redis does not name it.
func TestProbe_namesTheMissingRights(t *testing.T) {
	t.Parallel()
	const password = "hunter2-canary"
	server := redistest.Start(t)
	prefix := redistest.Prefix(t)
	for i, c := range []struct {
		rules []string
		want  string
	}{
		{[]string{"-publish"}, "lacks +publish:"},
		{[]string{"-pexpireat", "-hset"}, "lacks +hset +pexpireat:"},
		{[]string{"-subscribe"}, "'subscribe'"},
		{[]string{"-evalsha"}, "'evalsha'"},
		{[]string{"-time"}, "'time'"},
		{[]string{"resetchannels"}, "lacks &" + prefix + ":*:"},
		{[]string{"resetkeys"}, "lacks ~" + prefix + ":*:"},
		{[]string{"resetkeys", "~another:*"}, "lacks ~" + prefix + ":*:"},
	} {
		user := fmt.Sprint("user", i)
		s, _ := open(t, "redis://"+user+":"+password+"@"+server.Addr, redisstore.Options{Prefix: prefix})
		server.SetUser(t, user, append(append(s.Rights(), ">"+password), c.rules...)...)
		_, err := s.Probe(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), server.Addr) ||
			strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "\n") {
			t.Errorf("Probe with %q = %v, want one line about %s", c.rules, err, c.want)
		}
	}
}

func TestProbe_warnsOfAClockThatIsWrong(t *testing.T) {
	for _, c := range []struct {
		skew time.Duration
		want []string
	}{
		{4 * time.Second, nil},
		{-4 * time.Second, nil},
		{90 * time.Second, []string{"1m30s ahead", "too early"}},
		{-time.Hour, []string{"1h0m0s behind", "too late"}},
	} {
		s, _ := open(t, redistest.Shared(t).URL, redisstore.Options{RequireDurable: true})
		s.Client().AddHook(clock(c.skew))
		warnings, err := s.Probe(t.Context())
		if err != nil || len(warnings) != min(len(c.want), 1) {
			t.Errorf("Probe with a clock off by %v = %q, %v", c.skew, warnings, err)
			continue
		}
		for _, want := range c.want {
			if w := warnings[0]; !strings.Contains(w, want) || !strings.Contains(w, redistest.Shared(t).Addr) || strings.Contains(w, "\n") {
				t.Errorf("Probe with a clock off by %v = %q, want a line with %q", c.skew, w, want)
			}
		}
	}
}

// clock is a hook that makes the server's clock wrong.
type clock time.Duration

func (clock) DialHook(next redis.DialHook) redis.DialHook { return next }
func (clock) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (c clock) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if now, ok := cmd.(*redis.TimeCmd); ok {
			now.SetVal(now.Val().Add(time.Duration(c)))
		}
		return err
	}
}

func TestProbe_saysWhatTheServerIsInstead(t *testing.T) {
	t.Parallel()
	servers := redistest.StartSentinel(t, 1)
	cluster := redistest.SharedCluster(t)
	master, replica, sentinel := servers.Servers[0].Addr, servers.Servers[1].Addr, servers.Sentinels[0].Addr
	for _, c := range []struct {
		name, url, addr, want string
		options               redisstore.Options
	}{
		{"a replica", "redis://" + replica, replica, "it is a replica, want its master, which is at \"" + master, redisstore.Options{}},
		{"a Sentinel", "redis://" + sentinel, sentinel, "redis+sentinel://", redisstore.Options{}},
		{"part of a cluster", "redis://" + cluster.Masters[1].Addr, cluster.Masters[1].Addr, "redis+cluster://", redisstore.Options{}},
		{"no cluster", "redis+cluster://" + master, master, "cluster support disabled", redisstore.Options{}},
		{"no Sentinel", "redis+sentinel://" + master + "/mymaster", "Sentinels", "unreachable", redisstore.Options{}},
		{"another master", strings.Replace(servers.URL, "mymaster", "canary", 1), "Sentinels", "unreachable", redisstore.Options{}},
		{"wrong password", strings.Replace(servers.URL, "://", "://nobody:canary@", 1), master, "WRONGPASS", redisstore.Options{}},
		{"wrong password of a cluster", strings.Replace(cluster.URL, "://", "://nobody:canary@", 1), cluster.Masters[0].Addr, "WRONGPASS", redisstore.Options{}},
	} {
		s, _ := open(t, c.url, c.options)
		_, err := s.Probe(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.addr) ||
			strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: Probe = %v, want a line about %q with %s", c.name, err, c.want, c.addr)
		}
	}
	lonely, _ := open(t, servers.URL, redisstore.Options{WaitReplicas: 2, WaitTimeout: 20 * time.Millisecond})
	warnings, err := lonely.Probe(t.Context())
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "redis at "+master+": it has 1 replicas, and each end waits for 2") {
		t.Errorf("Probe with one replica for two = %q, %v", warnings, err)
	}
}

// Each master is looked at.
func TestProbe_clusterWarnings(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	evicting := cluster.Masters[1]
	if err := evicting.Client(t).ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err(); err != nil {
		t.Fatal(err)
	}
	blind := cluster.Masters[2]
	for _, server := range cluster.Masters {
		server.SetUser(t, "hub", ">pw", "~*", "&*", "+@all")
	}
	blind.SetUser(t, "hub", "-info")
	s, _ := open(t, strings.Replace(cluster.URL, "://", "://hub:pw@", 1), redisstore.Options{})
	warnings, err := s.Probe(t.Context())
	if text := strings.Join(warnings, "\n"); err != nil || len(warnings) != 2 ||
		!strings.Contains(text, "redis at "+evicting.Addr+": maxmemory-policy") ||
		!strings.Contains(text, "redis at "+blind.Addr+": this user may not run INFO") {
		t.Errorf("Probe = %q, %v", warnings, err)
	}
	if got, err := s.Server(t.Context()); got != "" || err != nil {
		t.Errorf("Server without the right to INFO on one master = %q, %v, want nothing", got, err)
	}
}

// Rights are those of each server, so a user may lack some on one master alone.
func TestProbe_triesEachMaster(t *testing.T) {
	t.Parallel()
	cluster := redistest.SharedCluster(t)
	for _, c := range []struct{ rule, want string }{
		{"hset", "lacks +hset:"}, // a session
		{"zadd", "lacks +zadd:"}, // an index
		{"publish", "lacks +publish:"},
		{"subscribe", "'subscribe'"},
	} {
		for _, server := range cluster.Masters {
			s, user := asHub(t, cluster, redisstore.Options{})
			server.SetUser(t, user, "-"+c.rule)
			_, err := s.Probe(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), " "+server.Addr+": ") {
				t.Errorf("Probe without +%s on %s = %v, want an error with %q", c.rule, server.Addr, err, c.want)
			}
			server.SetUser(t, user, "+"+c.rule)
			if _, err := s.Probe(t.Context()); err != nil {
				t.Errorf("Probe with all rights = %v", err)
			}
		}
	}
}
