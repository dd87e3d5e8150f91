package sessiontest

import (
	"time"

	"github.com/sessionhub/sessionhub/session"
)

func labelRules() []rule {
	// want fails when a state has other labels.
	want := func(v *visitor, device, address string) {
		v.Helper()
		for what, st := range map[string]session.State{"Load": v.mustLoad(session.Load{}).State, "Check": *v.check()} {
			if st.Device != device || st.Address != address {
				v.Errorf("%s has the device %q and the address %q, want %q and %q", what, st.Device, st.Address, device, address)
			}
		}
	}
	return []rule{
		{"Create", "device and address are kept as they were created, byte for byte", func(v *visitor) {
			v.begin(session.Create{Device: "ä phone\x00\n", Address: "2001:db8::/48"})
			want(v, "ä phone\x00\n", "2001:db8::/48")
		}},
		{"Save", "a save and a renewal leave them", func(v *visitor) {
			v.begin(session.Create{Device: "a phone", Address: "192.0.2.0/24"})
			v.mustSave(deltas("main", set("a", `1`)))
			v.mustDo(v.renewal(v.secret, newHash()))
			want(v, "a phone", "192.0.2.0/24")
		}},
		{"Login", "a login replaces both, also by nothing", func(v *visitor) {
			v.begin(session.Create{Device: "a phone", Address: "192.0.2.0/24"})
			l := v.elevation()
			l.Device, l.Address = "a desk", "198.51.100.0/24"
			if rec := v.mustLogin(l); rec.Device != l.Device || rec.Address != l.Address {
				v.Errorf("Login has the device %q and the address %q", rec.Device, rec.Address)
			}
			want(v, l.Device, l.Address)
			v.mustLogin(v.elevation())
			want(v, "", "")
		}},
	}
}

func authenticatedRules() []rule {
	// want fails when the user did not log in that long ago.
	want := func(v *visitor, ago time.Duration) {
		v.Helper()
		for what, st := range map[string]session.State{"Load": v.mustLoad(session.Load{}).State, "Check": *v.check()} {
			v.near(what+": Now - Authenticated", st.Now.Sub(st.Authenticated), ago)
		}
	}
	nobody := func(v *visitor, what string, st session.State) {
		v.Helper()
		if !st.Authenticated.IsZero() {
			v.Errorf("%s has Authenticated = %v, want the zero time", what, st.Authenticated)
		}
	}
	return []rule{
		{"Create", "who creates a session with a user logs in", func(v *visitor) {
			v.begin(session.Create{User: v.user})
			v.near("Now - Authenticated", v.seen.Now.Sub(v.seen.Authenticated), 0)
			v.Advance(time.Minute)
			want(v, time.Minute)
		}},
		{"Nobody", "a session without a user was logged in to by nobody", func(v *visitor) {
			v.begin(session.Create{})
			nobody(v, "Create", v.seen.State)
			nobody(v, "Save", v.mustSave(deltas("main", set("a", `1`))).State)
			nobody(v, "Load", v.look().State)
			nobody(v, "Check", *v.check())
		}},
		{"Login", "each login counts anew", func(v *visitor) {
			v.begin(session.Create{})
			for range 2 {
				v.Advance(time.Minute)
				rec := v.mustLogin(v.elevation())
				v.near("Now - Authenticated", rec.Now.Sub(rec.Authenticated), 0)
			}
			want(v, 0)
		}},
		{"LoginOfNobody", "after a login of nobody nobody is logged in", func(v *visitor) {
			v.begin(session.Create{User: v.user})
			l := v.elevation()
			l.User = ""
			nobody(v, "Login", v.mustLogin(l).State)
			nobody(v, "Load", v.look().State)
		}},
		{"Leaves", "nothing else counts as a login: no activity, save, expiry, renewal or change of the secret", func(v *visitor) {
			v.begin(session.Create{User: v.user})
			v.Advance(time.Minute)
			v.mustLoad(session.Load{Slide: session.SlideAlways})
			v.mustSave(deltas("main", set("a", `1`)))
			v.expire(afterIdle(time.Hour))
			v.mustDo(v.renewal(v.secret, newHash()))
			rec := v.mustLogin(v.keeping())
			v.near("Now - Authenticated", rec.Now.Sub(rec.Authenticated), time.Minute)
			want(v, time.Minute)
		}},
	}
}
