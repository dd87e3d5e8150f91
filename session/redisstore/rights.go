package redisstore

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// scripted are the commands that the scripts run, each in a form that changes
// nothing that is not gone with the last. In a script Redis does not say which
// of them a user may not run.
var scripted = [][]any{
	{"get"}, {"set", "1", "xx"}, {"hset", "f", "v"}, {"hincrby", "f", "0"}, {"hdel", "f"}, {"hmget", "f"}, {"hgetall"}, {"hlen"},
	{"zadd", "xx", "1", "m"}, {"zrem", "m"}, {"zrange", "0", "0"}, {"zscore", "m"}, {"zremrangebyscore", "1", "0"},
	{"pexpiretime"}, {"pexpireat", "1"}, {"del"},
}

// Rights returns the rights that the user of a store needs, for the store and for
// a redisbroker with its client and prefix, as rules for
//
//	ACL SETUSER hub on >password <rules>
//
// They depend on the client, such as whether it is one for a cluster, and on the
// options. None can be left out: without +info [Store.Probe] and [Store.Server]
// look at nothing, without +pubsub|numsub the broker does not count who listens,
// and without any other something fails.
func (s *Store) Rights() []string {
	commands := []string{
		"eval", "evalsha", "info", "publish", "scan", "subscribe", "time", "unsubscribe",
	}
	for _, call := range scripted {
		commands = append(commands, call[0].(string))
	}
	switch c := s.client.(type) {
	case *redis.ClusterClient:
		commands = append(commands, "asking", "cluster|slots")
		if !c.Options().DisableRoutingPolicies {
			commands = append(commands, "command")
		}
	case *redis.Client:
		commands = append(commands, "exec", "mget", "multi", "pubsub|numsub")
		if c.Options().DB != 0 {
			commands = append(commands, "select")
		}
	}
	if s.options.WaitReplicas > 0 {
		commands = append(commands, "wait")
	}
	slices.Sort(commands)
	rules := []string{"~" + s.options.Prefix + ":*", "&" + s.options.Prefix + ":*", "-@all"}
	for _, command := range commands {
		rules = append(rules, "+"+command)
	}
	return rules
}

// denied reports whether an error may be about rights. In a script Redis 7.0 says
// so with another word than anywhere else.
func denied(err error) bool {
	return redis.IsPermissionError(err) || strings.Contains(err.Error(), "The user executing the script can't")
}

// lacking returns which rules of [Store.Rights] this user has not, on some master,
// as far as scripts need them. It is for when something was denied.
func (s *Store) lacking(ctx context.Context) (rules []string) {
	var mu sync.Mutex // guards rules
	_ = s.eachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		some := s.lackingOn(ctx, c)
		mu.Lock()
		defer mu.Unlock()
		rules = append(rules, some...)
		return nil
	})
	slices.Sort(rules)
	return slices.Compact(rules)
}

// lackingOn asks one master. Whether it has the key's slot does not matter: what is
// denied is denied before that.
func (s *Store) lackingOn(ctx context.Context, c *redis.Client) (rules []string) {
	pipe := c.Pipeline()
	key := s.options.Prefix + ":probe:{rights}"
	calls := make(map[string]*redis.Cmd)
	for _, call := range scripted {
		name := call[0].(string)
		calls[name] = pipe.Do(ctx, slices.Concat([]any{name, key}, call[1:])...)
	}
	calls["time"] = pipe.Do(ctx, "time")
	calls["publish"] = pipe.Do(ctx, "publish", s.options.Prefix+":probe", "")
	_, _ = pipe.Exec(ctx) // each command has its own error
	for name, cmd := range calls {
		err := cmd.Err()
		if !redis.IsPermissionError(err) {
			continue
		}
		// A command that is not allowed at all comes first. All keys begin
		// alike, and so do all channels.
		rule := "+" + name
		if text := err.Error(); strings.Contains(text, "key") {
			rule = "~" + s.options.Prefix + ":*"
		} else if strings.Contains(text, "channel") {
			rule = "&" + s.options.Prefix + ":*"
		}
		rules = append(rules, rule)
	}
	return rules
}
