package transport

import (
	"log/slog"
	"net/http"
	"net/netip"
	"time"
)

// Options configures an [Endpoint]. Origins, or NonBrowser, must be given.
type Options struct {
	// Origins are the origins whose pages may connect, exactly, as in
	// "https://chat.example". Others are refused with 403.
	Origins []string

	// NonBrowser lets requests without an Origin header in, which no browser
	// sends.
	NonBrowser bool

	// Namespaces are those that a socket holds, all of one family.
	//
	// Defaults to all of the first root's family.
	Namespaces []string

	// Anonymous says what happens to visitors without a session.
	//
	// Defaults to [Refuse].
	Anonymous Anonymous

	// RequireUser closes sockets of sessions in which nobody is logged in,
	// with 4501. It goes with Anonymous [Refuse] only.
	RequireUser bool

	// Tokens lets clients without cookies show their session's token, as
	// "Authorization: Bearer <token>". One without the cookie gets the token of
	// a session that is begun or renewed in the field "Session-Token" of the
	// 101. A request whose cookie and token differ is refused with 400.
	//
	// Defaults to false: such a field is not looked at.
	Tokens bool

	// Fresh loads the sessions for each message that uses them, one round
	// trip more. Without it a message reads this node's snapshot, which may
	// lack what another node saved since this node's last save of the session
	// or the last revalidation (60 s).
	Fresh bool

	// Quiet says that messages do not keep the session alive.
	Quiet bool

	// Subprotocols are those that the endpoint speaks, best first.
	Subprotocols []string

	// Binary delivers publications in binary messages instead of text.
	Binary bool

	// MaxMessage is the size of a message, in bytes; a larger one closes the
	// socket with 1009.
	//
	// Defaults to 64 KiB.
	MaxMessage int

	// MessageTimeout is how long a message may take from its first frame to
	// its last byte; then the socket is closed with 1008. It is also how long
	// messages that were read are still handled after the client said goodbye.
	//
	// Defaults to 10 seconds.
	MessageTimeout time.Duration

	// Rate is how many messages a second a socket may send, and Burst how many
	// at once; more close it with 4429. As many pings and pongs may come, and
	// more close it with 1008.
	//
	// Default to 20 and 40.
	Rate, Burst int

	// QueueBytes is how much may wait for a peer that does not take it, with
	// 64 bytes for each message; more closes the socket with 4408.
	//
	// Defaults to 1 MiB.
	QueueBytes int

	// PingInterval is how often a peer is pinged, give or take a tenth, and
	// PongTimeout how long it has to answer before its connection is dropped.
	//
	// Default to 25 and 10 seconds.
	PingInterval, PongTimeout time.Duration

	// CloseGrace is how long a peer has to take the close frame before its
	// connection is dropped.
	//
	// Defaults to 200 ms: that and the close frames of a thousand others are over in 300.
	CloseGrace time.Duration

	// SendTimeout bounds each publication and subscription.
	//
	// Defaults to 5 seconds.
	SendTimeout time.Duration

	// PerSession is how many sockets a session may have on this node; the
	// newest over it is closed with 4503.
	//
	// Defaults to 10.
	PerSession int

	// PerAddress is how many sockets an address may have at this endpoint, a
	// /64 counting as one; more are refused with 429. Besides, only 20 at once
	// are accepted to be told that they have no session.
	//
	// Defaults to 100.
	PerAddress int

	// HandshakeRate is how many sockets an address may open in a second, and four
	// times as many at once; more are refused with 429. Those that are not let in
	// count too.
	//
	// Defaults to half of PerAddress.
	HandshakeRate int

	// MaxSockets is how many sockets there may be at this endpoint; more are
	// refused with 503.
	//
	// Defaults to 100,000.
	MaxSockets int

	// Address returns the client's address, and an invalid one when it is not
	// known for certain, which turns the limits by address off.
	//
	// Defaults to the address of the TCP connection.
	Address func(*http.Request) netip.Addr

	// Logger gets the errors of handlers, without messages and secrets.
	//
	// Defaults to [slog.Default].
	Logger *slog.Logger
}

// Anonymous says what happens to visitors without a session.
type Anonymous uint8

const (
	// Refuse accepts the socket and closes it with 4501 at once.
	Refuse Anonymous = iota

	// Allow lets the socket in without a session: handlers get empty ones, in
	// which nothing can be set.
	Allow

	// Create begins a session, whose cookie goes with the 101.
	Create
)

func (o Options) withDefaults() Options {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	wait := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&o.MaxMessage, 64<<10)
	def(&o.Rate, 20)
	def(&o.Burst, 40)
	def(&o.QueueBytes, 1<<20)
	def(&o.PerSession, 10)
	def(&o.PerAddress, 100)
	def(&o.HandshakeRate, max(1, o.PerAddress/2))
	def(&o.MaxSockets, 100_000)
	wait(&o.MessageTimeout, 10*time.Second)
	wait(&o.PingInterval, 25*time.Second)
	wait(&o.PongTimeout, 10*time.Second)
	wait(&o.CloseGrace, 200*time.Millisecond)
	wait(&o.SendTimeout, 5*time.Second)
	if o.Address == nil {
		o.Address = func(r *http.Request) netip.Addr {
			a, _ := netip.ParseAddrPort(r.RemoteAddr)
			return a.Addr()
		}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}
