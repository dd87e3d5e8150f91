package transport

// Outbox collects what a handler sends. Nothing leaves before the sessions of
// the message are saved, nor while the hub is stale, unless the socket fails
// open: what waits for that is dropped when the socket ends first. Then it leaves
// in the order of the calls. An Outbox may not be used after the handler returned,
// nor by several goroutines at once.
type Outbox struct {
	peer *Peer
	acts []Act
}

// Act is one thing that an [Outbox] holds back.
type Act struct {
	Do        Do
	Topic     string // of a publication or subscription
	Namespace string // of a subscription
	Data      []byte // of a reply or publication
	Binary    bool   // a reply in a binary message
	Close     CloseError
}

// Do says what an [Act] does.
type Do uint8

const (
	DoReply       Do = iota // [Outbox.Reply], [Outbox.ReplyBinary]
	DoPublish               // [Outbox.Publish]
	DoSubscribe             // [Outbox.Subscribe]
	DoUnsubscribe           // [Outbox.Unsubscribe]
	DoClose                 // [Outbox.Close]
)

// Peer returns the other end of the socket.
func (o *Outbox) Peer() *Peer { return o.peer }

// Reply sends a text message to this socket. The data may not be changed
// afterwards; neither may that of the others.
func (o *Outbox) Reply(data []byte) { o.add(Act{Do: DoReply, Data: data}) }

// ReplyBinary sends a binary message to this socket.
func (o *Outbox) ReplyBinary(data []byte) { o.add(Act{Do: DoReply, Data: data, Binary: true}) }

// Publish sends data to all subscribers of a topic, on all nodes, this socket
// too if it is one.
func (o *Outbox) Publish(topic string, data []byte) {
	o.add(Act{Do: DoPublish, Topic: topic, Data: data})
}

// Subscribe gives this socket what is published to a topic from then on, until
// it unsubscribes, or loses the namespace. An empty namespace stands for the
// socket itself.
func (o *Outbox) Subscribe(topic, namespace string) {
	o.add(Act{Do: DoSubscribe, Topic: topic, Namespace: namespace})
}

// Unsubscribe ends a subscription of this socket.
func (o *Outbox) Unsubscribe(topic string) { o.add(Act{Do: DoUnsubscribe, Topic: topic}) }

// Close closes this socket when all that was sent before has left. Code and
// reason are those of a [CloseError].
func (o *Outbox) Close(code int, reason string) {
	o.add(Act{Do: DoClose, Close: CloseError{code, reason}})
}

// Acts returns what is held back, in order. It is for those who run a [Step]
// of their own, as tests do.
func (o *Outbox) Acts() []Act { return o.acts }

func (o *Outbox) add(a Act) { o.acts = append(o.acts, a) }

// drop forgets what is held back.
func (o *Outbox) drop() { o.acts = nil }
