package sessiontest

import (
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// renewal is a save that does nothing but renew.
func (v *visitor) renewal(from, to session.Hash) session.Save {
	s := session.Save{Epoch: v.seen.Epoch}
	s.Renew.Old, s.Renew.New = from, to
	return s
}

func renewRules() []rule {
	return []rule{
		{"Renewed", "a renewal replaces the secret, and keeps id, epoch, values and deadlines", func(v *visitor) {
			v.begin(session.Create{User: v.user, Deltas: deltas("chat", set("a", `1`))})
			v.Advance(time.Minute)
			before, next := v.look(), newHash()
			rec := v.mustDo(v.renewal(v.secret, next))
			if rec.Hash != next || rec.Epoch != before.Epoch || rec.User != v.user {
				v.Errorf("state = %+v", rec.State)
			}
			v.near("Now - Renewed", rec.Now.Sub(rec.Renewed), 0)
			v.near("Renewed - Created", rec.Renewed.Sub(rec.Created), time.Minute)
			v.near("Left", rec.Left, before.Left)
			v.wantValues("chat", "a", `1`)
			v.wantMatch(next, session.MatchCurrent)
		}},
		{"Unseen", "the previous secret stays good as long as the new one was not seen", func(v *visitor) {
			v.begin(session.Create{}).mustDo(v.renewal(v.secret, newHash()))
			v.Advance(10 * session.RenewGrace)
			v.wantMatch(v.secret, session.MatchRenewed)
			v.mustLoad(session.Load{})
			v.Advance(session.RenewGrace)
			v.wantMatch(v.secret, session.MatchRenewed)
		}},
		{"Grace", "the previous secret is good for RenewGrace after the new one was first seen, and no longer", func(v *visitor) {
			next := newHash()
			v.begin(session.Create{}).mustDo(v.renewal(v.secret, next))
			v.wantMatch(next, session.MatchCurrent)
			v.Advance(session.RenewGrace - 10*time.Second)
			v.wantMatch(next, session.MatchCurrent)
			v.wantMatch(v.secret, session.MatchRenewed)
			v.Advance(10 * time.Second)
			v.wantMatch(v.secret, session.MatchNone)
			v.wantMatch(next, session.MatchCurrent)
		}},
		{"PreviousSlides", "the previous secret counts as activity while it is good", func(v *visitor) {
			v.begin(session.Create{}).mustDo(v.renewal(v.secret, newHash()))
			v.Advance(time.Minute)
			v.near("Left", v.mustLoad(session.Load{Hash: v.secret, Slide: session.SlideAlways}).Left, mainIdle)
		}},
		{"ByCurrentOnly", "who does not hold the current secret renews nothing, and the rest of the save goes on", func(v *visitor) {
			next := newHash()
			v.begin(session.Create{}).mustDo(v.renewal(v.secret, next))
			for _, old := range []session.Hash{v.secret, newHash()} {
				s := v.change(deltas("main", add(1)))
				s.Renew.Old, s.Renew.New = old, newHash()
				if rec := v.mustDo(s); rec.Hash != next {
					v.Errorf("hash = %s, want the current one", rec.Hash)
				}
			}
			v.wantValues("main", "n", `2`)
			v.wantMatch(next, session.MatchCurrent)
		}},
		{"Retry", "a renewal to the current secret is a retry, and changes nothing", func(v *visitor) {
			next := newHash()
			s := v.begin(session.Create{}).renewal(v.secret, next)
			v.mustDo(s)
			v.wantMatch(next, session.MatchCurrent)
			v.Advance(session.RenewGrace / 2)
			if rec := v.mustDo(s); rec.Hash != next {
				v.Errorf("hash = %s, want the new one", rec.Hash)
			}
			v.wantMatch(v.secret, session.MatchRenewed)
			v.Advance(session.RenewGrace / 2)
			v.wantMatch(v.secret, session.MatchNone)
		}},
		{"WithChanges", "a renewal is all or none with the changes of its save", func(v *visitor) {
			v.begin(session.Create{})
			s := v.change(deltas("main", set("a", text(session.MaxValueBytes+1))))
			s.Renew.Old, s.Renew.New = v.secret, newHash()
			_, err := v.save(s)
			v.wantErr("Save", err, session.ErrLimit)
			v.wantMatch(v.secret, session.MatchCurrent)
			v.wantMatch(s.Renew.New, session.MatchNone)
		}},
		{"Twice", "a second renewal forgets the secret before the first", func(v *visitor) {
			second, third := newHash(), newHash()
			v.begin(session.Create{}).mustDo(v.renewal(v.secret, second))
			v.mustDo(v.renewal(second, third))
			v.wantMatch(v.secret, session.MatchNone)
			v.wantMatch(second, session.MatchRenewed)
			v.wantMatch(third, session.MatchCurrent)
		}},
	}
}
