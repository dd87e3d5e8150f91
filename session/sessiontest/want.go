package sessiontest

import (
	"errors"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sessionhub/sessionhub/session"
)

// wantDelivered fails when the new notices are not these.
func (v *visitor) wantDelivered(want ...string) {
	v.Helper()
	if diff := cmp.Diff(want, v.delivered(), cmpopts.EquateEmpty()); diff != "" {
		v.Errorf("notices (-want +got):\n%s", diff)
	}
}

// wantValues fails when the stored values of a namespace are not these.
func (v *visitor) wantValues(name string, pairs ...string) {
	v.Helper()
	if diff := diffValues(set(pairs...).Set, v.mustLoad(session.Load{}).In(name)); diff != "" {
		v.Errorf("values of %s (-want +got):\n%s", name, diff)
	}
}

func diffValues(want map[string]string, got session.Values) string {
	return cmp.Diff(want, got.Map(), cmpopts.EquateEmpty())
}

// wantLeft fails when the record's deadline is not that far away.
func (v *visitor) wantLeft(want time.Duration) {
	v.Helper()
	v.near("Left", v.mustLoad(session.Load{}).Left, want)
}

// wantGone fails when the session lives.
func (v *visitor) wantGone() {
	v.Helper()
	_, err := v.load(session.Load{})
	v.wantErr("Load", err, session.ErrNotFound)
	if st := v.check(); st != nil {
		v.Errorf("Check of a session that is gone = %+v, want nil", st)
	}
}

func (v *visitor) wantErr(what string, got, want error) {
	v.Helper()
	if !errors.Is(got, want) {
		v.Errorf("%s = %v, want %v", what, got, want)
	}
}

// near fails when two durations differ by more than a case may take.
func (v *visitor) near(what string, got, want time.Duration) {
	v.Helper()
	if (got - want).Abs() > slack {
		v.Errorf("%s = %v, want %v", what, got, want)
	}
}
