// Package sessionhub is server-side sessions that HTTP requests and WebSocket
// messages share, and a logout that ends both, on every node.
//
// [New] puts the parts together for a whole program: sessions in memory or
// Redis, a chi router, WebSocket endpoints, and a life behind a TLS proxy. Who
// wants them apart finds them here:
//
//   - prefixes: which namespaces there are, and what their cookies are
//   - session: one visitor's values, loaded and saved as a whole
//   - hub: which connections there are, and how they end and are fed
//   - transport: a WebSocket, one message after the other
//   - web: an HTTP request
//   - session/redisstore and hub/redisbroker: the same on Redis
//
// Handlers use package session, over HTTP and on sockets alike: session.Get,
// session.User, session.Login, session.Logout.
package sessionhub
