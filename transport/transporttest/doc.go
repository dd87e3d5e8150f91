// Package transporttest runs a [transport.Handler] on one message, without a
// socket, as an application's own tests want it: [LogIn] makes a visitor with a
// session, [Do] handles a message of his and says what it did.
package transporttest
