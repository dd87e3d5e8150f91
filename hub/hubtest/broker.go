package hubtest

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/hub"
)

// Harness is a bus to test.
type Harness struct {
	// Node returns the broker of one more node on the bus. Its Run has not
	// been called.
	Node func() hub.Broker

	// Cut breaks the connections that all nodes receive from. Nil: they
	// cannot break.
	Cut func()
}

// TestBroker tests the contract of [hub.Broker]. Each test opens a bus of its
// own.
func TestBroker(t *testing.T, open func(*testing.T) Harness) {
	for _, c := range []struct {
		name, rule string
		run        func(*testing.T, Harness)
	}{
		{"FreshAtFirst", "Run calls Fresh when it is subscribed", testFresh},
		{"RunEndsWithContext", "Run returns nil when its context ends", testRunEnds},
		{"NoticeReachesAll", "a notice reaches every node, its sender included, in order", testNotice},
		{"OneOrder", "all nodes see the publications of a topic in one order", testOrder},
		{"SubscribeIsAcknowledged", "what any node publishes after Subscribe returned comes", testAcknowledged},
		{"UnsubscribeStops", "publications stop after Unsubscribe", testUnsubscribe},
		{"SubscriptionsCount", "a topic comes until every Subscribe is undone", testCounted},
		{"SubscribeAfterUnsubscribe", "Unsubscribe does not undo a later Subscribe", testChurn},
		{"ManyTopics", "a node subscribes to thousands of topics", testManyTopics},
		{"BigPayload", "a publication of a megabyte comes whole", testBigPayload},
		{"DataIsNotKept", "the publisher may reuse its buffer", testNotKept},
		{"ConcurrentUse", "all methods may be called at once", testConcurrent},
		{"PublishCounted", "a counting broker says how many nodes a publication is sent to", testPublishCounted},
		{"Cut", "a loss is Stale, then Fresh; what is sent after Fresh comes", testCut},
		{"Reset", "Reset is Stale with its cause, then Fresh; what is sent after Fresh comes", testReset},
		{"ResetOutsideRun", "Reset does nothing while Run does not run", testResetOutsideRun},
		{"ResetOften", "Resets that follow each other leave a node that works", testResetOften},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("rule: %s", c.rule)
				}
			}()
			c.run(t, open(t))
		})
	}
}

func testFresh(t *testing.T, h Harness) {
	n := join(t, h)
	if events := n.events(); !slices.Equal(events, []string{"fresh"}) {
		t.Errorf("events = %q, want fresh alone", events)
	}
}

func testRunEnds(t *testing.T, h Harness) {
	n := join(t, h)
	n.stop()
	if err := <-n.ended; err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
	n.ended <- nil
}

func testNotice(t *testing.T, h Harness) {
	a, b := join(t, h), join(t, h)
	want := []string{"fresh"}
	for i := range 100 {
		text := fmt.Sprintf("1|s|main|id%d||0", i)
		if err := a.broker.Notify(t.Context(), text); err != nil {
			t.Fatalf("Notify: %v", err)
		}
		want = append(want, "notice "+text)
	}
	for name, n := range map[string]*node{"own": a, "other": b} {
		n.await(t, "all notices", func(e []string) bool { return len(e) >= len(want) })
		if got := n.events(); !slices.Equal(got, want) {
			t.Errorf("%s node: events = %q, want %q", name, got, want)
		}
	}
}

func testOrder(t *testing.T, h Harness) {
	const each = 200
	a, b := join(t, h), join(t, h)
	a.subscribe(t, "topic")
	b.subscribe(t, "topic")
	var wg sync.WaitGroup
	for i, n := range []*node{a, b} {
		wg.Go(func() {
			for j := range each {
				n.publish(t, "topic", fmt.Sprintf("%d-%03d", i, j))
			}
		})
	}
	wg.Wait()
	for _, n := range []*node{a, b} {
		n.await(t, "all publications", func(e []string) bool { return len(e) == 1+2*each })
	}
	got := a.events()
	if !slices.Equal(got, b.events()) {
		t.Error("the nodes saw different orders")
	}
	slices.SortStableFunc(got, func(x, y string) int { return strings.Compare(sender(x), sender(y)) })
	if !slices.IsSorted(got[1:]) {
		t.Error("one publisher's publications were reordered")
	}
}

// sender is the part of a publication's event that testOrder's publishers
// differ in.
func sender(event string) string {
	before, _, _ := strings.Cut(event, "-")
	return before
}

func testAcknowledged(t *testing.T, h Harness) {
	a, b := join(t, h), join(t, h)
	for i := range 100 {
		topic := fmt.Sprint("topic ", i)
		a.subscribe(t, topic)
		b.publish(t, topic, "x")
	}
	for i := range 100 {
		a.awaitEvent(t, fmt.Sprintf("publication topic %d x", i))
	}
}

func testUnsubscribe(t *testing.T, h Harness) {
	n := join(t, h)
	n.subscribe(t, "left")
	n.subscribe(t, "kept")
	n.broker.Unsubscribe("left")
	// It takes effect at some time. What is published before a publication
	// of another topic comes before that, or not at all.
	deadline := time.Now().Add(patience)
	for i := 0; ; i++ {
		left, kept := fmt.Sprint("left", i), fmt.Sprint("kept", i)
		n.publish(t, "left", left)
		n.publish(t, "kept", kept)
		n.awaitEvent(t, "publication kept "+kept)
		if !slices.Contains(n.events(), "publication left "+left) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("publications went on")
		}
	}
}

func testCounted(t *testing.T, h Harness) {
	n := join(t, h)
	n.subscribe(t, "topic")
	n.subscribe(t, "topic")
	n.broker.Unsubscribe("topic")
	for i := range 20 {
		n.publish(t, "topic", fmt.Sprint(i))
	}
	for i := range 20 {
		n.awaitEvent(t, fmt.Sprintf("publication topic %d", i))
	}
}

func testChurn(t *testing.T, h Harness) {
	a, b := join(t, h), join(t, h)
	a.subscribe(t, "topic")
	for i := range 200 {
		a.broker.Unsubscribe("topic")
		// So that the new subscription meets the end of the old one in each
		// of its stages.
		for range i % 16 {
			runtime.Gosched()
		}
		a.subscribe(t, "topic")
		b.publish(t, "topic", fmt.Sprint(i))
		a.awaitEvent(t, fmt.Sprintf("publication topic %d", i))
	}
}

func testManyTopics(t *testing.T, h Harness) {
	const topics = 3000
	a, b := join(t, h), join(t, h)
	var wg sync.WaitGroup
	for i := range topics {
		wg.Go(func() { a.subscribe(t, fmt.Sprint("topic ", i)) })
	}
	wg.Wait()
	for _, i := range []int{0, 1, topics / 2, topics - 1} {
		b.publish(t, fmt.Sprint("topic ", i), "x")
		a.awaitEvent(t, fmt.Sprintf("publication topic %d x", i))
	}
}

func testBigPayload(t *testing.T, h Harness) {
	n := join(t, h)
	n.subscribe(t, "topic")
	data := strings.Repeat("0123456789abcde\x00", 1<<16)
	n.publish(t, "topic", data)
	n.awaitEvent(t, "publication topic "+data)
}

func testNotKept(t *testing.T, h Harness) {
	n := join(t, h)
	n.subscribe(t, "topic")
	buf := make([]byte, 8)
	for i := range 50 {
		for j := range buf {
			buf[j] = byte('0' + i%10)
		}
		if err := n.broker.Publish(t.Context(), "topic", buf); err != nil {
			t.Fatalf("Publish: %v", err)
		}
	}
	n.await(t, "all publications", func(e []string) bool { return len(e) == 51 })
	for i, e := range n.events()[1:] {
		want := "publication topic " + string(bytes.Repeat([]byte{byte('0' + i%10)}, 8))
		if e != want {
			t.Fatalf("event %d = %q, want %q", i, e, want)
		}
	}
}

func testPublishCounted(t *testing.T, h Harness) {
	if _, ok := h.Node().(hub.CountingBroker); !ok {
		t.Skip("this broker does not count")
	}
	a, b := join(t, h), join(t, h)
	if n := a.publishCounted(t, "topic", "unheard"); n > 0 {
		t.Errorf("sent to %d nodes without a subscription", n)
	}
	a.subscribe(t, "topic")
	b.subscribe(t, "topic")
	if n := a.publishCounted(t, "topic", "x"); n >= 0 && n != 2 {
		t.Errorf("sent to %d nodes, want 2", n)
	}
	for _, n := range []*node{a, b} {
		n.awaitEvent(t, "publication topic x")
	}
	b.stop()
	if err := <-b.ended; err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
	b.ended <- nil
	// The bus may learn of the end somewhat later.
	deadline := time.Now().Add(patience)
	for i := 0; ; i++ {
		text := fmt.Sprint("y", i)
		n := a.publishCounted(t, "topic", text)
		a.awaitEvent(t, "publication topic "+text)
		if n < 0 || n == 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("sent to %d nodes after one of two ended, want 1", n)
		}
	}
}

func testConcurrent(t *testing.T, h Harness) {
	nodes := []*node{join(t, h), join(t, h)}
	var wg sync.WaitGroup
	for i := range 8 {
		n, topic := nodes[i%2], fmt.Sprint("topic ", i/2%2)
		wg.Go(func() {
			for j := range 50 {
				n.subscribe(t, topic)
				n.publish(t, topic, fmt.Sprint(i, "/", j))
				if err := n.broker.Notify(t.Context(), fmt.Sprint("notice ", i, "/", j)); err != nil {
					t.Errorf("Notify: %v", err)
				}
				n.broker.Unsubscribe(topic)
			}
		})
	}
	wg.Wait()
	for _, n := range nodes {
		n.await(t, "all notices", func(e []string) bool {
			return count(e, "notice ") == 400
		})
	}
}

func testCut(t *testing.T, h Harness) {
	if h.Cut == nil {
		t.Skip("the connections of this bus cannot break")
	}
	a, b := join(t, h), join(t, h)
	a.subscribe(t, "before")
	for round := range 3 {
		h.Cut()
		for _, n := range []*node{a, b} {
			n.await(t, "Stale and Fresh", func(e []string) bool {
				return count(e, "stale") > round && count(e, "fresh") > count(e, "stale")
			})
		}
		hearsAgain(t, a, b, round)
	}
}

// hearsAgain checks that a hears b, on the topic of before and on a new one.
func hearsAgain(t *testing.T, a, b *node, round int) {
	t.Helper()
	topic := fmt.Sprint("during ", round)
	a.subscribe(t, topic)
	x := fmt.Sprint("x", round)
	b.publish(t, "before", x)
	b.publish(t, topic, x)
	if err := b.broker.Notify(t.Context(), x); err != nil {
		t.Fatalf("Notify: %v", err)
	}
	a.awaitEvent(t, "publication before "+x)
	a.awaitEvent(t, "publication "+topic+" "+x)
	a.awaitEvent(t, "notice "+x)
}

func testReset(t *testing.T, h Harness) {
	a, b := join(t, h), join(t, h)
	a.subscribe(t, "before")
	for round := range 3 {
		cause := fmt.Sprint("cause ", round)
		a.broker.Reset(errors.New(cause))
		a.await(t, "Stale and Fresh", func(e []string) bool {
			return count(e, "stale") == round+1 && count(e, "fresh") == round+2
		})
		stale := slices.IndexFunc(a.events(), func(e string) bool { return strings.HasPrefix(e, "stale") && strings.Contains(e, cause) })
		if stale < 0 {
			t.Errorf("events = %.2000q: no Stale says %q", a.events(), cause)
		}
		hearsAgain(t, a, b, round)
		b.awaitEvent(t, fmt.Sprint("notice x", round))
	}
}

func testResetOutsideRun(t *testing.T, h Harness) {
	idle := h.Node()
	idle.Reset(errors.New("before Run"))
	n := join(t, Harness{Node: func() hub.Broker { return idle }})
	if events := n.events(); !slices.Equal(events, []string{"fresh"}) {
		t.Errorf("events = %q, want fresh alone", events)
	}
	n.stop()
	if err := <-n.ended; err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
	n.ended <- nil
	idle.Reset(errors.New("after Run"))
	if events := n.events(); !slices.Equal(events, []string{"fresh"}) {
		t.Errorf("events = %q, want fresh alone", events)
	}
}

func testResetOften(t *testing.T, h Harness) {
	a, b := join(t, h), join(t, h)
	a.subscribe(t, "topic")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				a.broker.Reset(errors.New("again"))
				runtime.Gosched()
			}
		})
	}
	wg.Wait()
	// Now and then one takes effect only after the last one was called.
	deadline := time.Now().Add(patience)
	for i := 0; ; i++ {
		stales := count(a.events(), "stale")
		a.await(t, "Fresh", func(e []string) bool { return count(e, "fresh") > stales })
		text := fmt.Sprint("x", i)
		b.publish(t, "topic", text)
		if err := b.broker.Notify(t.Context(), text); err != nil {
			t.Fatalf("Notify: %v", err)
		}
		came := func(e []string) bool {
			return slices.Contains(e, "publication topic "+text) && slices.Contains(e, "notice "+text)
		}
		a.await(t, "what was sent, or a gap", func(e []string) bool { return came(e) || count(e, "stale") > stales })
		if came(a.events()) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("gaps went on")
		}
	}
	if all := a.events(); count(all, "stale") == 0 {
		t.Errorf("events = %.2000q, want a gap", all)
	}
}
