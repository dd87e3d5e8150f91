// Package arrows holds the test that guards which package may import which.
//
// A package imports only what the test's table lists for it: packages of this
// module, and packages of others. So the core (prefixes, session, hub) stays
// on the standard library, session and hub never know each other, no arrow
// points back up, and a heavy dependency enters where it was let in on purpose
// and nowhere else. Who needs a new arrow adds it to the table, where a
// reviewer sees it.
//
// Modules nested in this one, such as benchmarks, are left out.
package arrows
