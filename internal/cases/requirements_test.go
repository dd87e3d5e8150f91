package cases_test

import (
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// visRule is a case: the rule, and the test of it.
type visRule struct {
	name, rule string
	run        func(w *visWorld)
}

// requirements are those of session management that OWASP's cheat sheets, ASVS
// 5.0 and RFC 6265bis have for the server. Their names begin with a number.
func requirements() []visRule {
	return slices.Concat(identifierRequirements(), cookieRequirements(), lifeRequirements())
}

// notOurs are the requirements that a library cannot meet, and why.
var notOurs = map[string]string{
	"R30": "a logout control on every page of a user is for the pages to show (ASVS 5.0, 7.4.4); this library has none",
}

func TestRequirements(t *testing.T) {
	for _, kind := range visKinds {
		t.Run(kind, func(t *testing.T) {
			for _, r := range requirements() {
				t.Run(r.name, func(t *testing.T) {
					t.Log("rule:", r.rule)
					visRun(t, kind, r.run)
				})
			}
		})
	}
}

func TestRequirements_areAllThere(t *testing.T) {
	found := make(map[string]bool)
	for _, r := range requirements() {
		m := regexp.MustCompile(`^(R\d+)_[a-z]\w+$`).FindStringSubmatch(r.name)
		if m == nil || r.rule == "" {
			t.Errorf("%q wants a number, a behaviour and a rule", r.name)
			continue
		}
		found[m[1]] = true
	}
	for i := range 30 {
		id := "R" + strconv.Itoa(i+1)
		if reason, ok := notOurs[id]; found[id] == ok || ok && reason == "" {
			t.Errorf("%s: a case %v, not ours %q; want one of both", id, found[id], reason)
		}
	}
	if n := len(found) + len(notOurs); n != 30 {
		t.Errorf("%d requirements, want R1 to R30", n)
	}
}
