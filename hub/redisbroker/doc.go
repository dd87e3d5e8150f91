// Package redisbroker carries publications and notices between nodes through
// Redis pub/sub.
//
// # Channels
//
// Notices come on "<prefix>:notice", publications of a topic on
// "<prefix>:topic:<topic>". Anybody who may PUBLISH there takes part: stores
// publish notices inside their scripts. A single Redis server gives one order
// to all nodes; on a Redis Cluster the order of publications from different
// nodes may differ from one receiver to the other.
//
// # Gaps
//
// Redis forgets what it could not deliver. The broker therefore owns its
// connection: go-redis would repair a broken one without a word. An error, an
// acknowledgement that nobody waits for (a connection made anew behind our
// back) and one that does not come within 5 seconds end the connection, and the
// hub hears of the gap. A connection that is silent while nothing is subscribed
// to is not noticed here.
//
// # Retries
//
// A PUBLISH whose reply was lost is sent again if the client retries. Then the
// publication comes twice; a notice is the same notice twice, which does no
// harm.
package redisbroker
