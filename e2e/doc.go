// Package e2e tests whole nodes: hubdemo processes as a user starts them, one
// real Redis between them, and visitors who come over HTTP and WebSockets. It
// has no code of its own.
//
// The three sentences that the library promises are proved here in
// TestTwoNodes: a logout on one node ends every socket on all of them, nothing
// is accepted after it was answered, and nothing of the session comes back.
// Run it with -v to see how long that takes.
//
// The package builds hubdemo once, with the race detector when it is built with
// that itself, and a race in a node fails the test that ran it. All listens on
// loopback alone.
package e2e
