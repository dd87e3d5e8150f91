package hub

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sessionhub/sessionhub/internal/notice"
)

// pollBound is how long a question waits for answers at most, and how long it
// is worth an answer.
const pollBound = 250 * time.Millisecond

// Limits of questions and answers. What is above them is dropped: whoever
// asked learns that a node did not answer.
const (
	pollQuestions = 64      // wait until this node answers them
	pollAnswers   = 1 << 10 // wait until the one who asked takes them
	pollBytes     = 1 << 17 // of one message
)

// answerTopic, with the name of the node behind it, carries the answers to
// what that node asked. Only that node subscribes to it. [checkTopic] lets it
// through as little as directTopic.
const answerTopic = "\x01answer:"

// ErrPartial is returned, together with what is known, when not all nodes
// answered a question. Its text says how many of how many did, this node
// included.
var ErrPartial = errors.New("hub: not all nodes answered")

// polls is this node's part in questions that one node puts to all of them.
//
// A question goes to all nodes on directTopic. Each node answers the one who
// asked on a topic of that one's own, so that n nodes cost n answers and not n
// times n. The question comes back to its own node too, and counts as that
// node's answer: it proves that answers can come.
type polls struct {
	node      string        // random; names this hub to the others
	questions chan question // to be answered here

	mu   sync.Mutex // guards the following field, and the answers of the polls
	open map[string]*poll
}

// question is one that came from another node, and when.
type question struct {
	message
	came time.Time
}

// poll is a question, or a few of one subject, that waits for answers.
type poll struct {
	subject string
	answers []message     // not taken yet
	wake    chan struct{} // holds a token when there are some
}

func newPolls() *polls {
	return &polls{
		node:      rand.Text(),
		questions: make(chan question, pollQuestions),
		open:      make(map[string]*poll),
	}
}

// ownTopics are the topics that the hub itself subscribes to while it runs.
func (h *Hub) ownTopics() []string { return []string{directTopic, answerTopic + h.polls.node} }

// poll puts a question to all nodes and waits until as many have answered as
// there are, at most 250 ms. Where the broker cannot tell how many there are
// (see [CountingBroker]), it always waits that long and takes those who
// answered for all.
//
// Each other node's answer is given to take, from the calling goroutine and
// once; one that take refuses is malformed, and none. This node is not asked.
// The error is nil, or wraps [ErrPartial].
func (h *Hub) poll(ctx context.Context, subject, body string, take func(answer string) bool) error {
	if !h.Fresh() {
		return fmt.Errorf("%w: this one alone, which is stale", ErrPartial)
	}
	bounded, cancel := context.WithTimeout(ctx, pollBound)
	defer cancel()
	q := message{subject: subject, node: h.polls.node, nonce: rand.Text(), body: body}
	p := h.polls.begin(q.subject, q.nonce)
	defer h.polls.end(q.nonce)
	nodes, err := h.publishCounted(bounded, directTopic, []byte(q.String()))
	if err != nil {
		return fmt.Errorf("%w: this one alone: %w", ErrPartial, err)
	}
	if nodes >= 0 {
		nodes = max(nodes, 1) // this one
	}
	seen := make(map[string]bool) // whether the answer was good, by node
	answered, over := 0, false
	for !over && (nodes < 0 || answered < nodes) {
		select {
		case <-p.wake:
		case <-bounded.Done():
			over = true // but for the answers that are there already
		}
		for _, a := range h.polls.take(p) {
			if _, again := seen[a.node]; again {
				continue // the question, or its answer, was sent twice
			}
			seen[a.node] = a.node == q.node || take(a.body)
			if seen[a.node] {
				answered++
			} else {
				h.malformed.Add(1)
			}
		}
	}
	switch {
	case nodes >= 0 && answered >= nodes:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %d of %s: %w", ErrPartial, answered, many(nodes), context.Cause(ctx))
	case nodes < 0 && seen[q.node]:
		return nil
	}
	return fmt.Errorf("%w: %d of %s", ErrPartial, answered, many(nodes))
}

// publishCounted publishes, and returns to how many nodes, or -1.
func (h *Hub) publishCounted(ctx context.Context, topic string, data []byte) (nodes int, err error) {
	if b, ok := h.broker.(CountingBroker); ok {
		return b.PublishCounted(ctx, topic, data)
	}
	return -1, h.broker.Publish(ctx, topic, data)
}

// many is a number of nodes in words.
func many(nodes int) string {
	if nodes < 0 {
		return "an unknown number"
	}
	return strconv.Itoa(nodes)
}

// answer answers the questions of other nodes until ctx ends.
func (h *Hub) answer(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-h.polls.questions:
			h.reply(ctx, q)
		}
	}
}

// reply answers one question, unless nobody waits for that any more or this
// node does not know the subject.
func (h *Hub) reply(ctx context.Context, q question) {
	ctx, cancel := context.WithDeadline(ctx, q.came.Add(pollBound))
	defer cancel()
	if ctx.Err() != nil {
		return
	}
	var body string
	var ok bool
	switch q.subject {
	case connections:
		body, ok = h.answerConnections(q.body)
	default:
		return
	}
	if !ok {
		h.malformed.Add(1)
		return
	}
	a := message{subject: q.subject, node: h.polls.node, nonce: q.nonce, body: body}
	if err := h.broker.Publish(ctx, answerTopic+q.node, []byte(a.String())); err != nil {
		h.log.Debug("question of another node not answered", "subject", q.subject, "error", err)
	}
}

// begin opens a poll of one question, or of several.
func (s *polls) begin(subject string, nonces ...string) *poll {
	p := &poll{subject: subject, wake: make(chan struct{}, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, nonce := range nonces {
		s.open[nonce] = p
	}
	return p
}

// end closes it. Answers that come later concern nobody.
func (s *polls) end(nonces ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, nonce := range nonces {
		delete(s.open, nonce)
	}
}

// take returns the answers that came since the last time.
func (s *polls) take(p *poll) []message {
	s.mu.Lock()
	defer s.mu.Unlock()
	answers := p.answers
	p.answers = nil
	return answers
}

// asked takes a question in. It does not block.
func (s *polls) asked(m message) {
	if m.node == s.node {
		s.hand(m)
		return
	}
	select {
	case s.questions <- question{m, time.Now()}:
	default:
	}
}

// answered takes an answer in, and reports whether it could be read.
func (s *polls) answered(b []byte) bool {
	m, ok := parseMessage(b)
	if m.subject != ended {
		s.hand(m)
		return ok
	}
	all, ok := parseAcks(m)
	for _, a := range all {
		s.hand(a)
	}
	return ok
}

// hand gives an answer to the poll it is for, if that is still open.
func (s *polls) hand(m message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.open[m.nonce]
	if p == nil || p.subject != m.subject || len(p.answers) == pollAnswers {
		return
	}
	p.answers = append(p.answers, m)
	signal(p.wake)
}

// message is a question, an answer or a heartbeat. An answer repeats subject
// and nonce.
type message struct {
	subject string // what is asked
	node    string // who sends it
	nonce   string // names the question, where it is random, or the heartbeat
	body    string // as the subject wants it
}

// pollVersion is the first field. Nodes ignore the messages of another one:
// who asked takes them for silent.
const pollVersion = "1"

// String returns the text form, as in "1|connections|<node>|<nonce>|<body>".
func (m message) String() string {
	return strings.Join([]string{pollVersion, m.subject, m.node, m.nonce, m.body}, "|")
}

// isMessage reports whether b begins as a message does. The other text on
// directTopic begins with directVersion, which is no digit.
func isMessage(b []byte) bool { return len(b) > 0 && '0' <= b[0] && b[0] <= '9' }

// parseMessage is the inverse of [message.String], but for the body. A message
// of another version is ok, but comes back empty, and concerns nobody; so does
// what is not ok.
func parseMessage(b []byte) (m message, ok bool) {
	version, rest, ok := bytes.Cut(b, []byte("|"))
	if !ok || len(version) > 4 {
		return message{}, false
	}
	if v := string(version); v != pollVersion {
		n, err := strconv.ParseUint(v, 10, 16)
		return message{}, err == nil && strconv.FormatUint(n, 10) == v
	}
	if len(b) > pollBytes {
		return message{}, false
	}
	f := strings.SplitN(string(rest), "|", 4)
	if len(f) != 4 || slices.ContainsFunc(f[:3], func(s string) bool { return !notice.IsName(s) }) {
		return message{}, false
	}
	return message{subject: f[0], node: f[1], nonce: f[2], body: f[3]}, true
}
