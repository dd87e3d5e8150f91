package protomodel

import (
	"fmt"
	"strings"
)

// Len returns how many steps lead to what is wrong.
func (o Outcome) Len() int { return len(o.steps) }

// String tells the outcome as a story: what is left out, what is wrong then,
// and the shortest way there, one step a line.
func (o Outcome) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, ", o.Scenario)
	if len(o.Without) == 0 {
		b.WriteString("with all rules")
	} else {
		b.WriteString("without ")
		for i, r := range o.Without {
			if i > 0 {
				b.WriteString(" and ")
			}
			fmt.Fprintf(&b, "%v", r)
		}
	}
	if o.Wrong == Nothing {
		fmt.Fprintf(&b, ": nothing goes wrong in %d states\n", o.States)
		return b.String()
	}
	fmt.Fprintf(&b, ": %v\n", o.Wrong)
	for i, s := range o.steps {
		fmt.Fprintf(&b, "%4d. %s: %s\n", i+1, o.name(s.who), s.what)
	}
	return b.String()
}

func (o Outcome) name(who actor) string {
	switch who {
	case client:
		return "client"
	case network:
		return "network"
	case clock:
		return "time"
	case database:
		return "store"
	case asked:
		if !o.alone {
			return "node 1"
		}
	case holder:
		if !o.alone {
			return "node 2"
		}
	}
	return "node"
}
