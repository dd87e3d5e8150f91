package soak_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionhub/sessionhub/internal/soak"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*soak.History)
		want []soak.Kind
	}{
		{"nothing wrong", func(*soak.History) {}, nil},

		// Sockets.
		{"a socket stays", func(h *soak.History) { h.Sockets[1].Closed = 0 }, []soak.Kind{soak.Alive}},
		{"a socket closes late", func(h *soak.History) { h.Sockets[1].Closed = 10*sec + 400*ms }, []soak.Kind{soak.Alive}},
		{"a socket closes late, and the machine stood still", func(h *soak.History) {
			h.Sockets[1].Closed = 10*sec + 400*ms
			h.Stalls = []soak.Span{span(10*sec+50*ms, 10*sec+250*ms)}
		}, nil},
		{"a socket closes late, and the machine was busy", func(h *soak.History) {
			h.Sockets[1].Closed = 11 * sec
			h.Stalls = []soak.Span{span(9*sec+600*ms, 9*sec+900*ms)}
		}, nil},
		{"a socket closes when the black hole is over", func(h *soak.History) {
			broken(h, soak.BlackHole, 9*sec, 14*sec)
			h.Sockets[1].Closed = 17 * sec
		}, nil},
		{"a socket stays after the black hole is over", func(h *soak.History) {
			broken(h, soak.BlackHole, 9*sec, 14*sec)
			h.Sockets[1].Closed = 19 * sec
		}, []soak.Kind{soak.Alive}},
		{"a socket stays for longer than the stale limit", func(h *soak.History) {
			broken(h, soak.BlackHole, 9*sec, soak.Never)
			h.Sockets[1].Closed = 27*sec + 800*ms
		}, []soak.Kind{soak.Alive}},
		{"a fault elsewhere is no excuse", func(h *soak.History) {
			broken(h, soak.BlackHole, 9*sec, 14*sec)
			h.Faults[0].Slot = first.Slot
			h.Sockets[1].Closed = 11 * sec
		}, []soak.Kind{soak.Alive}},
		{"SCRIPT FLUSH is no excuse", func(h *soak.History) {
			broken(h, soak.Flush, 10*sec, 10*sec)
			h.Sockets[1].Closed = 11 * sec
		}, []soak.Kind{soak.Alive}},
		{"the node of the socket crashes", func(h *soak.History) {
			broken(h, soak.Crash, 9*sec, 9*sec+500*ms)
			h.Sockets[1].Closed = 9 * sec
		}, nil},
		{"a socket of an older login stays", func(h *soak.History) {
			stays(h)
			h.Logins = append(h.Logins, soak.Login{Span: span(6*sec, 6*sec+5*ms), Session: "s", User: "ada", Outcome: soak.Done, Elevates: true})
		}, []soak.Kind{soak.Alive}},
		{"a socket of the newest login stays", func(h *soak.History) {
			stays(h)
			h.Logins = append(h.Logins, soak.Login{Span: span(sec+100*ms, sec+105*ms), Session: "s", User: "ada", Outcome: soak.Done, Elevates: true})
		}, nil},
		{"a socket that its handler closed stays", func(h *soak.History) {
			stays(h)
			h.Acts = []soak.Act{{Span: span(6*sec, 6*sec), At: second, Scope: soak.Connection, Socket: 1, Outcome: soak.Done}}
		}, []soak.Kind{soak.Alive}},
		{"a socket outlives the idle timeout", func(h *soak.History) {
			stays(h)
			h.Rules.Idle = 12 * sec
		}, []soak.Kind{soak.Alive}},
		{"a socket outlives the lifetime", func(h *soak.History) {
			stays(h)
			h.Rules.Life = 20 * sec
		}, []soak.Kind{soak.Alive}},
		{"a socket lives because of its messages", func(h *soak.History) {
			stays(h)
			h.Rules.Idle = 12 * sec
			for at := 5 * sec; at < 28*sec; at += 5 * sec {
				message(h, soak.Message{Socket: 1, Sent: at, Dispatched: at, Saved: at + ms})
			}
		}, nil},
		{"a socket that reads does not live because of its messages", func(h *soak.History) {
			stays(h)
			h.Rules.Idle = 12 * sec
			h.Sockets[1].Quiet = true
			for at := 5 * sec; at < 17*sec; at += 5 * sec {
				message(h, soak.Message{Socket: 1, Reads: true, Sent: at, Dispatched: at})
			}
		}, []soak.Kind{soak.Alive}},
		{"a session that was found at the last moment lives on", func(h *soak.History) {
			stays(h)
			h.Rules.Idle = 12 * sec
			load(h, 17*sec+50*ms, soak.Load{Answer: soak.Found, Total: 117, Mark: 2, Chat: 1})
			load(h, 20*sec, soak.Load{Answer: soak.Found, Total: 117, Mark: 2, Chat: 1})
		}, nil},
		{"a socket outlives an expiry that its node knows", func(h *soak.History) {
			stays(h)
			h.Expiries = []soak.Expiry{{Span: span(6*sec, 6*sec+5*ms), At: second, Session: "s", Outcome: soak.Done, Until: 15 * sec}}
		}, []soak.Kind{soak.Alive}},
		{"a socket is closed after an expiry when its node could ask, on a slow way", func(h *soak.History) {
			stays(h)
			h.Faults = []soak.Fault{{Kind: soak.Latency, Slot: second.Slot, Span: span(14*sec, 18*sec)}}
			h.Expiries = []soak.Expiry{{Span: span(6*sec, 6*sec+5*ms), At: second, Session: "s", Outcome: soak.Done, Until: 15 * sec}}
			h.Sockets[1].Closed, h.Loads = 16*sec, h.Loads[:1]
		}, nil},
		{"a socket outlives an expiry that its node could ask about, on a slow way", func(h *soak.History) {
			stays(h)
			h.Faults = []soak.Fault{{Kind: soak.Latency, Slot: second.Slot, Span: span(14*sec, 18*sec)}}
			h.Expiries = []soak.Expiry{{Span: span(6*sec, 6*sec+5*ms), At: second, Session: "s", Outcome: soak.Done, Until: 15 * sec}}
			h.Sockets[1].Closed, h.Loads = 17*sec, h.Loads[:1]
		}, []soak.Kind{soak.Alive}},
		{"a socket outlives an expiry that its node was not told of", func(h *soak.History) {
			stays(h)
			h.Expiries = []soak.Expiry{{Span: span(6*sec, 6*sec+5*ms), At: first, Session: "s", Outcome: soak.Done, Until: 15 * sec}}
		}, nil},
		{"all sessions of a user end when one has expired that its node was not told of", func(h *soak.History) {
			h.Acts[0].Scope, h.Acts[0].By = soak.Others, "sibling"
			h.Sockets[1].Closed, h.Loads = 0, h.Loads[:1]
			h.Expiries = []soak.Expiry{{Span: span(6*sec, 6*sec+5*ms), At: first, Session: "s", Outcome: soak.Done, Until: 9 * sec}}
		}, nil},
		{"a login as somebody else replaces one that has expired, of which its node was not told", func(h *soak.History) {
			h.Acts[0].Scope = soak.Replaced
			h.Sockets[1].Closed, h.Loads = 0, h.Loads[:1]
			h.Expiries = []soak.Expiry{{Span: span(6*sec, 6*sec+5*ms), At: first, Session: "s", Outcome: soak.Done, Until: 9 * sec}}
		}, nil},
		{"a login as somebody else replaces one that may have expired, by an order with a lost answer", func(h *soak.History) {
			h.Acts[0].Scope = soak.Replaced
			h.Sockets[1].Closed, h.Loads = 0, h.Loads[:1]
			h.Expiries = []soak.Expiry{{Span: span(6*sec, 6*sec+5*ms), At: first, Session: "s", Until: 9 * sec}}
		}, nil},
		{"a login as somebody else, and a socket stays", func(h *soak.History) {
			h.Acts[0].Scope = soak.Replaced
			h.Sockets[1].Closed, h.Loads = 0, h.Loads[:1]
		}, []soak.Kind{soak.Alive}},
		{"all sessions of a user end once more", func(h *soak.History) {
			h.Acts[0].Scope, h.Acts[0].By = soak.Others, "sibling"
			h.Sockets[1].Closed = 0
			again := h.Acts[0]
			again.Span = span(12*sec, 13*sec)
			h.Acts = append(h.Acts, again)
		}, []soak.Kind{soak.Alive}},

		// Messages.
		{"a message after the end", func(h *soak.History) {
			message(h, soak.Message{Socket: 1, Sent: 10 * sec, Dispatched: 10*sec + 100*ms})
		}, []soak.Kind{soak.Late}},
		{"a message soon after an end that all nodes acknowledged", func(h *soak.History) {
			message(h, soak.Message{Socket: 1, Sent: 10 * sec, Dispatched: 10*sec + 40*ms})
		}, nil},
		{"a message after an end that nobody acknowledged yet", func(h *soak.History) {
			h.Acts[0].Acked = 1
			message(h, soak.Message{Socket: 1, Sent: 10 * sec, Dispatched: 10*sec + 200*ms})
		}, nil},
		{"a message through a black hole", func(h *soak.History) {
			broken(h, soak.DeafDown, 9*sec, 14*sec)
			h.Acts[0].Acked = 1
			h.Sockets[1].Closed = 15 * sec
			message(h, soak.Message{Socket: 1, Sent: 10 * sec, Dispatched: 12*sec + 900*ms})
		}, nil},
		{"a message through a black hole that should have been noticed", func(h *soak.History) {
			broken(h, soak.DeafDown, 9*sec, 14*sec)
			h.Acts[0].Acked = 1
			h.Sockets[1].Closed = 15 * sec
			message(h, soak.Message{Socket: 1, Sent: 10 * sec, Dispatched: 13*sec + 100*ms})
		}, []soak.Kind{soak.Late}},
		{"a message through a black hole, and all nodes were said to know", func(h *soak.History) {
			broken(h, soak.DeafDown, 9*sec, 14*sec)
			h.Sockets[1].Closed = 15 * sec
			message(h, soak.Message{Socket: 1, Sent: 10 * sec, Dispatched: 12 * sec})
		}, []soak.Kind{soak.Late}},
		{"a delivery after the end", func(h *soak.History) {
			h.Deliveries = append(h.Deliveries, soak.Delivery{Socket: 1, Message: 2, At: 11 * sec})
		}, []soak.Kind{soak.Late}},
		{"a delivery of a namespace after its end", func(h *soak.History) {
			h.Acts = append(h.Acts, soak.Act{Span: span(6*sec, 6*sec+5*ms), At: first, Scope: soak.Namespace, By: "s", Outcome: soak.Done, Acked: 2, Expected: 2})
			h.Deliveries = append(h.Deliveries, soak.Delivery{Socket: 1, Message: 1, At: 8 * sec})
		}, []soak.Kind{soak.Late}},
		{"a delivery before its save", func(h *soak.History) { h.Deliveries[0].At = 4*sec + ms }, []soak.Kind{soak.Unsaved}},
		{"an answer without a save", func(h *soak.History) {
			message(h, soak.Message{Socket: 1, Sent: 5 * sec, Dispatched: 5 * sec, Answered: 5*sec + ms})
		}, []soak.Kind{soak.Unsaved}},

		// What comes back.
		{"a session is found after its end", func(h *soak.History) {
			load(h, 10*sec+11*ms, soak.Load{Answer: soak.Found, Total: 117, Mark: 2, Chat: 1})
		}, []soak.Kind{soak.Back}},
		{"a session is found after it was not there", func(h *soak.History) {
			stays(h)
			h.Acts = []soak.Act{{Span: span(10*sec, 10*sec+10*ms), At: first, Scope: soak.This, By: "s"}} // nobody knows
			load(h, 11*sec, soak.Load{Answer: soak.None})
			load(h, 12*sec, soak.Load{Answer: soak.Found, Total: 117, Mark: 2, Chat: 1})
		}, []soak.Kind{soak.Back}},
		{"a session is found that nobody knows to have ended", func(h *soak.History) {
			stays(h)
			h.Acts = []soak.Act{{Span: span(10*sec, 10*sec+10*ms), At: first, Scope: soak.This, By: "s"}}
			load(h, 12*sec, soak.Load{Answer: soak.Found, Total: 117, Mark: 2, Chat: 1})
		}, nil},
		{"a session is found after its end, in the store", func(h *soak.History) {
			load(h, 27*sec, soak.Load{Answer: soak.Found})
			h.Loads[len(h.Loads)-1].At = soak.Place{Slot: -1}
		}, []soak.Kind{soak.Back, soak.Back}}, // and it was not there before
		{"a session lets a socket in after its end", func(h *soak.History) {
			h.Sockets = append(h.Sockets, soak.Socket{At: second, Session: "s", Dialed: 10*sec + 11*ms, Opened: 10*sec + 15*ms, Served: 10*sec + 15*ms, Closed: 10*sec + 16*ms})
		}, []soak.Kind{soak.Back}},
		{"a socket that was being opened at the end", func(h *soak.History) {
			h.Sockets = append(h.Sockets, soak.Socket{At: second, Session: "s", Dialed: 10*sec + 9*ms, Opened: 10*sec + 15*ms, Served: 10*sec + 15*ms, Closed: 10*sec + 16*ms})
		}, nil},
		{"a message is saved after the end", func(h *soak.History) {
			message(h, soak.Message{Socket: 1, Sent: 10 * sec, Dispatched: 10*sec + 11*ms, Saved: 10*sec + 13*ms})
		}, []soak.Kind{soak.Back}},
		{"a session is found after it has expired", func(h *soak.History) {
			stays(h)
			h.Sockets[1].Closed = 17 * sec
			h.Rules.Idle = 12 * sec
			load(h, 20*sec, soak.Load{Answer: soak.Found, Total: 117, Mark: 2, Chat: 1})
		}, []soak.Kind{soak.Back}},
		{"all sessions of a user end, and one is found", func(h *soak.History) {
			h.Acts[0].Scope = soak.All
		}, []soak.Kind{soak.Back}},
		{"all others end, and the one stays", func(h *soak.History) {
			h.Acts[0].Scope, h.Acts[0].By = soak.Others, "sibling"
		}, nil},
		{"all others end, and one is found", func(h *soak.History) {
			h.Acts[0].Scope, h.Acts[0].By = soak.Others, "sibling"
			load(h, 13*sec, soak.Load{Answer: soak.Found, Total: 117, Mark: 2, Chat: 1})
		}, []soak.Kind{soak.Back, soak.Back}},
		{"all sessions of a user end while she logs in", func(h *soak.History) {
			h.Acts[0].Scope = soak.All
			h.Logins[1].Span = span(9*sec, 10*sec+5*ms)
		}, nil},
		{"an administrator ends a session, and it is found", func(h *soak.History) {
			h.Acts[0].Scope, h.Acts[0].By, h.Acts[0].Target = soak.Administrator, "", "s"
			load(h, 13*sec, soak.Load{Answer: soak.Found, Total: 117, Mark: 2, Chat: 1})
		}, []soak.Kind{soak.Back, soak.Back}},
		{"a namespace is written to by a socket that lost it", func(h *soak.History) {
			h.Acts = append(h.Acts, soak.Act{Span: span(6*sec, 6*sec+5*ms), At: first, Scope: soak.Namespace, By: "s", Outcome: soak.Done, Acked: 2, Expected: 2})
			message(h, soak.Message{Socket: 1, InChat: true, Sent: 7 * sec, Dispatched: 7 * sec, Saved: 7*sec + ms})
		}, []soak.Kind{soak.Back}},
		{"a namespace has its values again", func(h *soak.History) {
			h.Acts = append(h.Acts, soak.Act{Span: span(6*sec, 6*sec+5*ms), At: first, Scope: soak.Namespace, By: "s", Outcome: soak.Done, Acked: 2, Expected: 2})
			load(h, 7*sec, soak.Load{Answer: soak.Found, Total: 117, Mark: 2, Chat: 1})
		}, []soak.Kind{soak.Back}},

		// What is owed.
		{"an end that is owed is carried out", func(h *soak.History) {
			broken(h, soak.Stop, 9*sec, 12*sec)
			h.Acts[0].Outcome = soak.Owed
			h.Loads = h.Loads[:1]
			load(h, 13*sec, soak.Load{Answer: soak.Found, Total: 117, Mark: 2, Chat: 1})
			h.Sockets[1].Closed = 16 * sec
		}, nil},
		{"an end that is owed is forgotten", func(h *soak.History) {
			broken(h, soak.Stop, 9*sec, 12*sec)
			h.Acts[0].Outcome = soak.Owed
			h.Loads = h.Loads[:1]
			load(h, 17*sec, soak.Load{Answer: soak.Found, Total: 117, Mark: 2, Chat: 1})
			h.Sockets[1].Closed = 0
		}, []soak.Kind{soak.Back, soak.Alive}},
		{"an end that is owed goes with its node", func(h *soak.History) {
			broken(h, soak.Stop, 9*sec, 12*sec)
			h.Acts[0].Outcome = soak.Owed
			h.Nodes[0].To = 14 * sec
			h.Loads = h.Loads[:1]
			load(h, 17*sec, soak.Load{Answer: soak.Found, Total: 117, Mark: 2, Chat: 1})
		}, nil},
		{"the node that owes an end lets the session in", func(h *soak.History) {
			broken(h, soak.Stop, 9*sec, 12*sec)
			h.Acts[0].Outcome, h.Acts[0].At, h.Acts[0].Acked = soak.Owed, second, 0
			load(h, 10*sec+500*ms, soak.Load{Answer: soak.Found, Total: 117, Mark: 2, Chat: 1})
		}, []soak.Kind{soak.Back}},
		{"the node that owes an end, and knows whose it is, goes on saving", func(h *soak.History) {
			broken(h, soak.Stop, 9*sec, 10*sec)
			h.Acts[0].Outcome, h.Acts[0].At, h.Acts[0].Acked = soak.Owed, second, 1
			message(h, soak.Message{Socket: 1, Sent: 11 * sec, Dispatched: 11 * sec, Saved: 11*sec + ms})
			h.Sockets[1].Closed = 12 * sec
		}, []soak.Kind{soak.Back}},
		{"the node that owes an end, and does not know whose it is, goes on saving", func(h *soak.History) {
			broken(h, soak.Stop, 9*sec, 10*sec)
			h.Acts[0].Outcome, h.Acts[0].At, h.Acts[0].Acked = soak.Owed, second, 0
			message(h, soak.Message{Socket: 1, Sent: 11 * sec, Dispatched: 11 * sec, Saved: 11*sec + ms})
			h.Sockets[1].Closed = 12 * sec
		}, nil},

		// What is lost.
		{"a session is not there", func(h *soak.History) { load(h, 6*sec, soak.Load{Answer: soak.None}) }, []soak.Kind{soak.Lost}},
		{"a session cannot be asked for", func(h *soak.History) { load(h, 6*sec, soak.Load{Answer: soak.Away}) }, nil},
		{"a session is not there and may have expired", func(h *soak.History) {
			stays(h)
			h.Rules.Idle = 3500 * ms
			h.Sockets[1].Closed = 8600 * ms
			h.Loads = h.Loads[:1]
			load(h, 9*sec, soak.Load{Answer: soak.None})
		}, nil},
		{"a save is lost", func(h *soak.History) { h.Loads[0].Total = 100 }, []soak.Kind{soak.Lost}},
		{"a save counts twice", func(h *soak.History) { h.Loads[0].Total = 134 }, []soak.Kind{soak.Lost}},
		{"a save counts twice beside one of unknown outcome", func(h *soak.History) {
			message(h, soak.Message{Socket: 1, Weight: 3, Sent: 4 * sec, Dispatched: 4 * sec})
			h.Loads[0].Total = 134
		}, []soak.Kind{soak.Lost}},
		{"a save of unknown outcome is there", func(h *soak.History) {
			message(h, soak.Message{Socket: 1, Weight: 3, Sent: 4 * sec, Dispatched: 4 * sec})
			h.Loads[0].Total = 120
		}, nil},
		{"a save of unknown outcome is not there", func(h *soak.History) {
			message(h, soak.Message{Socket: 1, Weight: 3, Sent: 4 * sec, Dispatched: 4 * sec})
		}, nil},
		{"a save during the load may be there or not", func(h *soak.History) {
			message(h, soak.Message{Socket: 1, Weight: 3, Sent: 5 * sec, Dispatched: 5 * sec, Saved: 5*sec + ms})
		}, nil},
		{"a register has an older value", func(h *soak.History) { h.Loads[0].Mark = 1 }, []soak.Kind{soak.Lost}},
		{"a register has no value", func(h *soak.History) { h.Loads[0].Mark = 0 }, []soak.Kind{soak.Lost}},
		{"a register has what nobody wrote", func(h *soak.History) { h.Loads[0].Chat = 2 }, []soak.Kind{soak.Lost}},
		{"a register is empty after the namespace ended", func(h *soak.History) {
			h.Acts = append(h.Acts, soak.Act{Span: span(6*sec, 6*sec+5*ms), At: first, Scope: soak.Namespace, By: "s", Outcome: soak.Done, Acked: 2, Expected: 2})
			load(h, 7*sec, soak.Load{Answer: soak.Found, Total: 117, Mark: 2})
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := quietRun()
			c.do(h)
			var got []soak.Kind
			r := soak.Check(h)
			for _, v := range r.Violations {
				got = append(got, v.Kind)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				var text strings.Builder
				r.Explain(&text, h, 10)
				t.Errorf("violations (-want +got):\n%s%s", diff, text.String())
			}
		})
	}
}

// TestCheck_knowsItsChances is about a node that is deaf from 9 s to 18 s, and
// subscribed again at 14 s, if the fault is a split.
func TestCheck_knowsItsChances(t *testing.T) {
	type chances struct{ said, published, unheard int }
	says := func(at time.Duration) func(*soak.History) {
		return func(h *soak.History) { message(h, soak.Message{Socket: 1, Reads: true, Sent: at}) }
	}
	news := func(at time.Duration) func(*soak.History) {
		return func(h *soak.History) {
			h.Sockets[1].Listens = true
			h.News = append(h.News, len(h.Messages))
			h.Messages = append(h.Messages, soak.Message{Reads: true, Sent: at})
		}
	}
	for _, c := range []struct {
		name string
		do   func(*soak.History)
		want chances
	}{
		{"nothing is said", func(*soak.History) {}, chances{0, 0, 1}},
		{"a message within the bound", says(12 * sec), chances{0, 0, 1}},
		{"a message after the bound", says(13*sec + 100*ms), chances{1, 0, 1}},
		{"a message after the fault", says(18*sec + 100*ms), chances{0, 0, 1}},
		{"news while the subscription is silent", news(13*sec + 500*ms), chances{0, 0, 1}},
		{"news before the look-up", news(15 * sec), chances{0, 1, 1}},
		{"news after the fault", news(18*sec + 100*ms), chances{0, 0, 1}},
		{"a socket that asks the store", func(h *soak.History) { h.Sockets[1].Quiet = false }, chances{}},
		{"a socket that closed in time", func(h *soak.History) {
			h.Sockets[1].Closed = 11 * sec
			says(13*sec + 100*ms)(h)
			news(15 * sec)(h)
		}, chances{}},
		{"an end whose notice came before the fault", func(h *soak.History) {
			h.Faults[0].From = 10*sec + 5*ms
		}, chances{}},
		{"a fault that is shorter than the bound", func(h *soak.History) {
			h.Faults[0].Turn, h.Faults[0].To = 0, 11*sec
			h.Sockets[1].Closed = 11*sec + 10*ms
		}, chances{}},
		{"a fault that leaves the node its ears", func(h *soak.History) {
			h.Faults[0].Kind, h.Faults[0].Turn = soak.DeafUp, 0
			says(13*sec + 100*ms)(h)
		}, chances{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := quietRun()
			broken(h, soak.Split, 9*sec, 18*sec)
			h.Faults[0].Turn = 14 * sec
			h.Acts[0].Acked = 1
			h.Sockets[1].Quiet, h.Sockets[1].Closed = true, 19*sec
			c.do(h)
			r := soak.Check(h)
			if got := (chances{len(r.Said), len(r.Published), len(r.Unheard)}); got != c.want {
				t.Errorf("chances %+v, want %+v", got, c.want)
			}
			if r.Failed() {
				t.Errorf("violations %+v", r.Violations)
			}
		})
	}
}

func TestChances_Missing(t *testing.T) {
	r := soak.Check(quietRun())
	want := []string{"dispatch while deaf", "delivery before the look-up", "socket that only a look-up closes"}
	if diff := cmp.Diff(want, r.Missing()); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	r = soak.Check(&soak.History{})
	if got, want := len(r.Missing()), len(r.Checks)+3; got != want {
		t.Errorf("an empty run misses %d chances, want all %d: %q", got, want, r.Missing())
	}
}

// TestCheck_givesUp is about a counter that too many saves may make up.
func TestCheck_givesUp(t *testing.T) {
	h := quietRun()
	for i := range 60 {
		message(h, soak.Message{Socket: 1, Weight: 1<<40 + int64(i), Sent: 4 * sec, Dispatched: 4 * sec})
	}
	h.Loads[0].Total += 30<<40 + 7
	r := soak.Check(h)
	if r.Failed() || r.Undecided != 1 {
		t.Errorf("%d violations and %d undecided, want 0 and 1", len(r.Violations), r.Undecided)
	}
}

func TestReport_says(t *testing.T) {
	h := quietRun()
	broken(h, soak.DeafDown, 9*sec, 14*sec)
	h.Acts[0].Acked = 1
	h.Sockets[1].Closed = 13 * sec
	message(h, soak.Message{Socket: 1, Sent: 10 * sec, Dispatched: 11*sec + 10*ms})
	message(h, soak.Message{Socket: 1, Sent: 10 * sec, Dispatched: 14 * sec})
	var text strings.Builder
	r := soak.Check(h)
	r.Print(&text)
	r.Explain(&text, h, 1)
	for _, want := range []string{
		"2 logins and renewals", "ends: 1 (done 1, owed 0, refused 0, unknown 0), this 1",
		"FAULT black hole, from Redis, node 1, begins", "message 4 is dispatched", "end (this) done, acked 1 of 2",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	for _, row := range r.Rows {
		if row.Fault != soak.DeafDown {
			continue
		}
		want := &soak.Row{
			Fault: soak.DeafDown, Faults: 1, Ends: 1,
			Dispatch: []time.Duration{3990 * ms}, Close: []time.Duration{2990 * ms},
		}
		want.Violations[soak.Late] = 1
		if diff := cmp.Diff(want, row); diff != "" {
			t.Errorf("row (-want +got):\n%s", diff)
		}
	}
}
