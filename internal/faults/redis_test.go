package faults_test

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// keysOf returns the keys of a session, but for those that remember an operation
// for a retry.
func keysOf(t testing.TB, c *redis.Client, prefix, id string) (keys []string) {
	t.Helper()
	iter := c.Scan(t.Context(), 0, prefix+":*"+id+"*", 1000).Iterator()
	for iter.Next(t.Context()) {
		if key := iter.Val(); !strings.Contains(key, ":op:") {
			keys = append(keys, key)
		}
	}
	if err := iter.Err(); err != nil {
		t.Fatal(err)
	}
	return keys
}
