package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// keepDone is how long an end is remembered after the store took it: a server
	// that takes another one's place may lack what came shortly before. It is three
	// times the hub's revalidation.
	keepDone = 3 * time.Minute

	// maxDone is how many ends are remembered. More push out the oldest.
	maxDone = 1 << 16
)

// Served is a [Store] that knows which server keeps its records. *redisstore.Store is
// one.
type Served interface {
	// Server names the server, or servers, that answer now: another name means
	// that others have taken their place, which may lack what was written last. ""
	// means that it may not ask. One round trip. Errors: [ErrUnavailable].
	Server(ctx context.Context) (string, error)
}

// done are the ends that a store took lately from this node, the oldest first, so
// that they can be repeated if its server is replaced by one that lacks them. A
// store that is not [Served] cannot forget, and nothing is kept.
type done struct {
	store Served
	turn  atomic.Uint64 // rises before ends are repeated

	mu    sync.Mutex // guards the following fields
	ends  []doneEnd
	first uint64 // the number of the first of them: how many there were before it
	lost  uint64 // pushed out before their time

	recovering sync.Mutex // guards the following fields
	server     string
	known      bool
	seen       time.Time // when server last answered
	due        bool      // ends are to be repeated, from the first one on
	pass       *pass     // under way; nil: none is
}

// pass is one repetition of ends. It may take several calls: each goes on where the
// last one came to.
type pass struct {
	began       time.Time
	next, until uint64 // numbers of ends
	ends        int    // that were repeated
}

// doneEnd is an end, and when the store took it.
type doneEnd struct {
	End
	f  *family
	at time.Time
}

// keep runs what carries out ends, and remembers them. If they are being repeated
// meanwhile, it may have reached the old server, and is run again.
func (d *done) keep(f *family, ends []End, carryOut func() error) error {
	for {
		turn := d.turn.Load()
		if err := carryOut(); err != nil {
			return err
		}
		if d.add(turn, f, ends) {
			return nil
		}
	}
}

// add remembers ends. It returns false if repeating ends began after turn.
func (d *done) add(turn uint64, f *family, ends []End) bool {
	if d.store == nil {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for _, e := range ends {
		e.ID = strings.Clone(e.ID) // it may be a part of a request's header
		if len(d.ends) == maxDone {
			if now.Sub(d.ends[0].at) < keepDone {
				d.lost++
			}
			d.ends[0] = doneEnd{}
			d.ends = d.ends[1:]
			d.first++
		}
		d.ends = append(d.ends, doneEnd{e, f, now})
	}
	return d.turn.Load() == turn
}

// doubt remembers an order that the store did not confirm and that is not owed: it may
// have been carried out, and whoever asks again finds nothing left of it. What is owed
// is carried out once more, and kept then.
func (d *done) doubt(o *order) { d.add(d.turn.Load(), o.f, o.ends) }

// forget forgets what was done before a time.
func (d *done) forget(before time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for n < len(d.ends) && d.ends[n].at.Before(before) {
		n++
	}
	d.ends = slices.Delete(d.ends, 0, n)
	d.first += uint64(n)
}

// forgotten returns how many ends were pushed out before their time.
func (d *done) forgotten() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lost
}

// begin begins to repeat what there is. An end that is under way goes to the new
// server as well, or comes before this and is among them.
func (d *done) begin() *pass {
	d.turn.Add(1)
	d.mu.Lock()
	defer d.mu.Unlock()
	return &pass{began: time.Now(), next: d.first, until: d.first + uint64(len(d.ends))}
}

// some returns the next ends of a pass, of one family; none when it is through.
func (d *done) some(p *pass) []doneEnd {
	d.mu.Lock()
	defer d.mu.Unlock()
	p.next = max(p.next, d.first) // those before were pushed out
	if p.next >= p.until {
		return nil
	}
	ends := d.ends[p.next-d.first : p.until-d.first]
	n := 1
	for n < min(len(ends), atOnce/2) && ends[n].f == ends[0].f {
		n++
	}
	return slices.Clone(ends[:n])
}

// Recover repeats the ends that the store took from this node in the last minutes, if
// another server has taken the place of the one that did: it may lack them. A hub
// calls it before it looks anything up, after a gap in what it heard and from time to
// time; an error means that what the store would say cannot be relied on yet. Where
// the store does not know its server, they are repeated after each gap; where it has
// none ([Served]), never. One round trip, and one for each 250 ends, each with the
// Manager's timeout. Errors: [ErrUnavailable], those of ctx.
//
// It ends with ctx between these round trips, and the next call goes on from there.
// Ends that the server has carried out and cannot confirm ([ErrUnconfirmed]) count as
// repeated, and are owed.
//
// What else such a server lacks cannot be repeated: see "What a failover can undo" in
// docs/sessions.md.
//
// The snapshots that messages read come from the server that was: the next message of
// each session reads it again, one round trip.
func (m *Manager) Recover(ctx context.Context, gap bool) error {
	d := &m.done
	if d.store == nil {
		return nil
	}
	d.recovering.Lock()
	defer d.recovering.Unlock()
	began := time.Now()
	sctx, cancel := m.deadline(ctx)
	defer cancel()
	server, err := d.store.Server(sctx)
	if err != nil {
		return fmt.Errorf("ask which server answers: %w", err)
	}
	was := d.server
	switch {
	case !d.known:
	case was == "" || server == "":
		// The gap of a pass under way is told until the pass is through.
		d.due = d.due || gap && d.pass == nil
	case server != was:
		d.due = true
	}
	if d.pass == nil {
		// By when the one before answered, however long nobody has since. What a pass
		// has told a server stays until it is through: the next may lack that too.
		d.forget(d.seen.Add(-keepDone))
	}
	d.server, d.known, d.seen = server, true, began
	if d.due {
		d.pass, d.due = d.begin(), false
	}
	if d.pass == nil {
		return nil
	}
	m.lives.lapse()
	if err := m.repeat(ctx, d.pass); err != nil {
		// Where servers have no names, the next one to answer may be another.
		d.due = server == "" && errors.Is(err, ErrUnavailable)
		return fmt.Errorf("repeat ends: %w", err)
	}
	if p := d.pass; p.ends > 0 {
		m.log.Warn("another server may answer: the last ends were repeated", "ends", p.ends, "took", time.Since(p.began))
	}
	d.pass = nil
	return nil
}

// repeat carries out ends that were carried out before, until the pass is through or
// ctx ends.
func (m *Manager) repeat(ctx context.Context, p *pass) error {
	for {
		ends := m.done.some(p)
		if len(ends) == 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		o := &order{f: ends[0].f}
		for _, e := range ends {
			o.ends = append(o.ends, e.End)
			if e.Namespace == "" && e.User != "" {
				// Its login may be lacking too. It is the same session, whoever is
				// logged in to it.
				e.User = ""
				o.ends = append(o.ends, e.End)
			}
		}
		dctx, cancel := m.deadline(ctx)
		err := m.store.Delete(dctx, &o.f.Family, o.ends...)
		cancel()
		switch {
		case errors.Is(err, ErrUnconfirmed):
			// This server has them. That others may lack them is no reason to do
			// without what it says.
			d := m.debtOf(o)
			d.tried = nil // it is remembered already
			_, _ = m.owe(ctx, d, err)
		case err != nil:
			return err
		}
		p.next += uint64(len(ends))
		p.ends += len(ends)
		m.stats.repeated.Add(uint64(len(ends)))
	}
}
