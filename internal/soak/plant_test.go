package soak_test

import (
	"slices"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/internal/soak"
)

// plants are violations to plant in the history of a run that has none. Each returns
// false when the run had no place for it.
var plants = []struct {
	name string
	want soak.Kind
	do   func(*soak.History, *soak.Report) bool
}{
	{"a socket stays", soak.Alive, func(h *soak.History, _ *soak.Report) bool {
		n, _ := ended(h)
		h.Sockets[n].Closed = 0
		return n != 0
	}},
	{"a message is dispatched after the end", soak.Late, func(h *soak.History, _ *soak.Report) bool {
		n, id := ended(h)
		h.Messages = append(h.Messages, soak.Message{Session: id, Socket: n, Reads: true, Dispatched: h.End})
		return n != 0
	}},
	{"a session comes back", soak.Back, func(h *soak.History, _ *soak.Report) bool {
		n, id := ended(h)
		h.Loads = append(h.Loads, soak.Load{Span: soak.Span{From: h.End, To: h.End}, At: soak.Place{Slot: -1}, Session: id, Answer: soak.Found})
		return n != 0
	}},
	{"a save counts twice", soak.Lost, func(h *soak.History, _ *soak.Report) bool {
		i := slices.IndexFunc(h.Loads, func(l soak.Load) bool { return l.Answer == soak.Found && l.Total != 0 })
		if i < 0 {
			return false
		}
		h.Loads[i].Total++
		return true
	}},
	{"an answer overtakes its save", soak.Unsaved, func(h *soak.History, _ *soak.Report) bool {
		i := slices.IndexFunc(h.Messages, func(m soak.Message) bool { return m.Saved != 0 && m.Answered != 0 })
		if i < 0 {
			return false
		}
		h.Messages[i].Answered = h.Messages[i].Saved - 1
		return true
	}},
	{"a deaf node dispatches", soak.Late, func(h *soak.History, r *soak.Report) bool {
		if len(r.Said) == 0 {
			return false
		}
		c := r.Said[0]
		h.Messages[c.Message].Dispatched = c.At + time.Millisecond
		return true
	}},
	{"a deaf node delivers", soak.Late, func(h *soak.History, r *soak.Report) bool {
		if len(r.Published) == 0 {
			return false
		}
		c := r.Published[0]
		h.Deliveries = append(h.Deliveries, soak.Delivery{Socket: c.Socket, Message: c.Message, At: c.At + time.Millisecond})
		return true
	}},
	{"a deaf node looks nothing up", soak.Alive, func(h *soak.History, r *soak.Report) bool {
		if len(r.Unheard) == 0 {
			return false
		}
		h.Sockets[r.Unheard[0].Socket].Closed = 0
		return true
	}},
}

// ended returns a socket of a session that was logged out, and the session; 0 if there
// is none.
func ended(h *soak.History) (n int, session string) {
	for _, a := range h.Acts {
		if a.Scope != soak.This || a.Outcome != soak.Done {
			continue
		}
		n := slices.IndexFunc(h.Sockets, func(s soak.Socket) bool {
			return s.Session == a.By && s.Opened != 0 && s.Opened < a.From && s.Closed > a.From && s.Left != 0
		})
		if n > 0 {
			return n, a.By
		}
	}
	return 0, ""
}

// checkChecker plants violations in a history that has none: what found nothing in it
// must find each of them. A long run has to have a place for all.
func checkChecker(t *testing.T, h *soak.History, r *soak.Report, long bool) {
	for _, p := range plants {
		t.Run(p.name, func(t *testing.T) {
			planted := *h
			planted.Sockets, planted.Messages = slices.Clone(h.Sockets), slices.Clone(h.Messages)
			planted.Loads, planted.Deliveries = slices.Clone(h.Loads), slices.Clone(h.Deliveries)
			if !p.do(&planted, r) {
				if long {
					t.Error("no place for it in this run")
				}
				return
			}
			found := soak.Check(&planted).Violations
			for _, v := range found {
				if v.Kind != p.want {
					t.Errorf("found %s: %s", v.Kind, v.Text)
				}
			}
			if len(found) == 0 {
				t.Errorf("found nothing, want %s", p.want)
			}
		})
	}
}
