package redisstore_test

import (
	"fmt"
	"log"
	"strings"

	"github.com/sessionhub/sessionhub/session/redisstore"
)

// A program prints what its user of Redis needs, for the operator.
func ExampleStore_Rights() {
	store, err := redisstore.Open("redis://hub:password@redis.example", redisstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	fmt.Println("ACL SETUSER hub on >password " + strings.Join(store.Rights(), " "))

	// Output:
	// ACL SETUSER hub on >password ~sessionhub:* &sessionhub:* -@all +del +eval +evalsha +exec +get +hdel +hgetall +hincrby +hlen +hmget +hset +info +mget +multi +pexpireat +pexpiretime +publish +pubsub|numsub +scan +set +subscribe +time +unsubscribe +zadd +zrange +zrem +zremrangebyscore +zscore
}
