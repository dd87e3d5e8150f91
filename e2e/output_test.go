package e2e_test

import (
	"regexp"
	"strings"
	"sync"
	"time"
)

// output collects what a process prints.
type output struct {
	mu   sync.Mutex // guards the following fields
	text strings.Builder
	more chan struct{} // closed and replaced with each write
}

func newOutput() *output { return &output{more: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.more)
	o.more = make(chan struct{})
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await waits until the pattern matches, and returns what its parentheses
// matched. It returns nil when stop is closed or patience ends first.
func (o *output) await(pattern *regexp.Regexp, stop <-chan struct{}) []string {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		o.mu.Lock()
		more, text := o.more, o.text.String()
		o.mu.Unlock()
		if m := pattern.FindStringSubmatch(text); m != nil {
			return m
		}
		select {
		case <-more:
		case <-stop:
			return nil
		case <-deadline.C:
			return nil
		}
	}
}

// tail returns the last lines, for the report of a failure.
func (o *output) tail(n int) string {
	lines := strings.Split(strings.TrimSpace(o.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
