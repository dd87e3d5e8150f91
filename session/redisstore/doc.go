// Package redisstore keeps sessions in Redis: it is the [session.Store] of
// programs with more than one node.
//
// [Open] makes a [Store] from a URL, [New] from a client, such as one that
// [NewClient] makes. [Store.Probe] finds out at the start whether Redis can be
// used, and [Store.Server] later whether it is still the same one.
//
// # Kinds of Redis
//
// One server; the master that Sentinels know; or a cluster. The contract is the
// same on all of them, also over TLS.
//
// When a master dies, operations return an error that wraps
// [session.ErrUnavailable] until there is another: with Sentinels that find it
// dead after half a second, for about 2 seconds. What it acknowledged last may
// never have reached the replica that takes its place, and then a session that was
// ended is back. Options.WaitReplicas makes Delete say so; whoever sees that
// Server is another one repeats the ends of the last three minutes.
//
// A slot of a cluster may move from one master to another while its sessions are
// used. Each of the two then refuses most scripts in it (TRYAGAIN), and the store
// sends them again until the slot has moved, the context ends, or 5 seconds have
// passed. So a slot should move in less time than the deadline of an operation.
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
//	Check                              1 for each 200 ids (500 on a Redis Cluster)
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
//	appendfsync everysec          the default: a power cut loses up to a second of that
//
// and on a replica the same, since it may become the master. Clocks of servers
// that may take each other's place should agree: deadlines are moments of Redis'
// time.
//
// When memory is full, saves and logins fail; loads, checks and ends go on. A
// failover may lose the last writes: Options.WaitReplicas makes Delete wait
// until replicas have it, on a cluster those of the session's master. On a master
// with fewer replicas each end is done and reported as not safe, so a program
// that waits for 1 has better 2. min-replicas-to-write does not help: it looks at
// replicas before a write and not after it.
//
// # Settings of the client
//
// [New] wants these, and [NewClient] and [Open] set them:
//
//	ContextTimeoutEnabled: true         the deadline of a context ends an operation
//	DialTimeout, ReadTimeout, WriteTimeout: at most 2s (NewClient: 500ms)
//	MaxRetries: at most 1               (NewClient: 1, after 8ms to 512ms)
//	DisableIdentity: true
//	MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
//
// For a cluster none of ReadOnly, RouteByLatency and RouteRandomly, with which
// replicas would be read from, and better also
//
//	DisableRoutingPolicies: true             else it needs +command
//	ClusterStateReloadInterval: time.Second  else a subscription may look for a dead master for a minute
//
// NewClient allows 64 connections to each server. Whoever finds them all in use waits for at most
// 500ms, and not beyond the deadline of the context, and then gets an error
// that wraps [session.ErrUnavailable].
//
// # Rights
//
// The user of this package, and of a redisbroker with the same client, needs no
// more than [Store.Rights] returns, which for one server and without options is
//
//	ACL SETUSER hub on >password ~sessionhub:* &sessionhub:* -@all
//	  +del +eval +evalsha +exec +get +hdel +hgetall +hincrby +hlen +hmget +hset +info
//	  +mget +multi +pexpireat +pexpiretime +publish +pubsub|numsub +scan +set +subscribe
//	  +time +unsubscribe +zadd +zrange +zrem +zremrangebyscore +zscore
//
// On a cluster it is +asking and +cluster|slots instead of +exec, +mget, +multi
// and +pubsub|numsub; a database other than 0 wants +select, and Options.WaitReplicas
// +wait. CONFIG is not needed: all that Probe looks at stands in INFO, and without
// the right to that Probe says that it may not look, and goes on.
//
// Sentinels have users of their own: one for programs needs
//
//	-@all +sentinel|get-master-addr-by-name +sentinel|sentinels +subscribe &+switch-master &+replica-reconf-done
package redisstore
