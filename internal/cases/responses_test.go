package cases_test

import (
	"slices"
	"testing"
)

// responses are the ways in which a response can begin and end, over real HTTP.
func responses() []visRule {
	return slices.Concat(plainResponses(), streamResponses(), brokenResponses())
}

func TestResponses(t *testing.T) {
	for _, kind := range visKinds {
		t.Run(kind, func(t *testing.T) {
			for _, r := range responses() {
				t.Run(r.name, func(t *testing.T) {
					t.Log("rule:", r.rule)
					r.run(visOpen(t, kind)) // in no bubble: connections are none of its business
				})
			}
		})
	}
}
