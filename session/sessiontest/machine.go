package sessiontest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/sessionhub/sessionhub/session"
)

// testStateMachine compares random operations of two writers of one session
// with the model. A program is drawn whole and then run, because the bubble
// that a harness may run it in is another goroutine than the one that rapid
// draws and gives up in.
func testStateMachine(t *testing.T, open func(t *testing.T) Harness) {
	h := open(t)
	rapid.Check(t, func(rt *rapid.T) {
		program := rapid.SliceOfN(turns(), 1, 40).Draw(rt, "program")
		var err error
		h.run(t, func(t *testing.T) { err = play(t, h, program) })
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// turn is a move of one of the writers.
type turn struct {
	writer int
	move
}

func turns() *rapid.Generator[turn] {
	kinds := []string{
		"create", "load", "present", "present", "set", "set", "add", "swap", "swap", "delete", "clear",
		"touch", "expire", "expire", "expire", "renew", "renew", "login", "login", "keep", "keep", "end", "end as", "end namespace", "again", "pass", "pass", "pass",
	}
	passes := []time.Duration{10 * time.Second, 20 * time.Second, time.Minute, 3 * time.Minute, 10 * time.Minute, 20 * time.Minute}
	return rapid.Custom(func(rt *rapid.T) turn {
		return turn{rapid.IntRange(0, 1).Draw(rt, "writer"), move{
			kind:   rapid.SampledFrom(kinds).Draw(rt, "kind"),
			name:   rapid.SampledFrom(names[:]).Draw(rt, "name"),
			key:    rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "key"),
			number: rapid.IntRange(0, 9).Draw(rt, "number"),
			slide:  rapid.SampledFrom([]session.Slide{session.SlideNever, session.SlideDue, session.SlideAlways}).Draw(rt, "slide"),
			pass:   rapid.SampledFrom(passes).Draw(rt, "pass"),
		}}
	})
}

// play runs a program on the store and on the model, and says where they part.
func play(t *testing.T, h Harness, program []turn) error {
	secrets := []session.Hash{newHash()}
	v := newVisitor(t, h)
	writers := []*writer{{visitor: v, secrets: &secrets}, {visitor: v.another(), secrets: &secrets}}
	var (
		m       model
		notices []string
	)
	v.delivered()
	// The first session has a lifetime of minutes in every other program.
	for i, turn := range append([]turn{{0, move{kind: "create", name: "cart", number: len(program)}}}, program...) {
		w := writers[turn.writer]
		op := w.operation(turn.move)
		got := w.do(t.Context(), op)
		for _, w := range writers {
			w.age += op.pass
			if op.create != nil {
				w.last = operation{} // perhaps to an earlier session of this id
			}
		}
		next, want := m.step(op)
		m = next
		if err := got.check(op, want); err != nil {
			return fmt.Errorf("turn %d, %d: %v: %w", i, turn.writer, turn.move, err)
		}
		if want.notice != "" {
			notices = append(notices, want.notice)
		}
	}
	m = m.settled()
	if diff := cmp.Diff(notices, v.delivered(), cmpopts.EquateEmpty()); diff != "" {
		return fmt.Errorf("notices (-want +got):\n%s", diff)
	}
	if st := v.check(); (st != nil) != m.alive {
		return fmt.Errorf("at the end the state is %+v, want one: %t", st, m.alive)
	}
	if m.alive && m.user == v.user && !slices.Contains(v.listed(), v.id) {
		return fmt.Errorf("at the end the session lives and is not listed")
	}
	return nil
}
