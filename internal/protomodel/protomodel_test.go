package protomodel_test

import (
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionhub/sessionhub/internal/protomodel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestD27_theProtocolHoldsInEveryScenario(t *testing.T) {
	t.Parallel()
	states := 0
	for _, s := range protomodel.Scenarios() {
		o := s.Explore()
		states += o.States
		if o.Wrong != s.Hole {
			t.Errorf("want: %v; got: %v", s.Hole, o)
		}
		if o.Restless > 0 {
			t.Errorf("%s: %d states of %d come to no rest", s.Name, o.Restless, o.States)
		}
		if s.Hole != protomodel.Nothing {
			t.Logf("%v(%s)", o, s.Why)
		} else {
			t.Log(o)
		}
	}
	if states < 100_000 {
		t.Errorf("%d states were seen, want 100,000 and more", states)
	}
}

func TestD27_theCounterexamplesOfAllRules(t *testing.T) {
	for _, r := range protomodel.Rules() {
		if r.Wrong == protomodel.Nothing {
			continue
		}
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			s := protomodel.Named(r.Scenario)
			o := s.Explore(r.ID)
			if o.Wrong != r.Wrong || s.Hole != protomodel.Nothing {
				t.Errorf("want: %v; got: %v", r.Wrong, o)
			}
			t.Log(o)
		})
	}
}

// The shortest way to a zombie is known; a longer one would mean that the search
// is not breadth first.
func TestExplore_findsTheShortestWay(t *testing.T) {
	for _, r := range protomodel.Rules() {
		if r.Name == "deletion and notice are one step" {
			if got, want := protomodel.Named(r.Scenario).Explore(r.ID).Len(), 7; got != want {
				t.Errorf("without %v: %d steps, want %d", r, got, want)
			}
		}
	}
}

// Each alone where it matters most, and all together everywhere.
func TestCourtesies_areNeededByNothing(t *testing.T) {
	t.Parallel()
	var all []protomodel.ID
	for _, r := range protomodel.Rules() {
		if r.Wrong != protomodel.Nothing {
			continue
		}
		all = append(all, r.ID)
		if r.Why == "" {
			t.Errorf("%v: does not say what it is good for", r)
		}
		o := protomodel.Named(r.Scenario).Explore(r.ID)
		if o.Wrong != protomodel.Nothing {
			t.Errorf("is a rule, and no courtesy: %v", o)
		}
		t.Logf("%v(%s)", o, r.Why)
	}
	for _, s := range protomodel.Scenarios() {
		if o := s.Explore(all...); o.Wrong != s.Hole {
			t.Errorf("a rule is among these courtesies: %v", o)
		}
	}
}

func TestRules_areEachOfTheirOwn(t *testing.T) {
	wrongs := make(map[protomodel.Wrong]bool)
	ids := make(map[protomodel.ID]bool)
	names := make(map[string]bool)
	rules := 0
	for _, r := range protomodel.Rules() {
		if ids[r.ID] || names[r.Name] {
			t.Errorf("%v is there twice", r)
		}
		ids[r.ID], names[r.Name], wrongs[r.Wrong] = true, true, true
		if r.Wrong != protomodel.Nothing {
			rules++
		}
	}
	if rules < 15 {
		t.Errorf("%d rules, want 15 and more", rules)
	}
	for w := range protomodel.Wrongs {
		if !wrongs[w] {
			t.Errorf("no rule keeps this from being: %v", w)
		}
	}
	for id := range protomodel.ID(len(ids)) {
		if !ids[id+1] {
			t.Errorf("there is no rule %d", id+1)
		}
	}
}

func TestWindows_areEachInAScenario(t *testing.T) {
	names := make(map[string]bool)
	for _, s := range protomodel.Scenarios() {
		if names[s.Name] {
			t.Errorf("there are two scenarios %q", s.Name)
		}
		names[s.Name] = true
		if s.Hole != protomodel.Nothing && s.Why == "" {
			t.Errorf("%q does not say why it is a hole", s.Name)
		}
	}
	scenarioOf := make(map[protomodel.ID]string)
	for _, r := range protomodel.Rules() {
		scenarioOf[r.ID] = r.Scenario
	}
	windows := protomodel.Windows()
	for i, w := range windows {
		if w.Number != i+1 {
			t.Fatalf("window %d stands in place %d", w.Number, i+1)
		}
		if len(w.Scenarios) == 0 || len(w.Rules) == 0 {
			t.Errorf("window %d is in no scenario, or closed by no rule", w.Number)
		}
		for _, name := range w.Scenarios {
			if !names[name] {
				t.Errorf("window %d: there is no scenario %q", w.Number, name)
			}
		}
		for _, id := range w.Rules {
			if !slices.Contains(w.Scenarios, scenarioOf[id]) {
				t.Errorf("window %d: its rule %d has its counterexample in %q", w.Number, id, scenarioOf[id])
			}
		}
	}
	if len(windows) != 24 {
		t.Errorf("%d windows, want 24", len(windows))
	}
}
