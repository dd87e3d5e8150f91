package hubtest_test

import (
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/hubtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ hub.Conn = (*hubtest.Conn)(nil)

func TestConn_records(t *testing.T) {
	var hooks []string
	c := &hubtest.Conn{
		OnMark:    func(hub.Reason) { hooks = append(hooks, "mark") },
		OnClose:   func(hub.Reason) { hooks = append(hooks, "close") },
		OnDeliver: func(p hubtest.Publication) { hooks = append(hooks, p.Topic+p.Data) },
		OnLose:    func(ns string) { hooks = append(hooks, ns) },
	}
	if _, ok := c.Marked(); ok {
		t.Error("marked at first")
	}
	c.Deliver("t", []byte("d"))
	c.Lose("chat")
	c.Mark(hub.TooSlow)
	c.Close(hub.TooSlow)
	if want := []string{"td", "chat", "mark", "close"}; !slices.Equal(hooks, want) {
		t.Errorf("hooks = %q, want %q", hooks, want)
	}
	if r, ok := c.Closed(); !ok || r != hub.TooSlow {
		t.Errorf("Closed = %v, %v", r, ok)
	}
	if err := c.Err(); err != nil {
		t.Errorf("Err = %v", err)
	}
}

func TestConn_noticesBrokenPromises(t *testing.T) {
	for name, act := range map[string]func(*hubtest.Conn){
		"Close before Mark":  func(c *hubtest.Conn) { c.Close(hub.Restart) },
		"Mark twice":         func(c *hubtest.Conn) { c.Mark(hub.Restart); c.Mark(hub.Restart) },
		"Close twice":        func(c *hubtest.Conn) { c.Mark(hub.Restart); c.Close(hub.Restart); c.Close(hub.Restart) },
		"Close for another":  func(c *hubtest.Conn) { c.Mark(hub.Restart); c.Close(hub.TooSlow) },
		"Lose the same once": func(c *hubtest.Conn) { c.Lose("chat"); c.Lose("chat") },
	} {
		t.Run(name, func(t *testing.T) {
			c := new(hubtest.Conn)
			act(c)
			if c.Err() == nil {
				t.Error("Err = nil")
			}
		})
	}
}
