package hub_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/hubtest"
)

func TestPublish_reachesLiveSubscribersOfAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, shared := newStore(), hub.NewMemoryBroker()
		s.put("a", record{})
		n1, n2 := start(t, s, shared), start(t, s, shared)
		e1, c1 := n1.open("a", "")
		e2, c2 := n2.open("a", "")
		pending := new(hubtest.Conn)
		ep := n2.Register("main", "a", []string{"main"}, pending)
		defer ep.Remove()
		for _, e := range []*hub.Entry{e1, e2, ep} {
			if err := e.Subscribe(t.Context(), "lobby", "main"); err != nil {
				t.Fatal(err)
			}
		}
		say := func(text string) {
			if err := n1.Publish(t.Context(), "lobby", []byte(text)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		say("1")
		e1.Unsubscribe("lobby")
		e1.Unsubscribe("never")
		say("2")
		if got := fmt.Sprint(c1.Delivered(), c2.Delivered(), pending.Delivered()); got != "[{lobby 1}] [{lobby 1} {lobby 2}] []" {
			t.Errorf("delivered %s", got)
		}
		if st := n1.Stats(); st.Topics != 0 || st.Subscriptions != 0 {
			t.Errorf("left over: %+v", st)
		}
	})
}

func TestSend_reachesTheSessionAndTheUserOnAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, shared := newStore(), hub.NewMemoryBroker()
		for _, id := range []string{"a", "b", "c"} {
			s.put(id, record{})
		}
		n1, n2 := start(t, s, shared), start(t, s, shared)
		_, a1 := n1.open("a", "alice")
		_, b2 := n2.open("b", "alice")
		_, c2 := n2.open("c", "bob")
		_, a2 := n2.open("a", "alice")
		if err := n1.Send(t.Context(), "main", "a", []byte("session")); err != nil {
			t.Fatal(err)
		}
		if err := n2.SendUser(t.Context(), "main", "alice", []byte("user")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		got := fmt.Sprint(a1.Delivered(), a2.Delivered(), b2.Delivered(), c2.Delivered())
		if want := "[{ session} { user}] [{ session} { user}] [{ user}] []"; got != want {
			t.Errorf("delivered %s, want %s", got, want)
		}
		if err := n1.Send(t.Context(), "main", "", nil); !errors.Is(err, hub.ErrAddress) {
			t.Errorf("Send to no id = %v", err)
		}
		if err := n1.SendUser(t.Context(), strings.Repeat("x", 256), "u", nil); !errors.Is(err, hub.ErrAddress) {
			t.Errorf("SendUser to a long root = %v", err)
		}
	})
}

func TestSend_garbageIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, newStore(), nil)
		bad := []string{"", "\x01", "\x02s\x01m\x00\x01a", "\x01x\x01m\x00\x01a", "\x01s\x00\x00\x01a", "\x01s\x01m\x00\x00", "\x01s\x01m\x00\x02a", "\x01s\xffm"}
		for _, b := range bad {
			n.bus.receiver().Publication("\x01direct", []byte(b))
		}
		if got := n.Stats().Malformed; got != uint64(len(bad)) {
			t.Errorf("Malformed = %d, want %d", got, len(bad))
		}
	})
}

func TestTopic_names(t *testing.T) {
	h := hub.New(hub.Options{})
	for topic, ok := range map[string]bool{
		"a": true, "räum:1 x": true, strings.Repeat("x", 255): true,
		"": false, strings.Repeat("x", 256): false, "a\nb": false, "\x01direct": false, "\xff": false, "a\u0085": false,
	} {
		if err := h.Publish(t.Context(), topic, nil); (err == nil) != ok || err != nil && !errors.Is(err, hub.ErrTopic) {
			t.Errorf("Publish to %q = %v", topic, err)
		}
		e := h.Register("main", "a", nil, new(hubtest.Conn))
		if err := e.Subscribe(t.Context(), topic, ""); (err == nil) != ok || err != nil && !errors.Is(err, hub.ErrTopic) {
			t.Errorf("Subscribe to %q = %v", topic, err)
		}
		e.Remove()
	}
}

// asked is a broker whose Subscribe the test answers.
type asked struct {
	*hub.MemoryBroker
	answers chan error

	mu    sync.Mutex // guards the following field
	calls []string
}

func (b *asked) note(call string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, call)
}

func (b *asked) Subscribe(ctx context.Context, topic string) error {
	b.note("+" + topic)
	select {
	case err := <-b.answers:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *asked) Unsubscribe(topic string) { b.note("-" + topic) }

func TestSubscribe_firstOnesWaitForOneAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &asked{MemoryBroker: hub.NewMemoryBroker(), answers: make(chan error)}
		h := hub.New(hub.Options{Broker: b})
		first, giveUp := context.WithCancel(t.Context())
		results := make(chan error, 4)
		var entries []*hub.Entry
		subscribe := func(ctx context.Context) {
			e := h.Register("main", "a", nil, new(hubtest.Conn))
			entries = append(entries, e)
			go func() { results <- e.Subscribe(ctx, "t", "") }()
			synctest.Wait()
		}
		subscribe(first)
		subscribe(t.Context())
		subscribe(t.Context())
		giveUp() // another one asks now
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("Subscribe that was given up = %v", err)
		}
		synctest.Wait()
		b.answers <- nil
		for range 2 {
			if err := <-results; err != nil {
				t.Errorf("Subscribe = %v", err)
			}
		}
		subscribe(t.Context()) // acknowledged before
		if err := <-results; err != nil {
			t.Errorf("later Subscribe = %v", err)
		}
		for _, e := range entries {
			e.Remove()
		}
		if want := []string{"+t", "+t", "-t"}; !slices.Equal(b.calls, want) {
			t.Errorf("calls = %q, want %q", b.calls, want)
		}
	})
}

func TestSubscribe_givenUpMeanwhile(t *testing.T) {
	for _, c := range []struct {
		name string
		act  func(*hub.Entry)
		want error
	}{
		{"Unsubscribe", func(e *hub.Entry) { e.Unsubscribe("t") }, hub.ErrUnsubscribed},
		{"Remove", (*hub.Entry).Remove, hub.ErrRemoved},
		{"End", func(e *hub.Entry) { e.End(hub.TooSlow); e.Remove() }, hub.TooSlow},
	} {
		t.Run(c.name, bubble(func(t *testing.T) {
			b := &asked{MemoryBroker: hub.NewMemoryBroker(), answers: make(chan error)}
			h := hub.New(hub.Options{Broker: b})
			e := h.Register("main", "a", nil, new(hubtest.Conn))
			result := make(chan error, 1)
			go func() { result <- e.Subscribe(t.Context(), "t", "") }()
			synctest.Wait()
			c.act(e)
			b.answers <- nil
			if err := <-result; !errors.Is(err, c.want) {
				t.Errorf("Subscribe = %v, want %v", err, c.want)
			}
			e.Remove()
			if want := []string{"+t", "-t"}; !slices.Equal(b.calls, want) {
				t.Errorf("calls = %q, want %q", b.calls, want)
			}
			if st := h.Stats(); st.Topics != 0 {
				t.Errorf("left over: %+v", st)
			}
		}))
	}
}

// The one who asked the broker gave up its interest before the answer, and
// somebody else has come.
func TestSubscribe_answerServesWhoCameMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &asked{MemoryBroker: hub.NewMemoryBroker(), answers: make(chan error)}
		h := hub.New(hub.Options{Broker: b})
		e1 := h.Register("main", "a", nil, new(hubtest.Conn))
		e2 := h.Register("main", "a", nil, new(hubtest.Conn))
		r1, r2 := make(chan error, 1), make(chan error, 1)
		go func() { r1 <- e1.Subscribe(t.Context(), "t", "") }()
		synctest.Wait()
		e1.Unsubscribe("t")
		go func() { r2 <- e2.Subscribe(t.Context(), "t", "") }()
		synctest.Wait()
		b.answers <- nil
		if err := <-r1; !errors.Is(err, hub.ErrUnsubscribed) {
			t.Errorf("Subscribe that was undone = %v", err)
		}
		if err := <-r2; err != nil {
			t.Errorf("Subscribe = %v", err)
		}
		if st := h.Stats(); st.Topics != 1 || st.Subscriptions != 1 {
			t.Errorf("stats = %+v", st)
		}
		e1.Remove()
		e2.Remove()
		if want := []string{"+t", "-t"}; !slices.Equal(b.calls, want) {
			t.Errorf("calls = %q, want %q", b.calls, want)
		}
	})
}

func TestSubscribe_twiceIsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		s.put("a", record{})
		n := start(t, s, nil)
		e, c := n.open("a", "")
		for range 2 {
			if err := e.Subscribe(t.Context(), "t", "main"); err != nil {
				t.Fatal(err)
			}
		}
		if err := n.Publish(t.Context(), "t", nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := c.Delivered(); len(got) != 1 {
			t.Errorf("delivered %v, want one", got)
		}
	})
}
