package faults_test

import (
	"fmt"
	"slices"
	"time"
)

// lags are how long something took, many times.
type lags []time.Duration

// quantile returns the lag that a share q of all is not above.
func (l lags) quantile(q float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	slices.Sort(l)
	return l[min(len(l)-1, int(q*float64(len(l))))]
}

// String is the summary that tests print.
func (l lags) String() string {
	r := func(q float64) time.Duration { return l.quantile(q).Round(10 * time.Microsecond) }
	return fmt.Sprintf("p50 %v, p99 %v, max %v of %d", r(0.5), r(0.99), r(1), len(l))
}
