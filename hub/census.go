package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sessionhub/sessionhub/internal/notice"
)

// maxCensus is how many sessions one census asks about at most.
const maxCensus = 1000

// ErrTooManyIDs is returned by [Hub.Connections] for more than 1,000 ids.
var ErrTooManyIDs = errors.New("hub: more than 1,000 ids")

// Connections returns how many LIVE connections each of some sessions of a
// family has, on all nodes: those admitted and not dead. Sessions without any
// are not in the result.
//
// It asks all nodes and waits until as many have answered as there are, at
// most 250 ms and until ctx ends. When some have not answered by then, it
// returns what it has and an error that wraps [ErrPartial] and says how many
// of how many did; while the hub is stale, and before and after [Hub.Run],
// that is this node alone. Where the broker cannot tell how many nodes there
// are (see [CountingBroker]) it takes the whole 250 ms, and takes those who
// answered for all.
//
// Other errors come without a result: [ErrTooManyIDs], and [ErrAddress] for a
// root or an id that is not 1 to 64 letters, digits, "-" and "_".
//
// It costs one publication here and one on each other node, and belongs into a
// page that somebody looks at, not into a message. A method of a [Conn] does
// not call it: the answers come in the goroutine that delivers.
func (h *Hub) Connections(ctx context.Context, root string, ids []string) (map[string]int, error) {
	if len(ids) > maxCensus {
		return nil, fmt.Errorf("%w: %d", ErrTooManyIDs, len(ids))
	}
	c := census{root, slices.Compact(slices.Sorted(slices.Values(ids)))}
	if !c.valid() {
		return nil, fmt.Errorf("%w: root or id with bytes that names do not have", ErrAddress)
	}
	total := h.countLive(c)
	if len(c.ids) == 0 {
		return total, nil
	}
	return total, h.poll(ctx, connections, c.String(), func(answer string) bool {
		counts, ok := c.parseCounts(answer)
		for id, n := range counts {
			total[id] += n
		}
		return ok
	})
}

// answerConnections is this node's answer to another one's census.
func (h *Hub) answerConnections(question string) (answer string, ok bool) {
	c, ok := parseCensus(question)
	if !ok {
		return "", false
	}
	return c.formatCounts(h.countLive(c)), true
}

// countLive counts on this node.
func (h *Hub) countLive(c census) map[string]int {
	counts := make(map[string]int)
	for _, id := range c.ids {
		if n := h.registry.countLive(key{c.root, id}); n > 0 {
			counts[id] = n
		}
	}
	return counts
}

// connections is the subject of a census.
const connections = "connections"

// census asks how many LIVE connections sessions have.
type census struct {
	root string
	ids  []string // sorted, each once
}

func (c census) valid() bool {
	return notice.IsName(c.root) && !slices.ContainsFunc(c.ids, func(id string) bool { return !notice.IsName(id) })
}

// String returns the text form, as in "main|<id>,<id>".
func (c census) String() string { return c.root + "|" + strings.Join(c.ids, ",") }

// parseCensus is the inverse of [census.String], for one to maxCensus ids. It
// accepts no second spelling of the same census.
func parseCensus(s string) (c census, ok bool) {
	root, ids, _ := strings.Cut(s, "|")
	if strings.Count(ids, ",") >= maxCensus {
		return census{}, false
	}
	c = census{root, strings.Split(ids, ",")}
	for i := range c.ids[1:] {
		if c.ids[i] >= c.ids[i+1] {
			return census{}, false
		}
	}
	return c, c.valid()
}

// formatCounts returns the text form of an answer, as in "<id>=2,<id>=1", in
// the order of the ids. No connection at all is the empty text.
func (c census) formatCounts(counts map[string]int) string {
	var parts []string
	for _, id := range c.ids {
		if n := counts[id]; n > 0 {
			parts = append(parts, id+"="+strconv.Itoa(n))
		}
	}
	return strings.Join(parts, ",")
}

// parseCounts is the inverse of formatCounts. It accepts no second spelling of
// the same counts.
func (c census) parseCounts(s string) (counts map[string]int, ok bool) {
	if s == "" {
		return nil, true
	}
	if strings.Count(s, ",") >= len(c.ids) {
		return nil, false
	}
	counts = make(map[string]int)
	for part := range strings.SplitSeq(s, ",") {
		id, number, _ := strings.Cut(part, "=")
		n, err := strconv.ParseInt(number, 10, 32)
		if err != nil || n <= 0 {
			return nil, false
		}
		if _, asked := slices.BinarySearch(c.ids, id); !asked {
			return nil, false
		}
		counts[id] = int(n)
	}
	if c.formatCounts(counts) != s { // order, repetitions, "+1"
		return nil, false
	}
	return counts, true
}
