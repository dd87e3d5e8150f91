package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// testChatLogout ends the chat of one session again and again while sockets on
// both nodes send.
func testChatLogout(t *testing.T, p *pair) {
	const rounds, room = 50, "chatty"
	onlooker := enter(t, p.a, "/login", p.cheap(t, "onlooker"))
	watching := p.tabs(t, onlooker, 1, room)
	for i, tb := range watching {
		tb.greets(t, room, fmt.Sprint("watching ", i))
	}
	v := enter(t, p.a, "/login", p.cheap(t, "chatty"))
	answered := make([]time.Time, rounds) // when the logout of each round was
	accepted := 0
	for r := range rounds {
		c := &chatRound{room: room, number: r, answered: make(chan struct{})}
		tabs := p.tabs(t, v, 2, room)
		var wg sync.WaitGroup
		for i, tb := range tabs {
			wg.Go(func() {
				if err := c.talk(tb, i); err != nil {
					t.Errorf("round %d, socket %d: %v (%s)", r, i, err, tb.end())
				}
			})
		}
		// Somewhere in the middle.
		tabs[r%len(tabs)].greets(t, room, fmt.Sprint("now ", r))
		on, other := p.nodes()[r%2], p.nodes()[(r+1)%2]
		if took := v.logout(t, on, "chat"); took.ClosedHere != 0 {
			t.Errorf("round %d: logout of the chat = %+v, want no socket closed", r, took)
		}
		answered[r] = time.Now()
		close(c.answered)
		wg.Wait()
		for i, tb := range tabs {
			if _, _, err := tb.wait(0, func(f frame) bool { return f.Ended == "chat" }, nil); err != nil {
				t.Errorf("round %d, socket %d was not told that the chat ended: %v", r, i, err)
			}
		}
		for _, n := range p.nodes() {
			if got := v.sent(t, n); got != 0 {
				t.Errorf("round %d: sent on %s = %d after the chat ended, want a new chat", r, n.name, got)
			}
		}
		// A socket that is opened now has the new chat, the old ones have none.
		fresh := v.open(t, other)
		fresh.greets(t, room, fmt.Sprint("new ", r))
		for i, tb := range tabs {
			refused, ends := 0, 0
			for _, f := range tb.all() {
				if f.Error != "" {
					refused++
				}
			}
			if err := tb.say(room, fmt.Sprint("again ", r)); err != nil {
				t.Errorf("round %d, socket %d: %v (%s)", r, i, err, tb.end())
			}
			if got := tb.refuses(t, refused+1); got != "chat ended" {
				t.Errorf("round %d, socket %d publishes: error %q", r, i, got)
			}
			for _, f := range tb.all() {
				if f.Ended != "" {
					ends++
				}
			}
			if ends != 1 {
				t.Errorf("round %d, socket %d was told %d times that the chat ended", r, i, ends)
			}
		}
		for _, n := range p.nodes() {
			if got := v.sent(t, n); got != 1 {
				t.Errorf("round %d: sent on %s = %d in the new chat, want 1", r, n.name, got)
			}
		}
		for _, tb := range append(tabs, fresh) {
			tb.leave()
		}
	}

	watching[0].greets(t, room, "the end")
	watching[1].hears(t, "the end")
	var late time.Duration
	for _, tb := range watching {
		heard := make(map[string]bool)
		for _, f := range tb.all() {
			if heard[f.Text] {
				t.Errorf("%q was published twice", f.Text)
			}
			heard[f.Text] = true
			if strings.HasPrefix(f.Text, "again") {
				t.Errorf("%q was accepted from a socket that lost its chat", f.Text)
			}
			var r, i, j int
			var when string
			if n, _ := fmt.Sscanf(f.Text, "%s %d %d %d", &when, &r, &i, &j); n < 4 {
				continue
			}
			accepted++
			if when == "after" || f.At.After(answered[r]) {
				t.Errorf("round %d: %q was accepted at %v, the logout was answered at %v", r, f.Text, f.At, answered[r])
			}
			late = max(late, f.arrived.Sub(answered[r]))
		}
	}
	if accepted == 0 {
		t.Error("no message was accepted before a logout")
	}
	t.Logf("%d logouts amid %d messages; the last message before one arrived %v after its answer", rounds, accepted/2, late)
	v.logout(t, p.a, "session")
	onlooker.logout(t, p.a, "session")
}

// chatRound is what the sockets of one round of testChatLogout share.
type chatRound struct {
	room     string
	number   int
	answered chan struct{} // closed when the logout was answered
}

// talk sends one message after the other until one is refused that was sent
// after the logout was answered.
func (c *chatRound) talk(tb *tab, socket int) error {
	from := 0
	for j := range 30 {
		when, stop := "before", c.answered
		if j > 25 {
			<-c.answered // the rest of the burst is for afterwards
		}
		select {
		case <-c.answered:
			when, stop = "after", nil
		default:
		}
		text := fmt.Sprint(when, " ", c.number, " ", socket, " ", j)
		if err := tb.say(c.room, text); err != nil {
			return err
		}
		f, next, err := tb.wait(from, func(f frame) bool { return f.Text == text || f.Error != "" }, stop)
		switch from = next; {
		case errors.Is(err, context.Canceled):
			// It may have been accepted, and the room lost before it came back.
		case err != nil:
			return err
		case f.Error != "" && f.Error != "chat ended":
			return fmt.Errorf("error %q, want %q", f.Error, "chat ended")
		case f.Error != "" && when == "after":
			return nil
		case when == "after":
			return fmt.Errorf("%q was accepted", text)
		}
	}
	return errors.New("nothing was refused")
}
