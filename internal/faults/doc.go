// Package faults has tests only: whole nodes, with real sockets and a real Redis,
// and everything that can go wrong between them: crashes, hung servers, lost
// connections, silent peers, floods, failovers, clocks that are wrong. The cases
// are numbered; TestCases_areTested says for each number where it is tested, here
// or in the package whose own business it is, and TestWindows_areClosed the same
// for each race between an end of a session and something else.
//
// Some tests stop a node at a named place (package failpoint), and are there only
// with the build tag "failpoint", which "make test" sets. A node that is to be
// killed is a process of its own: this test binary, started once more.
//
// Sizes and times are those of the list of cases, or smaller where two cores would
// need minutes; the flag -full takes the list's own:
//
//	go test -race -tags failpoint ./internal/faults -args -full
package faults
