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
// hub hears of the gap. That a connection is silent while nothing is subscribed
// to is noticed by the hub, whose heartbeats go over the client's pool and come
// back over this connection: it calls [Broker.Reset], which ends the connection
// even if it hangs. A new one is dialed after a pause of 25 to 75 ms, which doubles
// with each failure up to 0.5 to 1.5 seconds.
//
// On a Redis Cluster a heartbeat proves the way from one master to this
// connection. Notices come from all masters, each over a link of the cluster's
// own; when one of those fails, the periodic revalidation finds what was missed.
//
// # Retries
//
// A PUBLISH whose reply was lost is sent again if the client retries. Then the
// publication comes twice; a notice is the same notice twice, which does no
// harm.
package redisbroker
