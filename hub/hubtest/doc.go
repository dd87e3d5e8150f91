// Package hubtest helps to test what works with package hub: [TestBroker] is
// the contract of a [hub.Broker] as a test suite, [Conn] is a connection that
// records what the hub does to it.
package hubtest
