// Package redistest runs real redis-server processes for tests.
//
// [Start] is a server of its own for a test that stops, kills or restarts it.
// [Shared] is one server for all other tests of a package, which keep out of
// each other's way with [Prefix]:
//
//	func TestMain(m *testing.M) { redistest.Main(m) }
//
//	func TestStore(t *testing.T) {
//		c := redistest.Shared(t).Client(t)
//		prefix := redistest.Prefix(t)
//		// ...
//	}
//
// More than one server: [StartReplica], [StartSentinel], [StartCluster] and
// [SharedCluster], whose slots a test may move; with TLS [StartTLS], and users
// with fewer rights by [Server.SetUser].
//
// Servers listen on 127.0.0.1 alone and keep their files in a directory of
// their own. They end with their test, or with the test binary, however that
// ends: a crash and a timeout leave no process behind.
//
// redis-server 7 or newer must be on the PATH or in /usr/bin. A test that
// needs it fails without it, and is never skipped.
package redistest
