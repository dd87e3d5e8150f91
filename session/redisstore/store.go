package redisstore

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/session"
)

// Store is a [session.Store] on Redis. All methods may be called from any
// goroutine. Goroutines of its own send the saves that go together, and end with
// their trip.
type Store struct {
	client                                                redis.UniversalClient
	owned                                                 bool // the client is closed with the store
	cluster                                               bool
	options                                               Options
	channel                                               string        // of notices
	libraries                                             *libraries    // on families
	enlistScript, raiseScript, listedScript, unlistScript *redis.Script // on one user's index
	group                                                 *group        // of saves
}

var _ session.Store = (*Store)(nil)

// Options configures a [Store]. The zero value works.
type Options struct {
	// Prefix begins all keys and channels. It is made of a to z, 0 to 9, "-",
	// "_" and ":", and has at most 64 bytes.
	//
	// Defaults to "sessionhub".
	Prefix string

	// RequireDurable lets [Store.Probe] refuse a Redis that may lose sessions
	// and ends of sessions, or that does not tell.
	//
	// Defaults to false: Probe warns.
	RequireDurable bool

	// WaitReplicas is how many replicas must have taken a deletion before
	// [Store.Delete] returns, so that a failover does not undo a logout. With
	// fewer the error wraps [session.ErrUnavailable] and [session.ErrUnconfirmed]:
	// the deletion is done on this server and may be repeated. On a Redis Cluster
	// they are replicas of the master that has the session.
	//
	// Defaults to 0: Delete does not wait.
	WaitReplicas int

	// WaitTimeout is how long Delete waits for them. It is shorter than the
	// client's ReadTimeout.
	//
	// Defaults to 200 milliseconds.
	WaitTimeout time.Duration

	// NoGroupCommit sends each save in a round trip of its own, however many
	// there are. On a Redis Cluster it always is so.
	//
	// Defaults to false: saves share round trips when more than 16 are under
	// way.
	NoGroupCommit bool
}

// New returns a Store that uses c, which the caller closes after the store: a
// [*redis.Client], one for Sentinel included, or a [*redis.ClusterClient]. To the
// latter it adds a hook that sends again what is answered TRYAGAIN while a slot
// moves. Nothing is sent to Redis yet; [Store.Probe] finds out whether it can be
// used.
//
// A client without the settings that the package documentation lists is
// refused with an error that names the missing one.
func New(c redis.UniversalClient, o Options) (*Store, error) {
	if o.Prefix == "" {
		o.Prefix = "sessionhub"
	}
	if o.WaitTimeout == 0 {
		o.WaitTimeout = 200 * time.Millisecond
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	set, err := settingsOf(c)
	if err != nil {
		return nil, err
	}
	if err := set.check(o); err != nil {
		return nil, err
	}
	s := &Store{
		client:       c,
		cluster:      set.cluster,
		options:      o,
		channel:      o.Prefix + ":notice",
		libraries:    new(libraries),
		enlistScript: script("enlist", ""),
		raiseScript:  script("raise", ""),
		listedScript: script("listed", ""),
		unlistScript: script("unlist", ""),
	}
	if c, ok := c.(*redis.ClusterClient); ok {
		c.AddHook(again{})
	}
	s.group = &group{send: s.evaluate, alone: o.NoGroupCommit || s.cluster}
	return s, nil
}

func (o Options) check() error {
	if len(o.Prefix) > 64 {
		return fmt.Errorf("redisstore: Options.Prefix has %d bytes, at most 64", len(o.Prefix))
	}
	for _, c := range []byte(o.Prefix) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == ':':
		default:
			return fmt.Errorf("redisstore: Options.Prefix %q: want a to z, 0 to 9, \"-\", \"_\" and \":\"", o.Prefix)
		}
	}
	if o.WaitReplicas < 0 || o.WaitTimeout < time.Millisecond {
		return fmt.Errorf("redisstore: Options.WaitReplicas %d and WaitTimeout %v: want none below 0 and a timeout of 1ms or more",
			o.WaitReplicas, o.WaitTimeout)
	}
	return nil
}

// Client returns the client that the store uses, for a broker beside it.
func (s *Store) Client() redis.UniversalClient { return s.client }

// Close closes the client of a store that [Open] made, and returns when the
// goroutines of the store have ended. With a closed client operations return an
// error that wraps [session.ErrUnavailable].
func (s *Store) Close() (err error) {
	if s.owned {
		err = s.client.Close()
	}
	s.group.close()
	return err
}

// root begins the keys of a family of namespaces.
func (s *Store) root(f *session.Family) string { return s.options.Prefix + ":" + f.Root().Prefix + ":" }

// keys returns those of one session: its bookkeeping and the values of each
// namespace. The braces keep them in one slot of a cluster.
func (s *Store) keys(f *session.Family, id string) []string {
	book := s.root(f) + "{" + id + "}"
	keys := make([]string, 0, 3+len(f.Spaces)) // and those of ops
	keys = append(keys, book)
	for _, space := range f.Spaces {
		keys = append(keys, book+":"+space.Prefix)
	}
	return keys
}

// withOps adds the keys that remember ops, if there is one.
func withOps(keys []string, op string) []string {
	if op == "" {
		return keys
	}
	return append(keys, keys[0]+":op:0", keys[0]+":op:1")
}

// opSum stands for an op where it is remembered: texts of one length, and so many
// bits that no two are the same by accident.
func opSum(op string) string {
	if op == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(op))
	return string(sum[:opBytes])
}

// indexKeys returns those of a user's index and of its generation. A user's
// name may be long, personal, or full of braces, so it is hashed.
func (s *Store) indexKeys(f *session.Family, user string) []string {
	sum := sha256.Sum256([]byte(user))
	index := s.root(f) + "user:{" + base64.RawURLEncoding.EncodeToString(sum[:]) + "}"
	return []string{index, index + ":g"}
}
