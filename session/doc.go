// Package session keeps a visitor's values on the server, in namespaces, and
// gives HTTP requests and WebSocket messages the same way to use them.
//
// # Scopes
//
// A [Scope] is the sessions of one request or one message. Nothing is read
// before a handler asks: the first [Get] of any namespace loads all namespaces
// of its family in one trip to the store. [Scope.Commit] saves what changed in
// one trip, before anything is sent. A scope that nobody used costs nothing.
//
// # Ends
//
// The store is the truth. A save never creates a session, so one that a logout
// deleted, on any node, stays deleted: the save returns [ErrEnded]. A namespace
// that was ended alone refuses the saves of scopes that loaded it before, with
// [ErrNamespaceEnded], and a login refuses those that loaded before it, with
// [ErrRenewed].
//
// An end that the store cannot be told is owed ([ErrOwed]): this node denies the
// session from then on, and [Manager.Run] asks the store again until it took the
// end. Which ends a server lacks that took another one's place, [Manager.Recover]
// repeats.
//
// # Concurrent writers
//
// A scope records what it changes, not what it loaded: writers of different
// keys keep each other's values. [Counter] adds inside the store, exactly once.
// [Session.Update] is a compare-and-set. Of two writers of one key the later
// save stays.
//
// # Identity
//
// The cookie holds an id and a secret. The id finds the record, is not secret,
// and stays for the session's life. The secret proves the right to it; the
// store keeps only its SHA-256, and every login replaces it.
//
// # Concurrency
//
// All methods of [Manager], [Scope], [Session] and [Hold] may be called from
// any goroutine.
package session
