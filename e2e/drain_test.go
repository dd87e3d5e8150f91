package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"syscall"
	"testing"
	"time"
)

// TestDrain ends a node by SIGTERM while it has sockets and a request.
func TestDrain(t *testing.T) {
	t.Parallel()
	n := start(t, "alone", "").up(t)
	ada := account{"ada", n.password("ada")}
	v := enter(t, n, "/login", ada)
	tabs := []*tab{v.open(t, n), v.open(t, n), v.open(t, n)}
	for _, tb := range tabs {
		tb.greets(t, "lobby", "hello")
	}

	// The server asks for the body when the handler reads it: then the request
	// is under way.
	asked := make(chan struct{})
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
			if code == http.StatusContinue {
				close(asked)
			}
			return nil
		},
	})
	body, err := json.Marshal(ada)
	if err != nil {
		t.Fatal(err)
	}
	held := &heldBody{release: make(chan struct{}), Reader: bytes.NewReader(body)}
	r, err := http.NewRequestWithContext(ctx, "POST", n.origin+"/login", held)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = int64(len(body))
	r.Header = http.Header{"Origin": {n.origin}, "Content-Type": {"application/json"}, "Expect": {"100-continue"}}
	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: patience, DisableKeepAlives: true}}
	answered := make(chan error, 1)
	go func() {
		resp, err := client.Do(r)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK || resp.Header.Get("Set-Cookie") == "" {
				err = errors.New(resp.Status)
			}
		}
		answered <- err
	}()
	select {
	case <-asked:
	case err := <-answered:
		t.Fatalf("the request was answered before its body was sent: %v", err)
	}

	began := time.Now()
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for _, tb := range tabs {
		tb.closes(t, 1012)
	}
	eventually(t, "a node that drains takes no connections", func() error {
		c, err := net.Dial("tcp", n.addr)
		if err != nil {
			return nil
		}
		c.Close()
		return errors.New("it took one")
	})
	close(held.release)
	if err := <-answered; err != nil {
		t.Errorf("the request that was under way: %v, want 200 and a cookie", err)
	}
	if err := n.wait(); err != nil {
		t.Errorf("after SIGTERM: %v, want exit status 0", err)
	}
	took := time.Since(began)
	if budget := 10 * time.Second; took > budget {
		t.Errorf("the drain took %v, want at most %v", took, budget)
	}
	t.Logf("drained 3 sockets and a request in %v", took.Round(time.Millisecond))
}

// heldBody is a body that is not sent before it is released.
type heldBody struct {
	release chan struct{}
	io.Reader
}

func (b *heldBody) Read(p []byte) (int, error) {
	<-b.release
	return b.Reader.Read(p)
}
