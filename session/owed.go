package session

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessionhub/sessionhub/internal/failpoint"
)

// Pauses of [Manager.Run] before it asks the store again, give or take a quarter.
const (
	owedMin = 100 * time.Millisecond // doubled with each try that came to nothing
	owedMax = 2 * time.Second
)

const (
	// maxOwed is how many ends may wait for the store.
	maxOwed = 10_000

	// maxUnverified is how many of them may be of visitors who could make their
	// secrets up.
	maxUnverified = maxOwed / 2

	// maxOnes is how many ends of [One] may be of one user, or one credential: the ids
	// may be made up, while the store cannot say whose they are.
	maxOnes = 16

	// owedTries is how many ends in a row the store may refuse before the others
	// wait for the next time: it is away. One alone may be, as for a part of a
	// cluster.
	owedTries = 3
)

// ErrOwed is returned, together with [ErrUnavailable], for an end that the store
// did not take: it holds on this node from now on, and [Manager.Run] asks the store
// again until it holds everywhere. Without it nothing more will happen: too many
// ends wait already, or too many of [One] that the same user asked for.
var ErrOwed = errors.New("session: ended on this node, the others follow")

// stillOwed says that an end is owed for which the store was away once more.
func stillOwed(cause error) error {
	if !errors.Is(cause, ErrUnavailable) {
		cause = fmt.Errorf("%w: %w", ErrUnavailable, cause)
	}
	return fmt.Errorf("%w: %w", ErrOwed, cause)
}

// errOwedFull says why an end is not owed.
var errOwedFull = errors.New("session: too many ends wait for the store already, this one is not repeated")

// owed are the ends that the store did not take, in the order in which they are
// tried. What they end is denied on this node meanwhile.
type owed struct {
	waiting atomic.Int64 // how many there are, for those who need no lock when there are none

	mu    sync.RWMutex // guards the following fields, and those of debts that say so
	queue list.List    // of *debt
	byKey map[string]*debt
	ids   map[liveKey][]*debt // by what they deny: an id, but for those of credentials
	users map[liveKey][]*debt // by the user of d.of

	unverified int // debts of credentials

	since time.Time     // when the first of them came
	paid  int           // since then
	lost  bool          // one was not taken in since then
	wake  chan struct{} // holds a token when there are some
}

// owe denies on this node what the store did not end, closes the connections here,
// and remembers to ask the store again. The error wraps the cause.
func (m *Manager) owe(ctx context.Context, d *debt, cause error) (Result, error) {
	if !errors.Is(cause, ErrUnavailable) {
		cause = fmt.Errorf("%w: %w", ErrUnavailable, cause)
	}
	why := ErrOwed
	first, ok := m.owed.add(d)
	switch {
	case !ok:
		why = errOwedFull
		m.stats.unowed.Add(1)
		if d.tried != nil {
			m.done.doubt(d.tried)
		}
		if first {
			m.log.Error("too many ends wait for the store: more are not repeated")
		}
	case first:
		m.log.Warn("the store did not take an end: it holds on this node, and is repeated until it holds everywhere",
			"root", d.f.root.Name, "error", cause)
	}
	// After it is denied: a connection comes before this, and is found, or after
	// it, and is refused.
	var r Result
	for _, e := range d.ends {
		r.ClosedHere += m.ends.Gate(e.Notice)
		m.ends.Close(e.Notice)
	}
	r.ClosedHere += m.closeUser(d)
	r.NodesAcked, r.NodesExpected = m.alone(ctx)
	return r, fmt.Errorf("%w: %w", why, cause)
}

// closeUser closes the connections here of a user whose sessions are owed to
// end. One that was being opened is found the second time.
func (m *Manager) closeUser(d *debt) int {
	x, ok := m.ends.(ByUser)
	if d.user == "" || !ok || m.owed.sparesSome(d) {
		return 0
	}
	return x.EndUser(d.f.root.Name, d.user, d.keep)
}

// Run carries out the ends that the store did not take, until ctx ends, and returns
// nil then: it asks again after 100 ms, and after up to 2 s when that came to
// nothing. What is still owed then is logged, and lost: this node's memory of it is
// the only one. A program whose sessions end in a store that can be away runs it
// once, beside its hub; without it what is owed stays so, and denied here.
func (m *Manager) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	pause := owedMin
	for {
		select {
		case <-ctx.Done():
			if n := m.owed.waiting.Load(); n > 0 {
				m.log.Error("ends that the store did not take are given up", "ends", n)
			}
			return nil
		case <-m.owed.wake:
			pause = owedMin
		case <-timer.C:
			if m.payAll(ctx) {
				pause = owedMin
			} else {
				pause = min(2*pause, owedMax)
			}
		}
		if m.owed.waiting.Load() > 0 {
			timer.Reset(pause*3/4 + rand.N(pause/2))
		}
	}
}

// payAll tries what is owed, the longest untried first, and reports whether the store
// took any.
func (m *Manager) payAll(ctx context.Context) (paid bool) {
	refused := 0
	for _, d := range m.owed.all() {
		m.closeUser(d)
		if ctx.Err() != nil || refused == owedTries {
			continue
		}
		failpoint.Hit(failpoint.EndRetried)
		if err := m.settle(ctx, d); err != nil {
			refused++
			continue
		}
		refused, paid = 0, true
	}
	return paid
}

// away reports whether an error says that the store could not be asked, or did not
// answer in time.
func away(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)
}

// add takes a debt in, and what it denies. The same end twice is one debt. It
// returns false when there are too many, and whether this is the first of an outage
// to be taken in, or not to be.
func (o *owed) add(d *debt) (first, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if was := o.byKey[d.key]; was != nil {
		if was.hasOnes(d.aims) {
			return false, false
		}
		was.asked++
		clear(was.spared) // their end was asked for after their login
		if d.user != "" {
			was.tried = was.tried.with(d.tried)
		}
		for _, a := range d.aims {
			if !slices.Contains(was.aims, a) {
				was.aims = append(was.aims, a)
			}
		}
		return false, true
	}
	if len(o.byKey) >= maxOwed || d.cred.ID != "" && o.unverified >= maxUnverified {
		first, o.lost = !o.lost, true
		return first, false
	}
	if d.one != "" && o.onesOf(d) >= maxOnes {
		return false, false // not an outage of others
	}
	if first = len(o.byKey) == 0; first {
		o.byKey, o.ids, o.users = make(map[string]*debt), make(map[liveKey][]*debt), make(map[liveKey][]*debt)
		o.since, o.paid, o.lost = time.Now(), 0, false
	}
	if d.cred.ID != "" {
		o.unverified++
	}
	o.byKey[d.key] = d
	d.place, d.paying = o.queue.PushBack(d), make(chan struct{}, 1)
	for _, k := range d.denied() {
		o.ids[k] = append(o.ids[k], d)
	}
	if k := d.owner(); k.id != "" {
		o.users[k] = append(o.users[k], d)
	}
	o.waiting.Store(int64(len(o.byKey)))
	if first {
		select {
		case o.wake <- struct{}{}:
		default:
		}
	}
	return first, true
}

// onesOf returns how many ends of [One] are owed of the user of d. The caller holds
// owed.mu.
func (o *owed) onesOf(d *debt) (n int) {
	for _, x := range o.users[d.owner()] {
		if x.one != "" {
			n++
		}
	}
	return n
}

// hasOnes reports whether there are as many ends of [One] in d as there may be, and
// another one in aims. The caller holds owed.mu.
func (d *debt) hasOnes(aims []aim) bool {
	n := 0
	for _, a := range d.aims {
		if a.target == oneTarget {
			n++
		}
	}
	return n >= maxOnes && slices.ContainsFunc(aims, func(a aim) bool {
		return a.target == oneTarget && !slices.Contains(d.aims, a)
	})
}

// askedFor returns how often the end of d was asked for, and whether it is owed still.
func (o *owed) askedFor(d *debt) (asked int, open bool) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return d.asked, o.byKey[d.key] == d
}

// ofUser returns what is owed of a user's sessions, but for what is of one alone.
func (o *owed) ofUser(f *family, user, except string) (of []*debt) {
	if o.waiting.Load() == 0 {
		return nil
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	for _, d := range o.users[liveKey{f.root.Name, user}] {
		if d.endsBut(except) {
			of = append(of, d)
		}
	}
	return of
}

// below returns what is owed below a root.
func (o *owed) below(f *family) []*debt {
	return slices.DeleteFunc(o.all(), func(d *debt) bool { return d.f != f })
}

// triedOf returns what was tried of d, nil for nothing.
func (o *owed) triedOf(d *debt) *order {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return d.tried
}

// try notes what was tried of d, if anything was.
func (o *owed) try(d *debt, tried *order) {
	o.mu.Lock()
	defer o.mu.Unlock()
	d.tried = d.tried.with(tried)
}

// ended forgets what was tried of d and is carried out now, unless more came to it.
func (o *owed) ended(d *debt, tried *order) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if d.tried == tried {
		d.tried = nil
	}
}

// remove forgets a debt that was paid, if it was not asked for again meanwhile.
// When it was the last it returns how many were paid since the first of them came,
// and how long that took.
func (o *owed) remove(d *debt, asked int) (paid int, took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if d.asked != asked {
		return 0, 0
	}
	delete(o.byKey, d.key)
	if d.cred.ID != "" {
		o.unverified--
	}
	o.queue.Remove(d.place)
	without := func(index map[liveKey][]*debt, k liveKey) {
		rest := slices.DeleteFunc(index[k], func(x *debt) bool { return x == d })
		if index[k] = rest; len(rest) == 0 {
			delete(index, k)
		}
	}
	for _, k := range d.denied() {
		without(o.ids, k)
	}
	if k := d.owner(); k.id != "" {
		without(o.users, k)
	}
	o.paid++
	o.waiting.Store(int64(len(o.byKey)))
	if len(o.byKey) > 0 {
		return 0, 0
	}
	return o.paid, time.Since(o.since)
}

// denied returns the names under which d stands among the ids. A debt of a credential
// has none: its key says what it denies.
func (d *debt) denied() (names []liveKey) {
	for _, e := range d.ends {
		if k := (liveKey{d.f.root.Name, e.ID}); !slices.Contains(names, k) {
			names = append(names, k)
		}
	}
	return names
}

// owner returns the name under which d stands among the users, with an empty id for
// none.
func (d *debt) owner() liveKey { return liveKey{d.f.root.Name, d.of} }

// postpone lets the others be tried before d.
func (o *owed) postpone(d *debt) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue.MoveToBack(d.place)
}

// all returns the debts in the order in which they are to be tried.
func (o *owed) all() []*debt {
	o.mu.RLock()
	defer o.mu.RUnlock()
	all := make([]*debt, 0, len(o.byKey))
	for e := o.queue.Front(); e != nil; e = e.Next() {
		all = append(all, e.Value.(*debt))
	}
	return all
}
