package sessiontest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// move is what a writer is to do next, before it is known what the writer has
// seen by then. Its numbers choose among what there is.
type move struct {
	kind   string
	name   string // of the namespace
	key    string
	number int
	slide  session.Slide
	pass   time.Duration
}

func (m move) String() string {
	return fmt.Sprintf("%s %s.%s %d slide=%d pass=%v", m.kind, m.name, m.key, m.number, m.slide, m.pass)
}

// writer makes operations out of moves, from what it has seen of a session.
type writer struct {
	*visitor
	secrets *[]session.Hash // of all writers, the newest last
	last    operation       // the last save
	age     time.Duration   // of the last save
}

// operation returns the operation of a move.
func (w *writer) operation(m move) operation {
	// A creation and a login leave something to live.
	living := m.expiry(m.number / 2 % 6)
	switch m.kind {
	case "create":
		return operation{create: &session.Create{
			ID: w.id, Nonce: rand.Text(), Hash: w.newSecret(), User: []string{"", w.user}[m.number%2],
			Device: m.key, Address: m.name,
			Terms:  session.Terms{Life: time.Duration(m.number%2) * 20 * time.Minute},
			Expiry: living.Expiry,
			Deltas: map[string]session.Delta{m.name: set("a", strconv.Itoa(m.number))},
		}, until: living.until}
	case "load":
		return operation{load: &session.Load{Slide: m.slide}}
	case "present":
		old := *w.secrets
		return operation{load: &session.Load{Hash: old[max(0, len(old)-1-m.number%4)], Slide: m.slide}}
	case "login", "keep":
		l := w.elevation()
		switch l.Keep = m.kind == "keep"; {
		case l.Keep:
			l.User = w.seen.User
		case m.number == 9:
			l.User = ""
		}
		l.Device, l.Address, l.Expiry = m.key, m.name, living.Expiry
		l.Hash = w.newSecret()
		l.Terms.Idle = time.Duration(m.number%2) * time.Hour
		l.Terms.Life = time.Duration(m.number/2%2) * 20 * time.Minute
		l.Deltas = w.known(map[string]session.Delta{m.name: set(m.key, strconv.Itoa(m.number))})
		return operation{login: &l, until: living.until}
	case "end":
		e := w.end()
		return operation{end: &e}
	case "end as":
		e := w.end()
		e.User = w.user
		return operation{end: &e}
	case "end namespace":
		e := w.endOf(m.name)
		return operation{end: &e}
	case "pass":
		return operation{pass: m.pass}
	case "again":
		if w.last.save != nil && w.age < session.OpMemory {
			return w.last
		}
		return operation{load: &session.Load{}}
	}
	s := w.change(map[string]session.Delta{m.name: w.delta(m)})
	s.Slide = m.slide
	switch m.kind {
	case "touch":
		s.Op, s.Deltas = "", nil
	case "renew":
		s.Renew.Old, s.Renew.New = w.seen.Hash, w.newSecret()
	}
	w.last, w.age = operation{save: &s}, 0
	if m.kind == "expire" {
		e := m.expiry(m.number)
		s.Expiry, w.last.until = &e.Expiry, e.until
	}
	return w.last
}

// delta returns the change that a move makes.
func (w *writer) delta(m move) session.Delta {
	value := strconv.Itoa(m.number)
	switch m.kind {
	case "add":
		return session.Delta{Add: map[string]int64{m.key: int64(m.number)}}
	case "swap":
		var old *string
		if v, ok := w.seen.In(m.name).Get(m.key); ok {
			old = &v
		}
		return session.Delta{Swap: map[string]session.Swap{m.key: {Old: old, New: &value}}}
	case "delete":
		return session.Delta{Delete: []string{m.key}}
	case "clear":
		return session.Delta{Clear: true, Set: map[string]string{m.key: value}}
	}
	if m.number%5 == 0 {
		value = strconv.Quote(value) // nothing to add to
	}
	return session.Delta{Set: map[string]string{m.key: value}}
}

// expiry returns an expiry. Only the last numbers have one that has passed.
func (m move) expiry(number int) expiry {
	switch number {
	case 1:
		return afterIdle(5 * time.Minute)
	case 2:
		return expiry{Expiry: session.Expiry{Idle: 2 * time.Hour, Cookie: session.PersistAlways}}
	case 3:
		return endIn(15 * time.Minute)
	case 4:
		return expiry{Expiry: session.Expiry{Cookie: session.PersistNever}, until: 20 * time.Hour}
	case 5:
		return expiry{session.Expiry{Idle: 5 * time.Minute}, 15 * time.Minute}
	case 8:
		return endIn(-time.Minute)
	case 9:
		return afterIdle(-time.Minute)
	}
	return expiry{}
}

// at returns op with the end of its expiry as it is for a call now.
func (op operation) at(now time.Time) operation {
	end := now.Add(op.until)
	switch {
	case op.create != nil:
		op.create = new(*op.create)
		op.create.Expiry.End = end
	case op.save != nil:
		op.save = new(*op.save)
		op.save.Expiry = &session.Expiry{Idle: op.save.Expiry.Idle, End: end, Cookie: op.save.Expiry.Cookie}
	case op.login != nil:
		op.login = new(*op.login)
		op.login.Expiry.End = end
	}
	return op
}

func (w *writer) newSecret() session.Hash {
	h := newHash()
	*w.secrets = append(*w.secrets, h)
	return h
}

// do carries an operation out, and remembers what the answer says.
func (w *writer) do(ctx context.Context, op operation) answer {
	if op.until != 0 {
		op = op.at(w.now())
	}
	var a answer
	switch {
	case op.create != nil:
		a.rec, a.err = w.Store.Create(ctx, w.family, *op.create)
	case op.load != nil:
		a.rec, a.err = w.Store.Load(ctx, w.family, w.id, *op.load)
	case op.save != nil:
		a.rec, a.err = w.Store.Save(ctx, w.family, w.id, *op.save)
	case op.login != nil:
		a.rec, a.err = w.Store.Login(ctx, w.family, w.id, *op.login)
	case op.end != nil:
		a.err = w.Store.Delete(ctx, w.family, *op.end)
	default:
		w.Advance(op.pass)
	}
	if a.rec.ID == "" || a.err != nil && !errors.Is(a.err, session.ErrConflict) {
		return a
	}
	values := a.rec.Values
	if op.save != nil || op.login != nil {
		values = w.workedOut(op, a)
	}
	w.seen = a.rec
	w.seen.Values = values
	return a
}

// workedOut returns the values as the writer of a save has them after it:
// where the answer is silent, the loaded ones with the delta applied.
func (w *writer) workedOut(op operation, a answer) []session.Values {
	ds := map[string]session.Delta{}
	if op.save != nil {
		ds = op.save.Deltas
	} else if op.login != nil {
		ds = op.login.Deltas
	}
	values := make([]session.Values, len(w.family.Spaces))
	for i, s := range w.family.Spaces {
		values[i] = w.seen.In(s.Name)
		if got := a.rec.In(s.Name); got.Known() {
			values[i] = got
		} else if d, ok := ds[s.Name]; ok {
			next, _ := apply(values[i].Map(), d)
			values[i] = session.NewValues(next)
		}
	}
	return values
}
