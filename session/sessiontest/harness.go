package sessiontest

import (
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// Harness is a store under test and what the suite needs to know of it.
type Harness struct {
	Store session.Store

	// Advance lets d pass for everything that the store measures time with:
	// deadlines, grace periods, the age of listings. To a store that moves
	// these back instead, the ends in the expiries of its sessions are
	// deadlines too.
	Advance func(d time.Duration)

	// Notices returns the notices that were delivered since the last call, in
	// order, those of every operation that has returned among them.
	Notices func() []string

	// Run calls f, in the surroundings in which Store and Advance work. It
	// fits [synctest.Test]. It may be called several times with one harness,
	// with a clock that begins anew each time.
	//
	// Defaults to a plain call.
	Run func(t *testing.T, f func(t *testing.T))
}

func (h Harness) run(t *testing.T, f func(t *testing.T)) {
	if h.Run == nil {
		f(t)
		return
	}
	h.Run(t, f)
}

// rule is one sentence of the contract and the test of it.
type rule struct {
	name, rule string
	run        func(v *visitor)
}

// TestStore holds a store to the contract. It calls open once for each case,
// outside of [Harness.Run].
func TestStore(t *testing.T, open func(t *testing.T) Harness) {
	for _, part := range []struct {
		name  string
		rules []rule
	}{
		{"Create", createRules()},
		{"Load", loadRules()},
		{"Deadlines", deadlineRules()},
		{"NamespaceDeadlines", namespaceDeadlineRules()},
		{"Save", saveRules()},
		{"Others", otherWriterRules()},
		{"Swap", swapRules()},
		{"Add", addRules()},
		{"Limits", limitRules()},
		{"Renew", renewRules()},
		{"Login", loginRules()},
		{"Keep", keepRules()},
		{"Labels", labelRules()},
		{"Authenticated", authenticatedRules()},
		{"Expiry", expiryRules()},
		{"ExpirySlides", expirySlideRules()},
		{"ExpiryPast", pastExpiryRules()},
		{"NamespaceExpiry", namespaceExpiryRules()},
		{"Delete", deleteRules()},
		{"Check", checkRules()},
		{"Index", indexRules()},
		{"All", allRules()},
		{"State", stateRules()},
	} {
		t.Run(part.name, func(t *testing.T) {
			for _, r := range part.rules {
				t.Run(r.name, func(t *testing.T) {
					t.Log("rule:", r.rule)
					h := open(t)
					h.run(t, func(t *testing.T) { r.run(newVisitor(t, h)) })
				})
			}
		})
	}
	t.Run("StateMachine", func(t *testing.T) { testStateMachine(t, open) })
	t.Run("Linearizable", func(t *testing.T) { TestLinearizable(t, open, false) })
}
