package sessiontest

import (
	"errors"
	"fmt"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// answer is what an operation returned, or should.
type answer struct {
	rec    session.Record
	err    error
	notice string
}

// check compares an answer to op with the one that the model gives, and says
// what is wrong with it.
func (a answer) check(op operation, want answer) error {
	if !errors.Is(a.err, want.err) {
		return fmt.Errorf("err = %v, want %v", a.err, want.err)
	}
	if op.end != nil || a.err != nil && !errors.Is(a.err, session.ErrConflict) {
		return nil
	}
	if a.rec.Match != want.rec.Match && op.load != nil {
		return fmt.Errorf("match = %d, want %d", a.rec.Match, want.rec.Match)
	}
	return errors.Join(a.checkState(want.rec.State), a.checkValues(op, want.rec))
}

func (a answer) checkState(want session.State) error {
	got := a.rec.State
	if got.User != want.User || got.Device != want.Device || got.Address != want.Address || got.Hash != want.Hash ||
		got.Terms != want.Terms || len(got.Spaces) != len(want.Spaces) {
		return fmt.Errorf("state = %+v, want %+v", got, want)
	}
	if g, w := got.Expiry, want.Expiry; g.Idle != w.Idle || g.Cookie != w.Cookie || !sameTime(got, g.End, want, w.End) {
		return fmt.Errorf("expiry = %+v, want %+v", g, w)
	}
	if !sameTime(got, got.Authenticated, want, want.Authenticated) {
		return fmt.Errorf("authenticated = %v, want %v", got.Authenticated, want.Authenticated)
	}
	if want.Left <= 0 { // the last moment
		if got.Left > 0 {
			return fmt.Errorf("left %v, want none", got.Left)
		}
		return nil
	}
	if (got.Left-want.Left).Abs() > slack || (got.Life-want.Life).Abs() > slack {
		return fmt.Errorf("left %v of %v, want %v of %v", got.Left, got.Life, want.Left, want.Life)
	}
	for i, w := range want.Spaces {
		name := names[i]
		g := got.Space(name)
		if g.Generation != w.Generation || g.Version != w.Version || name != "main" && (left(got, g)-left(want, w)).Abs() > slack {
			return fmt.Errorf("%s = %+v, want %+v", name, g, w)
		}
	}
	return nil
}

// sameTime compares two times, each as seen from the moment of its state. None
// is only like none.
func sameTime(got session.State, g time.Time, want session.State, w time.Time) bool {
	if g.IsZero() || w.IsZero() {
		return g.IsZero() && w.IsZero()
	}
	return (got.Now.Sub(g) - want.Now.Sub(w)).Abs() <= slack
}

// left returns how long a namespace has until its deadline, and 0 for one that
// has not begun.
func left(st session.State, sp session.SpaceState) time.Duration {
	if sp.Deadline.IsZero() {
		return 0
	}
	return sp.Deadline.Sub(st.Now)
}

// checkValues compares values. An answer may leave a namespace out when its
// writer can work the values out, and must not after a conflict.
func (a answer) checkValues(op operation, want session.Record) error {
	var written map[string]session.Delta
	switch {
	case op.save != nil:
		written = op.save.Deltas
	case op.login != nil:
		written = op.login.Deltas
	}
	for i, name := range names {
		var present session.Values // no namespace is there in what opens nothing
		if i < len(want.Values) {
			present = want.Values[i]
		}
		got := a.rec.In(name)
		ok := got.Known()
		d, changed := written[name]
		switch whole := op.load != nil || op.create != nil; {
		case whole && want.Epoch == 0: // opens nothing
		case ok && !whole && !changed:
			return fmt.Errorf("%s, which was not written, is in the answer", name)
		case ok && !got.Equal(present):
			return fmt.Errorf("%s has %v, want %v", name, got.Map(), present.Map())
		case !ok && (whole || changed && a.err != nil):
			return fmt.Errorf("%s is not in the answer", name)
		case !ok && changed && d.Version+1 != want.Spaces[i].Version:
			return fmt.Errorf("%s, where somebody else wrote, is not in the answer", name)
		}
	}
	return nil
}
