package transporttest

import (
	"context"
	"net/http"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/transport"
)

// Result is what one message did.
type Result struct {
	Replies      []string
	Published    []Publication
	Subscribed   []string // topics
	Unsubscribed []string // topics
	Closed       *transport.CloseError
	Err          error // of the handler, or of the save; then nothing left
}

// Publication is what was published to a topic.
type Publication struct{ Topic, Data string }

// Do handles one text message as a socket does: the handler in the scope, the
// save, and only then what it sent. A scope for it comes from
// [session.Manager.Scope]; see [Visitor].
func Do(ctx context.Context, h transport.Handler, sc *session.Scope, text string) Result {
	out, err := transport.Step(ctx, h, sc, &transport.Peer{}, transport.Message{Data: []byte(text)})
	r := Result{Err: err}
	for _, a := range out.Acts() {
		switch a.Do {
		case transport.DoReply:
			r.Replies = append(r.Replies, string(a.Data))
		case transport.DoPublish:
			r.Published = append(r.Published, Publication{a.Topic, string(a.Data)})
		case transport.DoSubscribe:
			r.Subscribed = append(r.Subscribed, a.Topic)
		case transport.DoUnsubscribe:
			r.Unsubscribed = append(r.Unsubscribed, a.Topic)
		case transport.DoClose:
			r.Closed = &a.Close
		}
	}
	return r
}

// Visitor is one visitor with a session, for tests.
type Visitor struct {
	m      *session.Manager
	cookie http.Header // of requests
}

// LogIn returns a visitor who is logged in as user.
func LogIn(ctx context.Context, m *session.Manager, user string) (*Visitor, error) {
	sc := m.Scope(&http.Request{Header: http.Header{}})
	if err := sc.Login(ctx, user, session.LoginOptions{}); err != nil {
		return nil, err
	}
	if err := sc.Commit(ctx); err != nil {
		return nil, err
	}
	answer := &http.Response{Header: http.Header{}}
	sc.WriteHeader(answer.Header)
	r := &http.Request{Header: http.Header{}}
	for _, c := range answer.Cookies() {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	return &Visitor{m: m, cookie: r.Header}, nil
}

// Header returns the header of a request of the visitor's, to connect to an
// endpoint with.
func (v *Visitor) Header() http.Header { return v.cookie.Clone() }

// Scope returns the sessions of the visitor's next message or request.
func (v *Visitor) Scope() *session.Scope {
	return v.m.Scope(&http.Request{Header: v.cookie})
}
