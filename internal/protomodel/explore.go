package protomodel

import "slices"

// actor is who takes a step.
type actor uint8

const (
	client  actor = iota // a browser, or the person before it
	network              // and all that breaks
	clock
	database // the store's server
	asked    // the node that is asked to end the session
	holder   // the node that has the connection
)

// step is one thing that happens.
type step struct {
	who  actor
	what string
	free bool // need not happen: people, faults and bad luck
}

// people is a step that somebody takes or not.
func people(who actor, what string) step { return step{who, what, true} }

// does is a step that happens sooner or later once it can, unless something else
// makes it needless first.
func does(who actor, what string) step { return step{who, what, false} }

// machine is a transition system: where it starts, what can happen in a state,
// and what is wrong with a state. last says that nothing can happen in it any
// more but what is free.
type machine[S comparable] struct {
	start S
	next  func(s S, yield func(step, S))
	wrong func(s S, last bool) Wrong
}

// Outcome is what a search found.
type Outcome struct {
	Scenario string
	Without  []Rule
	Wrong    Wrong // Nothing: all states were seen, and none is wrong
	States   int   // seen

	// Restless is how many states there are from which no way without what is
	// free leads to one in which nothing happens any more. If there were any,
	// what is wrong with the latter could hide in the former.
	Restless int

	steps []step
	alone bool // the node that is asked is the one that has the connection
}

// explore goes through all that can happen, shortest ways first, so that the
// first thing that is wrong comes with as few steps as it can be had.
func explore[S comparable](m machine[S]) Outcome {
	type visit struct {
		state S
		from  int32 // the visit before
		by    step
	}
	var (
		visits = []visit{{state: m.start, from: -1}}
		seen   = map[S]int32{m.start: 0}
		ways   [][2]int32 // that are not free, backwards
		rests  []int32
	)
	for at := int32(0); int(at) < len(visits); at++ {
		s, last := visits[at].state, true
		m.next(s, func(by step, to S) {
			if to == s {
				return // as if nothing had happened
			}
			next, again := seen[to]
			if !again {
				next = int32(len(visits))
				seen[to] = next
				visits = append(visits, visit{to, at, by})
			}
			if !by.free {
				last = false
				ways = append(ways, [2]int32{next, at})
			}
		})
		if w := m.wrong(s, last); w != Nothing {
			var steps []step
			for v := visits[at]; v.from >= 0; v = visits[v.from] {
				steps = append(steps, v.by)
			}
			slices.Reverse(steps)
			return Outcome{Wrong: w, States: len(seen), steps: steps}
		}
		if last {
			rests = append(rests, at)
		}
	}
	return Outcome{States: len(seen), Restless: len(visits) - reach(rests, ways, len(visits))}
}

// reach returns how many of n states there are on ways from some.
func reach(some []int32, ways [][2]int32, n int) int {
	// The ways from a state are those between its start and the next one's.
	starts := make([]int32, n+1)
	for _, way := range ways {
		starts[way[0]+1]++
	}
	for s := range n {
		starts[s+1] += starts[s]
	}
	to := make([]int32, len(ways))
	filled := make([]int32, n)
	for _, way := range ways {
		to[starts[way[0]]+filled[way[0]]] = way[1]
		filled[way[0]]++
	}
	reached := make([]bool, n)
	for _, s := range some {
		reached[s] = true
	}
	for at := 0; at < len(some); at++ {
		for _, next := range to[starts[some[at]]:starts[some[at]+1]] {
			if !reached[next] {
				reached[next] = true
				some = append(some, next)
			}
		}
	}
	return len(some)
}
