// Package sessiontest is the contract of [session.Store] as a test suite.
//
// A store passes it by handing [TestStore] a function that opens a [Harness].
// Each case is named, and says in one sentence the rule that it holds the
// store to. Two parts look for what no single case thinks of: one compares
// random operations, one after the other, with a plain model of a session;
// the other lets clients collide and searches for an order in which the same
// model would have given the same answers. [TestLinearizable] is that part by
// itself, for a store whose replies are lost on purpose.
//
// The cases use random ids and users, so they may share one storage. They
// leave their sessions behind.
//
// # Time
//
// The suite never waits: it asks the harness to advance the store's clock. A
// store that reads [time.Now] runs in a bubble of [testing/synctest] and
// advances by sleeping:
//
//	sessiontest.TestStore(t, func(t *testing.T) sessiontest.Harness {
//		...
//		return sessiontest.Harness{Store: s, Advance: time.Sleep, Notices: drain, Run: synctest.Test}
//	})
//
// A store with a clock of its own moves what it measures back instead.
package sessiontest
