package sessiontest

import (
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

func indexRules() []rule {
	return []rule{
		{"Oldest", "the oldest listing comes first, with its age", func(v *visitor) {
			const sessions = 6
			var want []string
			for i := range sessions {
				if i > 0 {
					v.Advance(time.Minute)
				}
				id := newID()
				v.begin(session.Create{ID: id, User: v.user})
				want = append(want, id)
			}
			list, err := v.Store.Listed(v.Context(), v.family, v.user)
			if err != nil || !slices.Equal(idsOf(list), want) {
				v.Fatalf("Listed = %v, %v, want %q", list, err, want)
			}
			for i, l := range list {
				v.near("age", l.Age, time.Duration(sessions-1-i)*time.Minute)
			}
		}},
		{"Nobody", "a user without sessions has an empty list", func(v *visitor) {
			if got := v.listed(); len(got) > 0 {
				v.Errorf("Listed = %q, want none", got)
			}
			if list, err := v.Store.Raise(v.Context(), v.family, v.user); err != nil || len(list) > 0 {
				v.Errorf("Raise = %v, %v, want none", list, err)
			}
		}},
		{"EachUser", "each user has a list of his own", func(v *visitor) {
			v.begin(session.Create{User: v.user})
			w := v.stranger()
			w.begin(session.Create{User: w.user})
			if a, b := v.listed(), w.listed(); !slices.Equal(a, []string{v.id}) || !slices.Equal(b, []string{w.id}) {
				v.Errorf("Listed = %q and %q, want %q and %q", a, b, v.id, w.id)
			}
		}},
		{"NeverLost", "a session that lives is listed however long it lives, also when a login prolonged it", func(v *visitor) {
			v.begin(session.Create{User: v.user})
			for range 2 {
				for range mainLife/(20*time.Minute) - 1 {
					v.Advance(20 * time.Minute)
					v.mustLoad(session.Load{Slide: session.SlideAlways})
				}
				v.mustLogin(v.elevation())
				v.stranger().begin(session.Create{User: v.user})
				if got := v.listed(); !slices.Contains(got, v.id) {
					v.Fatalf("Listed = %q, want %q among them", got, v.id)
				}
			}
		}},
		{"LongTerms", "a session with a longer lifetime is listed after the others of its user have gone", func(v *visitor) {
			v.begin(session.Create{User: v.user, Terms: session.Terms{Idle: 10 * mainLife, Life: 10 * mainLife}})
			w := v.stranger().begin(session.Create{User: v.user})
			for range 3 {
				v.Advance(mainLife)
				v.stranger().begin(session.Create{User: v.user})
			}
			w.wantGone()
			if got := v.listed(); !slices.Contains(got, v.id) {
				v.Errorf("Listed = %q, want %q among them", got, v.id)
			}
		}},
		{"Raise", "raise answers with the list, and ends nothing that is there", func(v *visitor) {
			v.begin(session.Create{User: v.user})
			list, err := v.Store.Raise(v.Context(), v.family, v.user)
			if err != nil || !slices.Equal(idsOf(list), []string{v.id}) {
				v.Errorf("Raise = %v, %v, want %q", list, err, v.id)
			}
			v.look()
			v.mustLogin(v.elevation())
			v.stranger().begin(session.Create{User: v.user})
		}},
		{"Unlist", "ids that are unlisted are not listed, the others are", func(v *visitor) {
			v.begin(session.Create{User: v.user})
			w := v.stranger().begin(session.Create{User: v.user})
			if err := v.Store.Unlist(v.Context(), v.family, v.user, 0, []string{v.id, newID()}); err != nil {
				v.Fatalf("Unlist = %v", err)
			}
			if got := v.listed(); !slices.Equal(got, []string{w.id}) {
				v.Errorf("Listed = %q, want %q", got, w.id)
			}
		}},
		{"RefusedCreate", "a create that is refused leaves no listing", func(v *visitor) {
			many := session.Delta{Set: map[string]string{}}
			for i := range session.MaxValues + 1 {
				many.Set[strconv.Itoa(i)] = `1`
			}
			if _, err := v.create(session.Create{User: v.user, Deltas: deltas("main", many)}); !errors.Is(err, session.ErrLimit) {
				v.Fatalf("Create = %v, want ErrLimit", err)
			}
			if got := v.listed(); len(got) != 0 {
				v.Errorf("Listed = %q", got)
			}
		}},
		{"UnlistLeavesWhatIsListedAgain", "an id that was listed again a moment ago is not taken for the one that was read before", func(v *visitor) {
			v.begin(session.Create{User: v.user})
			w := v.stranger().begin(session.Create{User: v.user})
			v.Advance(5 * time.Minute)
			v.mustLogin(v.elevation())
			if err := v.Store.Unlist(v.Context(), v.family, v.user, time.Minute, []string{v.id, w.id}); err != nil {
				v.Fatalf("Unlist = %v", err)
			}
			if got := v.listed(); !slices.Equal(got, []string{v.id}) {
				v.Errorf("Listed = %q, want %q", got, v.id)
			}
		}},
		{"RaiseRacesCreate", "no create in progress survives the end of all of a user's sessions unlisted", func(v *visitor) {
			race(v, func(*visitor) {}, func(w *visitor) error {
				_, err := w.create(session.Create{User: w.user})
				return err
			})
		}},
		{"RaiseRacesLogin", "no login in progress survives the end of all of a user's sessions unlisted", func(v *visitor) {
			race(v, func(w *visitor) { w.begin(session.Create{}) }, func(w *visitor) error {
				_, err := w.login(w.elevation())
				return err
			})
		}},
	}
}

// race lets enter collide with an end of all of the user's sessions, many
// times, and then it accounts for each session: either it lives and is listed, or
// the login said ErrUserEnded, or the end has seen it.
func race(v *visitor, prepare func(*visitor), enter func(*visitor) error) {
	const rounds = 200
	for round := range rounds {
		w := v.stranger()
		w.user = v.user
		prepare(w)
		if round%2 == 0 {
			// An older session of the user makes the index exist, or
			// cease to exist, in the middle of the login.
			v.stranger().begin(session.Create{User: v.user})
		}
		var (
			wg       sync.WaitGroup
			entered  error
			raised   []session.Listing
			raiseErr error
		)
		wg.Go(func() { entered = enter(w) })
		wg.Go(func() {
			raised, raiseErr = v.Store.Raise(v.Context(), v.family, v.user)
			var ends []session.End
			for _, l := range raised {
				ends = append(ends, session.End{ID: l.ID, User: v.user, Notice: "1|s|main|" + l.ID + "||0"})
			}
			raiseErr = errors.Join(raiseErr, v.Store.Delete(v.Context(), v.family, ends...))
		})
		wg.Wait()
		if raiseErr != nil {
			v.Fatalf("round %d: end of all = %v", round, raiseErr)
		}
		st := w.check()
		lives := st != nil && st.User == v.user
		switch caught := slices.Contains(idsOf(raised), w.id); {
		case entered == nil && lives && caught:
			v.Fatalf("round %d: the login was in progress, and survived", round)
		case entered == nil && lives && !slices.Contains(w.listed(), w.id):
			v.Fatalf("round %d: the session lives and is not listed", round)
		case entered == nil && !lives && !caught:
			v.Fatalf("round %d: the session is gone, and nobody has ended it", round)
		case errors.Is(entered, session.ErrUserEnded) && lives:
			v.Fatalf("round %d: the login was refused, and the session lives", round)
		case entered != nil && !errors.Is(entered, session.ErrUserEnded):
			v.Fatalf("round %d: login = %v", round, entered)
		}
	}
}
