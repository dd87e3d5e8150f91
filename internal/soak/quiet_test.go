package soak_test

import (
	"time"

	"github.com/sessionhub/sessionhub/internal/soak"
)

const (
	ms  = time.Millisecond
	sec = time.Second
)

var (
	first  = soak.Place{Slot: 0, Life: 1}
	second = soak.Place{Slot: 1, Life: 1}
)

// quietRun returns a history without fault and without violation: a session of
// ada on the second node, with one socket (1) and two messages (1 and 2), that
// is logged out at 10 s on the first, and another one (sibling) of hers that
// stays.
func quietRun() *soak.History {
	return &soak.History{
		Rules: soak.Rules{Idle: 30 * sec, Life: 10 * time.Minute},
		End:   28 * sec,
		Nodes: []soak.Node{{Place: first, Span: soak.Span{To: soak.Never}}, {Place: second, Span: soak.Span{To: soak.Never}}},
		Logins: []soak.Login{
			{Span: span(sec, sec+5*ms), At: first, Session: "s", User: "ada", Outcome: soak.Done},
			{Span: span(sec, sec+5*ms), At: first, Session: "sibling", User: "ada", Outcome: soak.Done},
		},
		Sockets: []soak.Socket{{}, {
			At: second, Session: "s", Dialed: 2 * sec, Opened: 2*sec + 5*ms, Served: 2*sec + 5*ms,
			Closed: 10*sec + 12*ms, Left: 10*sec + 12*ms, Code: 4501, Reason: 4501,
		}},
		Messages: []soak.Message{{},
			{At: second, Session: "s", Socket: 1, Weight: 100, InChat: true, Sent: 3 * sec, Dispatched: 3*sec + ms, Saved: 3*sec + 2*ms, Answered: 3*sec + 3*ms},
			{At: second, Session: "s", Socket: 1, Weight: 17, Sent: 4 * sec, Dispatched: 4*sec + ms, Saved: 4*sec + 2*ms, Answered: 4*sec + 3*ms},
		},
		Deliveries: []soak.Delivery{{Socket: 1, Message: 2, At: 4*sec + 3*ms}},
		Acts: []soak.Act{
			{Span: span(10*sec, 10*sec+10*ms), At: first, Scope: soak.This, By: "s", User: "ada", Outcome: soak.Done, Acked: 2, Expected: 2},
		},
		Loads: []soak.Load{
			{Span: span(5*sec, 5*sec+2*ms), At: first, Session: "s", Sure: true, Answer: soak.Found, Total: 117, Mark: 2, Chat: 1},
			{Span: span(11*sec, 11*sec+2*ms), At: second, Session: "s", Sure: true, Answer: soak.None},
			{Span: span(12*sec, 12*sec+2*ms), At: second, Session: "sibling", Sure: true, Answer: soak.Found},
		},
	}
}

func span(from, to time.Duration) soak.Span { return soak.Span{From: from, To: to} }

// message adds a third message to a history.
func message(h *soak.History, m soak.Message) {
	m.At, m.Session = second, "s"
	if m.Weight == 0 {
		m.Weight = 1000
	}
	h.Messages = append(h.Messages, m)
}

// load adds a look at the session.
func load(h *soak.History, at time.Duration, l soak.Load) {
	l.Span, l.At, l.Session, l.Sure = span(at, at+2*ms), second, "s", true
	h.Loads = append(h.Loads, l)
}

// stays takes the logout and what it did back.
func stays(h *soak.History) {
	h.Acts = nil
	h.Loads = append(h.Loads[:1], h.Loads[2:]...)
	h.Sockets[1].Closed, h.Sockets[1].Left = 0, 0
}

// broken adds a fault at the second node.
func broken(h *soak.History, kind soak.FaultKind, from, to time.Duration) {
	h.Faults = append(h.Faults, soak.Fault{Span: span(from, to), Kind: kind, Slot: second.Slot})
}
