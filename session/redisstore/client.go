package redisstore

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// What [NewClient] gives a client. A query parameter of the URL overrides the
// timeouts, the pool's size and the retries, within what [New] accepts.
const (
	openTimeout  = 500 * time.Millisecond // to dial, to read, to write, and for a free connection
	openPoolSize = 64

	// reloadInterval is how old what a client knows of a cluster may become.
	reloadInterval = time.Second
)

// NewClient returns a client with the settings that [New] wants, for one server,
// for the master that Sentinels know, or for a cluster:
//
//	redis://user:password@host:6379/0
//	unix://user:password@/run/redis.sock?db=0
//	redis+sentinel://user:password@host1:26379,host2:26379/mymaster/0
//	redis+cluster://user:password@host1:6379,host2:6379
//
// With rediss in the place of redis all connections use TLS, and each server's
// certificate has to be for the name or address under which it is reached. secure
// then says more, such as the roots and a certificate of the client's; nil: the
// roots of the system.
//
// The user and the password are those of Redis. Sentinels that want some have the
// parameters sentinel_username and sentinel_password. One host is enough where
// the others can be learnt from it; more are for when it is down.
//
// Other parameters are those of [redis.ParseURL], [redis.ParseFailoverURL] and
// [redis.ParseClusterURL], as in "?pool_size=128". Those that would have replicas
// read from are refused: a session that has ended lives on there for a while.
//
// Nothing is sent yet. Errors never repeat the URL, which may hold a password.
func NewClient(url string, secure *tls.Config) (redis.UniversalClient, error) {
	scheme, rest, _ := strings.Cut(url, "://")
	scheme, kind, _ := strings.Cut(scheme, "+")
	switch {
	case secure != nil && scheme != "rediss":
		return nil, errors.New("redisstore: a TLS configuration is for URLs of Redis that begin with rediss")
	case kind == "" && (scheme == "redis" || scheme == "rediss" || scheme == "unix"):
		return single(url, secure)
	case kind == "sentinel" && (scheme == "redis" || scheme == "rediss"):
		return sentinel(scheme, rest, secure)
	case kind == "cluster" && (scheme == "redis" || scheme == "rediss"):
		return cluster(scheme, rest, secure)
	}
	return nil, errors.New("redisstore: the URL of Redis begins with redis://, rediss://, unix://, " +
		"redis+sentinel://, rediss+sentinel://, redis+cluster:// or rediss+cluster://")
}

// errURL stands for the cause, which quotes parts of the URL: a password with a
// "/" or a "?" in it may be in any part.
var errURL = errors.New("redisstore: the URL of Redis is malformed or has an unknown parameter " +
	"(a password needs its special characters percent-encoded)")

func single(url string, secure *tls.Config) (redis.UniversalClient, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, errURL
	}
	if secure != nil {
		name := o.TLSConfig.ServerName
		o.TLSConfig = secure.Clone()
		o.TLSConfig.ServerName = cmp.Or(secure.ServerName, name)
	}
	common{
		&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout, &o.PoolTimeout,
		&o.PoolSize, &o.DialerRetries, &o.ContextTimeoutEnabled, &o.DisableIdentity,
	}.set()
	o.MaxRetries = cmp.Or(o.MaxRetries, 1)
	o.MaintNotificationsConfig = noNotifications()
	return redis.NewClient(o), nil
}

func sentinel(scheme, rest string, secure *tls.Config) (redis.UniversalClient, error) {
	u, hosts, err := several(scheme, rest, "26379")
	if err != nil {
		return nil, err
	}
	master, db, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if master == "" || strings.Contains(master, "@") {
		return nil, errors.New("redisstore: the URL of Redis names no master: " +
			"want redis+sentinel://host:26379/mymaster")
	}
	// What go-redis takes in the URL itself are the Sentinels' user and password.
	q := u.Query()
	if u.User != nil {
		password, _ := u.User.Password()
		q.Set("username", u.User.Username())
		q.Set("password", password)
	}
	u.User = nil
	if password := q.Get("sentinel_password"); password != "" {
		u.User = url.UserPassword(q.Get("sentinel_username"), password)
	}
	q.Del("sentinel_username")
	q.Del("sentinel_password")
	q.Set("master_name", master)
	q["addr"] = hosts[1:]
	u.Path, u.RawPath, u.RawQuery = "/"+db, "", q.Encode()
	o, err := redis.ParseFailoverURL(u.String())
	if err != nil || o.RouteByLatency || o.RouteRandomly || o.ReplicaOnly {
		return nil, errURL
	}
	o.TLSConfig = eachByItsName(o.TLSConfig, secure)
	common{
		&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout, &o.PoolTimeout,
		&o.PoolSize, &o.DialerRetries, &o.ContextTimeoutEnabled, &o.DisableIdentity,
	}.set()
	o.MaxRetries = cmp.Or(o.MaxRetries, 1)
	return redis.NewFailoverClient(o), nil
}

func cluster(scheme, rest string, secure *tls.Config) (redis.UniversalClient, error) {
	u, hosts, err := several(scheme, rest, "6379")
	if err != nil {
		return nil, err
	}
	if u.Path != "" && u.Path != "/" {
		return nil, errURL // there is one database
	}
	q := u.Query()
	q["addr"] = hosts[1:]
	u.RawQuery = q.Encode()
	o, err := redis.ParseClusterURL(u.String())
	if err != nil || o.ReadOnly || o.RouteByLatency || o.RouteRandomly {
		return nil, errURL
	}
	o.TLSConfig = eachByItsName(o.TLSConfig, secure)
	common{
		&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout, &o.PoolTimeout,
		&o.PoolSize, &o.DialerRetries, &o.ContextTimeoutEnabled, &o.DisableIdentity,
	}.set()
	o.MaintNotificationsConfig = noNotifications()
	// go-redis asks who has which slots when it is sent elsewhere, and else once
	// a minute, which is how long a subscription would look for a master that is
	// dead.
	o.ClusterStateReloadInterval = reloadInterval
	// For commands whose answers are put together from all servers. We have
	// none, and it asks for COMMAND before each that it does not know.
	o.DisableRoutingPolicies = true
	return redis.NewClusterClient(o), nil
}

// several reads a URL with several hosts, which [url.Parse] refuses: the URL with
// the first alone, and all of them, with the default port where they have none.
func several(scheme, rest, port string) (u *url.URL, hosts []string, err error) {
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	user, names := "", rest[:end]
	if at := strings.LastIndex(names, "@"); at >= 0 {
		user, names = names[:at+1], names[at+1:]
	}
	for host := range strings.SplitSeq(names, ",") {
		name, p, err := net.SplitHostPort(host)
		if err != nil {
			name, p = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), port
		}
		if name == "" || p == "" {
			return nil, nil, errURL
		}
		hosts = append(hosts, net.JoinHostPort(name, p))
	}
	u, err = url.Parse(scheme + "://" + user + hosts[0] + rest[end:])
	if err != nil || u.Fragment != "" {
		return nil, nil, errURL
	}
	return u, hosts, nil
}

// eachByItsName returns a configuration in which no server's name stands, so that
// the certificate of each is held against the name that was dialled. It is nil
// without TLS.
func eachByItsName(parsed, secure *tls.Config) *tls.Config {
	switch {
	case parsed == nil:
		return nil
	case secure != nil:
		return secure.Clone()
	}
	parsed.ServerName = ""
	parsed.MinVersion = tls.VersionTLS12
	return parsed
}

// common are the settings that all kinds of clients have.
type common struct {
	dial, read, write, pool  *time.Duration
	size, dials              *int
	contextTimeout, identity *bool // the latter: none
}

func (c common) set() {
	for _, timeout := range []*time.Duration{c.dial, c.read, c.write, c.pool} {
		*timeout = cmp.Or(*timeout, openTimeout)
	}
	*c.size = cmp.Or(*c.size, openPoolSize)
	*c.dials = 1
	*c.contextTimeout, *c.identity = true, true
}

func noNotifications() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}
