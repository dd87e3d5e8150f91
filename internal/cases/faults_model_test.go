package cases_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// protocol is the way in which a session ends on another node than the one that
// was asked, as docs/design.md has it, made small: one session, one logout, one
// socket that opens and sends one message, and one loss of the subscription. Its
// rules can be left out one by one.
type protocol struct{ without string }

// The rules, and what goes wrong without each.
var protocolRules = map[string]string{
	"a save creates nothing":                       "the session is back",
	"deletion and notice are one step":             "a zombie socket",
	"register, then load":                          "a zombie socket",
	"nothing overwrites the mark":                  "a zombie socket",
	"a new subscription is a gap":                  "a zombie socket",
	"subscribe, then revalidate":                   "a zombie socket",
	"an admission across a gap loads again":        "a zombie socket",
	"look at the mark before a message is handled": "a message was handled after the mark",
	"save, then send":                              "an answer to what was not saved",
}

func (p protocol) has(rule string) bool {
	if _, ok := protocolRules[rule]; !ok {
		panic("no rule " + rule)
	}
	return p.without != rule
}

// phase of the socket.
type phase uint8

const (
	phaseNew phase = iota
	phaseRegistered
	phaseLoaded // and the session was there
	phaseLive
	phaseClosed
)

// message is what became of the client's message.
type message uint8

const (
	messageUnsent  message = iota
	messageRead            // and not handled yet
	messageHandled         // and not saved yet
	messageSaved
	messageDropped
)

// moment is a state of the whole.
type moment struct {
	alive, deleted bool // the session; deleted: it was
	untold         bool // deleted, and the notice is not published yet
	notice         bool // on its way to the node
	subscribed     bool
	lost           bool // the subscription was lost once
	asked          bool // a revalidation has the store's answer and was not applied yet
	answer         bool // of it: alive
	gap            bool // to be revalidated
	gapSince       bool // there was a gap since the socket registered or loaded
	socket         phase
	registered     bool // known to the node's registry
	marked         bool
	message        message
	late           bool // handled though marked
	sent           bool // the answer left
	refused        bool // the save was refused
}

// next returns what can happen, by name.
func (p protocol) next(m moment) map[string]moment {
	all := make(map[string]moment)
	can := func(name string, when bool, change func(n *moment)) {
		if when {
			n := m
			change(&n)
			all[name] = n
		}
	}
	publish := func(n *moment) { n.notice = n.subscribed } // nobody keeps it for those who do not listen
	mark := func(n *moment) { n.marked = n.marked || n.registered }

	can("log out", m.alive && !m.deleted, func(n *moment) {
		n.alive, n.deleted = false, true
		if p.has("deletion and notice are one step") {
			publish(n)
		} else {
			n.untold = true
		}
	})
	can("tell", m.untold, func(n *moment) { n.untold = false; publish(n) })
	can("crash before telling", m.untold, func(n *moment) { n.untold = false })
	can("hear", m.notice, func(n *moment) { n.notice = false; mark(n) })

	// The wrong order: revalidate when the loss is noticed, and subscribe after it.
	early := !p.has("subscribe, then revalidate")
	can("lose the subscription", m.subscribed && !m.lost, func(n *moment) {
		n.subscribed, n.notice, n.lost = false, false, true
		n.gap, n.gapSince = early, early
	})
	can("subscribe anew", !m.subscribed && !(early && (m.gap || m.asked)), func(n *moment) {
		n.subscribed = true
		if p.has("a new subscription is a gap") && !early {
			n.gap, n.gapSince = true, true
		}
	})
	can("ask about all", m.gap && !m.asked, func(n *moment) { n.gap, n.asked, n.answer = false, true, n.alive })
	can("apply the answer", m.asked, func(n *moment) {
		n.asked = false
		// Sockets that are not live yet look by themselves.
		if !n.answer && n.socket == phaseLive {
			mark(n)
		}
	})

	register := func(n *moment) { n.registered, n.gapSince = true, false }
	load := func(n *moment) {
		n.socket = phaseClosed
		if n.alive {
			n.socket = phaseLoaded
		}
	}
	if p.has("register, then load") {
		can("register", m.socket == phaseNew, func(n *moment) { n.socket = phaseRegistered; register(n) })
		can("load", m.socket == phaseRegistered, load)
	} else {
		can("load first", m.socket == phaseNew, load)
		can("register late", m.socket == phaseLoaded && !m.registered, register)
	}
	can("admit", m.socket == phaseLoaded && m.registered, func(n *moment) {
		switch {
		case n.marked && p.has("nothing overwrites the mark"):
			n.socket = phaseClosed
		case n.gapSince && p.has("an admission across a gap loads again"):
			n.gapSince = false
			load(n)
		default:
			n.socket, n.marked = phaseLive, false
		}
	})
	can("close", m.socket == phaseLive && m.marked && m.message != messageHandled, func(n *moment) { n.socket = phaseClosed })

	can("read a message", m.socket == phaseLive && m.message == messageUnsent, func(n *moment) { n.message = messageRead })
	can("handle it", m.socket == phaseLive && m.message == messageRead, func(n *moment) {
		if n.marked && p.has("look at the mark before a message is handled") {
			n.message = messageDropped
			return
		}
		n.message, n.late = messageHandled, n.marked
		n.sent = !p.has("save, then send")
	})
	can("save it", m.message == messageHandled, func(n *moment) {
		if n.alive || !p.has("a save creates nothing") {
			n.alive, n.message, n.sent = true, messageSaved, true
			return
		}
		n.message, n.refused, n.marked = messageDropped, true, true
	})
	return all
}

// wrong says what is wrong with a moment, and nothing if that is nothing. last is
// one in which nothing can happen any more but what people do.
func (m moment) wrong(last bool) string {
	switch {
	case m.deleted && m.alive:
		return "the session is back"
	case m.late:
		return "a message was handled after the mark"
	case m.sent && m.refused:
		return "an answer to what was not saved"
	case last && m.deleted && m.socket == phaseLive:
		return "a zombie socket"
	}
	return ""
}

// explore goes through all that can happen, in the order of its length, and
// returns the first thing that is wrong, and the way there.
func (p protocol) explore() (wrong string, path []string, moments int) {
	type step struct {
		from moment
		name string
	}
	first := moment{alive: true, subscribed: true}
	came := map[moment]step{first: {}}
	queue := []moment{first}
	for len(queue) > 0 {
		m := queue[0]
		queue = queue[1:]
		next := p.next(m)
		names := slices.Sorted(maps.Keys(next))
		// People need not send, and networks need not break.
		last := !slices.ContainsFunc(names, func(name string) bool {
			return name != "read a message" && name != "lose the subscription" && name != "log out"
		})
		if wrong := m.wrong(last); wrong != "" {
			for at := m; at != first; at = came[at].from {
				path = append(path, came[at].name)
			}
			slices.Reverse(path)
			return wrong, path, len(came)
		}
		for _, name := range names {
			if _, seen := came[next[name]]; !seen {
				came[next[name]] = step{m, name}
				queue = append(queue, next[name])
			}
		}
	}
	return "", nil, len(came)
}

func TestD27_everyRuleOfAnEndIsNeeded(t *testing.T) {
	wrong, path, moments := protocol{}.explore()
	if wrong != "" {
		t.Errorf("with all rules: %s by %s", wrong, strings.Join(path, ", "))
	}
	if moments < 100 {
		t.Errorf("only %d moments were looked at", moments)
	}
	for rule, want := range protocolRules {
		wrong, path, _ := protocol{without: rule}.explore()
		if wrong != want {
			t.Errorf("without %q: %q, want %q; by %s", rule, wrong, want, strings.Join(path, ", "))
		}
		t.Logf("without %q: %s: %s", rule, wrong, strings.Join(path, ", "))
	}
}
