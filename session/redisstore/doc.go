// Package redisstore keeps sessions in Redis: it is the [session.Store] of
// programs with more than one node.
//
// [Open] makes a [Store] from a URL, [New] from a client. [Store.Probe] finds
// out at the start whether Redis can be used.
//
// # Keys
//
// With the prefix "sessionhub" and a family with the root "main", a session
// has these keys. The braces put them into one slot of a Redis Cluster.
//
//	sessionhub:main:{<id>}          MessagePack: hash of the secret, epoch, user, labels, deadlines, terms and
//	                                expiry; prefix, generation, version, size and deadlines of each namespace
//	                                (60 s: that a login as somebody else took its place)
//	sessionhub:main:{<id>}:<ns>     hash: the values of one namespace, JSON text by key
//	sessionhub:main:{<id>}:op:<n>   hash, 30 s: saves that were carried out, beyond the last ones, which the first
//	                                key remembers; <n> is 0 and 1 in turn
//
//	sessionhub:main:user:{<hash>}   sorted set: the ids of a user, by the time of their listing
//	sessionhub:main:user:{<hash>}:g hash: the user's generation, which ends logins in progress
//
// <ns> is the prefix of a namespace, <hash> the SHA-256 of the user's name.
// Every key expires, the values of a namespace at its deadline. Secrets are not
// stored. Ends are published on the channel "sessionhub:notice".
//
// # Round trips
//
//	Load, Save, Listed, Raise, Unlist  1
//	Create                             1; 2 with a user (3 on a Redis Cluster, and up to 2 more with Ends)
//	Login                              2 (3 on a Redis Cluster)
//	Delete                             1 for any number of ends (2 on a Redis Cluster)
//	Check                              1 for each 500 ids
//
// Each operation on a session is one script, which Redis runs as a whole and
// at its own time; nobody's clock but Redis' counts. When Redis has forgotten a
// script, it is sent again: 1 more, once for each script and server. The scripts
// on sessions hold their family, so that each family has its own.
//
// Every operation may be sent twice: when its reply is lost, the client
// repeats it on another connection, and Redis answers as if it had come once.
//
// # Group commit
//
// When many sessions of a node are saved at once, their saves share round trips:
// Redis, whose one core is what there is least of, then reads and answers many
// with one system call. While at most 16 are under way, each goes by itself and
// none waits. Beyond that they wait until 16 have come together, or until one
// of those under way is back; a group has at most 128 saves. Two groups
// are under way at most, so that Redis works on one while the other is read.
// What a group costs is a goroutine, which ends with it. [Options.NoGroupCommit]
// turns this off, and a Redis Cluster does without.
//
// Saves that share a round trip share its fate and nothing else: each has its
// own answer and error, and is all or nothing by itself. When the connection
// breaks, the client repeats the group, and those that were carried out already
// are not carried out again. A group has no caller's deadline, but the timeouts
// of the client. A caller whose context ends before its answer is there gets an
// error that wraps [session.ErrUnavailable] and says "unknown outcome", or "not
// sent" if the group had not left; the others are not touched. What a context
// holds for the hooks of the client does not reach them in a group.
//
// # Settings of Redis
//
// Redis 7.0 or newer. Store and broker may share one server, which should have
//
//	maxmemory-policy noeviction   else it forgets sessions when it is full
//	appendonly yes                else a restart goes back to the last snapshot: sessions
//	                              are lost, and those that were ended are back
//
// When memory is full, saves and logins fail; loads, checks and ends go on. A
// failover may lose the last writes: Options.WaitReplicas makes Delete wait
// until replicas have it.
//
// # Settings of the client
//
// [New] wants these, and [Open] sets them:
//
//	ContextTimeoutEnabled: true         the deadline of a context ends an operation
//	DialTimeout, ReadTimeout, WriteTimeout: at most 2s (Open: 500ms)
//	MaxRetries: at most 1               (Open: 1, after 8ms to 512ms)
//	DisableIdentity: true
//	MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
//
// Open allows 64 connections. Whoever finds them all in use waits for at most
// 500ms, and not beyond the deadline of the context, and then gets an error
// that wraps [session.ErrUnavailable].
//
// # Rights
//
// The user of this package needs no more than this, as in
//
//	ACL SETUSER hub on >password ~sessionhub:* &sessionhub:* -@all
//	  +ping +hello +info +time +publish +multi +exec +wait +eval +evalsha
//	  +get +hset +hincrby +hdel +hmget +hgetall +hlen +del +set +pexpireat +pexpiretime
//	  +zadd +zrem +zrange +zscore +zremrangebyscore +scan
//
// INFO is for Probe, WAIT for Options.WaitReplicas. Beyond that a cluster
// wants +cluster|slots, a database other than 0 +select, and a broker on the
// same client +subscribe and +unsubscribe.
package redisstore
