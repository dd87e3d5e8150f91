// Package cases has tests only: what the other systems for sessions have learnt
// that a session must do, held against this one over its public API, with the
// memory store and with Redis.
//
// The cases of TestCases are numbered. A1 to A79 follow Django's tests of its
// sessions, in their order; Au1 and so on are what Django's code does and none of
// its tests says; A80 to A88 follow its tests of signing, and stand in
// session/signed. Each name says what this project does. Where that is another
// thing than what Django does, the rule of the case says why. A case that means
// nothing here is in a table, with the reason.
//
// TestRequirements holds what OWASP, ASVS and the RFCs ask of a session,
// TestRegression what was seen to fail in other libraries, and the rest the
// kinds of responses, and faults.
//
// A session's key is, in these cases, what the browser holds: the value of its
// cookie. The key changes when the session gets a new secret, under the same id.
// An old key is gone when a request that shows it is anonymous.
package cases
