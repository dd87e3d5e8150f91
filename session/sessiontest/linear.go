package sessiontest

import (
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/sessionhub/sessionhub/session"
)

// TestLinearizable lets five clients work on one session at once, many times,
// and searches for an order of their operations in which the model gives the
// answers that the store gave.
//
// With faulty the store may lose replies: an operation that ends with
// [session.ErrUnavailable] may have taken effect, later too, or not; one that
// reports another error may have taken effect before what it reports; and an
// answer may show a later moment than that of the effect, as a retry's does.
// Then nothing creates the session again after its first client has: the retry
// of a delete could end the second one.
func TestLinearizable(t *testing.T, open func(t *testing.T) Harness, faulty bool) {
	const rounds = 40
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	h := open(t)
	for round := range rounds {
		var history []porcupine.Operation
		h.run(t, func(t *testing.T) { history = collide(t, h, rand.New(rand.NewPCG(seed, uint64(round))), faulty) })
		switch porcupine.CheckOperationsTimeout(order(faulty), history, time.Minute) {
		case porcupine.Illegal:
			t.Fatalf("seed %#x, round %d: no order explains\n%s", seed, round, describe(history))
		case porcupine.Unknown:
			t.Fatalf("seed %#x, round %d: no order found within a minute", seed, round)
		}
	}
}

// collide runs one round and returns its history. The times in it are
// numbers of events, since a clock may stand still.
func collide(t *testing.T, h Harness, random *rand.Rand, faulty bool) []porcupine.Operation {
	const clients, moves = 5, 10
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex // guards history
		history []porcupine.Operation
		events  atomic.Int64
	)
	act := func(client int, w *writer, op operation) answer {
		call := events.Add(1)
		a := w.do(t.Context(), op)
		o := porcupine.Operation{ClientId: client, Input: op, Call: call, Output: a, Return: events.Add(1)}
		if errors.Is(a.err, session.ErrUnavailable) {
			if op.load != nil {
				return a // has no effect, and tells nothing
			}
			o.Return = math.MaxInt64
		}
		mu.Lock()
		defer mu.Unlock()
		history = append(history, o)
		return a
	}
	v := newVisitor(t, h)
	first := &writer{visitor: v, secrets: new([]session.Hash)}
	creation := first.operation(move{kind: "create", name: "main", number: 2})
	created := first.do(t.Context(), creation)
	for errors.Is(created.err, session.ErrUnavailable) {
		created = first.do(t.Context(), creation)
	}
	if created.err != nil {
		t.Fatalf("Create = %v", created.err)
	}
	history = append(history, porcupine.Operation{Input: creation, Output: created, Return: events.Add(1)})
	kinds := []string{"load", "load", "set", "set", "add", "add", "swap", "swap", "delete", "clear", "login", "keep", "expire", "end namespace", "end"}
	if !faulty {
		kinds = append(kinds, "create", "create")
	}
	for client := range clients {
		w := &writer{visitor: v.another(), secrets: new([]session.Hash)}
		w.seen.Values, w.seen.Family = v.seen.Values, v.family
		random := rand.New(rand.NewPCG(random.Uint64(), random.Uint64()))
		wg.Go(func() {
			for range moves {
				act(client, w, w.operation(move{
					kind:   kinds[random.IntN(len(kinds))],
					name:   names[random.IntN(2)],
					key:    []string{"a", "b"}[random.IntN(2)],
					number: random.IntN(10),
				}))
			}
		})
	}
	wg.Wait()
	return history
}

// order is the model in the form in which the checker wants it.
func order(faulty bool) porcupine.Model {
	step := exact
	if faulty {
		step = lenient
	}
	m := porcupine.NondeterministicModel{
		Init:  func() []any { return []any{model{}} },
		Step:  func(state, in, out any) []any { return step(state.(model), in.(operation), out.(answer)) },
		Equal: func(a, b any) bool { return a.(model).equal(b.(model)) },
	}
	return m.ToModel()
}

// exact returns the one state after op, if its answer is right.
func exact(m model, op operation, got answer) []any {
	next, want := m.step(op)
	if got.check(op, want) != nil {
		return nil
	}
	return []any{next}
}

// lenient returns the states after op of a store that loses replies.
func lenient(m model, op operation, got answer) []any {
	if op.load != nil {
		return exact(m, op, got)
	}
	var states []any
	next, want := m.step(op)
	if want.err == nil {
		states = append(states, next)
	}
	// Without an effect: it is unknown, or the error is right.
	if got.err != nil && (errors.Is(got.err, session.ErrUnavailable) || errors.Is(got.err, want.err)) {
		states = append(states, m)
	}
	return states
}

// equal compares all but the times, which stand still, and the ops, which are
// not repeated.
func (m model) equal(o model) bool {
	return m.alive == o.alive && m.nonce == o.nonce && m.epoch == o.epoch && m.user == o.user && m.label == o.label && m.hash == o.hash &&
		m.terms == o.terms && m.expiry == o.expiry &&
		maps.EqualFunc(m.spaces, o.spaces, func(a, b space) bool {
			return a.generation == b.generation && a.version == b.version && a.begun == b.begun && maps.Equal(a.values, b.values)
		})
}
