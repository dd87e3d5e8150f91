package transport

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/session"
)

// task is what the worker does next: open the socket, handle a message, or say
// that a namespace ended.
type task struct {
	open bool
	lost string
	in   Message
}

// begin lets the worker work: first it opens the socket, then it does what came
// before.
func (s *socket) begin() {
	_, opens := s.e.h.(Opener)
	s.known = !opens
	s.inMu.Lock()
	defer s.inMu.Unlock()
	if opens {
		s.inbox = slices.Insert(s.inbox, 0, task{open: true})
	}
	s.works = len(s.inbox) > 0
	if s.works {
		go s.work()
	}
}

// push gives the worker a task, and starts it when there is none: an idle socket
// has no worker.
func (s *socket) push(t task) {
	s.inMu.Lock()
	defer s.inMu.Unlock()
	if s.ctx.Err() != nil {
		return
	}
	s.inbox = append(s.inbox, t)
	if !s.works {
		s.works = true
		go s.work()
	}
}

// rest waits until the worker has nothing to do, and lets nothing come after.
func (s *socket) rest() {
	s.inMu.Lock()
	defer s.inMu.Unlock()
	for s.works {
		s.idle.Wait()
	}
	s.cancel(errGone)
}

// work handles tasks in order until there is none.
func (s *socket) work() {
	for {
		s.inMu.Lock()
		if len(s.inbox) == 0 || s.ctx.Err() != nil {
			s.inbox, s.works = nil, false
			s.idle.Broadcast()
			s.inMu.Unlock()
			return
		}
		t := s.inbox[0]
		s.inbox = s.inbox[1:]
		s.inMu.Unlock()
		s.do(t)
		if !t.open && t.lost == "" {
			<-s.ahead
		}
	}
}

// do carries out one task: scope, handler, save, then send.
func (s *socket) do(t task) {
	if !s.ready() {
		return
	}
	var (
		out *Outbox
		err error
		sc  = s.scope(t)
	)
	switch {
	case t.open:
		s.known = true
		out, err = boundary(s.ctx, sc, s.peer, s.gate, s.e.h.(Opener).Open)
	case t.lost != "":
		out, err = boundary(s.ctx, sc, s.peer, s.gate, func(ctx context.Context, out *Outbox) error {
			return s.e.h.(Ender).Ended(ctx, out, t.lost)
		})
	default:
		s.e.messages.Add(1)
		out, err = step(s.ctx, s.e.h, sc, s.peer, s.gate, t.in)
	}
	if err == nil {
		err = s.leave(out)
	}
	switch {
	case err == nil:
		return
	case errors.Is(err, session.ErrNamespaceEnded) && s.holds():
		return
	case s.ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, errGone)):
		return // a handler that stopped when its socket did has done right
	}
	s.e.report(s.peer, err)
	r, _ := reasonOf(err)
	s.entry.End(r)
}

// ready waits while the hub cannot know of ends, and reports whether the socket
// goes on: what came and what is to leave is held, neither let through nor
// dropped.
func (s *socket) ready() bool { return s.sure() == nil && s.ctx.Err() == nil }

// sure waits while the hub cannot know of ends, and returns how the socket ended
// if that comes first. While the hub knows, an ended socket is no error.
func (s *socket) sure() error {
	if s.e.open {
		return nil
	}
	return s.e.hub.WaitFresh(s.ctx)
}

// scope returns the sessions of one task.
func (s *socket) scope(t task) *session.Scope {
	if s.hold == nil {
		return s.e.m.Anonymous()
	}
	return s.hold.Scope(session.HoldOptions{
		Fresh: s.e.o.Fresh,
		Quiet: s.e.o.Quiet || t.open || t.lost != "",
		Lost:  s.hasLost,
	})
}

// gate says why nothing may leave any more: the session is over, or nobody
// knows. A socket that ended for reasons of its own, as for its rate or a
// restart, still carries out what it has begun: what was saved is sent, unless
// the node is stale.
func (s *socket) gate() error {
	switch r, _ := s.entry.Dead(); r {
	case hub.SessionEnded, hub.SessionExpired, hub.SessionRenewed, hub.TryLater:
		return r
	}
	return nil
}

// leave lets go of what a task held back, now that its sessions are saved. The
// handler may have taken longer than the node was fresh.
func (s *socket) leave(out *Outbox) error {
	for _, a := range out.acts {
		if err := s.sure(); err != nil {
			return err
		}
		if err := s.gate(); err != nil {
			return err
		}
		if err := s.act(a); err != nil {
			return err
		}
	}
	return nil
}

func (s *socket) act(a Act) error {
	switch a.Do {
	case DoReply:
		s.send(frame{data: a.Data, binary: a.Binary})
		return nil
	case DoUnsubscribe:
		s.entry.Unsubscribe(a.Topic)
		return nil
	case DoClose:
		if err := a.Close.valid(); err != nil {
			return err
		}
		s.send(frame{last: hub.Reason{Code: a.Close.Code, Text: a.Close.Reason}})
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), s.e.o.SendTimeout)
	defer cancel()
	var err error
	if a.Do == DoPublish {
		err = s.e.hub.Publish(ctx, a.Topic, a.Data)
	} else {
		err = s.entry.Subscribe(ctx, a.Topic, a.Namespace)
	}
	var reason hub.Reason
	switch {
	case err == nil:
		return nil
	case errors.Is(err, hub.ErrNamespace) && s.hasLost(a.Namespace):
		return nil // it ended while the message was handled, and is told
	case errors.Is(err, hub.ErrTopic), errors.Is(err, hub.ErrNamespace):
		return err // the handler's mistake
	case errors.As(err, &reason):
		return reason
	}
	// The message counts and did not get through: its sender has to know.
	return fmt.Errorf("%w: %w", hub.TryLater, err)
}
