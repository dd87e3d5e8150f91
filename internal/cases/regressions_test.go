package cases_test

import (
	"slices"
	"testing"
)

// regressions are defects that other systems for sessions were seen to have, or
// that this one had. Those of HTTP responses are in TestResponses.
func regressions() []visRule {
	return slices.Concat(writeRegressions(), endRegressions(), listRegressions(), lifeRegressions(), socketRegressions(),
		wireRegressions())
}

func TestRegression(t *testing.T) {
	for _, kind := range visKinds {
		t.Run(kind, func(t *testing.T) {
			for _, r := range regressions() {
				t.Run(r.name, func(t *testing.T) {
					t.Log("rule:", r.rule)
					visRun(t, kind, r.run)
				})
			}
		})
	}
}
