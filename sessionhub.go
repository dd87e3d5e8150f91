package sessionhub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/redis/go-redis/v9"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/hub/redisbroker"
	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
	"github.com/sessionhub/sessionhub/session/redisstore"
	"github.com/sessionhub/sessionhub/transport"
	"github.com/sessionhub/sessionhub/web"
)

// Options configures an [App]. Public must be given.
type Options struct {
	// Public is the origin under which browsers see the program, as in
	// "https://chat.example": pages of it may open sockets and send forms.
	// With https the cookie is "__Host-id" and Secure. With http, which is for
	// development, it is "id", [App.Serve] refuses to listen on anything but
	// loopback, and pages of localhost, 127.0.0.1 and [::1] with the same port
	// may do so too.
	Public string

	// Redis is the URL of the Redis that all nodes share:
	// "redis://user:password@host:6379/0", "redis+sentinel://..." for the master
	// that Sentinels know, or "redis+cluster://...". [redisstore.NewClient] has
	// their forms, those with TLS, and the parameters.
	//
	// Defaults to none: sessions and topics of this process only.
	Redis string

	// RedisClient is used in the place of one made from a URL: one that is shared
	// with the rest of the program, or that needs what a URL does not say, such as
	// a private certificate authority. [redisstore.NewClient] makes one with the
	// settings that are needed; others are refused. The caller closes it, after
	// [App.Close].
	//
	// Defaults to nil: Redis says what to connect to.
	RedisClient redis.UniversalClient

	// Prefix begins all keys and channels in Redis.
	//
	// Defaults to "sessionhub".
	Prefix string

	// RedisStore configures the store in Redis further: for how many replicas a
	// logout waits, or that a Redis which may lose sessions is refused. Its Prefix
	// is that of the App.
	RedisStore redisstore.Options

	// StoreTimeout bounds each operation of the store: how long a request, a
	// message or a logout waits for a Redis that does not answer.
	//
	// Defaults to 500 ms.
	StoreTimeout time.Duration

	// Hub configures the hub further: how long a logout waits for other nodes,
	// or how soon silence is noticed. Its Broker, Node and Logger are those of the
	// App.
	Hub hub.Options

	// Namespaces are the session namespaces, parents first: "main" is a root,
	// "main/chat" is below it. Their settings come from the environment, as
	// package prefixes says.
	//
	// Defaults to "main".
	Namespaces []string

	// Node names this node in what the hub logs.
	//
	// Defaults to none: Logger names it, or there is one.
	Node string

	// TrustedProxies are the addresses of proxies in front of the program,
	// whose X-Forwarded-For is believed.
	//
	// Defaults to none. Behind a proxy that is not named the address of a
	// client is not known, and limits by address are off.
	TrustedProxies []netip.Prefix

	// Drain is how long [App.Serve] takes to end its connections, at the most. One
	// on which nothing was asked yet takes up to 5 seconds of it.
	//
	// Defaults to 10 seconds.
	Drain time.Duration

	// Events gets what happens to sessions, for an audit log.
	//
	// Defaults to nil: nobody.
	Events session.Events

	// Codec turns the values of sessions into what the store keeps. *seal.Codec
	// encrypts and compresses them.
	//
	// Defaults to nil: JSON text.
	Codec session.Codec

	// Web configures the middleware of [App.Router]. Its TrustedOrigins and
	// Logger are the App's.
	Web web.Options

	// Logger gets what operators should know.
	//
	// Defaults to [slog.Default].
	Logger *slog.Logger
}

// App is a program in which HTTP and WebSockets share sessions.
type App struct {
	o        Options
	public   public
	log      *slog.Logger
	sessions *session.Manager
	hub      *hub.Hub
	store    session.Store
	redis    *redisstore.Store // nil without Redis
	draining atomic.Bool
}

// New returns an App. With Redis it connects, and fails with the address and
// without the password when that cannot be used. Nothing else runs until
// [App.Serve] or [App.Run].
func New(o Options) (*App, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Drain <= 0 {
		o.Drain = 10 * time.Second
	}
	if len(o.Namespaces) == 0 {
		o.Namespaces = []string{"main"}
	}
	a := &App{o: o, log: o.Logger}
	var err error
	if a.public, err = parsePublic(o.Public); err != nil {
		return nil, err
	}
	registry, err := a.registry()
	if err != nil {
		return nil, fmt.Errorf("sessionhub: namespaces: %w", err)
	}
	// A router made here finds what is wrong with the origins, so that Router
	// need not return an error.
	a.o.Web.TrustedOrigins, a.o.Web.Logger = a.public.origins, o.Logger
	if _, err := web.NewRouter(nil, a.o.Web); err != nil {
		return nil, fmt.Errorf("sessionhub: %w", err)
	}
	if a.public.secure && len(o.TrustedProxies) == 0 {
		a.log.Warn("no TrustedProxies: the addresses of clients are not known, limits by address are off")
	}

	var broker hub.Broker
	if o.Redis == "" && o.RedisClient == nil {
		memory := hub.NewMemoryBroker()
		a.store = &memstore.Store{Deliver: func(notice string) {
			_ = memory.Notify(context.Background(), notice) // within this process it cannot fail
		}}
		broker = memory
	} else {
		if a.redis, err = openRedis(o); err != nil {
			return nil, err
		}
		a.store = a.redis
		broker = redisbroker.New(a.redis.Client(), redisbroker.Options{Prefix: o.Prefix, Logger: o.Logger})
	}
	o.Hub.Broker, o.Hub.Node, o.Hub.Logger = broker, o.Node, o.Logger
	a.hub = hub.New(o.Hub)
	a.sessions = session.New(registry, a.store, session.Options{
		Ends: a.hub, Events: o.Events, Codec: o.Codec, Address: a.ClientIP, Timeout: o.StoreTimeout, Logger: o.Logger,
	})
	return a, nil
}

// registry makes namespaces of the options and the environment.
func (a *App) registry() (*prefixes.Registry, error) {
	var spaces []prefixes.Namespace
	for _, path := range a.o.Namespaces {
		ns := prefixes.Parse(path)
		if ns.Parent == "" {
			ns.Cookie.Insecure = !a.public.secure
		}
		spaces = append(spaces, ns)
	}
	spaces, err := prefixes.FromEnv(os.LookupEnv, spaces...)
	if err != nil {
		return nil, err
	}
	return prefixes.NewRegistry(spaces...)
}

// openRedis connects and looks whether Redis can be used.
func openRedis(o Options) (*redisstore.Store, error) {
	settings := o.RedisStore
	settings.Prefix = o.Prefix
	var store *redisstore.Store
	var err error
	switch {
	case o.RedisClient == nil:
		store, err = redisstore.Open(o.Redis, settings)
	case o.Redis != "":
		err = errors.New("both Options.Redis and Options.RedisClient are set")
	default:
		store, err = redisstore.New(o.RedisClient, settings)
	}
	if err != nil {
		return nil, fmt.Errorf("sessionhub: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	warnings, err := store.Probe(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sessionhub: %w", err), store.Close())
	}
	for _, w := range warnings {
		o.Logger.Warn("redis: " + w)
	}
	return store, nil
}

// Router returns a new chi router: requests have sessions and a client
// address, and requests that change something must come from Public.
func (a *App) Router() chi.Router {
	o := a.o.Web
	o.First = slices.Clip(o.First)
	switch {
	case len(a.o.TrustedProxies) > 0:
		var trusted []string
		for _, p := range a.o.TrustedProxies {
			trusted = append(trusted, p.String())
		}
		o.First = append(o.First, middleware.ClientIPFromXFF(trusted...))
	case !a.public.secure:
		o.First = append(o.First, middleware.ClientIPFromRemoteAddr)
	}
	r, err := web.NewRouter(a.sessions, o)
	if err != nil {
		panic(err) // New has tried it
	}
	return r
}

// ClientIP returns the address of the client of a request that came through
// [App.Router], and an invalid one when it is not known for certain.
func (a *App) ClientIP(r *http.Request) netip.Addr { return middleware.GetClientIPAddr(r.Context()) }

// Socket returns a WebSocket endpoint for visitors with a session, whose
// messages h handles. Every socket subscribes to the topics when it opens, after the
// handshake and before its first message: what is published before that, it does not get.
func (a *App) Socket(h transport.HandlerFunc, topics ...string) http.Handler {
	e, err := a.Endpoint(subscribed{h, topics}, transport.Options{})
	if err != nil {
		panic(err) // without options of the caller there is nothing to be wrong
	}
	return e
}

// Endpoint returns a WebSocket endpoint. Origins, the client's address and the
// logger are the App's where o does not say otherwise.
func (a *App) Endpoint(h transport.Handler, o transport.Options) (*transport.Endpoint, error) {
	if len(o.Origins) == 0 {
		o.Origins = a.public.origins
	}
	if o.Address == nil {
		o.Address = a.ClientIP
	}
	if o.Logger == nil {
		o.Logger = a.log
	}
	return transport.New(h, a.sessions, a.hub, o)
}

// subscribed is a handler whose sockets subscribe to topics when they open.
type subscribed struct {
	transport.HandlerFunc
	topics []string
}

func (s subscribed) Open(_ context.Context, out *transport.Outbox) error {
	for _, topic := range s.topics {
		out.Subscribe(topic, "")
	}
	return nil
}

// Sessions returns the App's sessions.
func (a *App) Sessions() *session.Manager { return a.sessions }

// Hub returns the App's hub, to publish from HTTP handlers for example.
func (a *App) Hub() *hub.Hub { return a.hub }

// Redis returns the client of the App's Redis, and nil without.
func (a *App) Redis() redis.UniversalClient {
	if a.redis == nil {
		return nil
	}
	return a.redis.Client()
}

// Close releases what New opened, and leaves Options.RedisClient open.
// [App.Serve] does so itself.
func (a *App) Close() error {
	if a.redis == nil {
		return nil
	}
	return a.redis.Close()
}
