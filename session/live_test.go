package session_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
)

// replicated is a store with a replica that takes its place, and may lag until then.
type replicated struct {
	session.Store // that answers
	replica       session.Store
	lags          bool
	behind        time.Duration // the replica's clock
	promoted      bool
	load          func() // in the next Load, after the store has answered
}

func (s *replicated) Server(context.Context) (string, error) {
	if s.promoted {
		return "two", nil
	}
	return "one", nil
}

// promote lets the replica answer.
func (s *replicated) promote() { s.Store, s.promoted = s.replica, true }

// answer is what a store answers: the replica's clock says another time.
func (s *replicated) answer(rec session.Record, err error) (session.Record, error) {
	if s.promoted {
		rec.Now = rec.Now.Add(-s.behind)
	}
	return rec, err
}

// replicate does the same to the replica.
func (s *replicated) replicate(do func(session.Store) (session.Record, error)) {
	if !s.lags && !s.promoted {
		_, _ = do(s.replica)
	}
}

func (s *replicated) Create(ctx context.Context, f *session.Family, c session.Create) (session.Record, error) {
	do := func(to session.Store) (session.Record, error) { return to.Create(ctx, f, c) }
	s.replicate(do)
	return s.answer(do(s.Store))
}

func (s *replicated) Load(ctx context.Context, f *session.Family, id string, l session.Load) (session.Record, error) {
	rec, err := s.answer(s.Store.Load(ctx, f, id, l))
	if load := s.load; load != nil {
		s.load = nil
		load()
	}
	return rec, err
}

func (s *replicated) Save(ctx context.Context, f *session.Family, id string, v session.Save) (session.Record, error) {
	do := func(to session.Store) (session.Record, error) { return to.Save(ctx, f, id, v) }
	s.replicate(do)
	return s.answer(do(s.Store))
}

func (s *replicated) Check(ctx context.Context, f *session.Family, ids []string) ([]*session.State, error) {
	states, err := s.Store.Check(ctx, f, ids)
	for _, st := range states {
		if st != nil && s.promoted {
			st.Now = st.Now.Add(-s.behind)
		}
	}
	return states, err
}

func newReplicated(t *testing.T) (*browser, *replicated) {
	b := newBrowser(t)
	s := &replicated{Store: b.store.Store, replica: new(memstore.Store)}
	b.m = session.New(b.m.Registry(), s, session.Options{Ends: b.ends, Logger: textLogger(new(strings.Builder))})
	return b, s
}

// mustSay handles messages that set a value to 1, 2, ... n.
func (b *browser) mustSay(h *session.Hold, key string, n int) {
	b.t.Helper()
	for i := range n {
		if err := b.say(h, "main", key, i+1); err != nil {
			b.t.Fatal(err)
		}
	}
}

// lookUp is what a hub does from time to time.
func (b *browser) lookUp() {
	b.t.Helper()
	if err := b.m.Check(b.t.Context(), "main", []string{b.id()}, func(string, bool, uint64, time.Duration, map[string]uint64) {}); err != nil {
		b.t.Fatal(err)
	}
}

// An open connection must not go on with what the store has lost, or else it would
// not see what it saves itself.
func TestLive_followsAStoreThatWentBack(t *testing.T) {
	for _, c := range []struct {
		name   string
		behind time.Duration
		then   func(b *browser, s *replicated, h *session.Hold) // after the promotion
	}{
		{"it is looked up", 0, func(b *browser, _ *replicated, _ *session.Hold) { b.lookUp() }},
		{"a request loads it", 0, func(b *browser, _ *replicated, _ *session.Hold) { b.get("main", "kept") }},
		{"a message loads it", 0, func(b *browser, _ *replicated, h *session.Hold) {
			b.hear(h, session.HoldOptions{Fresh: true}, "main", "kept")
		}},
		{"a message saves to it", 0, func(b *browser, _ *replicated, h *session.Hold) { b.mustSay(h, "other", 1) }},
		{"another connection opens", 0, func(b *browser, _ *replicated, _ *session.Hold) { b.hold() }},
		{"it is another server", 0, func(b *browser, _ *replicated, _ *session.Hold) { b.recover(true) }},
		{"it is another server, whose clock is behind", time.Minute, func(b *browser, _ *replicated, _ *session.Hold) { b.recover(true) }},
		{"it is another server, and saved to before that is known", time.Minute, func(b *browser, _ *replicated, h *session.Hold) {
			b.mustSay(h, "other", 1)
			b.recover(true)
		}},
		{"it is another server, whose versions have caught up", 0, func(b *browser, s *replicated, _ *session.Hold) {
			elsewhere := *b
			elsewhere.m = session.New(b.m.Registry(), s, session.Options{})
			for i := range 5 {
				elsewhere.set("main", "other", i)
			}
			b.recover(true)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, s := newReplicated(t)
			s.behind = c.behind
			b.set("main", "kept", 1)
			b.recover(false)
			h := b.hold()
			s.lags = true
			b.mustSay(h, "lost", 5)
			s.promote()
			c.then(b, s, h)
			b.mustSay(h, "new", 1)
			if got := b.hear(h, session.HoldOptions{}, "main", "new"); got != "1" {
				t.Errorf("what it saved is %q to the connection", got)
			}
			if got := b.hear(h, session.HoldOptions{}, "main", "lost"); got != "" {
				t.Errorf("what the store lost is %q to the connection", got)
			}
			if got := b.hear(h, session.HoldOptions{}, "main", "kept"); got != "1" {
				t.Errorf("what it kept is %q", got)
			}
			b.mustSay(h, "new", 2)
			if got := b.hear(h, session.HoldOptions{}, "main", "new"); got != "2" {
				t.Errorf("what it saved then is %q", got)
			}
		})
	}
}

// Answers of the store come in another order than it gave them.
func TestLive_anAnswerThatWasOvertakenChangesNothing(t *testing.T) {
	for _, lapsed := range []bool{false, true} {
		b, s := newReplicated(t)
		b.set("main", "k", 1)
		b.recover(false)
		h := b.hold()
		if lapsed {
			s.replica = s.Store // nothing is lost
			s.promote()
			b.recover(true)
		}
		s.load = func() { b.mustSay(h, "k", 3) }
		b.get("main", "k")
		if got := b.hear(h, session.HoldOptions{}, "main", "k"); got != "3" {
			t.Errorf("lapsed %v: after a load that a save overtook the connection sees %q", lapsed, got)
		}
		s.load = func() { b.mustSay(h, "k", 4) }
		b.hear(h, session.HoldOptions{Fresh: true}, "main", "k")
		if got := b.hear(h, session.HoldOptions{}, "main", "k"); got != "4" {
			t.Errorf("lapsed %v: after a fresh message that a save overtook the connection sees %q", lapsed, got)
		}
	}
}

// What is on its way from the old server while another one is found out comes too
// late to be believed.
func TestLive_anAnswerOfTheOldServerIsFoundOut(t *testing.T) {
	b, s := newReplicated(t)
	b.set("main", "kept", 1)
	b.recover(false)
	h := b.hold()
	s.lags = true
	b.mustSay(h, "lost", 5)
	s.load = func() {
		s.promote()
		b.recover(true)
	}
	b.hear(h, session.HoldOptions{Fresh: true}, "main", "kept")
	if got := b.hear(h, session.HoldOptions{}, "main", "lost"); got != "" {
		t.Errorf("what the store lost is %q to the connection", got)
	}
}
