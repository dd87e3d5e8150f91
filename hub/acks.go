package hub

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sessionhub/sessionhub/internal/notice"
)

// ended is the subject of the question whether a node has marked what some
// notices concern. The body is the notices, with commas between them. An answer
// may be for several questions of the same node: its body has the nonces of the
// others, with commas between them.
const ended = "ended"

// maxOwed is how many acknowledgements wait until this node sends them. What is
// above that is dropped: whoever asked learns that a node did not answer.
const maxOwed = 1 << 12

// Acks asks all nodes to mark what some notices concern, if they have not
// already, and returns how many have and how many are expected to: those whose
// heartbeat came less than three of its intervals ago, and that did not say
// goodbye. It waits for them for Options.AckWait at most, and until ctx ends.
// Nodes that answer without being expected count in both numbers. This node
// always counts, and has marked when Acks returns.
//
// While this node may not have heard of all others, at least one more is
// expected than acked: a node that has just begun says 1 of 2. It has heard of
// all that can handle anything (but for connections that fail open) when heartbeats of its own have come back for two
// and a half intervals, without a gap; at once where a [MemoryBroker] says that
// there is no other. [Stats.NodesKnown] tells.
//
// When this node expects no other, Acks asks nobody and returns at once. It does
// not ask either when it could not hear the answers, or without notices: then it
// returns 1, and how many nodes there were when it last heard of them. With a
// notice that cannot be read it returns 0 and that number.
//
// It costs one publication for 128 KB of notices here, and at most as many on
// each other node: answers to questions of the same node go together.
func (h *Hub) Acks(ctx context.Context, notices ...string) (acked, expected int) {
	known := h.nodesKnown() // before the peers: who is heard in between is among them
	peers := h.pulse.peers.expected()
	acked, expected = 1, 1+len(peers)
	for _, text := range notices {
		if h.take(text) != nil {
			acked = 0
		}
	}
	asks := acked > 0 && len(notices) > 0 && h.ackWait >= 0
	if asks && len(peers) > 0 && h.health.hears() {
		acked, expected = h.askEnded(ctx, notices, peers)
	}
	if !known {
		expected = max(expected, acked+1)
	}
	if !asks {
		return acked, expected
	}
	if acked == expected {
		h.acked.Add(uint64(len(notices)))
	} else {
		h.unacked.Add(uint64(len(notices)))
		h.log.Debug("an end is not acknowledged by all nodes", "acked", acked, "expected", expected)
	}
	return acked, expected
}

// nodesKnown reports whether no node that is fresh is missing among the peers.
func (h *Hub) nodesKnown() bool {
	if b, ok := h.broker.(interface{ nodes() int }); ok {
		own := 0
		if h.health.attached() {
			own = 1
		}
		if b.nodes() <= own {
			return true
		}
	}
	return h.health.hearsAll()
}

// askEnded puts the question to all nodes and waits for the peers.
func (h *Hub) askEnded(ctx context.Context, notices, peers []string) (acked, expected int) {
	ctx, cancel := context.WithTimeout(ctx, h.ackWait)
	defer cancel()
	bodies := packNotices(notices)
	nonces := make([]string, len(bodies))
	for i := range nonces {
		nonces[i] = rand.Text()
	}
	p := h.polls.begin(ended, nonces...)
	defer h.polls.end(nonces...)
	acked, expected = 1, 1+len(peers)
	for i, body := range bodies {
		q := message{subject: ended, node: h.polls.node, nonce: nonces[i], body: body}
		if err := h.broker.Publish(ctx, directTopic, []byte(q.String())); err != nil {
			h.log.Debug("nodes not asked about an end", "error", err)
			return acked, expected
		}
	}
	type answer struct{ node, nonce string }
	seen := make(map[answer]bool)
	answers := make(map[string]int) // by node
	for missing, over := len(peers), false; missing > 0 && !over; {
		select {
		case <-p.wake:
		case <-ctx.Done():
			over = true // but for the answers that are there already
		}
		for _, a := range h.polls.take(p) {
			if k := (answer{a.node, a.nonce}); seen[k] || a.node == h.polls.node {
				continue
			} else {
				seen[k] = true
			}
			if answers[a.node]++; answers[a.node] < len(bodies) {
				continue
			}
			acked++
			if slices.Contains(peers, a.node) {
				missing--
			} else {
				expected++
			}
		}
	}
	return acked, expected
}

// packNotices puts notices together, as many as a message can have.
func packNotices(notices []string) (bodies []string) {
	const most = pollBytes - 256 // for the fields before the body
	var b strings.Builder
	for _, text := range notices {
		if b.Len() > 0 && b.Len()+1+len(text) > most {
			bodies = append(bodies, b.String())
			b.Reset()
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(text)
	}
	return append(bodies, b.String())
}

// askedEnded takes in another node's question, and reports whether it could be
// read. It is called by the receiver, so that what it marks is marked before
// anything that came later is looked at.
func (h *Hub) askedEnded(m message) bool {
	if m.node == h.polls.node {
		return true
	}
	marked := true
	for text := range strings.SplitSeq(m.body, ",") {
		if h.take(text) != nil {
			marked = false // and it revalidates
		}
	}
	if marked {
		h.owed.add(m.node, m.nonce)
	}
	return true // take has counted what could not be read
}

// take carries out a notice: what it concerns is marked when take returns. The
// error is that of [notice.Parse]: then it is treated as a gap.
func (h *Hub) take(text string) error {
	n, err := notice.Parse(text)
	if err != nil {
		h.unreadable(err)
		return err
	}
	h.gate(n)
	h.shut(n)
	return nil
}

// owed is what this node has to acknowledge: the nonces of questions, by the
// node that asked.
type owed struct {
	wake chan struct{} // holds a token when there is something

	mu     sync.Mutex // guards the following fields
	nonces map[string][]string
	n      int
}

func newOwed() *owed { return &owed{wake: make(chan struct{}, 1)} }

func (o *owed) add(node, nonce string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.n == maxOwed {
		return
	}
	if o.nonces == nil {
		o.nonces = make(map[string][]string)
	}
	o.nonces[node] = append(o.nonces[node], nonce)
	o.n++
	signal(o.wake)
}

func (o *owed) take() map[string][]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := o.nonces
	o.nonces, o.n = nil, 0
	return all
}

// acknowledge answers the questions of other nodes about ends until ctx ends.
func (h *Hub) acknowledge(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.owed.wake:
		}
		for node, nonces := range h.owed.take() {
			h.sendAck(ctx, node, nonces)
		}
	}
}

func (h *Hub) sendAck(ctx context.Context, node string, nonces []string) {
	ctx, cancel := context.WithTimeout(ctx, max(h.ackWait, pollBound))
	defer cancel()
	a := message{subject: ended, node: h.polls.node, nonce: nonces[0], body: strings.Join(nonces[1:], ",")}
	if err := h.broker.Publish(ctx, answerTopic+node, []byte(a.String())); err != nil {
		h.log.Debug("ends not acknowledged", "error", err)
	}
}

// parseAcks returns the answers that a message about ends has, one for each
// question.
func parseAcks(m message) (answers []message, ok bool) {
	answers = []message{{subject: m.subject, node: m.node, nonce: m.nonce}}
	if m.body == "" {
		return answers, true
	}
	for nonce := range strings.SplitSeq(m.body, ",") {
		if !notice.IsName(nonce) {
			return nil, false
		}
		answers = append(answers, message{subject: m.subject, node: m.node, nonce: nonce})
	}
	return answers, true
}

// defaultAckWait is that of [Options].
const defaultAckWait = 250 * time.Millisecond
