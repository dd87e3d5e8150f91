//go:build failpoint

package faults_test

import (
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// await is [eventually] for other goroutines than the test's own: it goes on when
// what was waited for did not come.
func await(t testing.TB, what string, so func() bool) {
	t.Helper()
	for began := time.Now(); !so(); time.Sleep(time.Millisecond) {
		if time.Since(began) > patience {
			t.Errorf("never: %s", what)
			return
		}
	}
}

// opening opens a socket in a goroutine of its own.
func (n *node) opening(v *visitor) <-chan func(testing.TB) *tab {
	opened := make(chan func(testing.TB) *tab, 1)
	go func() { opened <- must(n.site().dial(n.TB, v, manner{})) }()
	return opened
}

// heard returns how many texts came.
func (tb *tab) heard() int {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	return tb.count
}

var evalsha = regexp.MustCompile(`cmdstat_eval(?:sha)?:calls=(\d+)`)

// scripts returns how many scripts a server has run.
func scripts(t testing.TB, c *redis.Client) (n int) {
	t.Helper()
	text := must(c.Info(t.Context(), "commandstats").Result())(t)
	for _, m := range evalsha.FindAllStringSubmatch(text, -1) {
		calls := must(strconv.Atoi(m[1]))(t)
		n += calls
	}
	return n
}
