package hub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/hubtest"
)

// bound is how long a question waits for answers.
const bound = 250 * time.Millisecond

// tapped is a broker whose traffic the test sees and changes, but for the
// heartbeats. Nil hooks change nothing.
type tapped struct {
	bus
	count   func(nodes int) int                       // what PublishCounted returns
	publish func(topic string, data []byte) error     // before each publication
	receive func(topic string, data []byte) (ok bool) // false: it is lost
}

func (b *tapped) Run(ctx context.Context, r hub.Receiver) error {
	return b.bus.Run(ctx, tappedReceiver{r, b})
}

func (b *tapped) PublishCounted(ctx context.Context, topic string, data []byte) (int, error) {
	if b.publish != nil && !isBeat(data) {
		if err := b.publish(topic, data); err != nil {
			return 0, err
		}
	}
	nodes, err := b.bus.PublishCounted(ctx, topic, data)
	if b.count != nil {
		nodes = b.count(nodes)
	}
	return nodes, err
}

func (b *tapped) Publish(ctx context.Context, topic string, data []byte) error {
	_, err := b.PublishCounted(ctx, topic, data)
	return err
}

type tappedReceiver struct {
	hub.Receiver
	tap *tapped
}

func (r tappedReceiver) Publication(topic string, data []byte) {
	if r.tap.receive == nil || isBeat(data) || r.tap.receive(topic, data) {
		r.Receiver.Publication(topic, data)
	}
}

// isBeat reports whether a message is a heartbeat, or the last one.
func isBeat(data []byte) bool {
	return bytes.HasPrefix(data, []byte("1|beat|")) || bytes.HasPrefix(data, []byte("1|bye|"))
}

// startTapped is start with a tap on the bus. The hooks are set before.
func startTapped(t *testing.T, s *store, shared *hub.MemoryBroker, tap *tapped) *node {
	t.Helper()
	tap.bus.MemoryBroker = shared
	return startOn(t, s, tap, &tap.bus)
}

// storeOf is a store in which these sessions live.
func storeOf(ids ...string) *store {
	s := newStore()
	for _, id := range ids {
		s.put(id, record{})
	}
	return s
}

// wantCensus asks, and compares the counts, the end of the error's text
// ("" for none) and the time that it took.
func wantCensus(t *testing.T, h *hub.Hub, ids []string, want map[string]int, partial string, took time.Duration) {
	t.Helper()
	begin := time.Now()
	got, err := h.Connections(t.Context(), "main", ids)
	if !maps.Equal(got, want) {
		t.Errorf("Connections = %v, want %v", got, want)
	}
	switch {
	case partial == "" && err != nil:
		t.Errorf("Connections = %v, want no error", err)
	case partial != "" && (!errors.Is(err, hub.ErrPartial) || !strings.HasSuffix(err.Error(), partial)):
		t.Errorf("Connections = %v, want ErrPartial with %q", err, partial)
	}
	if d := time.Since(begin); d != took {
		t.Errorf("Connections took %v, want %v", d, took)
	}
}

func TestConnections_oneNodeAnswersAtOnceWithWhatIsLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := storeOf("a", "b", "c", "d")
		n := start(t, s, nil)
		n.open("a", "alice")
		n.open("a", "alice")
		removed, _ := n.open("a", "alice")
		removed.Remove()
		ended, _ := n.open("b", "alice")
		ended.End(hub.TooSlow)
		n.open("c", "")
		n.open("d", "") // not asked about
		pending := n.Register("main", "c", nil, new(hubtest.Conn))
		defer pending.Remove()
		admitted := n.Register("main", "c", nil, new(hubtest.Conn))
		defer admitted.Remove()
		if err := s.admit(admitted, "c", ""); err != nil {
			t.Fatal(err)
		}
		other := n.Register("other", "a", nil, new(hubtest.Conn))
		defer other.Remove()
		if err := errors.Join(other.Admit("", 0, time.Hour, nil), other.Live()); err != nil {
			t.Fatal(err)
		}
		ids := []string{"c", "a", "nobody", "a", "b"}
		wantCensus(t, n.Hub, ids, map[string]int{"a": 2, "c": 1}, "", 0)
		wantCensus(t, n.Hub, nil, nil, "", 0)
		if want := []string{"c", "a", "nobody", "a", "b"}; !slices.Equal(ids, want) {
			t.Errorf("ids afterwards = %q, want %q", ids, want)
		}
	})
}

func TestConnections_addsUpAllNodes(t *testing.T) {
	for _, nodes := range []int{2, 3} {
		t.Run(fmt.Sprint(nodes), bubble(func(t *testing.T) {
			s, shared := storeOf("a", "b"), hub.NewMemoryBroker()
			var all []*node
			for range nodes {
				n := start(t, s, shared)
				n.open("a", "alice")
				all = append(all, n)
			}
			all[1].open("b", "")
			for _, n := range all {
				wantCensus(t, n.Hub, []string{"a", "b", "nobody"}, map[string]int{"a": nodes, "b": 1}, "", 0)
			}
			if err := all[1].stop(); err != nil {
				t.Fatal(err)
			}
			wantCensus(t, all[0].Hub, []string{"a", "b"}, map[string]int{"a": nodes - 1}, "", 0)
			if st := all[0].Stats(); st.Malformed != 0 || st.Published != 0 {
				t.Errorf("stats = %+v", st)
			}
		}))
	}
}

func TestConnections_silentNodeIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, shared := storeOf("a"), hub.NewMemoryBroker()
		n1, n2 := start(t, s, shared), start(t, s, shared)
		n3 := startTapped(t, s, shared, &tapped{receive: func(string, []byte) bool { return false }})
		for _, n := range []*node{n1, n2, n3} {
			n.open("a", "")
		}
		wantCensus(t, n1.Hub, []string{"a"}, map[string]int{"a": 2}, ": 2 of 3", bound)
		// The silent one does not even hear its own question.
		wantCensus(t, n3.Hub, []string{"a"}, map[string]int{"a": 1}, ": 0 of 3", bound)
	})
}

func TestConnections_contextMayBeShorter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, shared := storeOf("a"), hub.NewMemoryBroker()
		n := start(t, s, shared)
		startTapped(t, s, shared, &tapped{receive: func(string, []byte) bool { return false }})
		n.open("a", "")
		for _, d := range []time.Duration{0, 10 * time.Millisecond} {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			begin := time.Now()
			got, err := n.Connections(ctx, "main", []string{"a"})
			if !errors.Is(err, hub.ErrPartial) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Connections within %v = %v", d, err)
			}
			if got["a"] != 1 || time.Since(begin) != d {
				t.Errorf("Connections within %v = %v after %v", d, got, time.Since(begin))
			}
			cancel()
		}
	})
}

func TestConnections_staleHubAsksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, shared := storeOf("a"), hub.NewMemoryBroker()
		other := start(t, s, shared)
		other.open("a", "")
		h := hub.New(hub.Options{Broker: shared, Logger: slog.New(slog.DiscardHandler)})
		n := &node{Hub: h, store: s, t: t}
		n.open("a", "")
		ids, own := []string{"a"}, map[string]int{"a": 1}
		wantCensus(t, h, ids, own, "this one alone, which is stale", 0) // Run was not called

		other.bus.receiver().Stale(errDown)
		wantCensus(t, other.Hub, ids, own, "this one alone, which is stale", 0)
		other.bus.receiver().Fresh()
		synctest.Wait()
		wantCensus(t, other.Hub, ids, own, "", 0)

		if err := other.stop(); err != nil {
			t.Fatal(err)
		}
		wantCensus(t, other.Hub, ids, nil, "this one alone, which is stale", 0)
	})
}

// mute is a broker that does not count nodes.
type mute struct{ hub.Broker }

func TestConnections_unknownNumberOfNodesWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, shared := storeOf("a"), hub.NewMemoryBroker()
		n1 := startOn(t, s, mute{shared}, nil)
		n2 := startTapped(t, s, shared, &tapped{count: func(int) int { return -1 }})
		deaf := startOn(t, s, mute{&tapped{
			bus:     bus{MemoryBroker: shared},
			receive: func(string, []byte) bool { return false },
		}}, nil)
		for _, n := range []*node{n1, n2} {
			n.open("a", "")
		}
		for _, n := range []*node{n1, n2} {
			wantCensus(t, n.Hub, []string{"a"}, map[string]int{"a": 2}, "", bound)
		}
		wantCensus(t, deaf.Hub, []string{"a"}, nil, ": 0 of an unknown number", bound)
		ctx, cancel := context.WithTimeout(t.Context(), bound/2)
		defer cancel()
		if _, err := n1.Connections(ctx, "main", []string{"a"}); !errors.Is(err, hub.ErrPartial) {
			t.Errorf("Connections with a short context = %v, want ErrPartial", err)
		}
	})
}

func TestConnections_brokerRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errRefused := errors.New("refused")
		n := startTapped(t, storeOf("a"), hub.NewMemoryBroker(), &tapped{publish: func(string, []byte) error { return errRefused }})
		n.open("a", "")
		wantCensus(t, n.Hub, []string{"a"}, map[string]int{"a": 1}, "this one alone: refused", 0)
	})
}

// The server may have lost this node without its knowing: it sees nobody, or
// another one alone.
func TestConnections_ownQuestionHasToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, nodes := range []int{0, 1} {
			n := startTapped(t, storeOf("a"), hub.NewMemoryBroker(), &tapped{
				count:   func(int) int { return nodes },
				receive: func(string, []byte) bool { return false },
			})
			wantCensus(t, n.Hub, []string{"a"}, nil, ": 0 of 1", bound)
		}
	})
}

func TestConnections_limits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := hub.NewMemoryBroker()
		ids := make([]string, 1000)
		for i := range ids {
			ids[i] = fmt.Sprintf("%064d", i)
		}
		s := storeOf(ids...)
		n1, n2 := start(t, s, shared), start(t, s, shared)
		n2.open(ids[0], "")
		n2.open(ids[999], "")
		wantCensus(t, n1.Hub, ids, map[string]int{ids[0]: 1, ids[999]: 1}, "", 0)
		for _, c := range []struct {
			root string
			ids  []string
			want error
		}{
			{"main", append(ids, "a"), hub.ErrTooManyIDs},
			{"", []string{"a"}, hub.ErrAddress},
			{"ma|n", []string{"a"}, hub.ErrAddress},
			{"main", []string{""}, hub.ErrAddress},
			{"main", []string{"a", "b,c"}, hub.ErrAddress},
			{"main", []string{strings.Repeat("x", 65)}, hub.ErrAddress},
		} {
			if got, err := n1.Connections(t.Context(), c.root, c.ids); got != nil || !errors.Is(err, c.want) {
				t.Errorf("Connections of %d ids in %q = %v, %v, want %v", len(c.ids), c.root, got, err, c.want)
			}
		}
	})
}

func TestConnections_endOfRunLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, shared := storeOf("a"), hub.NewMemoryBroker()
		asking := start(t, s, shared)
		slow := startTapped(t, s, shared, &tapped{receive: func(string, []byte) bool { return false }})
		asking.open("a", "")
		done := make(chan error, 1)
		go func() {
			_, err := asking.Connections(t.Context(), "main", []string{"a"})
			done <- err
		}()
		synctest.Wait()
		if err := errors.Join(asking.stop(), slow.stop()); err != nil {
			t.Errorf("Run = %v", err)
		}
		if err := <-done; !errors.Is(err, hub.ErrPartial) {
			t.Errorf("Connections over the end of Run = %v, want ErrPartial", err)
		}
		if n, err := shared.PublishCounted(t.Context(), "\x01direct", nil); n != 0 || err != nil {
			t.Errorf("sent to %d nodes, %v, after all ended", n, err)
		}
	})
}

func ExampleHub_Connections() {
	shared := hub.NewMemoryBroker()
	ctx, cancel := context.WithCancel(context.Background())
	var nodes sync.WaitGroup
	hubs := make([]*hub.Hub, 2)
	for i := range hubs {
		h := hub.New(hub.Options{Broker: shared, Logger: slog.New(slog.DiscardHandler)})
		nodes.Go(func() { _ = h.Run(ctx, newStore()) })
		if err := h.WaitFresh(ctx); err != nil {
			fmt.Println(err)
		}
		hubs[i] = h
	}
	for _, h := range hubs { // a tab at each node
		e := h.Register("main", "1rPqhVw3vq0ZAHM2mDA2gg", []string{"main"}, new(hubtest.Conn))
		defer e.Remove()
		if err := errors.Join(e.Admit("alice", 1, time.Hour, nil), e.Live()); err != nil {
			fmt.Println(err)
		}
	}

	ids := []string{"1rPqhVw3vq0ZAHM2mDA2gg", "C5w0Yd3yqJk7iJkxW1d7hA"}
	open, err := hubs[0].Connections(ctx, "main", ids)
	if errors.Is(err, hub.ErrPartial) {
		fmt.Println("at least:")
	}
	for _, id := range ids {
		fmt.Println(open[id])
	}

	cancel()
	nodes.Wait()
	// Output:
	// 2
	// 0
}
